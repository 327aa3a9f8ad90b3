"""A session with a server of the seed's dialect, over real connections: it is sent lines, and repeats them."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

import chat.client.session
from chat.client.events import Moved, Refused, Said, State, StateChanged, Welcomed
from chat.client.network import SystemNetwork
from chat.exchange import Inbox, Outbox
from chat.message import ALPN_PROTOCOLS, MAX_MESSAGE_SIZE, Kind, Message
from quicmini import ApplicationError, Connection, ConnectionClosedOK, Listener, Session, connect
from tests.certificates import CertificateFiles
from tests.chat.client.people import Person, dial_to


@pytest.fixture
def zoe(listener: Listener, server_files: CertificateFiles) -> Iterator[Person]:
    """A session with `listener`, which speaks nothing else."""
    person = Person(dial_to(listener, server_files.cafile), "zoe")
    person.start()
    yield person
    person.leave()


@pytest.fixture
def server(zoe: Person, listener: Listener) -> Connection:
    """The server's end."""
    connection = listener.accept()
    zoe.next(StateChanged)
    return connection


def relay(server: Connection, count: int) -> None:
    """What the server does, for one client."""
    inbox, outbox = iter(Inbox(server)), Outbox(server)
    for _ in range(count):
        outbox.send(next(inbox).encode())


def test_it_leaves_when_its_lines_have_come_back(zoe: Person, server: Connection) -> None:
    for line in ("one", "two", "two"):
        zoe.say(line)
    threading.Thread(target=relay, args=(server, 3)).start()
    zoe.finish()
    assert zoe.end() is None
    assert sorted(zoe.said) == ["one", "two", "two"]
    assert all(event.mine for event in zoe.told if isinstance(event, Said))
    with pytest.raises(ConnectionClosedOK):
        server.accept_stream()


def test_it_leaves_without_them_when_none_comes_back(
    zoe: Person, server: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(chat.client.session, "ECHO_TIMEOUT", 0.01)
    zoe.say("one")
    zoe.finish()
    assert zoe.end() is None
    assert zoe.said == []
    assert next(iter(Inbox(server))) == Message("zoe", "one")


def test_others_are_shown_and_not_counted(zoe: Person, server: Connection) -> None:
    outbox = Outbox(server)
    outbox.send(Message("bob", "one").encode())
    outbox.send(Message("zoe", "not said here").encode())
    zoe.say("one")
    relay(server, 1)
    zoe.finish()
    assert zoe.end() is None
    assert sorted(zoe.said) == ["not said here", "one", "one"]


def test_a_line_that_cannot_be_sent_is_told(zoe: Person, server: Connection) -> None:
    assert not zoe.say("x" * MAX_MESSAGE_SIZE)
    assert zoe.next(Refused).text == "a message of more than 65536 bytes"
    assert zoe.say("short")
    relay(server, 1)
    zoe.finish()
    assert zoe.end() is None


def test_a_server_that_leaves_first(zoe: Person, server: Connection) -> None:
    zoe.say("one")
    relay(server, 1)
    server.close(0, "good night")
    end = zoe.end()
    assert isinstance(end, ConnectionClosedOK)
    assert end.reason == "good night"


def test_a_server_that_breaks_off(zoe: Person, server: Connection) -> None:
    zoe.say("one")
    relay(server, 1)
    server.close(2, "too slow")
    assert isinstance(zoe.end(), ApplicationError)


def test_leaving_early(zoe: Person, server: Connection) -> None:
    zoe.say("one")
    assert next(iter(Inbox(server))).text == "one"
    zoe.leave()
    assert zoe.end() is None
    with pytest.raises(ConnectionClosedOK):
        server.accept_stream()


def test_a_nickname_goes_with_each_line(zoe: Person, server: Connection) -> None:
    zoe.command("/nick Zoë")
    assert zoe.next(Welcomed).nickname == "Zoë"
    zoe.command("/me waves")
    assert next(iter(Inbox(server))) == Message("Zoë", "* waves")


@pytest.mark.parametrize("line", ["/msg bob psst", "/join garden", "/rooms", "/who", "/history"])
def test_what_it_does_not_have(zoe: Person, server: Connection, line: str) -> None:
    """Above all, what is for one alone is not told to all."""
    zoe.command(line)
    assert zoe.next(Refused).text == "this server speaks simpleproto, which has lines and nicknames only"
    zoe.say("hello")
    assert next(iter(Inbox(server))) == Message("zoe", "hello")


def test_what_is_for_one_alone_is_not_told_to_all_even_if_said_too_early(
    listener: Listener, server_files: CertificateFiles
) -> None:
    """Before the connection nobody knows what the server speaks."""

    def dial(*, session: Session | None, early_data: bool) -> Connection:
        return connect(listener.address, alpn_protocols=ALPN_PROTOCOLS, cafile=server_files.cafile)

    person = Person(dial_to(listener, server_files.cafile), "zoe")
    person.say("psst", Kind.MSG, "bob")
    person.say("hello")
    person.start()
    assert person.next(Refused).said == "psst"
    assert next(iter(Inbox(listener.accept()))) == Message("zoe", "hello")
    person.leave()
    assert person.end() is None


def test_the_system_knows_the_way(zoe: Person, server: Connection) -> None:
    """Nothing moves while the system would use the address that is used."""
    network = SystemNetwork()
    assert zoe.wire
    assert network.local_host(zoe.wire.remote) == zoe.wire.local_host == "127.0.0.1"
    assert network.has("127.0.0.1")
    assert not network.has("192.0.2.1")
    assert zoe.state is State.CONNECTED
    assert not any(isinstance(event, Moved) for event in zoe.told)
