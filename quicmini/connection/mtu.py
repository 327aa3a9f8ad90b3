"""How large a datagram the path carries: probed with packets that may get lost (RFC 9000 §14.3, RFC 8899).

What ICMP messages say is not listened to: anybody can send them (RFC 9000 §14.2.1).
"""

from __future__ import annotations

from math import inf

from quicmini.connection.paths import Path
from quicmini.recovery.loss import Recovery
from quicmini.recovery.sent import SentPacket
from quicmini.wire.builder import Record

__all__ = ["BASE_SIZE", "LARGEST_SIZE", "PathMtu"]

# Bytes that every path must carry (RFC 9000 §14): where the search begins, and what it falls back to.
BASE_SIZE = 1200

# What paths are made of: Ethernet under IPv6 and under IPv4, jumbo frames, loopback. The last is a quarter of what the
# largest burst holds; beyond, datagrams cost about what their bytes cost.
_STEPS = (1452, 1472, 8952, 16_376)
LARGEST_SIZE = _STEPS[-1]

# Tunnels take something off an Ethernet: below its size, the search goes on by halves, down to differences of so many
# bytes. Between the other steps there is nothing to find.
_ETHERNET = 1472
_PRECISION = 16

MAX_PROBES = 3  # of one size, then it is too large (RFC 8899 §5.1.2)
RAISE_INTERVAL = 600.0  # seconds after which a finished search is begun anew, RFC 8899 §5.1.1
BLACK_HOLE_PAUSE = 60.0  # seconds before the search after a black hole: the path may only have been down

# Black hole (RFC 8899 §4.3): times in a row that large packets were found lost, and none in between acknowledged; or
# probe timeouts in a row.
BLACK_HOLE_LOSSES = 3
BLACK_HOLE_TIMEOUTS = 3

# Bytes that a connection sends before its path is probed: until then, larger packets would hardly pay.
PROBE_AFTER = 64 * 1024


class PathMtu:
    """The search of one path, which has the size that was found. Owner of the records of probe packets. Sizes in bytes.

    probe_at: when to send a probe of `next_probe` bytes, as soon as there is data to send as well.
    suspected: something points to a black hole.
    """

    __slots__ = (
        "_ceiling",
        "_enabled",
        "_failed",
        "_losses",
        "_path",
        "_probe_size",
        "_recovery",
        "_tries",
        "probe_at",
        "suspected",
    )

    def __init__(self, path: Path, recovery: Recovery, *, enabled: bool) -> None:
        self.probe_at = inf
        self._probe_size = 0
        self._path = path
        self._recovery = recovery
        self._enabled = enabled
        self._ceiling = LARGEST_SIZE
        self._failed = LARGEST_SIZE + 1  # the smallest size that did not get through
        self._tries = 0
        self._losses = 0
        self.suspected = False

    @property
    def size(self) -> int:
        """Of the datagrams that are sent."""
        return self._path.max_datagram_size

    def limit(self, size: int) -> None:
        """The peer takes no larger datagrams (max_udp_payload_size, RFC 9000 §18.2)."""
        self._ceiling = min(LARGEST_SIZE, size)
        if size < self.size:
            self._use(size)

    def start(self, now: float) -> None:
        """Search from here on: the handshake is confirmed, or it is time to try again."""
        if self._enabled:
            self.probe_at, self._probe_size = now, 0

    def on_new_path(self, path: Path, now: float) -> None:
        """Another path is in use; what it is known to carry is where the search begins anew (RFC 9000 §9.4, §14.3)."""
        self._path = path
        self._clear()
        self.start(now)

    def next_probe(self, now: float) -> int:
        """The size of the probe that is due; 0: there is nothing to try out."""
        if not self._probe_size:  # a search begins here: many connections are over before
            self._failed = self._ceiling + 1
            self._aim(now)
        return self._probe_size

    def begin_probe(self, now: float) -> Record:
        """It is sent now; what becomes of it decides on the next."""
        self.probe_at = inf
        return (self, self._probe_size, now, self._path)

    def on_acked(self, record: Record) -> None:
        """A probe got through."""
        _, size, sent_at, path = record
        if path is self._path and self.size < size < self._failed:
            self._use(size)
            self._aim(sent_at)

    def on_lost(self, record: Record) -> None:
        """A probe got lost, by chance or because of its size."""
        _, size, sent_at, path = record
        if path is not self._path or size != self._probe_size:
            return
        self._tries += 1
        if self._tries >= MAX_PROBES:
            self._failed = size
            self._aim(sent_at)
        else:
            self.probe_at = sent_at

    @property
    def raised(self) -> bool:
        """Whether the path could turn out to be a black hole."""
        return self._enabled and self.size > BASE_SIZE

    def on_packets_lost(self, packets: list[SentPacket]) -> None:
        """Call it for what is lost while `raised`; probes do not count (RFC 8899 §4.3)."""
        if any(BASE_SIZE < packet.size <= self.size for packet in packets):
            self._losses += 1
            self.suspected = True
            if self._losses >= BLACK_HOLE_LOSSES:
                self._fall_back(packets[-1].time_sent)

    def on_packets_acked(self, packets: list[SentPacket]) -> None:
        """Call it for what is acknowledged while `suspected`."""
        if any(packet.size > BASE_SIZE for packet in packets):
            self._clear()

    def on_timeouts(self, count: int, now: float) -> None:
        """So many probe timeouts in a row."""
        if self.raised and count >= BLACK_HOLE_TIMEOUTS:
            self._fall_back(now)

    def _fall_back(self, now: float) -> None:
        self._use(BASE_SIZE)
        self.probe_at, self._probe_size = now + BLACK_HOLE_PAUSE, 0

    def _use(self, size: int) -> None:
        self._clear()
        self._path.max_datagram_size = size
        self._recovery.set_max_datagram_size(size)

    def _clear(self) -> None:
        self._losses = 0
        self.suspected = False

    def _aim(self, now: float) -> None:
        """Choose what to probe next; if nothing is left, wait until the path may have changed."""
        self._tries = 0
        self._probe_size = self._next_size()
        self.probe_at = now if self._probe_size else now + RAISE_INTERVAL

    def _next_size(self) -> int:
        steps = (*(step for step in _STEPS if step < self._ceiling), self._ceiling)
        for step in steps:
            if self.size < step < self._failed:
                return step
        if self.size < self._failed - _PRECISION and self._failed <= _ETHERNET:
            return (self.size + self._failed) // 2
        return 0
