"""The fate of datagrams on a link, decided by a seed."""

from __future__ import annotations

from itertools import groupby

import pytest

from quicmini.study.link.scenario import Bottleneck, Direction, Scenario

SIZE = 972  # bytes: 1000 with the headers around it
DATAGRAM = bytes(range(243)) * 4


def bottleneck(scenario: Scenario) -> Bottleneck:
    return Bottleneck(scenario, to_server=True)


def test_a_datagram_takes_the_wire_s_time_and_the_delay() -> None:
    fate = bottleneck(Scenario(delay=0.5, bandwidth=8000)).send(DATAGRAM, 10.0)
    assert fate.arrival == pytest.approx(10.0 + 1.0 + 0.5)
    assert fate.datagram == DATAGRAM


def test_the_queue_is_finite_and_drains() -> None:
    link = bottleneck(Scenario(delay=0.0, bandwidth=8000, queue=2))
    arrivals = [link.send(DATAGRAM, 0.0).arrival for _ in range(5)]  # one on the wire, two waiting
    assert arrivals[:3] == pytest.approx([1.0, 2.0, 3.0])
    assert arrivals[3:] == [None, None]
    assert link.send(DATAGRAM, 1.5).arrival == pytest.approx(4.0)


def test_what_is_larger_than_the_mtu_is_lost() -> None:
    link = bottleneck(Scenario(mtu=1500))
    assert link.send(bytes(1472), 0.0).arrival is not None
    assert link.send(bytes(1473), 0.0).arrival is None


def test_drops_by_position() -> None:
    link = bottleneck(Scenario(to_server=Direction(drops=frozenset({2, 3}))))
    assert [link.send(DATAGRAM, float(now)).arrival is None for now in range(4)] == [False, True, True, False]


def test_the_other_direction_is_untouched() -> None:
    link = Bottleneck(Scenario(to_server=Direction(loss=1.0, burst=10**9)), to_server=False)
    assert link.send(DATAGRAM, 0.0).arrival is not None


def test_nothing_passes_a_blackhole() -> None:
    link = bottleneck(Scenario(blackhole=(5.0, 7.0)))
    assert [link.send(DATAGRAM, now).arrival is None for now in (4.9, 5.1, 6.9, 7.1)] == [False, True, True, False]


def fates(scenario: Scenario, count: int = 3000) -> list[tuple[bool, bool]]:
    """(lost, corrupted) for each of many datagrams, far apart."""
    link = bottleneck(scenario)
    found = [link.send(DATAGRAM, float(now)) for now in range(count)]
    return [(fate.arrival is None, fate.datagram != DATAGRAM) for fate in found]


@pytest.mark.parametrize("what", ["loss", "corruption"])
def test_rates_are_kept_in_bursts_that_end(what: str) -> None:
    direction = Direction(loss=0.3, burst=3) if what == "loss" else Direction(corruption=0.3, burst=3)
    hits = [fate[what == "corruption"] for fate in fates(Scenario(to_server=direction))]
    assert 0.25 < sum(hits) / len(hits) < 0.32
    assert max(len(list(run)) for hit, run in groupby(hits) if hit) == 3


def test_corruption_changes_one_of_the_first_bytes() -> None:
    link = bottleneck(Scenario(to_server=Direction(corruption=1.0, burst=10**9)))
    changed = set()
    for now in range(1000):
        arrived = link.send(DATAGRAM, float(now)).datagram
        different = [at for at, (old, new) in enumerate(zip(DATAGRAM, arrived, strict=True)) if old != new]
        assert len(different) == 1
        changed.add(different[0])
    assert changed == set(range(51))


def test_version_negotiation_is_never_corrupted() -> None:
    link = bottleneck(Scenario(to_server=Direction(corruption=1.0, burst=10**9)))
    packet = b"\x80" + bytes(30)
    assert all(link.send(packet, float(now)).datagram == packet for now in range(100))


def test_the_seed_decides() -> None:
    direction = Direction(loss=0.3, corruption=0.3)
    first, again, other = (fates(Scenario(to_server=direction, seed=seed), 200) for seed in (1, 1, 2))
    assert first == again != other


def test_scaling_moves_what_happens_after_a_time() -> None:
    scenario = Scenario(blackhole=(5.0, 7.0), first_rebinding=4.0, rebinding_interval=5.0)
    assert scenario.scaled(0.5) == Scenario(blackhole=(2.5, 3.5), first_rebinding=2.0, rebinding_interval=2.5)
    assert Scenario().scaled(0.5).blackhole is None


def test_scaling_leaves_time_for_the_handshake() -> None:
    scaled = Scenario(blackhole=(5.0, 7.0), first_rebinding=1.0).scaled(0.01)
    assert scaled.first_rebinding == 0.3
    assert scaled.blackhole == pytest.approx((0.3, 0.32))
