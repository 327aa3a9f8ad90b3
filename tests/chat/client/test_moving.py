"""A session over real connections whose machine changes its address, or whose connection is cut."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from chat.client import keeper
from chat.client.events import CaughtUp, Moved, Said, State, StateChanged, Welcomed
from chat.client.wire import QuicDial, QuicWire
from chat.message import ALPN_PROTOCOLS
from chat.server import Server
from quicmini import Config, listen
from tests.certificates import CertificateFiles
from tests.chat.client.people import Laptop, Person, dial_to


@pytest.fixture
def dial(server_files: CertificateFiles) -> Iterator[QuicDial]:
    """Leads to a server of this process."""
    listener = listen(
        ("127.0.0.1", 0),
        alpn_protocols=ALPN_PROTOCOLS,
        certfile=server_files.certfile,
        keyfile=server_files.keyfile,
        config=Config(early_data=True),
    )
    server = Server(listener)
    thread = threading.Thread(target=server.serve)
    thread.start()

    yield dial_to(listener, server_files.cafile)
    server.close()
    thread.join()


def joined(dial: QuicDial, nickname: str, laptop: Laptop | None = None) -> Person:
    person = Person(dial, nickname, network=laptop, clock=lambda: laptop.time if laptop else 0.0)
    person.start()
    person.connected()
    return person


def heard(person: Person, text: str) -> None:
    person.next(Said, lambda event: event.text == text)


def test_a_laptop_moves_and_nobody_notices(dial: QuicDial, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keeper, "WATCH_INTERVAL", 0.01)
    laptop = Laptop("127.0.0.1")
    zoe, bob = joined(dial, "zoe", laptop), joined(dial, "bob")
    wire = zoe.wire
    for number in range(2, 6):
        laptop.move(host := f"127.0.0.{number}")
        zoe.say(f"off {number}")
        assert zoe.next(Moved) == Moved(host)
        zoe.say(f"here {number}")
        bob.say(f"welcome {number}")
        heard(zoe, f"welcome {number}")
        heard(bob, f"here {number}")
    assert zoe.wire is wire
    assert wire
    assert wire.local_host == "127.0.0.5"
    for person in (zoe, bob):
        person.finish()
        assert person.end() is None
        assert len(person.said) == len(set(person.said)) == 12
        assert [text for text in person.said if not text.startswith("w")] == [
            f"{word} {number}" for number in range(2, 6) for word in ("off", "here")
        ]
        assert not any(isinstance(event, StateChanged) and event.state is State.LOST for event in person.told)


def test_a_laptop_wakes_up_and_nobody_notices(dial: QuicDial, monkeypatch: pytest.MonkeyPatch) -> None:
    """The server still knows the connection, and answers at another port of the client."""
    monkeypatch.setattr(keeper, "WATCH_INTERVAL", 0.01)
    monkeypatch.setattr(keeper, "MOVE_INTERVAL", 0.01)
    laptop = Laptop("127.0.0.1")
    zoe, bob = joined(dial, "zoe", laptop), joined(dial, "bob")
    wire = zoe.wire
    assert isinstance(wire, QuicWire)
    for number in range(3):
        port = wire.connection.local_address[1]
        laptop.sleep()
        while wire.connection.local_address[1] == port:
            bob.say(f"are you awake {number}?")
            heard(zoe, f"are you awake {number}?")
        zoe.say(f"awake {number}")
        heard(bob, f"awake {number}")
    assert zoe.wire is wire
    for person in (zoe, bob):
        person.finish()
        assert person.end() is None
        assert not any(isinstance(event, StateChanged) and event.state is State.LOST for event in person.told)


def test_a_return_greets_with_the_first_flight(dial: QuicDial) -> None:
    zoe, bob = joined(dial, "zoe"), joined(dial, "bob")
    zoe.say("one")
    heard(bob, "one")
    assert bob.wire
    for number in range(3):
        bob.wire.close(abandon=True)
        zoe.say(f"missed {number}")
        welcomed = bob.next(Welcomed)
        assert (welcomed.returned, welcomed.resumed, welcomed.early) == (True, True, True)
        bob.next(CaughtUp)
        heard(zoe, f"missed {number}")
    zoe.say("last")
    heard(bob, "last")
    for person in (zoe, bob):
        person.finish()
        assert person.end() is None
    assert bob.said == ["one", "missed 0", "missed 1", "missed 2", "last"]
