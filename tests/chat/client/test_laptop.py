"""A session on a machine that changes its address, and sleeps."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from chat.client import backoff, keeper
from chat.client.events import Moved, Said, State, StateChanged
from chat.client.sleep import LONGEST_LOOK, Sleep, clock
from chat.exchange import ErrorCode
from quicmini import ApplicationError, IdleTimeoutError, MigrationError, StatelessResetError
from tests.chat.client.fake_server import FakeServer, FakeWire
from tests.chat.client.people import Laptop, Person


@pytest.fixture
def server() -> FakeServer:
    return FakeServer()


@pytest.fixture
def laptop(monkeypatch: pytest.MonkeyPatch) -> Laptop:
    monkeypatch.setattr(keeper, "WATCH_INTERVAL", 0.01)
    monkeypatch.setattr(keeper, "MOVE_INTERVAL", 0.01)
    return Laptop("192.0.2.7")


def at_home(server: FakeServer, laptop: Laptop) -> tuple[Person, FakeWire]:
    zoe = Person(server.dial, network=laptop, clock=lambda: laptop.time)
    zoe.start()
    wire = server.wire()
    zoe.connected()
    return zoe, wire


def test_the_connection_follows_the_machine(server: FakeServer, laptop: Laptop) -> None:
    zoe, wire = at_home(server, laptop)
    laptop.move(None)  # nowhere: it waits
    laptop.move("198.51.100.3")
    assert zoe.next(Moved) == Moved("198.51.100.3")
    assert wire.migrated.get(timeout=30) == "198.51.100.3"
    zoe.say("here")
    assert wire.take().text == "here"
    zoe.leave()
    assert zoe.end() is None
    assert len(server.dialled) == 1
    assert not any(isinstance(event, StateChanged) and event.state is State.LOST for event in zoe.told)


def test_a_move_that_fails_is_tried_again_while_the_old_address_works(server: FakeServer, laptop: Laptop) -> None:
    zoe, wire = at_home(server, laptop)
    wire.migration_error = TimeoutError()
    laptop.host = "198.51.100.3"  # and the old one is still there
    for _ in range(3):
        assert wire.migrated.get(timeout=30) == "198.51.100.3"
    wire.migration_error = None
    zoe.next(Moved)
    assert not wire.closed
    zoe.leave()


def test_a_connection_that_is_cut_off_is_made_anew(server: FakeServer, laptop: Laptop) -> None:
    zoe, wire = at_home(server, laptop)
    wire.migration_error = MigrationError("the server does not allow it")
    laptop.move("198.51.100.3")
    assert zoe.lost().reason == "this machine has left the network"
    assert wire.closed
    server.wire()
    zoe.connected()
    zoe.leave()


@pytest.mark.parametrize("wake_up", [lambda laptop: laptop.move("198.51.100.4"), Laptop.sleep], ids=["moved", "slept"])
def test_a_machine_that_wakes_up_does_not_wait(
    server: FakeServer, laptop: Laptop, monkeypatch: pytest.MonkeyPatch, wake_up: Callable[[Laptop], None]
) -> None:
    """The next attempt is a quarter of an hour off; the machine is elsewhere all at once, or has slept."""
    zoe, wire = at_home(server, laptop)
    monkeypatch.setattr(backoff, "FIRST", 1800.0)
    wire.cut(IdleTimeoutError())
    zoe.lost()
    wake_up(laptop)
    server.wire()
    zoe.connected()
    zoe.leave()


def test_a_connection_is_checked_at_once_after_sleep(server: FakeServer, laptop: Laptop) -> None:
    """By a move to another port; the person is told nothing."""
    zoe, wire = at_home(server, laptop)
    laptop.sleep()
    assert wire.migrated.get(timeout=30) == "192.0.2.7"
    wire.say("bob", "good morning")
    zoe.next(Said)
    zoe.leave()
    assert zoe.end() is None
    assert len(server.dialled) == 1
    assert not any(isinstance(event, Moved) or event == StateChanged(State.LOST) for event in zoe.told)


def test_a_machine_without_a_network_checks_when_there_is_one(server: FakeServer, laptop: Laptop) -> None:
    zoe, wire = at_home(server, laptop)
    laptop.move(None)
    laptop.sleep()
    laptop.move("192.0.2.7")
    assert wire.migrated.get(timeout=30) == "192.0.2.7"
    zoe.leave()


@pytest.mark.parametrize(
    "error", [StatelessResetError(), IdleTimeoutError(), MigrationError("no answer"), TimeoutError()]
)
def test_a_connection_that_did_not_outlive_the_sleep(server: FakeServer, laptop: Laptop, error: Exception) -> None:
    zoe, wire = at_home(server, laptop)
    wire.migration_error = error
    laptop.sleep()
    assert zoe.lost().reason == "this machine was asleep"
    server.wire()
    zoe.connected()
    zoe.leave()


def test_what_the_server_says_of_the_end_is_told_after_sleep_too(server: FakeServer, laptop: Laptop) -> None:
    zoe, wire = at_home(server, laptop)
    wire.migration_error = ApplicationError(ErrorCode.NOT_KEPT, "full", remote=True)
    laptop.sleep()
    assert "full" in zoe.lost().reason
    zoe.leave()


def test_sleep_is_what_is_longer_than_a_look() -> None:
    laptop = Laptop("192.0.2.7")
    sleep = Sleep(lambda: laptop.time)
    for seconds, slept in ((1.0, False), (LONGEST_LOOK, False), (LONGEST_LOOK + 1, True), (1.0, False)):
        laptop.time += seconds
        assert sleep.over() is slept


def test_the_systems_clock_goes_forward() -> None:
    before = clock()
    assert clock() >= before
