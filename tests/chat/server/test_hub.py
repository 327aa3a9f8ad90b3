"""Who gets what, with clients that are lists: exactly once, rooms, nicknames, presence, catching up."""

from __future__ import annotations

from pathlib import Path

import pytest

from chat.exchange import ErrorCode
from chat.message import MAX_SEQ, Dialect, Kind, Message, message_id, sender_id
from chat.server import requests
from chat.server.arriving import RECENT
from chat.server.bus_format import BEGINNING, decode_entry, encode_entry
from chat.server.history import History
from chat.server.hub import MAX_AWAY, NAME_KEPT
from chat.server.sequence import MAX_REORDERED
from chat.server.speaking import MAX_KIND_LENGTH
from tests.chat.server.fake import Person, World


def people(world: World, *names: str) -> list[Person]:
    """Some who have said hello, and have read what came of it."""
    persons = [world.person(name) for name in names]
    for person in persons:
        person.hello()
    for person in persons:
        person.take()
    return persons


def said(messages: list[Message]) -> list[Message]:
    return [message for message in messages if message.number and message.kind != Kind.WELCOME]


def test_the_welcome() -> None:
    world = World()
    (welcome,) = world.person("Ada").hello()
    assert welcome == Message("Ada", "1 in lobby", kind=Kind.WELCOME, room="lobby", store=world.history.store)


def test_what_is_said_is_acknowledged_and_chained() -> None:
    ada, bob = people(World(), "Ada", "Bob")
    for text in ("one", "two"):
        ada.say(text)
    bob.say("three")
    assert [(m.kind, m.seq) for m in ada.take() if not m.number] == [("ack", 1), ("ack", 2)]
    heard = said(bob.take())
    assert [(m.nickname, m.text, m.number, m.after, m.sender_after) for m in heard] == [
        ("Ada", "one", 1, 0, 0),
        ("Ada", "two", 2, 1, 1),
        ("Bob", "three", 3, 2, 0),
    ]
    assert heard[1].id == message_id(ada.session, 2)
    assert heard[1].time == 1_000_000
    assert ada.session not in repr(heard)


def test_messages_overtake_each_other_and_come_twice() -> None:
    ada, bob = people(World(), "Ada", "Bob")
    for seq in (3, 2, 3, 1, 2, 4):
        ada.say(str(seq), seq=seq)
    assert bob.texts() == ["1", "2", "3", "4"]
    assert [m.seq for m in ada.take() if m.kind == Kind.ACK] == [3, 3, 4]


@pytest.mark.parametrize("seq", [0, -1])
def test_a_seq_that_is_none(seq: int) -> None:
    (ada,) = people(World(), "Ada")
    ada.send(Message("", "x", seq=seq, session=ada.session))
    assert [m.kind for m in ada.take()] == [Kind.REFUSED]


def test_what_waits_has_a_limit() -> None:
    ada, bob = people(World(), "Ada", "Bob")
    for seq in range(2, MAX_REORDERED + 2):
        ada.say("x", seq=seq)
    assert ada.dropped() is None
    ada.say("x", seq=MAX_REORDERED + 2)
    assert ada.dropped() == ErrorCode.OUT_OF_ORDER
    assert bob.texts() == []


def test_what_comes_before_the_hello_waits_for_it() -> None:
    world = World()
    (bob,) = people(world, "Bob")
    ada = world.person("Ada")
    ada.say("early", seq=1)
    assert bob.texts() == []
    ada.hello()
    assert bob.texts() == ["early"]


class TestReturning:
    def test_the_rest_comes_and_what_is_settled_is_told(self) -> None:
        world = World()
        ada, bob = people(world, "Ada", "Bob")
        ada.say("one")
        bob.lose()
        for text in ("two", "three"):
            ada.say(text)
        again = world.person("Bob")
        welcome, *rest = again.hello(seen=1, store=world.history.store)
        assert (welcome.seen, welcome.number) == (1, 3)
        assert [(m.text, m.after) for m in rest] == [("two", 1), ("three", 2)]
        again.say("back")
        assert [(m.after, m.text) for m in said(again.take())] == [(3, "back")]
        assert "Bob" not in "".join(ada.texts(Kind.NOTICE))  # nobody has noticed

    def test_nothing_is_taken_twice(self) -> None:
        world = World()
        ada, bob = people(world, "Ada", "Bob")
        ada.say("one")
        ada.lose()
        again = world.person("Ada")
        assert again.hello()[0].seq == 1
        again.say("one", seq=1)
        again.say("two", seq=2)
        assert bob.texts() == ["one", "two"]

    def test_it_takes_over_from_a_connection_that_is_dead(self) -> None:
        world = World()
        ada, bob = people(world, "Ada", "Bob")
        again = world.person("Ada")
        again.hello()
        assert ada.dropped() == ErrorCode.REPLACED
        ada.say("from the grave")
        assert bob.take() == []
        again.say("hi")
        assert bob.texts() == ["hi"]

    def test_to_another_store(self) -> None:
        world = World()
        (ada,) = people(world, "Ada")
        for number in range(RECENT + 5):
            ada.say(str(number))
        bob = world.person("Bob")
        assert [m.text for m in said(bob.hello(seen=3, store="other"))] == [str(n) for n in range(5, RECENT + 5)]

    def test_to_a_server_that_does_not_know_it(self) -> None:
        world = World()
        ada = world.person("Ada")
        assert ada.hello(seq=7)[0].seq == 7
        ada.say("eight", seq=8)
        assert ada.texts() == ["eight"]

    def test_after_the_server_has_died(self, tmp_path: Path) -> None:
        history = History(tmp_path / "h")
        ada, _ = people(World(history), "Ada", "Bob")
        ada.say("one")
        ada.say("for you", Kind.MSG, "Bob")
        history.close()
        world = World(History(tmp_path / "h"))
        again = world.person("Bob")
        rest = said(again.hello(seen=1, store=history.store))
        assert [(m.text, m.kind, m.recipient) for m in rest] == [("for you", "msg", "Bob")]
        assert world.person("Ada").hello()[0].seq == 2
        assert again.texts(Kind.NOTICE) == []  # both were expected


class TestNames:
    @pytest.mark.parametrize("nickname", ["ada", "ADA", "server", "Server", "*", "system", " x", "x" * 33, "a\nb"])
    def test_refused(self, nickname: str) -> None:
        world = World()
        people(world, "Ada")
        bob = world.person("Bob")
        assert [m.kind for m in bob.hello(nickname=nickname)] == [Kind.REFUSED]
        assert bob.hello(nickname="Bob")[0].kind == Kind.WELCOME

    def test_another_one(self) -> None:
        ada, bob = people(World(), "Ada", "Bob")
        ada.send(Message("Bob", "", kind=Kind.NICK))
        assert [m.text for m in ada.take()] == ["somebody is called Bob already: choose another nickname"]
        ada.send(Message("Lovelace", "", kind=Kind.NICK))
        assert [(m.kind, m.nickname) for m in ada.take()] == [(Kind.WELCOME, "Lovelace")]
        assert bob.texts(Kind.NOTICE) == ["Ada is now called Lovelace"]
        bob.send(Message("Ada", "", kind=Kind.NICK))
        assert bob.take()[0].nickname == "Ada"

    def test_whose_connection_broke_leaves_in_the_end(self) -> None:
        world = World()
        ada, bob = people(world, "Ada", "Bob")
        bob.lose()
        world.now += NAME_KEPT - 1
        world.hub.sweep()
        assert ada.texts(Kind.NOTICE) == []
        world.now += 1
        world.hub.sweep()
        assert ada.texts(Kind.NOTICE) == ["Bob left"]

    def test_a_clock_that_is_put_back_keeps_nobody(self) -> None:
        world = World()
        ada, bob, carol = people(world, "Ada", "Bob", "Carol")
        bob.lose()
        silent = world.person("silent")
        world.clock_change = -24 * 3600.0
        carol.lose()
        world.now += NAME_KEPT
        world.hub.sweep()
        assert ada.texts(Kind.NOTICE) == ["Bob left", "Carol left"]
        assert silent.dropped() == ErrorCode.NO_HELLO

    def test_those_who_are_away_have_a_limit(self) -> None:
        world = World()
        for number in range(MAX_AWAY + 1):
            person = world.person(f"n{number}")
            person.hello()
            person.lose()
        assert world.hub.nicknames.find("n0") is None
        assert world.hub.nicknames.find("n1") is not None


class TestRooms:
    def test_each_hears_its_own(self) -> None:
        ada, bob = people(World(), "Ada", "Bob")
        bob.say("before")
        ada.send(Message("", "", kind=Kind.JOIN, room="Tea"))
        assert bob.texts(Kind.NOTICE) == ["Ada went to tea"]
        ada.take()
        ada.say("in here")
        bob.say("out there")
        assert ada.texts() == ["in here"]
        assert bob.texts() == ["out there"]
        bob.send(Message("", "", kind=Kind.ROOMS))
        bob.send(Message("", "", kind=Kind.WHO, room="tea"))
        assert [m.text for m in bob.take()] == ["lobby 1\ntea 1", "Ada"]
        bob.send(Message("", "", kind=Kind.JOIN, room="tea"))
        welcome, old = bob.take()
        assert (welcome.kind, welcome.room, welcome.number) == (Kind.WELCOME, "tea", 2)
        assert (old.text, old.after, old.seen) == ("in here", 0, 2)

    def test_for_one_alone(self) -> None:
        ada, bob, eve = people(World(), "Ada", "Bob", "Eve")
        ada.say("psst", Kind.MSG, "bob")
        ada.say("psst", Kind.MSG, "Zoe")
        assert [(m.recipient, m.room) for m in said(bob.take())] == [("Bob", "")]
        assert eve.take() == []
        echo, refused = (m for m in ada.take() if m.kind != Kind.ACK)
        assert (echo.text, refused.kind, refused.seq) == ("psst", Kind.REFUSED, 2)

    def test_history(self) -> None:
        (ada,) = people(World(), "Ada")
        for number in range(1, 4):
            ada.say(str(number))
        ada.take()
        ada.send(Message("", "", kind=Kind.HISTORY, seen=3))
        assert [(m.text, m.after, m.seen) for m in ada.take()] == [("1", 0, 2), ("2", 1, 2)]
        ada.send(Message("", "", kind=Kind.HISTORY, seen=1))
        (nothing,) = ada.take()
        assert (nothing.kind, nothing.text) == (Kind.NOTICE, "nothing older is kept of this room")
        assert nothing.room == "", "who wants no announcements from a room wants answers all the same"


class TestTheSeedsDialect:
    def test_presence_and_the_rest_are_lines(self) -> None:
        world = World()
        seed = world.person("seed", Dialect.SIMPLE)
        (ada,) = people(world, "Ada")
        ada.say("waves", Kind.ME)
        seed.send(Message("Gopher", "hi"))
        ada.say("psst", Kind.MSG, "Gopher")
        assert [m.line() for m in seed.take()] == [
            "[server]: Ada joined",
            "[Ada]: * Ada waves",
            "[Gopher]: hi",
            "[Ada]: (to Gopher alone) psst",
        ]
        assert [m.text for m in ada.take() if m.kind == Kind.NOTICE] == ["Gopher joined"]

    def test_a_nickname_that_somebody_has(self) -> None:
        world = World()
        (ada,) = people(world, "Ada")
        seed = world.person("seed", Dialect.SIMPLE)
        seed.send(Message("ada", "I am Ada"))
        assert [m.nickname for m in seed.take()] == ["server"]
        assert ada.take() == []


def test_a_queue_that_is_full_costs_its_owner_alone() -> None:
    world = World()
    (bob,) = people(world, "Bob")
    slow = world.person("Slow", queue_limit=3)
    slow.hello()
    bob.take()
    with world.hub.locked():  # nothing is sent before the lock is released
        for number in range(4):
            world.hub.notice([slow.client, bob.client], "lobby", str(number))
        assert slow.dropped() is None
    assert slow.dropped() == ErrorCode.TOO_SLOW
    assert bob.texts(Kind.NOTICE) == ["0", "1", "2", "3"]


def test_a_list_is_cut_where_it_is_too_long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(requests, "MAX_LIST_SIZE", 22)
    persons = people(World(), "蛋" * 4, "a", "b" * 3, "c", "d")
    persons[0].send(Message("", "", kind=Kind.WHO))
    assert persons[0].texts(Kind.NAMES) == ["a\nbbb\nc\nd\n… and 1 more"]
    monkeypatch.setattr(requests, "MAX_LIST_SIZE", 23)
    persons[0].send(Message("", "", kind=Kind.WHO))
    assert persons[0].texts(Kind.NAMES) == ["a\nbbb\nc\nd\n" + "蛋" * 4]


def test_a_disk_that_is_full(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World()
    ada, bob = people(world, "Ada", "Bob")
    world.history.close()
    ada.say("lost?")
    assert ada.dropped() == ErrorCode.NOT_KEPT
    assert bob.texts() == []
    assert not [m for m in ada.take() if m.kind == Kind.ACK]
    assert sender_id(ada.session) != ada.session


def test_who_asks_for_nothing_known_with_many_words_is_told_with_few() -> None:
    (ada,) = people(World(), "Ada")
    ada.send(Message("", "", kind="\ufffd" * 22_000))
    assert [(m.kind, m.recipient) for m in ada.take()] == [(Kind.REFUSED, "\ufffd" * MAX_KIND_LENGTH)]


def test_a_nickname_of_a_message_s_length_is_compared_with_nobody_s(monkeypatch: pytest.MonkeyPatch) -> None:
    """With the lock held that would take most of a second: see `name_key`."""
    ada, bob = people(World(), "Ada", "Bob")
    monkeypatch.setattr("chat.server.rooms.name_key", lambda name: pytest.fail(name) if len(name) > 32 else name)
    monkeypatch.setattr("chat.server.others.name_key", lambda name: pytest.fail(name) if len(name) > 32 else name)
    long = "\u0301\u0316" * 10_000
    ada.send(Message(long, "", kind=Kind.NICK))
    ada.say("psst", Kind.MSG, recipient=long)
    assert [m.text.rpartition(" ")[2] for m in ada.take() if m.kind == Kind.REFUSED] == ["end", "here"]
    simple = bob.hub, "seed", Dialect.SIMPLE
    assert Person(*simple, 100).client.nickname == ""


@pytest.mark.parametrize("room", ["\ufdfa" * 32, "\u00a8"])
def test_a_room_has_a_name_under_which_it_is_known(room: str) -> None:
    """Not so one that normalization makes longer than names are, or has begin with a space."""
    person = World().person("Ada")
    (refused,) = person.hello(room)
    assert (refused.kind, "is no room" in refused.text) == (Kind.REFUSED, True)
    assert person.client.session == ""


def test_two_of_one_name_were_there_when_the_last_server_died() -> None:
    """The history could not be told of one's leaving."""
    history = History(None)
    history.enter("a" * 16, 0, "Ada", "lobby", 1)
    history.enter("b" * 16, 0, "ADA", "lobby", 2)
    history.enter("c" * 16, 0, "server", "lobby", 3)
    world = World(history)
    assert [holder.session for holder in world.hub.nicknames.holders()] == ["b" * 16]
    assert [each.session for each in history.present()] == ["b" * 16]


def test_a_seq_has_a_place_in_an_id() -> None:
    """A longer one is no id on the bus, so that it would be sent again and again."""
    world = World()
    ada = world.person("Ada")
    (refused,) = ada.hello(seq=MAX_SEQ + 1)
    assert (refused.kind, refused.text) == (Kind.REFUSED, f"a seq is {MAX_SEQ} at most")
    assert world.hub.nicknames.holders() == []
    assert ada.hello(seq=MAX_SEQ - 1)[0].seq == MAX_SEQ - 1
    ada.say("the last", seq=MAX_SEQ)
    ada.say("one more", seq=MAX_SEQ + 1)
    assert [m.text for m in ada.take() if m.number] == ["the last"]
    (entry,) = world.history.before(0, "lobby", "", 1)
    assert decode_entry(encode_entry(entry, BEGINNING), BEGINNING).entry.message.text == "the last"
