"""What can happen to a datagram on its way, as small nodes that are put in a chain.

A node takes a datagram and hands it (or not, or later, or twice, or changed) to the next one. Each node has a random
generator of its own, made from the seed and the node's place, so that leaving one out does not change what the others
do.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from tests.simulator.clock import Clock

__all__ = [
    "CE",
    "Blackhole",
    "Bleach",
    "Bottleneck",
    "Corrupt",
    "Datagram",
    "Delay",
    "DropMarked",
    "Duplicate",
    "Lose",
    "Mark",
    "Narrow",
    "Node",
    "Sink",
    "Strikes",
    "chain",
    "is_version_negotiation",
]

Address = tuple[Any, ...]

CE = 3  # congestion was experienced (RFC 3168 §5)


@dataclass(frozen=True, slots=True)
class Datagram:
    """A UDP datagram on its way. genuine: what was sent before anything was changed, empty for a forged one.

    ecn: the two bits of the IP header (RFC 3168 §5).
    """

    payload: bytes
    source: Address
    destination: Address
    genuine: bytes
    ecn: int = 0


Sink = Callable[[Datagram], None]


class Node:
    """Passes everything on; the others are variations."""

    def __init__(self) -> None:
        self.pass_on: Sink = _nowhere

    def receive(self, datagram: Datagram) -> None:
        """Take a datagram from the node before."""
        self.pass_on(datagram)


class Strikes:
    """Which datagrams a fault strikes: a share of them, each on its own (burst 0), or in runs of 1 to `burst`.

    Between two runs at least one datagram is spared, so that never more than `burst` are struck in a row.
    """

    def __init__(self, choose: random.Random, share: float, burst: int) -> None:
        self._choose = choose
        self._burst = burst
        mean = (1 + burst) / 2
        self._chance = min(1.0, share / (mean * (1 - share))) if burst and share < 1 else share
        self._left = 0
        self._spare = False

    def next(self) -> bool:
        """Whether the next datagram is struck."""
        if self._left:
            self._left -= 1
            self._spare = not self._left
            return True
        if self._spare:
            self._spare = False
            return False
        struck = self._choose.random() < self._chance
        if struck and self._burst:
            self._left = self._choose.randrange(self._burst)
            self._spare = not self._left
        return struck


class Lose(Node):
    """Drops a share of the datagrams."""

    def __init__(self, strikes: Strikes, dropped: Sink) -> None:
        super().__init__()
        self._strikes = strikes
        self._dropped = dropped

    def receive(self, datagram: Datagram) -> None:
        (self._dropped if self._strikes.next() else self.pass_on)(datagram)


class Narrow(Node):
    """From a time on, a link that carries no datagram of more than `limit` bytes, and says nothing about it."""

    def __init__(self, clock: Clock, limit: int, since: float, dropped: Sink) -> None:
        super().__init__()
        self._clock = clock
        self._limit = limit
        self._since = since
        self._dropped = dropped

    def receive(self, datagram: Datagram) -> None:
        too_large = len(datagram.payload) > self._limit and self._clock.now >= self._since
        (self._dropped if too_large else self.pass_on)(datagram)


class Blackhole(Node):
    """Lets nothing through from one time to another."""

    def __init__(self, clock: Clock, start: float, end: float, dropped: Sink) -> None:
        super().__init__()
        self._clock = clock
        self._start = start
        self._end = end
        self._dropped = dropped

    def receive(self, datagram: Datagram) -> None:
        (self._dropped if self._start <= self._clock.now < self._end else self.pass_on)(datagram)


class Duplicate(Node):
    """Passes a datagram on twice with a probability."""

    def __init__(self, choose: random.Random, probability: float) -> None:
        super().__init__()
        self._choose = choose
        self._probability = probability

    def receive(self, datagram: Datagram) -> None:
        self.pass_on(datagram)
        if self._choose.random() < self._probability:
            self.pass_on(datagram)


def is_version_negotiation(payload: bytes) -> bool:
    """These packets are protected by nothing: whoever changes one is believed, and there is nothing to test in that."""
    return len(payload) > 4 and payload[0] >= 0x80 and payload[1:5] == bytes(4)


class Corrupt(Node):
    """Changes one byte, anywhere, in a share of the datagrams; Version Negotiation passes."""

    def __init__(self, choose: random.Random, strikes: Strikes) -> None:
        super().__init__()
        self._choose = choose
        self._strikes = strikes

    def receive(self, datagram: Datagram) -> None:
        if self._strikes.next() and datagram.payload and not is_version_negotiation(datagram.payload):
            payload = bytearray(datagram.payload)
            payload[self._choose.randrange(len(payload))] ^= self._choose.randrange(1, 256)
            datagram = replace(datagram, payload=bytes(payload))
        self.pass_on(datagram)


class Bottleneck(Node):
    """A link of so many bits per second, before it a queue of so many bytes; what does not fit is dropped."""

    def __init__(self, clock: Clock, bandwidth: float, queue: int, dropped: Sink) -> None:
        super().__init__()
        self._clock = clock
        self._seconds_per_byte = 8 / bandwidth
        self._queue_seconds = queue * self._seconds_per_byte
        self._free_at = 0.0
        self._dropped = dropped

    def receive(self, datagram: Datagram) -> None:
        start = max(self._free_at, self._clock.now)
        if start - self._clock.now > self._queue_seconds:
            self._dropped(datagram)
            return
        self._free_at = start + len(datagram.payload) * self._seconds_per_byte
        self._clock.at(self._free_at, partial(self.pass_on, datagram))


class Mark(Node):
    """Instead of dropping datagrams, says on a share of those that may be marked that there is congestion."""

    def __init__(self, choose: random.Random, share: float) -> None:
        super().__init__()
        self._choose = choose
        self._share = share

    def receive(self, datagram: Datagram) -> None:
        marked = bool(datagram.ecn) and self._choose.random() < self._share
        self.pass_on(replace(datagram, ecn=CE) if marked else datagram)


class Bleach(Node):
    """Clears all marks."""

    def receive(self, datagram: Datagram) -> None:
        self.pass_on(replace(datagram, ecn=0))


class DropMarked(Node):
    """Lets nothing through that has a mark."""

    def __init__(self, dropped: Sink) -> None:
        super().__init__()
        self._dropped = dropped

    def receive(self, datagram: Datagram) -> None:
        (self._dropped if datagram.ecn else self.pass_on)(datagram)


class Delay(Node):
    """Each datagram takes `delay` seconds and up to `jitter` more: with jitter, they overtake each other."""

    def __init__(self, clock: Clock, choose: random.Random, delay: float, jitter: float) -> None:
        super().__init__()
        self._clock = clock
        self._choose = choose
        self._delay = delay
        self._jitter = jitter

    def receive(self, datagram: Datagram) -> None:
        seconds = self._delay + self._jitter * self._choose.random()
        self._clock.at(self._clock.now + seconds, partial(self.pass_on, datagram))


def chain(nodes: Sequence[Node], sink: Sink) -> Sink:
    """Put the nodes one after the other; returns where datagrams go in."""
    for node in reversed(nodes):
        node.pass_on = sink
        sink = node.receive
    return sink


def _nowhere(datagram: Datagram) -> None:
    raise RuntimeError("this node is in no chain")
