"""What a link does to datagrams: the scenarios of the public QUIC network simulator, without sockets and clocks.

`Scenario` says what is asked for; `Bottleneck` decides, for one direction, the fate of each datagram: when it arrives,
and whether it arrives whole. All chance comes from the scenario's seed.
"""

from __future__ import annotations

import random
from collections import deque
from dataclasses import dataclass, replace

__all__ = ["Bottleneck", "Direction", "Fate", "Scenario"]

# Bytes that a datagram has around its payload on the wire: IPv4 and UDP headers.
_OVERHEAD = 28

# How far into a datagram the corruption reaches: headers, packet number, and the start of the payload.
_CORRUPTIBLE = 51  # bytes

# Seconds in which a handshake over a link without faults is complete.
_HANDSHAKE = 0.3


@dataclass(frozen=True, kw_only=True)
class Direction:
    """What befalls datagrams that travel one way; rates are probabilities from 0 to 1.

    loss, corruption: the share of datagrams that vanish, or get one of their first bytes replaced; never more than
    `burst` in a row. drops: the positions of datagrams that vanish, counted from 1.
    """

    loss: float = 0.0
    corruption: float = 0.0
    burst: int = 3
    drops: frozenset[int] = frozenset()


@dataclass(frozen=True, kw_only=True)
class Scenario:
    """A link. Times in seconds from the first datagram.

    delay: one way. bandwidth: bits per second in each direction. queue: datagrams that wait for the bottleneck, more
    are lost. mtu: bytes of the largest IP packet, larger ones are lost. blackhole: from when to when nothing passes.
    first_rebinding, rebinding_interval: when the client's port changes, as a NAT does it that forgets (None: never);
    rebind_address: and its IP address.
    """

    delay: float = 0.015
    bandwidth: float = 10e6
    queue: int = 25
    mtu: int = 1500
    to_server: Direction = Direction()
    to_client: Direction = Direction()
    blackhole: tuple[float, float] | None = None
    first_rebinding: float | None = None
    rebinding_interval: float = 5.0
    rebind_address: bool = False
    seed: int = 0

    def scaled(self, factor: float) -> Scenario:
        """The same for a transfer of a fraction of the size: what happens after a time happens earlier.

        But not before the handshake is likely to be complete.
        """
        blackhole, rebinding = self.blackhole, self.first_rebinding
        return replace(
            self,
            blackhole=blackhole and _scaled(blackhole[0], blackhole[1] - blackhole[0], factor),
            first_rebinding=rebinding and max(rebinding * factor, _HANDSHAKE),
            rebinding_interval=self.rebinding_interval * factor,
        )

    def symmetric(self, direction: Direction) -> Scenario:
        """The same with these faults in both directions."""
        return replace(self, to_server=direction, to_client=direction)


@dataclass(frozen=True)
class Fate:
    """arrival: when, None if never. datagram: what arrives."""

    arrival: float | None
    datagram: bytes


def _scaled(start: float, length: float, factor: float) -> tuple[float, float]:
    start = max(start * factor, _HANDSHAKE)
    return start, start + length * factor


class Bottleneck:
    """One direction of the link: a queue in front of a wire of limited speed, and what goes wrong on it."""

    def __init__(self, scenario: Scenario, *, to_server: bool) -> None:
        self._scenario = scenario
        self._direction = scenario.to_server if to_server else scenario.to_client
        self._random = random.Random(f"{scenario.seed} {'up' if to_server else 'down'}")
        self._departures: deque[float] = deque()  # of what is in the queue
        self._count = 0
        self._lost_in_a_row = 0
        self._corrupted_in_a_row = 0

    def send(self, datagram: bytes, now: float) -> Fate:
        """A datagram enters the link at `now`, which never goes backwards."""
        scenario = self._scenario
        self._count += 1
        lost = self._chosen_to_lose()
        corrupted = self._corrupt(datagram)
        departures = self._departures
        while departures and departures[0] <= now:
            departures.popleft()
        if len(departures) > scenario.queue or len(datagram) + _OVERHEAD > scenario.mtu:
            return Fate(None, datagram)
        departure = departures[-1] if departures else now
        departure += (len(datagram) + _OVERHEAD) * 8 / scenario.bandwidth
        departures.append(departure)
        if lost or self._in_blackhole(departure):
            return Fate(None, datagram)
        return Fate(departure + scenario.delay, corrupted)

    def _chosen_to_lose(self) -> bool:
        direction = self._direction
        lost = self._random.random() < direction.loss and self._lost_in_a_row < direction.burst
        self._lost_in_a_row = self._lost_in_a_row + 1 if lost else 0
        return lost or self._count in direction.drops

    def _corrupt(self, datagram: bytes) -> bytes:
        direction = self._direction
        wanted = self._random.random() < direction.corruption and self._corrupted_in_a_row < direction.burst
        self._corrupted_in_a_row = self._corrupted_in_a_row + 1 if wanted else 0
        if not wanted or _is_version_negotiation(datagram):
            return datagram
        position = self._random.randrange(min(len(datagram), _CORRUPTIBLE))
        changed = datagram[position] ^ self._random.randrange(1, 256)
        return datagram[:position] + bytes((changed,)) + datagram[position + 1 :]

    def _in_blackhole(self, time: float) -> bool:
        blackhole = self._scenario.blackhole
        return blackhole is not None and blackhole[0] <= time < blackhole[1]


def _is_version_negotiation(datagram: bytes) -> bool:
    """Nothing protects it: a corrupted one would only tell what everybody knows (RFC 9000 §17.2.1)."""
    return len(datagram) >= 5 and datagram[0] >= 0x80 and datagram[1:5] == bytes(4)
