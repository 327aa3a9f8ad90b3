"""Datagrams that nobody sent: random bytes, headers without a packet, replays, cut and changed copies."""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Callable
from functools import partial

from tests.simulator.clock import Clock
from tests.simulator.network import Address, Datagram, Sink, is_version_negotiation

__all__ = ["Noise"]

STRANGER = ("stranger", 666)
REMEMBERED = 50  # genuine datagrams, to forge from


class Noise:
    """Delivers forged datagrams to one host, from its peer's present address or a stranger's, `rate` a second."""

    def __init__(
        self, clock: Clock, choose: random.Random, rate: float, peer: Callable[[], Address], host: Address
    ) -> None:
        self._clock = clock
        self._choose = choose
        self._rate = rate
        self._peer = peer
        self._host = host
        self._genuine: deque[bytes] = deque(maxlen=REMEMBERED)
        self._forgeries: list[Callable[[], bytes]] = [
            self._random_bytes,
            self._long_header,
            self._short_header,
            self._replay,
            self._cut,
            self._changed,
        ]

    def overhear(self, datagram: Datagram) -> None:
        """A genuine datagram passes by."""
        if not is_version_negotiation(datagram.payload):
            self._genuine.append(datagram.payload)

    def start(self, deliver: Sink, seconds: float) -> None:
        """Forge for so many seconds from now on."""
        self._next(deliver, self._clock.now + seconds)

    def _next(self, deliver: Sink, end: float) -> None:
        when = self._clock.now + self._choose.expovariate(self._rate)
        if when < end:
            self._clock.at(when, partial(self._forge, deliver, end))

    def _forge(self, deliver: Sink, end: float) -> None:
        payload = self._choose.choice(self._forgeries)()
        source = self._choose.choice((self._peer(), STRANGER))
        deliver(Datagram(payload, source, self._host, genuine=b""))
        self._next(deliver, end)

    def _random_bytes(self) -> bytes:
        return self._choose.randbytes(self._choose.randrange(1500))

    def _long_header(self) -> bytes:
        """An Initial, Handshake, 0-RTT or Retry packet of any version, up to the connection IDs; then anything."""
        version = self._choose.choice((0, 1, 0x6B3343CF, 0x0A1A2A3A))
        cids = b"".join(bytes((size,)) + self._choose.randbytes(size) for size in self._choose.choices((0, 8, 20), k=2))
        head = bytes((0xC0 | self._choose.randrange(64),)) + version.to_bytes(4, "big") + cids
        return head + self._choose.randbytes(self._choose.choice((0, 5, 50, 1200, 1400)))

    def _short_header(self) -> bytes:
        """What a stateless reset looks like (RFC 9000 §10.3)."""
        return bytes((0x40 | self._choose.randrange(64),)) + self._choose.randbytes(self._choose.randrange(20, 1300))

    def _replay(self) -> bytes:
        return self._choose.choice(self._genuine) if self._genuine else b""

    def _cut(self) -> bytes:
        genuine = self._replay()
        return genuine[: self._choose.randrange(len(genuine) + 1)]

    def _changed(self) -> bytes:
        genuine = bytearray(self._replay())
        for _ in range(self._choose.randint(1, 8) if genuine else 0):
            genuine[self._choose.randrange(len(genuine))] ^= self._choose.randrange(1, 256)
        return bytes(genuine)
