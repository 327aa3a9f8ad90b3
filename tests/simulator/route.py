"""The way from one host to the other, as a scenario wants it: which nodes, in which order, drawn from which seed."""

from __future__ import annotations

import random
from functools import partial

from tests.simulator.clock import Clock
from tests.simulator.network import (
    Blackhole,
    Bleach,
    Bottleneck,
    Corrupt,
    Delay,
    DropMarked,
    Duplicate,
    Lose,
    Mark,
    Narrow,
    Node,
    Sink,
    Strikes,
)
from tests.simulator.scenario import Scenario

__all__ = ["nodes"]


def nodes(scenario: Scenario, towards: str, clock: Clock, dropped: Sink) -> list[Node]:
    """The nodes of the way to the "server" or the "client", in the order in which a datagram meets them.

    They count time from this moment.
    """
    start = clock.now
    choose = partial(_choose, scenario.seed, towards)
    factor = scenario.asymmetry if towards == "server" else 1.0
    route: list[Node] = [
        Lose(Strikes(choose("lose"), scenario.loss, scenario.burst), dropped),
        Duplicate(choose("duplicate"), scenario.duplicate),
        Corrupt(choose("corrupt"), Strikes(choose("corruption"), scenario.corrupt, scenario.burst)),
    ]
    if scenario.ecn == "bleached":
        route.append(Bleach())
    elif scenario.ecn == "dropped":
        route.append(DropMarked(dropped))
    elif scenario.mark:
        route.append(Mark(choose("mark"), scenario.mark))
    if scenario.mtu:
        route.append(Narrow(clock, scenario.mtu, start + scenario.mtu_from, dropped))
    if scenario.bandwidth:
        route.append(Bottleneck(clock, scenario.bandwidth / factor, scenario.queue, dropped))
    route.append(Delay(clock, choose("delay"), scenario.delay * factor, scenario.jitter))
    if scenario.blackhole and scenario.blackhole_way in (towards, "both"):
        begin = start + scenario.blackhole_from
        route.append(Blackhole(clock, begin, begin + scenario.blackhole, dropped))
    if scenario.vanish:
        route.append(Blackhole(clock, start + scenario.vanish, float("inf"), dropped))
    return route


def _choose(seed: int, towards: str, node: str) -> random.Random:
    return random.Random(f"{seed} to {towards} {node}")
