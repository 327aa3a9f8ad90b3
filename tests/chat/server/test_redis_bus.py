"""Hubs on one bus, in this process, with a real Redis or Valkey between them."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from chat.message import Kind, Message
from chat.server.admission import Admission
from chat.server.bus import parse_bus
from chat.server.bus_format import BEGINNING, encode_entry, encode_people
from chat.server.group import Group
from chat.server.history import Entry, History
from chat.server.hub import Hub
from chat.server.ledger import Ledger
from chat.server.others import Person
from chat.server.redis_bus import RedisBus
from chat.server.redis_presence import BusTiming
from tests.chat.redis_server import RedisServer
from tests.chat.server.members import Member

QUICK = BusTiming(heartbeat=0.1, lifetime=1.0, grace=0.3, first_pause=0.01, longest_pause=0.05)
STREAM, PRESENCE, SERVERS = "quicmini-chat:messages", "quicmini-chat:presence", "quicmini-chat:servers"
EVE = "e" * 16


@pytest.fixture
def redis(tmp_path: Path) -> Iterator[RedisServer]:
    with RedisServer(tmp_path) as redis:
        yield redis


class Clock:
    """Nothing happens at the same millisecond, on any server."""

    def __init__(self) -> None:
        self._ticks = count(500_000)

    def __call__(self) -> float:
        return next(self._ticks) * 0.002


CLOCK = Clock()


class Joined:
    """A hub on a bus."""

    def __init__(self, redis: RedisServer, history: History | None = None) -> None:
        self.history = history or History(None, 1000)
        self.hub = Hub(self.history, Admission(), CLOCK)
        self.bus = RedisBus(parse_bus(redis.url), QUICK)
        self.bus.start(Group(self.hub, Ledger(self.history)))
        self.hub.changed = self.bus.wake

    def close(self) -> None:
        self.bus.close()
        self.history.close()


Join = Callable[[], Joined]


@pytest.fixture
def join(redis: RedisServer) -> Iterator[Join]:
    """Makes a hub that has joined the others."""
    with ExitStack() as stack:

        def join() -> Joined:
            joined = Joined(redis)
            stack.callback(joined.close)
            return joined

        yield join


def payload(text: str, seq: int = 1) -> bytes:
    """What a server of Eve's would write."""
    return encode_entry(Entry(Message("Eve", text, f"{EVE}-{seq}", 1, Kind.SAY, "lobby"), EVE), BEGINNING)


def together(join: Join, *names: str) -> list[Member]:
    """People on as many servers, each of whom knows that the others are there."""
    members = [Member(join().hub, name) for name in names]
    for index, member in enumerate(members):
        member.is_told(*(f"{name} joined" for name in names[index + 1 :]))
    return members


def test_a_newcomer_among_the_servers_has_what_the_bus_holds(join: Join) -> None:
    ada = Member(join().hub, "Ada")
    for number in range(200):
        ada.say(str(number))
    bob = Member(join().hub, "Bob")  # whose server may have read a part of it, and reads on
    bob.hears("199")
    assert bob.heard == [str(number) for number in range(200)][-len(bob.heard) :]
    cara = Member(join().hub, "Cara")
    cara.hears(*map(str, range(150, 200)))
    assert cara.heard == list(map(str, range(150, 200)))


def test_what_comes_twice_is_heard_once(join: Join, redis: RedisServer) -> None:
    ada, bob = together(join, "Ada", "Bob")
    ada.say("hello")
    bob.hears("hello")
    written: Any = redis.client.xrange(STREAM)
    for _, fields in written:
        redis.client.xadd(STREAM, fields)
        redis.client.xadd(STREAM, fields)
    for _ in range(3):
        redis.client.xadd(STREAM, {"m": payload("boo")})
    ada.say("last")
    for member in (ada, bob):
        member.hears("boo", "last")
        assert sorted(member.heard) == ["boo", "hello", "last"]


def test_what_is_read_is_not_written_again(join: Join, redis: RedisServer) -> None:
    """Three servers, and as many different entries as there were messages."""
    members = together(join, "Ada", "Bob", "Cara")
    for member in members:
        for number in range(10):
            member.say(f"{member.nickname} {number}")
    for member in members:
        member.hears(*(f"{other.nickname} 9" for other in members))
    written: Any = redis.client.xrange(STREAM)
    assert len({fields[b"m"] for _, fields in written}) == 30


def test_garbage_is_ignored_with_one_warning(join: Join, redis: RedisServer, caplog: pytest.LogCaptureFixture) -> None:
    ada, bob = together(join, "Ada", "Bob")
    for fields in ({"m": b"\xff"}, {"x": "1"}, {"m": "[]", "n": ""}, {"m": b"x" * 600_000}, {"m": "[" * 100_000}):
        garbage: dict[Any, Any] = fields
        redis.client.xadd(STREAM, garbage)
        redis.client.xadd(PRESENCE, garbage)
    redis.client.xadd(STREAM, {"m": payload("\x1b[2J", 1).replace(b"Eve", b"E\nve")})
    redis.client.zadd(SERVERS, {"\x1b": 9e15, "f" * 16: 9e15})
    redis.client.set(f"quicmini-chat:server:{'f' * 16}", b"[1]")
    for number in range(100):
        redis.client.zadd(SERVERS, {f"{number:x}": 9e14})
    ada.say("hello")
    bob.hears("hello")
    bob.say("hi")
    ada.hears("hi")
    assert ada.heard == bob.heard == ["hello", "hi"]
    warnings = [record for record in caplog.records if record.levelno >= logging.WARNING]
    assert len(warnings) == 2  # one of each server
    assert all("of no server of ours" in record.getMessage() for record in warnings)


def test_a_bus_that_was_emptied_under_our_feet_is_filled_again(join: Join, redis: RedisServer) -> None:
    ada, bob = together(join, "Ada", "Bob")
    ada.say("before")
    bob.hears("before")
    redis.client.flushall()
    ada.say("after")
    bob.say("after all")
    for member in (ada, bob):
        member.hears("after", "after all")
        assert member.heard.count("before") == 1
    cara = Member(join().hub, "Cara")
    cara.hears("before", "after", "after all")
    ada.is_told("Cara joined")
    assert "Bob left" not in ada.notices


def test_a_bus_that_was_emptied_and_has_something_new_already_is_filled_again(join: Join, redis: RedisServer) -> None:
    """What comes next does not hide that what was read before is gone."""
    ada, bob = together(join, "Ada", "Bob")
    ada.say("before")
    for member in (ada, bob):
        member.hears("before")
    with redis.client.pipeline(transaction=True) as pipeline:
        pipeline.flushall()
        pipeline.xadd(STREAM, {"m": payload("boo")})
        pipeline.execute()
    for member in (ada, bob):
        member.hears("boo")
    cara = Member(join().hub, "Cara")
    cara.hears("before", "boo")
    assert (ada.heard.count("before"), ada.heard.count("boo")) == (1, 1)


def test_the_people_of_a_server_that_has_died_have_left(join: Join, redis: RedisServer) -> None:
    ada = Member(join().hub, "Ada")
    redis.client.set(f"quicmini-chat:server:{EVE}", encode_people([Person(EVE, "Eve", "lobby", 1, True)]), px=500)
    redis.client.zadd(SERVERS, {EVE: 1})
    ada.is_told("Eve joined", "Eve left")
    assert ada.who() == "Ada"


def test_the_people_of_a_server_that_closes_are_waited_for(redis: RedisServer, join: Join) -> None:
    bob = Member(join().hub, "Bob")
    history = History(None, 1000)
    one = Joined(redis, history)
    Member(one.hub, "Ada")
    bob.is_told("Ada joined")
    one.hub.close()
    one.close()
    assert bob.notices == ["Ada joined"]
    bob.is_told("Ada left")


def test_of_two_with_the_same_name_the_later_one_gets_another(join: Join, redis: RedisServer) -> None:
    """They came by it while the bus was away. Somebody who waits for the one finds both."""
    bob = Member(join().hub, "Bob")
    servers = [join(), join()]
    zed = Member(servers[1].hub, "Zed")
    bob.say("hello")
    zed.hears("hello")
    redis.kill()
    zed.is_told("the other servers cannot be reached: what is said here gets there later")
    first = Member(servers[0].hub, "Ada")
    second = Member(servers[1].hub, "ADA")
    simple = Member(servers[1].hub, "bob", simple=True)
    simple.say("hi")
    redis.start()
    zed.is_told("the other servers can be reached")
    second.is_told("another server has somebody called ADA: you are now called ADA-2")
    assert second.welcome.nickname == "ADA-2"
    first.say("it was me")
    second.say("it is me")
    simple.say("me too")
    bob.hears("it was me", "it is me", "me too")
    names = {message.text: message.nickname for message in bob.received}
    assert [names[text] for text in ("it was me", "it is me", "me too")] == ["Ada", "ADA-2", "bob-2"]
    assert bob.who() == "Ada\nADA-2\nBob\nbob-2\nZed"
    assert first.welcome.nickname == "Ada"


def test_somebody_who_comes_back_elsewhere_is_the_same(join: Join) -> None:
    one, two = join(), join()
    bob = Member(two.hub, "Bob")
    ada = Member(one.hub, "Ada")
    bob.is_told("Ada joined")
    ada.say("one")
    bob.say("two")
    ada.hears("one", "two")
    bob.hears("one", "two")
    seen = [message for message in ada.received if message.number][-1]
    ada.lose()
    for number in range(100):
        bob.say(str(number))
    back = Member(two.hub, "Ada", session=ada.session, seq=1, seen=seen, store=one.history.store)
    assert back.welcome.seq == 1
    assert back.welcome.id == seen.id  # what follows that message is sent, so nothing of it needs to be shown before
    assert back.welcome.nickname == "Ada"
    back.say("three")
    back.hears("three", *map(str, range(100)))
    bob.hears("three")
    assert bob.notices == ["Ada joined"]
    cara = Member(one.hub, "Cara")
    cara.hears("three")
    assert cara.who() == "Ada\nBob\nCara"


def test_a_connection_that_was_left_behind_is_closed(join: Join) -> None:
    one, two = join(), join()
    bob = Member(one.hub, "Bob")
    ada = Member(one.hub, "Ada")
    cara = Member(two.hub, "Cara")
    bob.is_told("Cara joined")
    Member(two.hub, "Ada", session=ada.session, store=one.history.store)
    ada.is_closed()
    assert ada.closed == "another connection has taken over"
    bob.say("last")
    cara.hears("last")
    assert "Ada left" not in cara.notices
    assert cara.notices.count("Ada joined") <= 1  # once, if its server has looked before she came
    assert bob.notices == ["Ada joined", "Cara joined"]


def test_what_was_said_elsewhere_and_confirmed_is_not_said_again(join: Join) -> None:
    """Its sender does not know that it was confirmed, and says it to another server once more."""
    one, two = join(), join()
    bob = Member(two.hub, "Bob")
    ada = Member(one.hub, "Ada")
    ada.say("one")
    ada.say("two")
    bob.hears("one", "two")
    ada.lose()
    back = Member(two.hub, "Ada", session=ada.session, store=one.history.store)
    assert back.welcome.seq == 2
    for text in ("one", "two", "three"):
        back.say(text)
    bob.hears("three")
    assert bob.heard == ["one", "two", "three"]


def test_what_was_confirmed_elsewhere_and_is_not_known_yet_is_said_again_before_what_follows(
    join: Join, redis: RedisServer
) -> None:
    """The bus is away: the one server cannot tell the other what it has confirmed. Both will tell it to the third."""
    one, two, three = join(), join(), join()
    bob, cara = Member(two.hub, "Bob"), Member(three.hub, "Cara")
    ada = Member(one.hub, "Ada")
    ada.say("one")
    bob.hears("one")
    redis.kill()
    ada.say("two")
    ada.hears("two")
    ada.lose()
    forgetful = Member(two.hub, "Eve", seq=2)  # nothing can be had from her
    assert forgetful.welcome.seq == 2
    back = Member(two.hub, "Ada", session=ada.session, seq=2, repeatable=2, store=one.history.store)
    assert back.welcome.seq == 1
    back.go_on(1)
    back.say("two")
    back.say("three")
    bob.hears("three")
    redis.start()
    dan = Member(one.hub, "Dan")
    for member in (bob, cara, dan):
        member.hears("one", "two", "three")
        assert [text for text in member.heard if text in ("one", "two", "three")] == ["one", "two", "three"]
