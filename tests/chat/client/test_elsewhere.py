"""A session goes on at another server, which has not heard of all that the first one has confirmed."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from chat.client.conversation import Conversation
from chat.client.events import Confirmed, Event, Refused
from chat.message import Kind, Message


def welcome(store: str, settled: int) -> Message:
    return Message("zoe", "", kind=Kind.WELCOME, room="lobby", seq=settled, store=store)


def ack(seq: int, after: int, *refused: int) -> Message:
    return Message("", " ".join(map(str, refused)), kind=Kind.ACK, seq=seq, after=after)


def sent(zoe: Conversation) -> list[tuple[str, int]]:
    return [(message.kind, message.seq) for message in iter(zoe.next_message, None)]


def told(events: list[Event]) -> Iterator[Event]:
    return (event for event in events if isinstance(event, Confirmed | Refused))


@pytest.fixture
def zoe() -> Conversation:
    """She has said three things; the second was refused, the others were confirmed; then she has lost her server."""
    zoe = Conversation("zoe", session="0123456789abcdef")
    zoe.begin()
    zoe.received(welcome("one", 0))
    for text in ("first", "second", "third"):
        zoe.say(text)
    assert sent(zoe) == [("", 1), ("", 2), ("", 3)]
    zoe.received(ack(1, 0))
    zoe.received(Message("", "too much", kind=Kind.REFUSED, seq=2))
    zoe.received(ack(3, 1, 2))
    assert zoe.unconfirmed == 0
    zoe.begin()
    return zoe


def test_she_says_how_much_she_can_say_again(zoe: Conversation) -> None:
    hello = zoe.hello()
    assert (hello.seq, hello.number) == (3, 3)


def test_she_says_again_what_is_not_known_and_is_told_nothing_of_it(zoe: Conversation) -> None:
    zoe.say("fourth")
    assert list(told(zoe.received(welcome("two", 1)))) == []
    assert sent(zoe) == [(Kind.MSG, 2), ("", 3)]
    refusal = Message("", "nobody of that name is here", kind=Kind.REFUSED, recipient=Kind.MSG, seq=2)
    assert zoe.received(refusal) == []
    assert zoe.received(ack(3, 1, 2)) == []
    assert sent(zoe) == [("", 4)]
    assert list(told(zoe.received(ack(4, 3)))) == [Confirmed(4, 0)]


def test_she_does_not_go_to_another_room_before_all_is_said_in_this_one(zoe: Conversation) -> None:
    zoe.received(welcome("two", 1))
    zoe.ask(Kind.JOIN, room="garden")
    assert sent(zoe) == [(Kind.MSG, 2), ("", 3)]
    zoe.received(ack(2, 1, 2))
    assert sent(zoe) == []
    zoe.received(ack(3, 2))
    assert sent(zoe) == [(Kind.JOIN, 0)]
    zoe.received(welcome("two", 3)._replace(room="garden"))
    hello = zoe.hello()
    assert (hello.seq, hello.number) == (3, 0)  # what was said in the lobby is not said in the garden
