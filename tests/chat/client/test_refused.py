"""What the server refuses is never confirmed, in whatever order the streams with its answers arrive."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import permutations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chat.client.conversation import Conversation
from chat.client.events import Confirmed, Event, Refused
from chat.client.outgoing import MAX_ACKNOWLEDGEMENTS, Acknowledgement, Outgoing
from chat.message import SPOKEN, Kind, Message
from chat.server.client import MAX_REFUSED
from tests.chat.server.fake import World

SESSION = "0123456789abcdef"


def conversation(welcome: Message, taken: Sequence[bool]) -> Conversation:
    """Somebody who has been welcomed and has said something, as often as `taken` has items; nobody has answered."""
    zoe = Conversation("zoe", session=SESSION)
    zoe.begin()
    zoe.received(welcome)
    for number, is_taken in enumerate(taken, 1):
        zoe.say(str(number), Kind.SAY if is_taken else Kind.MSG, "" if is_taken else "nobody")
    while zoe.next_message():
        pass
    return zoe


def answers(taken: Sequence[bool], order: Sequence[int] | None = None) -> list[Message]:
    """What the server sends: its welcome, and its answers to all of that, which has arrived in an order of its own."""
    server = World().person("zoe")
    zoe = Conversation("zoe", session=SESSION)
    server.send(zoe.hello())
    (welcome,) = server.take()
    zoe.received(welcome)
    for number, is_taken in enumerate(taken, 1):
        zoe.say(str(number), Kind.SAY if is_taken else Kind.MSG, "" if is_taken else "nobody")
    said = list(iter(zoe.next_message, None))
    for place in order or range(len(said)):
        server.send(said[place])
    return [welcome, *server.take()]


def check(zoe: Conversation, taken: Sequence[bool], arriving: Sequence[Message]) -> None:
    """Let the answers arrive: nothing is confirmed with what is refused before that is told."""
    refused = {number: str(number) for number, is_taken in enumerate(taken, 1) if not is_taken}
    told: dict[int, str] = {}
    confirmed = 0
    for message in arriving:
        for event in zoe.received(message):
            match event:
                case Refused():
                    assert event.seq not in told
                    told[event.seq] = event.said
                case Confirmed():
                    assert event.seq > confirmed
                    confirmed = event.seq
                    assert {seq for seq in refused if seq <= confirmed} <= told.keys()
    assert told == refused
    assert confirmed == max((number for number, is_taken in enumerate(taken, 1) if is_taken), default=0)
    assert zoe.unconfirmed == 0
    assert not zoe.unheard


@pytest.mark.parametrize(
    "taken", [(True, False), (False, True), (True, False, True), (False, False, True), (False,) * 3]
)
def test_all_orders(taken: Sequence[bool]) -> None:
    welcome, *rest = answers(taken)
    for order in permutations(rest):
        check(conversation(welcome, taken), taken, order)


@settings(deadline=None, max_examples=150)
@given(st.data())
def test_any_order_in_both_directions(data: st.DataObject) -> None:
    taken = data.draw(st.lists(st.booleans(), min_size=1, max_size=12))
    order = data.draw(st.permutations(range(len(taken))))
    welcome, *rest = answers(taken, order)
    check(conversation(welcome, taken), taken, data.draw(st.permutations(rest)))


def events_of(zoe: Conversation, *messages: Message) -> list[Event]:
    return [event for message in messages for event in zoe.received(message)]


def test_a_server_that_names_nothing() -> None:
    """An older one: its acknowledgements are for everything up to their seq."""
    taken = (True, False, True)
    welcome, *rest = answers(taken)
    zoe = conversation(welcome, taken)
    newest = max((each for each in rest if each.kind == Kind.ACK), key=lambda each: each.seq)
    assert events_of(zoe, newest._replace(text="", after=0)) == [Confirmed(3, 0)]


def test_what_an_older_client_reads_in_it() -> None:
    """The seq alone, which has its old meaning."""
    acknowledgements = [each for each in answers((True, False, True)) if each.kind == Kind.ACK]
    assert [(each.seq, each.after, each.text) for each in acknowledgements] == [(1, 0, ""), (2, 1, "2"), (3, 2, "")]


def test_the_connection_is_lost_between_the_two() -> None:
    """It is known that the message was refused, so that it is not confirmed; and why, nobody will tell."""
    taken = (True, False, True)
    welcome, *rest = answers(taken)
    zoe = conversation(welcome, taken)
    assert [type(event) for event in events_of(zoe, *(each for each in rest if each.kind == Kind.ACK))] == [Confirmed]
    assert zoe.unconfirmed == 2
    zoe.begin()
    events = [event for event in zoe.received(welcome._replace(seq=3)) if isinstance(event, Refused | Confirmed)]
    assert [type(event) for event in events] == [Refused, Confirmed]
    assert events[0] == Refused(
        "the server has refused it, and the connection was lost before it could say why", Kind.MSG, 2, "2"
    )
    assert events[1] == Confirmed(3, 0)
    assert zoe.next_message() is None


def test_acknowledgements_that_wait_have_a_limit() -> None:
    """A server that says for ever that something is missing."""
    outgoing = Outgoing(SESSION)
    outgoing.add(Message("zoe", "one"))
    for number in range(2 * MAX_ACKNOWLEDGEMENTS):
        assert outgoing.acknowledge(Acknowledgement(number + 3, number + 2)) == []
    assert len(outgoing._acknowledgements) == MAX_ACKNOWLEDGEMENTS


def test_nonsense_among_the_refused() -> None:
    zoe = conversation(answers(())[0], (True, True))
    ack = Message("", "x 2² -1 " + "9" * 40 + " 7", kind=Kind.ACK, seq=2)
    assert events_of(zoe, ack) == [Confirmed(2, 0)]


def test_everything_said_is_heard_again() -> None:
    """The answers hold what was taken, once."""
    said = [each.text for each in answers((True, False, True)) if each.kind in SPOKEN]
    assert said == ["1", "3"]


@pytest.mark.parametrize("is_noticed", [True, False])
def test_the_connection_is_lost_before_any_answer(is_noticed: bool) -> None:
    """The welcome to the next one names what was refused, whether or not the server has noticed by then."""
    world = World()
    server = world.person("zoe")
    zoe = Conversation("zoe", session=SESSION)
    server.send(zoe.hello())
    events_of(zoe, *server.take())
    for text in ("1", "2", "3"):
        zoe.say(text, Kind.MSG if text == "2" else Kind.SAY, "nobody" if text == "2" else "")
    for message in iter(zoe.next_message, None):
        server.send(message)
    if is_noticed:
        server.lose()
    zoe.begin()
    again = world.person("zoe")
    again.send(zoe.hello())
    welcome = next(message for message in again.take() if message.kind == Kind.WELCOME)
    assert (welcome.seq, welcome.recipient) == (3, "2")
    events = [event for event in zoe.received(welcome) if isinstance(event, Refused | Confirmed)]
    assert [(type(event), event.seq) for event in events] == [(Refused, 2), (Confirmed, 3)]
    assert zoe.next_message() is None

    third = world.person("zoe")  # by then it has learned of it
    zoe.begin()
    third.send(zoe.hello())
    assert [message.recipient for message in third.take() if message.kind == Kind.WELCOME] == [""]


def test_what_is_remembered_of_the_refused_has_a_limit() -> None:
    person = World().person("zoe")
    person.hello()
    for number in range(MAX_REFUSED + 10):
        person.say(str(number), Kind.MSG, "nobody")
    assert len(person.client.refused) == MAX_REFUSED
    assert person.client.refused[-1] == MAX_REFUSED + 10
