"""Packet numbers that are never used: who acknowledges one of them lies about what he has received (RFC 9000 §21.4).

He does it to be sent more than the path carries: the sender's congestion control believes him.
"""

from __future__ import annotations

from quicmini.connection.spaces import Space
from quicmini.recovery.loss import Recovery
from quicmini.tls.groups import Random

__all__ = ["FIRST_INTERVAL", "LAST_INTERVAL", "SkippedNumbers"]

# Packets from one number left out to the next: random, twice as many each time. Each gap makes the peer's ACK frames
# a little longer for a while, and an attack pays most at the beginning (RFC 9000 §21.4).
FIRST_INTERVAL = 128
LAST_INTERVAL = 131_072


class SkippedNumbers:
    """Leaves out a number of the Application space now and then. next: when it is reached, call `skip`."""

    __slots__ = ("_interval", "_random", "next")

    def __init__(self, random: Random) -> None:
        self._random = random
        self._interval = FIRST_INTERVAL
        self.next = self._interval + self._any_below(self._interval)

    def skip(self, space: Space, recovery: Recovery) -> None:
        """Leave out the number that would be used next."""
        recovery.on_packet_number_skipped(space.number, space.next_packet_number)
        space.next_packet_number += 1
        self._interval = min(2 * self._interval, LAST_INTERVAL)
        self.next = space.next_packet_number + self._interval + self._any_below(self._interval)

    def _any_below(self, limit: int) -> int:
        return int.from_bytes(self._random(4)) % limit
