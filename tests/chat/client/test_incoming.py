"""Each message once and each sender's in order, whatever overtakes what and whenever the connection ends."""

from __future__ import annotations

import random

from hypothesis import given, settings
from hypothesis import strategies as st

from chat.client.incoming import MAX_HELD, MAX_REMEMBERED, Incoming
from chat.message import Message


class Server:
    """Numbers messages, and chains those that it sends on a connection."""

    def __init__(self, store: str = "store") -> None:
        self.store = store
        self.messages: list[Message] = []
        self._last = 0
        self._last_of: dict[str, int] = {}

    def keep(self, sender: str) -> None:
        number = 3 * len(self.messages) + 1
        self.messages.append(
            Message(sender, str(number), id=f"{sender}@{self.store}-{number}", number=number, room="lobby")
        )

    def connect(self, seen: int) -> list[Message]:
        """What a new connection is sent first."""
        self._last, self._last_of = seen, {}
        return [self.chain(message) for message in self.messages if message.number > seen]

    def chain(self, message: Message) -> Message:
        after, self._last = self._last, message.number
        sender_after = self._last_of.get(message.nickname, 0)
        self._last_of[message.nickname] = message.number
        return message._replace(after=after, sender_after=sender_after)


def numbers(messages: list[Message]) -> list[int]:
    return [message.number for message in messages]


def said(*senders: str) -> Server:
    server = Server()
    for sender in senders:
        server.keep(sender)
    return server


def test_in_order() -> None:
    incoming = Incoming()
    incoming.welcomed("store", 0)
    for message in said("ann", "bob", "ann").connect(0):
        assert incoming.receive(message) == [message]
        assert incoming.seen == message.number


def test_a_sender_waits_for_its_own_message_only() -> None:
    incoming = Incoming()
    incoming.welcomed("store", 0)
    one, two, three, four = said("ann", "bob", "ann", "bob").connect(0)
    assert incoming.receive(three) == []
    assert incoming.receive(two) == [two]
    assert incoming.receive(four) == [four]
    assert incoming.seen == 0
    assert incoming.receive(one) == [one, three]
    assert incoming.seen == four.number


def test_what_comes_again_is_not_shown_again() -> None:
    incoming = Incoming()
    incoming.welcomed("store", 0)
    server = said("ann", "ann", "bob")
    one, two, three = server.connect(0)
    assert numbers(incoming.receive(one) + incoming.receive(three)) == [1, 7]
    assert incoming.seen == 1
    incoming.welcomed("store", 1)
    again = server.connect(1)
    assert numbers(again) == [4, 7]
    assert [numbers(incoming.receive(message)) for message in reversed(again)] == [[], [4]]
    assert incoming.seen == 7
    assert incoming.receive(two) == []


def test_another_store_knows_messages_by_their_ids_only() -> None:
    """It has the first under another number, and never heard of what the second waited for."""
    incoming = Incoming()
    incoming.welcomed("store", 0)
    one, _, three = said("ann", "bob", "bob").connect(0)
    incoming.receive(one)
    assert incoming.receive(three) == []
    assert incoming.welcomed("other", 0) == [three]
    assert incoming.seen == 0
    same, new = one._replace(number=3), Message("ann", "new", id="new", number=5, after=3, sender_after=3)
    assert incoming.receive(new) == []
    assert incoming.receive(same) == [new]
    assert incoming.seen == 5


def test_a_server_whose_chain_begins_with_nothing() -> None:
    """It sends a newcomer what was said last, and does not say from where on."""
    incoming = Incoming()
    incoming.welcomed("store", 100)
    one = Message("ann", "", id="1", number=103)
    two = Message("ann", "", id="2", number=107, after=103, sender_after=103)
    assert incoming.receive(two) == []
    assert incoming.receive(one) == [one, two]
    assert incoming.seen == 107


def test_a_batch_from_the_past_is_shown_as_a_whole_and_moves_nothing() -> None:
    incoming = Incoming()
    incoming.welcomed("store", 50)
    known = Message("ann", "", id="30", number=30, after=20, seen=40)
    batch = [
        Message("ann", "", id="10", number=10, seen=40),
        Message("bob", "", id="20", number=20, after=10, seen=40),
        known,
        Message("bob", "", id="40", number=40, after=30, seen=40),
    ]
    for message in reversed(batch[1:]):
        assert incoming.receive(message) == []
    assert numbers(incoming.receive(batch[0])) == [10, 20, 30, 40]
    assert incoming.seen == 50
    live = Message("ann", "", id="60", number=60, after=50)
    assert incoming.receive(live) == [live]
    assert incoming.seen == 60


def test_a_batch_that_turns_in_a_circle() -> None:
    incoming = Incoming()
    incoming.welcomed("store", 50)
    assert incoming.receive(Message("ann", "", number=10, seen=40)) == []
    assert incoming.receive(Message("ann", "", number=10, after=10, seen=40)) == []


def test_a_server_that_withholds_something_for_ever() -> None:
    """What is held for the sake of order has a limit, and so has what is remembered."""
    incoming = Incoming()
    incoming.welcomed("store", 0)
    shown: list[int] = []
    for number in range(2, 3 * MAX_HELD):
        message = Message("ann", "", id=str(number), number=number, after=number - 1, sender_after=number - 1)
        shown += numbers(incoming.receive(message))
        assert bool(shown) == (number > MAX_HELD + 1)
    assert shown == list(range(2, 3 * MAX_HELD))
    for number in range(3 * MAX_HELD):
        incoming.receive(Message("ann", "", number=10, after=number, seen=number + 9_000_000))
    assert max(len(each) for each in vars(incoming).values() if isinstance(each, dict)) <= MAX_HELD
    assert len(vars(incoming._ids)["_things"]) <= MAX_REMEMBERED


@settings(deadline=None, max_examples=200)
@given(st.randoms(use_true_random=False), st.integers(1, 40), st.integers(1, 4))
def test_any_order_and_any_returns(chance: random.Random, count: int, senders: int) -> None:
    """Messages arrive in any order, and connections end anywhere; more is said at any time."""
    server, incoming = Server(), Incoming()
    shown: list[Message] = []
    incoming.welcomed("store", 0)
    under_way = server.connect(0)
    while len(server.messages) < count or under_way:
        if len(server.messages) < count and chance.random() < 0.5:
            server.keep(f"sender {chance.randrange(senders)}")
            under_way.append(server.chain(server.messages[-1]))
        elif under_way:
            shown += incoming.receive(under_way.pop(chance.randrange(len(under_way))))
        if chance.random() < 0.05:
            incoming.welcomed("store", incoming.seen)
            under_way = server.connect(incoming.seen)
    assert sorted(numbers(shown)) == numbers(server.messages)
    assert incoming.seen == server.messages[-1].number
    for sender in range(senders):
        own = [message.number for message in shown if message.nickname == f"sender {sender}"]
        assert own == sorted(own)


def test_what_waits_is_sent_again_by_another_server_of_the_same_chat() -> None:
    """What it waits for comes with it: it is not shown before. A server of another chat has neither."""
    for known, orphans in ((True, []), (False, [7])):
        server = said("ann", "ann", "ann")
        one, two, three = server.connect(0)
        incoming = Incoming()
        incoming.welcomed("store", 0)
        incoming.receive(one)
        assert incoming.receive(three) == []
        assert incoming.seen_id == one.id
        assert numbers(incoming.welcomed("other", 0, one.id if known else "")) == orphans
        again = [message for each in server.connect(1) for message in incoming.receive(each)]
        assert [message.id for message in again] == ([two.id, three.id] if known else [two.id])


def test_what_was_said_before_the_first_that_was_shown_stays_away() -> None:
    """Another server does not know when somebody came, and sends too much; but who asks for the past gets it."""
    server = said("ann", "ann", "bob", "ann", "bob")
    incoming = Incoming()
    incoming.welcomed("store", 1)
    assert numbers([each for message in server.connect(1)[:2] for each in incoming.receive(message)]) == [4, 7]
    incoming.welcomed("other", 0, incoming.seen_id)
    assert numbers([each for message in server.connect(0) for each in incoming.receive(message)]) == [10, 13]
    asked = server.messages[0]._replace(seen=1)
    assert numbers(incoming.receive(asked)) == [1]
