"""The nodes do what they say, and the seed alone decides."""

from __future__ import annotations

import itertools
import random
from functools import partial

import pytest

from tests.simulator.clock import Clock, LocalClock
from tests.simulator.nat import Nat
from tests.simulator.network import (
    CE,
    Bleach,
    Bottleneck,
    Corrupt,
    Datagram,
    Delay,
    DropMarked,
    Duplicate,
    Lose,
    Mark,
    Narrow,
    Node,
    Strikes,
    chain,
)

HERE, THERE = ("here", 1), ("there", 2)


def through(clock: Clock, *nodes: Node, count: int = 1000, size: int = 100) -> list[tuple[float, bytes]]:
    """Send numbered datagrams at once; return when each came and what it held."""
    arrived: list[tuple[float, bytes]] = []
    start = clock.now
    send = chain(nodes, lambda datagram: arrived.append((clock.now - start, datagram.payload)))
    for number in range(count):
        payload = number.to_bytes(size, "big")
        send(Datagram(payload, HERE, THERE, genuine=payload))
    clock.run(lambda: False, 1e6)
    return arrived


def test_time_passes_in_order_and_first_come_first_served() -> None:
    clock, seen = Clock(), list[tuple[str, float]]()

    def note(name: str) -> None:
        seen.append((name, clock.now))

    for name, delay in (("late", 2), ("one", 1), ("two", 1)):
        clock.at(clock.now + delay, partial(note, name))
    assert clock.run(lambda: len(seen) == 3, 10)
    assert seen == [("one", 1001), ("two", 1001), ("late", 1002)]


def test_time_stops_at_the_limit() -> None:
    clock = Clock()
    clock.at(clock.now + 5, lambda: None)
    assert not clock.run(lambda: False, 4)
    assert clock.now == 1000


def test_loss_is_drawn_from_the_seed() -> None:
    runs = []
    for seed in (1, 1, 2):
        dropped: list[Datagram] = []
        runs.append(through(Clock(), Lose(Strikes(random.Random(seed), 0.3, 0), dropped.append)))
        assert len(runs[-1]) + len(dropped) == 1000
        assert 200 < len(dropped) < 400
    assert runs[0] == runs[1] != runs[2]


@pytest.mark.parametrize("burst", [1, 3, 10])
@pytest.mark.parametrize("share", [0.02, 0.3, 0.5])
def test_bursts_keep_their_share_and_their_length(share: float, burst: int) -> None:
    strikes = Strikes(random.Random(1), share, burst)
    struck = [strikes.next() for _ in range(100_000)]
    assert abs(sum(struck) / len(struck) - share) < 0.01
    lengths = {len(list(run)) for hit, run in itertools.groupby(struck) if hit}
    assert lengths == set(range(1, burst + 1))


def test_a_narrow_link_drops_what_is_too_large_from_a_time_on() -> None:
    clock, dropped = Clock(), list[Datagram]()
    node = Narrow(clock, 100, clock.now + 1, dropped.append)
    assert len(through(clock, node, count=10, size=101)) == 10
    clock.at(clock.now + 1, lambda: None)
    clock.run(lambda: False, 2)
    assert len(through(clock, node, count=10, size=100)) == 10
    assert len(through(clock, node, count=10, size=101)) == 0
    assert len(dropped) == 10


def test_marks() -> None:
    """RFC 3168: only what may be marked is, and some networks do not let any mark pass."""
    dropped: list[Datagram] = []
    for node, expected in (
        (Mark(random.Random(1), 1.0), [0, CE, CE]),
        (Mark(random.Random(1), 0.0), [0, 2, CE]),
        (Bleach(), [0, 0, 0]),
        (DropMarked(dropped.append), [0]),
    ):
        arrived: list[Datagram] = []
        send = chain([node], arrived.append)
        for ecn in (0, 2, CE):
            send(Datagram(b"x", HERE, THERE, b"x", ecn))
        assert [datagram.ecn for datagram in arrived] == expected
    assert len(dropped) == 2


def test_duplicates() -> None:
    arrived = [payload for _, payload in through(Clock(), Duplicate(random.Random(1), 0.1))]
    assert 1050 < len(arrived) < 1150
    assert len(set(arrived)) == 1000


def test_corruption_changes_one_byte() -> None:
    changed = 0
    for number, (_, payload) in enumerate(
        through(Clock(), Corrupt(random.Random(1), Strikes(random.Random(2), 0.1, 0)))
    ):
        different = sum(one != other for one, other in zip(payload, number.to_bytes(100, "big"), strict=True))
        assert different <= 1
        changed += different
    assert 50 < changed < 150


def test_delay_without_jitter_keeps_the_order_and_with_jitter_does_not() -> None:
    clock = Clock()
    steady = through(clock, Delay(clock, random.Random(1), 0.05, 0))
    assert all(abs(when - 0.05) < 1e-9 for when, _ in steady)
    assert [payload for _, payload in steady] == sorted(payload for _, payload in steady)
    shaken = through(clock, Delay(clock, random.Random(1), 0.05, 0.01))
    assert all(0.05 <= when <= 0.0601 for when, _ in shaken)
    assert [payload for _, payload in shaken] != sorted(payload for _, payload in shaken)


def test_a_bottleneck_takes_its_time_and_its_queue_is_bounded() -> None:
    clock, dropped = Clock(), list[Datagram]()
    arrived = through(clock, Bottleneck(clock, 8000, 1050, dropped.append), count=20)
    # 100 bytes a datagram, 1000 bytes a second: one each 0.1 s; ten in the queue and one on the wire.
    assert [round(when, 6) for when, _ in arrived] == [round(0.1 * (n + 1), 6) for n in range(len(arrived))]
    assert len(arrived) == 11
    assert len(dropped) == 9


def test_local_time_is_ahead_and_leaps_and_is_never_early() -> None:
    shared, seen = Clock(), list[float]()
    local = LocalClock(shared, 31_415.9)

    def note(when: float) -> None:
        seen.append(local.now - when)

    for step in range(1000):
        when = local.now + step / 7
        local.at(when, partial(note, when))
    shared.run(lambda: False, 1000)
    assert len(seen) == 1000
    assert all(0 <= late < 1e-9 for late in seen)
    before = local.now
    local.leap(5)
    assert abs(local.now - before - 5) < 1e-6


@pytest.mark.parametrize("new_host", [False, True])
def test_a_nat_leads_back_only_what_is_sent_to_its_present_address(new_host: bool) -> None:
    inside, first = ("client", 1), ("nat", 1)
    outside, arrived, dropped = list[Datagram](), list[Datagram](), list[Datagram]()
    nat = Nat(inside, first, dropped.append)
    outwards = chain([nat.outward], outside.append)
    inwards = chain([nat.inward], arrived.append)
    outwards(Datagram(b"1", inside, THERE, b"1"))
    inwards(Datagram(b"2", THERE, first, b"2"))
    nat.rebind(new_host=new_host)
    outwards(Datagram(b"3", inside, THERE, b"3"))
    inwards(Datagram(b"4", THERE, first, b"4"))
    inwards(Datagram(b"5", THERE, nat.public, b"5"))
    outwards(Datagram(b"6", ("another", 1), THERE, b"6"))
    inwards(Datagram(b"7", THERE, ("another", 1), b"7"))
    assert [datagram.source for datagram in outside] == [first, nat.public, ("another", 1)]
    assert nat.public != first
    assert (nat.public[0] != first[0]) == new_host
    assert [(datagram.payload, datagram.destination) for datagram in arrived] == [
        (b"2", inside),
        (b"5", inside),
        (b"7", ("another", 1)),
    ]
    assert [datagram.payload for datagram in dropped] == [b"4"]
