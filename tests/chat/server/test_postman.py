"""The postman's rounds: who is seen, and what does not end them."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from chat.message import Dialect
from chat.server.client import Client
from chat.server.limits import RateLimit
from chat.server.postman import Postman
from chat.server.sending import QUEUE_LIMIT, Sender


class Door:
    """Stands for a client's connection. Whoever sends waits until it is opened."""

    def __init__(self, *, opened: bool = True, broken: bool = False) -> None:
        self.sent: list[bytes] = []
        self.reached = threading.Event()
        self.opened = threading.Event()
        self.broken = broken
        if opened:
            self.opened.set()
        self.client = Client("zoe", Dialect.CHAT, Sender(self, self, "zoe", QUEUE_LIMIT), RateLimit())

    def post(self, *messages: bytes) -> None:
        for data in messages:
            assert self.client.sender.post(data)

    def try_send(self, data: bytes) -> bool:
        self.reached.set()
        assert self.opened.wait(30)
        if self.broken:
            raise RuntimeError("a bug")
        self.sent.append(data)
        return True

    def send(self, data: bytes) -> None:
        self.try_send(data)

    def close(self, error_code: int = 0, reason: str = "", *, timeout: float | None = 0) -> None:
        del error_code, reason, timeout


@pytest.fixture
def postman() -> Iterator[Postman]:
    postman = Postman()
    postman.start()
    yield postman
    postman.close()


def test_what_is_said_during_a_round_goes_with_the_next(postman: Postman) -> None:
    slow, other, last = Door(opened=False), Door(), Door()
    slow.post(b"1")
    postman.call([slow.client])
    assert slow.reached.wait(30)
    other.post(b"1")
    postman.call([other.client])
    other.post(b"2")
    postman.call([other.client])
    assert other.sent == []
    last.post(b"1")
    postman.call([last.client])
    slow.opened.set()
    assert last.reached.wait(30)
    assert other.sent == [b"1", b"2"]


def test_a_bug_at_one_client_is_not_the_others(postman: Postman, caplog: pytest.LogCaptureFixture) -> None:
    broken, other = Door(broken=True), Door()
    for door in (broken, other):
        door.post(b"1")
    postman.call([broken.client, other.client])
    assert other.reached.wait(30)
    assert [record.getMessage() for record in caplog.records] == ["unexpected error in sending to client zoe"]


def test_a_closed_postman_goes_no_more_rounds() -> None:
    postman, door = Postman(), Door()
    postman.start()
    postman.close()
    door.post(b"1")
    postman.call([door.client])
    assert not door.reached.is_set()


def test_one_that_never_started_can_be_closed() -> None:
    Postman().close()
