"""What is sent at once, what waits, and who sends it."""

from __future__ import annotations

import threading

import pytest

from chat.exchange import DIRECT_SIZE, ErrorCode
from chat.server import sending
from chat.server.sending import NO_THREAD, Sender
from quicmini import ConnectionClosedOK


class Gate:
    """An outbox that takes so many messages at once; a thread waits until it is opened."""

    def __init__(self, credit: int) -> None:
        self.credit = credit
        self.sent: list[bytes] = []
        self.threads: set[str] = set()
        self.open = threading.Event()
        self.broken = False
        self.closed: list[tuple[int, str]] = []

    def try_send(self, data: bytes) -> bool:
        if self.broken:
            raise ConnectionClosedOK(0, "", remote=True)
        if self.credit == len(self.sent):
            return False
        self._add(data)
        return True

    def send(self, data: bytes) -> None:
        assert self.open.wait(30)
        self._add(data)

    def _add(self, data: bytes) -> None:
        self.sent.append(data)
        self.threads.add(threading.current_thread().name)

    def close(self, error_code: int = 0, reason: str = "", *, timeout: object = None) -> None:
        self.closed.append((error_code, reason))


def make(credit: int, limit: int = 10) -> tuple[Gate, Sender]:
    gate = Gate(credit)
    return gate, Sender(gate, gate, "zoe", limit)


def numbers(count: int) -> list[bytes]:
    return [b"%d" % number for number in range(count)]


def test_at_once() -> None:
    gate, sender = make(100)
    for data in numbers(5):
        assert sender.post(data)
    assert gate.sent == []
    sender.pump()
    assert gate.sent == numbers(5)
    assert gate.threads == {threading.current_thread().name}


def test_what_has_to_wait_goes_in_its_order() -> None:
    gate, sender = make(2)
    for data in numbers(8):
        assert sender.post(data)
        sender.pump()
    gate.open.set()
    sender.finish(7, "bye")
    sender.join(30)
    assert gate.sent == numbers(8)
    assert gate.threads == {threading.current_thread().name, "writer zoe"}
    assert gate.closed == [(7, "bye")]


def test_a_long_message_is_never_waited_for() -> None:
    gate, sender = make(100)
    sender.post(bytes(DIRECT_SIZE + 1))
    sender.pump()
    gate.open.set()
    sender.finish(0, "")
    sender.join(30)
    assert gate.threads == {"writer zoe"}


def test_the_queue_has_a_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    _, sender = make(0)
    assert [sender.post(b"x") for _ in range(11)] == [True] * 10 + [False]
    monkeypatch.setattr(sending, "MAX_QUEUE_SIZE", 100)
    _, sender = make(0)
    assert [sender.post(bytes(40)) for _ in range(3)] == [True, True, False]
    sender.drop(2, "too slow")
    assert sender.waiting == 0


def test_a_backlog_comes_page_by_page_and_lets_others_pass() -> None:
    gate, sender = make(0)
    gate.open.set()
    pages = [[b"a", b"b"], [b"c"], []]
    sender.catch_up(lambda: pages.pop(0))
    sender.finish(0, "")
    sender.join(30)
    assert gate.sent == [b"a", b"b", b"c"]


def test_a_connection_that_has_ended() -> None:
    gate, sender = make(100)
    gate.broken = True
    sender.post(b"x")
    sender.pump()
    assert sender.post(b"y")
    sender.pump()
    sender.finish(0, "")
    sender.join(30)
    assert gate.sent == []


def test_a_thread_with_nothing_to_do_ends_and_another_one_comes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sending, "LINGER", 0.0)
    gate, sender = make(0)
    gate.open.set()
    for data in numbers(3):
        sender.post(data)
        sender.pump()
        while any(thread.name == "writer zoe" for thread in threading.enumerate()):
            pass
    assert gate.sent == numbers(3)


def no_thread(thread: threading.Thread) -> None:
    raise RuntimeError("can't start new thread")


@pytest.mark.parametrize("cause", ["a message", "a backlog", "the end"])
def test_whom_no_thread_can_serve_is_sent_away(cause: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Instead of hearing nothing any more."""
    gate, sender = make(0)
    monkeypatch.setattr(threading.Thread, "start", no_thread)
    if cause == "a message":
        sender.post(b"x")
        sender.pump()
    elif cause == "a backlog":
        sender.catch_up(list)
    else:
        sender.finish(0, "")
    assert gate.closed == [(ErrorCode.FULL, NO_THREAD)]
    sender.join(30)


class Lingering(Sender):
    """Is told to finish just when its thread has had nothing to do for too long."""

    def _next(self) -> bytes | None:
        data = super()._next()
        if data is None and not self._finishing:
            self.post(b"last")
            self.finish(7, "bye")
        return data


def test_a_thread_that_ends_leaves_the_end_to_the_next_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sending, "LINGER", 0.0)
    gate = Gate(0)
    gate.open.set()
    sender = Lingering(gate, gate, "zoe", 10)
    sender.post(b"first")
    sender.pump()
    sender.join(30)
    for thread in [thread for thread in threading.enumerate() if thread.name == "writer zoe"]:
        thread.join(30)
    assert gate.sent == [b"first", b"last"]
    assert gate.closed == [(7, "bye")]
