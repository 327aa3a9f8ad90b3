from __future__ import annotations

import logging
import queue
import threading
from collections.abc import Callable, Iterator

import pytest
from prompt_toolkit.input import PipeInput, create_pipe_input
from prompt_toolkit.output import DummyOutput

from chat.client.events import Event
from chat.client.keeper import NotConfirmed
from chat.client.session import Session
from chat.client.tui import terminal as module
from chat.client.tui.terminal import LogLines, Terminal
from chat.message import Kind
from quicmini import ConnectionClosedOK, IdleTimeoutError
from tests.chat.client.fake_server import FakeServer, FakeWire
from tests.chat.client.people import Laptop
from tests.chat.client.tui.stage import ENTER, ESCAPE

PATIENCE = 30.0  # seconds: a limit against hangs


class Play:
    """A session in the terminal interface, and what the others do meanwhile."""

    def __init__(self, keys: PipeInput, *, patience: float | None = None) -> None:
        self.server = FakeServer()
        self.keys = keys
        self.failures: list[BaseException] = []
        events: queue.Queue[Event] = queue.Queue(10)
        self.session = Session(
            self.server.dial, "zoe", events.put, patience=patience, network=Laptop("127.0.0.1"), chance=lambda: 0.0
        )
        self.log = LogLines()
        self.terminal = Terminal(self.session, events, "chat.example.org", self.log, input=keys, output=DummyOutput())

    def run(self, others: Callable[[FakeWire], None]) -> Exception | None:
        """Until the interface has ended; `others` runs in another thread as soon as there is a connection."""

        def work() -> None:
            try:
                wire = self.server.wire()
                assert wire.heard().kind == Kind.WHO  # for the status line
                others(wire)
            except BaseException as failure:
                self.failures.append(failure)
                self.keys.send_text(ESCAPE)

        thread = threading.Thread(target=work)
        with self.log:
            self.session.start()
            thread.start()
            error = self.terminal.run()
        thread.join(PATIENCE)
        assert self.failures == []
        return error

    @property
    def shown(self) -> list[str]:
        """All that was to be read, without the time."""
        return ["".join(text for _, text in row[1:]) for row in self.terminal.screen.model.rows(100, 100)]


class Remembering(logging.Handler):
    def __init__(self, seen: list[logging.LogRecord]) -> None:
        super().__init__()
        self._seen = seen

    def emit(self, record: logging.LogRecord) -> None:
        self._seen.append(record)


@pytest.fixture
def keys() -> Iterator[PipeInput]:
    with create_pipe_input() as keys:
        yield keys


def test_what_was_said_last_is_confirmed_before_it_ends(keys: PipeInput) -> None:
    play = Play(keys)

    def others(wire: FakeWire) -> None:
        keys.send_text("hello" + ENTER + ESCAPE)
        assert wire.take().text == "hello"

    assert play.run(others) is None


def test_leaving_a_server_that_confirms_nothing(
    keys: PipeInput, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "chat")
    monkeypatch.setattr(module, "QUIET_PATIENCE", 0.01)
    monkeypatch.setattr(module, "LEAVE_PATIENCE", 0.01)
    play = Play(keys)

    def others(wire: FakeWire) -> None:
        keys.send_text("hello" + ENTER)
        assert wire.heard().text == "hello"
        keys.send_text(ESCAPE)

    error = play.run(others)
    assert isinstance(error, NotConfirmed)
    assert "1 message" in str(error)
    assert play.log.lines == ["leaving: 1 message not confirmed yet"]


def test_leaving_when_the_connection_is_lost_waits_for_nothing(
    keys: PipeInput, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "QUIET_PATIENCE", PATIENCE)
    play = Play(keys)
    lost = threading.Event()

    def dial_again(_ticket: object, _early: bool) -> FakeWire:
        keys.send_text(ESCAPE)
        lost.wait(PATIENCE)
        raise ConnectionRefusedError

    def others(wire: FakeWire) -> None:
        monkeypatch.setattr(play.session._keeper, "_dial", dial_again)
        wire.cut(IdleTimeoutError())

    try:
        assert play.run(others) is None
    finally:
        lost.set()


def test_why_a_session_ended_is_returned(keys: PipeInput) -> None:
    play = Play(keys, patience=0.0)
    end = IdleTimeoutError()
    assert play.run(lambda wire: wire.cut(end)) is end
    assert play.terminal.connected


def test_a_session_that_is_refused_shows_no_interface(keys: PipeInput) -> None:
    play = Play(keys)
    refusal = ConnectionRefusedError()
    play.server.refuse.append(refusal)
    with play.log:
        play.session.start()
        assert play.terminal.run() is refusal
    assert not play.terminal.connected


def test_a_flood_is_shown_in_order_and_leaves_room_for_keys(keys: PipeInput) -> None:
    play = Play(keys)

    def others(wire: FakeWire) -> None:
        for number in range(1000):
            wire.say("ada", f"line {number}")
        keys.send_text("enough" + ENTER)
        assert wire.take().text == "enough"
        keys.send_text(ESCAPE)

    assert play.run(others) is None
    numbers = [int(row.removeprefix("ada: line ")) for row in play.shown if row.startswith("ada: ")]
    assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))  # as far as it had come by then


def test_what_is_logged_is_shown_in_the_interface_alone(keys: PipeInput) -> None:
    play = Play(keys)
    seen: list[logging.LogRecord] = []
    root = logging.getLogger()
    handler = Remembering(seen)
    root.addHandler(handler)

    def others(wire: FakeWire) -> None:
        keys.send_text("hello" + ENTER)
        wire.take()
        logging.getLogger("chat").warning("something is %s", "odd")
        wire.say("ada", "hm")
        keys.send_text(ESCAPE)

    try:
        assert play.run(others) is None
        assert root.handlers[-1] is handler
    finally:
        root.removeHandler(handler)
    assert "· something is odd" in play.shown
    assert seen == []


def test_a_mistake_in_the_interface_is_not_hidden(keys: PipeInput, monkeypatch: pytest.MonkeyPatch) -> None:
    play = Play(keys)
    mistake = ZeroDivisionError("a mistake")

    def fail(*_arguments: object) -> None:
        raise mistake

    monkeypatch.setattr(play.terminal.screen.model, "typed", fail)
    assert play.run(lambda wire: keys.send_text("hello" + ENTER)) is mistake


def test_a_terminal_that_is_gone_ends_it(keys: PipeInput) -> None:
    play = Play(keys)
    assert play.run(lambda wire: keys.close()) is None


def test_a_server_that_leaves_for_good(keys: PipeInput) -> None:
    play = Play(keys, patience=0.0)
    assert isinstance(play.run(lambda wire: wire.cut(ConnectionClosedOK())), ConnectionClosedOK)
