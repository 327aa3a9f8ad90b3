"""A session and what becomes of its connections, with a server that does what the test says."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from chat.client import backoff, keeper
from chat.client import session as client_session
from chat.client.backoff import LONGEST, BackOff
from chat.client.conversation import MAX_REQUESTS, Conversation
from chat.client.events import (
    CaughtUp,
    Confirmed,
    Names,
    Notice,
    Refused,
    Room,
    Rooms,
    Said,
    State,
    StateChanged,
    Welcomed,
)
from chat.client.keeper import NotConfirmed, NoWelcome
from chat.client.outgoing import MAX_UNCONFIRMED
from chat.exchange import ErrorCode
from chat.message import Kind, Message
from quicmini import (
    ApplicationError,
    ConnectionClosed,
    ConnectionClosedOK,
    HandshakeError,
    IdleTimeoutError,
    StatelessResetError,
)
from tests.chat.client.fake_server import FakeServer
from tests.chat.client.people import Person


@pytest.fixture
def server() -> FakeServer:
    return FakeServer()


@pytest.fixture
def zoe(server: FakeServer) -> Iterator[Person]:
    person = Person(server.dial)
    person.start()
    yield person
    person.leave()


def test_a_conversation(server: FakeServer, zoe: Person) -> None:
    wire = server.wire()
    assert zoe.next(Welcomed) == Welcomed("zoe", "lobby", "welcome", "quicmini-chat/1", connection=wire.id)
    zoe.connected()
    zoe.say("hello")
    said = wire.take()
    assert (said.kind, said.text, said.session, said.seq) == (Kind.SAY, "hello", wire.hello.session, 1)
    assert zoe.next(Confirmed) == Confirmed(1, 0)
    assert zoe.next(Said).mine
    wire.say("bob", "Zoe: hello")
    event = zoe.next(Said)
    assert (event.nickname, event.mine, event.mention, event.old) == ("bob", False, True, False)
    zoe.leave()
    assert zoe.end() is None
    assert wire.closed


def test_what_was_not_confirmed_is_sent_again_and_nothing_else(server: FakeServer, zoe: Person) -> None:
    """The first is confirmed; the second is kept, but nobody hears of it; the third never arrives."""
    wire = server.wire()
    for text in ("one", "two", "three"):
        zoe.say(text)
    wire.take()
    wire.take(acknowledge=False, relay=False)
    assert wire.heard().text == "three"
    zoe.next(Confirmed)
    zoe.next(Said)
    wire.cut(StatelessResetError())
    assert zoe.lost().reason == "the server was restarted"
    wire = server.wire()
    assert wire.hello.seen == 10
    assert wire.hello.seq == 1
    assert wire.take().text == "three"
    assert wire.is_quiet
    zoe.next(Confirmed, lambda event: event.waiting == 0)
    zoe.next(Said, lambda event: event.text == "three")
    assert zoe.said == ["one", "two", "three"]


def test_what_was_missed_is_caught_up_once(server: FakeServer, zoe: Person) -> None:
    """Ann's message is still under way when the connection ends; those of others that overtook it were shown."""
    wire = server.wire()
    wire.say("bob", "one")
    ann = wire.chained(server.keep("ann", "two"))
    bob = wire.chained(server.keep("bob", "three"))
    cid = wire.chained(server.keep("cid", "four"))
    wire.tell(cid)
    wire.tell(bob)
    zoe.next(Said, lambda event: event.text == "three")
    wire.cut(IdleTimeoutError())
    zoe.lost()
    server.keep("bob", "five")
    wire = server.wire()
    assert wire.hello.seen == 10
    assert zoe.next(CaughtUp) == CaughtUp(2)
    assert zoe.said == ["one", "four", "three", ann.text, "five"]
    assert [event.text for event in zoe.told if isinstance(event, Said) and event.missed] == ["two", "five"]


def test_history_is_not_caught_up(server: FakeServer, zoe: Person) -> None:
    server.keep("bob", "before")
    server.wire()
    event = zoe.next(Said)
    assert event.old
    assert not event.missed
    assert not any(isinstance(event, CaughtUp) for event in zoe.told)


def test_the_loss_is_told_once_and_attempts_are_numbered(
    server: FakeServer, zoe: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(backoff, "SECOND", 0.01)
    wire = server.wire()
    zoe.connected()
    server.refuse = [ConnectionRefusedError(), TimeoutError(), OSError(101, "Network is unreachable")]
    wire.cut(ConnectionClosedOK(0, "the server is shutting down", remote=True))
    server.wire()
    zoe.connected()
    told = [event for event in zoe.told if isinstance(event, StateChanged) and event.state is State.LOST]
    assert [(event.reason, event.attempt) for event in told] == [
        ("the server is shutting down", 0),
        ("nobody listens there", 1),
        ("nothing is heard of the server", 2),
        ("Network is unreachable", 3),
    ]
    assert [early for _, early in server.dialled] == [False, True, True, True, True]


def test_an_attempt_that_ends_early_is_an_attempt(server: FakeServer, zoe: Person) -> None:
    """The server accepts the connection, and then closes it before it has said anything."""
    wire = server.wire()
    zoe.connected()
    wire.cut(IdleTimeoutError())
    assert zoe.lost().attempt == 0
    server.greet = False
    server.wire().cut(ConnectionClosedOK(0, "the server is shutting down", remote=True))
    assert zoe.lost().attempt == 1
    server.greet = True
    server.wire()
    zoe.connected()


def test_patience_ends(server: FakeServer) -> None:
    zoe = Person(server.dial, patience=0)
    zoe.start()
    wire = server.wire()
    zoe.connected()
    wire.cut(IdleTimeoutError())
    assert isinstance(zoe.end(), IdleTimeoutError)
    assert len(server.dialled) == 1


@pytest.mark.parametrize(
    "end",
    [
        ApplicationError(ErrorCode.NO_MESSAGE, "no message", remote=True),
        ApplicationError(ErrorCode.REPLACED, "another connection has taken over", remote=True),
        HandshakeError(0x100 + 42, "another key"),
    ],
)
def test_some_ends_are_for_good(server: FakeServer, zoe: Person, end: ConnectionClosed) -> None:
    wire = server.wire()
    zoe.connected()
    if isinstance(end, HandshakeError):
        server.refuse = [end]
        wire.cut(IdleTimeoutError())
    else:
        wire.cut(end)
    assert zoe.end() is end


@pytest.mark.parametrize("error", [ConnectionRefusedError(), IdleTimeoutError(), ValueError("no address")])
def test_a_first_connection_that_fails_is_not_tried_again(server: FakeServer, error: Exception) -> None:
    server.refuse = [error]
    zoe = Person(server.dial)
    zoe.start()
    assert zoe.end() is error
    assert zoe.state is State.ENDED


def test_a_greeting_that_is_refused(server: FakeServer, zoe: Person) -> None:
    server.greet = False
    wire = server.wire()
    wire.tell(Message("", "somebody is called zoe already", kind=Kind.REFUSED, recipient=Kind.HELLO))
    end = zoe.end()
    assert isinstance(end, NoWelcome)
    assert str(end) == "somebody is called zoe already"
    assert wire.closed


def test_a_greeting_that_is_not_answered(server: FakeServer, monkeypatch: pytest.MonkeyPatch) -> None:
    server.greet = False
    monkeypatch.setattr(keeper, "WELCOME_TIMEOUT", 0.01)
    zoe = Person(server.dial)
    zoe.start()
    wire = server.wire()
    assert isinstance(zoe.end(), TimeoutError)
    assert wire.closed


def test_leaving_while_the_connection_is_lost(server: FakeServer, zoe: Person) -> None:
    wire = server.wire()
    zoe.connected()
    server.refuse = [ConnectionRefusedError()] * 100
    wire.cut(IdleTimeoutError())
    zoe.lost()
    zoe.say("too late")
    zoe.leave()
    end = zoe.end()
    assert isinstance(end, NotConfirmed)
    assert str(end) == "left before the server had confirmed 1 message"


def test_quitting_waits_for_what_was_said_last(server: FakeServer, zoe: Person) -> None:
    wire = server.wire()
    zoe.connected()
    zoe.say("bye")
    quitting = threading.Thread(target=zoe.command, args=("/quit",))
    quitting.start()
    wire.take()
    quitting.join()
    assert zoe.end() is None
    assert zoe.said == ["bye"]


def test_finishing_waits_for_answers(server: FakeServer, zoe: Person) -> None:
    """As in `printf '/rooms\\n' | …`: who asks last wants to know, too."""
    wire = server.wire()
    zoe.connected()
    for line in ("/who", "/rooms", "/history", "/nick Zoë"):
        zoe.command(line)
    finishing = threading.Thread(target=zoe.finish)
    finishing.start()
    assert [wire.heard().kind for _ in range(4)] == [Kind.WHO, Kind.ROOMS, Kind.HISTORY, Kind.NICK]
    wire.tell(Message("", "zoe", kind=Kind.NAMES, room="lobby"))
    wire.tell(Message("bob", "older", number=2, after=1, seen=2))
    wire.tell(Message("", "too much at once", kind=Kind.REFUSED, recipient=Kind.ROOMS))
    assert zoe.next(Refused).kind == Kind.ROOMS
    assert finishing.is_alive()
    wire.tell(Message("bob", "oldest", number=1, seen=2))
    wire.tell(Message("", "somebody is called Zoë already", kind=Kind.REFUSED, recipient=Kind.NICK))
    finishing.join()
    assert zoe.end() is None
    assert zoe.said == ["oldest", "older"]
    assert zoe.told[-3:-2] == [Refused("somebody is called Zoë already", Kind.NICK)]


def test_nobody_waits_for_ever_for_an_answer(server: FakeServer, zoe: Person, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client_session, "ECHO_TIMEOUT", 0.01)
    wire = server.wire()
    zoe.connected()
    zoe.command("/who")
    assert wire.heard().kind == Kind.WHO
    zoe.finish()
    assert zoe.end() is None


def test_what_is_not_answered_is_not_counted_for_ever() -> None:
    conversation = Conversation("zoe", session="0123456789abcdef")
    conversation.received(Message("zoe", "", kind=Kind.WELCOME, room="lobby"))
    for _ in range(MAX_REQUESTS + 1):
        conversation.ask(Kind.WHO)
        assert conversation.next_message()
    assert conversation.awaited == MAX_REQUESTS
    conversation.begin()
    assert conversation.awaited == 0


def test_finishing_waits_for_a_return(server: FakeServer, zoe: Person) -> None:
    wire = server.wire()
    zoe.say("one")
    wire.heard()
    finishing = threading.Thread(target=zoe.finish)
    finishing.start()
    wire.cut(StatelessResetError())
    server.wire().take()
    finishing.join()
    assert zoe.end() is None
    assert zoe.said == ["one"]


def test_too_much_that_is_not_confirmed(server: FakeServer) -> None:
    zoe = Person(server.dial)
    for number in range(MAX_UNCONFIRMED):
        assert zoe.say(str(number))
    assert not zoe.say("one more", block=False)
    assert zoe.next(Refused).text == "256 messages wait to be confirmed"
    zoe.start()
    wire = server.wire()
    wire.take()
    zoe.say("goes now")
    for _ in range(MAX_UNCONFIRMED):
        last = wire.take()
    assert last.text == "goes now"
    zoe.leave()


def test_what_is_said_keeps_its_place_among_changes(server: FakeServer, zoe: Person) -> None:
    """Streams overtake each other: before another room is asked for, everything said in this one is confirmed; and
    nothing is said in that one before it was granted."""
    wire = server.wire()
    zoe.say("here")
    zoe.command("/join garden")
    zoe.say("there")
    said = wire.heard()
    assert (said.text, wire.is_quiet) == ("here", True)
    wire.tell(Message("", "", kind=Kind.ACK, seq=1))
    asked = wire.heard()
    assert (asked.kind, asked.room, wire.is_quiet) == (Kind.JOIN, "garden", True)
    wire.tell(Message("zoe", "", kind=Kind.WELCOME, room="garden", seq=1))
    assert wire.heard().text == "there"
    assert zoe.next(Welcomed, lambda event: event.room == "garden")
    assert zoe.room == "garden"


def test_a_change_that_was_not_answered_is_asked_for_again(server: FakeServer, zoe: Person) -> None:
    wire = server.wire()
    zoe.connected()
    zoe.command("/nick Zoë")
    assert wire.heard().kind == Kind.NICK
    wire.cut(IdleTimeoutError())
    wire = server.wire()
    assert wire.heard().nickname == "Zoë"
    wire.tell(Message("", "somebody is called Zoë already", kind=Kind.REFUSED, recipient=Kind.NICK))
    assert zoe.next(Refused).kind == Kind.NICK
    assert zoe.nickname == "zoe"
    zoe.say("on we go")
    assert wire.take().text == "on we go"


def test_a_message_that_is_refused_is_not_sent_again(server: FakeServer, zoe: Person) -> None:
    wire = server.wire()
    zoe.say("flood")
    said = wire.heard()
    wire.tell(Message("", "too much at once", kind=Kind.REFUSED, recipient=said.kind, seq=said.seq))
    assert zoe.next(Refused) == Refused("too much at once", Kind.SAY, 1, "flood")
    assert zoe.unconfirmed == 0


def test_answers(server: FakeServer, zoe: Person) -> None:
    wire = server.wire()
    zoe.connected()
    zoe.command("/who")
    zoe.command("/rooms")
    assert [wire.heard().kind for _ in range(2)] == [Kind.WHO, Kind.ROOMS]
    wire.tell(Message("", "ann\nzoe", kind=Kind.NAMES, room="lobby"))
    wire.tell(Message("", "garden 1\nlobby 2\nno number", kind=Kind.ROOMS))
    wire.tell(Message("", "bob joined", kind=Kind.NOTICE, room="lobby", time=1))
    wire.tell(Message("", "from the future", kind="unheard of"))
    assert zoe.next(Names) == Names("lobby", ("ann", "zoe"))
    assert zoe.next(Rooms) == Rooms((Room("garden", 1), Room("lobby", 2)))
    assert zoe.next(Notice) == Notice("bob joined", "lobby", 1)
    assert zoe.names == ("ann", "zoe")


def test_history_is_asked_for_from_where_the_screen_begins(server: FakeServer, zoe: Person) -> None:
    wire = server.wire()
    for _ in range(3):
        server.keep("bob", "not sent")
    wire.say("bob", "one")
    wire.say("bob", "two")
    zoe.next(Said, lambda event: event.text == "two")
    zoe.command("/history")
    asked = wire.heard()
    assert (asked.kind, asked.seen) == (Kind.HISTORY, 40)


def test_history_is_asked_for_of_the_room_that_was_asked_for_before(server: FakeServer, zoe: Person) -> None:
    wire = server.wire()
    wire.say("bob", "in the lobby")
    zoe.next(Said)
    zoe.command("/join garden")
    zoe.command("/history")
    assert wire.heard().kind == Kind.JOIN
    wire.tell(Message("zoe", "", kind=Kind.WELCOME, room="garden"))
    asked = wire.heard()
    assert (asked.kind, asked.seen) == (Kind.HISTORY, 0)


def test_delays_grow_and_have_a_limit() -> None:
    longest, shortest = BackOff(lambda: 1.0), BackOff(lambda: 0.0)
    assert [longest.next() for _ in range(8)] == [0.1, 0.5, 1.0, 2.0, 4.0, 8.0, LONGEST, LONGEST]
    assert [shortest.next() for _ in range(4)] == [0.05, 0.25, 0.5, 1.0]
    for _ in range(2000):
        assert longest.next() == LONGEST
