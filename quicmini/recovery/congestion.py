"""How much may be in flight: the NewReno controller of RFC 9002 §7. Sizes in bytes, times in seconds."""

from __future__ import annotations

import math
from collections.abc import Iterable

from quicmini.recovery.sent import SentPacket

__all__ = ["NewReno", "initial_window"]

MINIMUM_WINDOW = 2  # datagrams: kMinimumWindow, RFC 9002 §7.2
INITIAL_WINDOW = 10  # datagrams, RFC 9002 §7.2
INITIAL_WINDOW_BYTES = 14720  # but no more bytes than this, unless two datagrams are more, RFC 9002 §7.2
LOSS_REDUCTION = 2  # divides the window: kLossReductionFactor, RFC 9002 §7.3.2


def initial_window(max_datagram_size: int) -> int:
    """The window before anything is known of the path (RFC 9002 §7.2)."""
    return min(INITIAL_WINDOW * max_datagram_size, max(MINIMUM_WINDOW * max_datagram_size, INITIAL_WINDOW_BYTES))


class NewReno:
    """`window` and `bytes_in_flight` of one path; slow start below `slow_start_threshold`."""

    __slots__ = (
        "_acked_bytes",
        "_recovery_start",
        "_utilized_at",
        "bytes_in_flight",
        "max_datagram_size",
        "slow_start_threshold",
        "window",
    )

    def __init__(self, max_datagram_size: int) -> None:
        self.max_datagram_size = max_datagram_size
        self.window = initial_window(max_datagram_size)
        self.bytes_in_flight = 0
        self.slow_start_threshold: float = math.inf
        self._acked_bytes = 0  # acknowledged in congestion avoidance, towards the next datagram of growth
        self._recovery_start = -math.inf  # the recovery period covers what was sent until then
        self._utilized_at = -math.inf  # when the window last held the sender back

    @property
    def minimum_window(self) -> int:
        """What no loss can take away (RFC 9002 §7.2)."""
        return MINIMUM_WINDOW * self.max_datagram_size

    def set_max_datagram_size(self, size: int) -> None:
        """A window that has not moved from its initial value is computed anew for the new size (RFC 9002 §7.2)."""
        untouched = self.window == initial_window(self.max_datagram_size)
        self.max_datagram_size = size
        self.window = initial_window(size) if untouched else max(self.window, self.minimum_window)

    def on_packet_sent(self, size: int, now: float, pacing_limited: bool) -> None:
        """Count a packet in flight, and note whether the window is in use (RFC 9002 §7.8).

        In use means: no room for another datagram; or half full and the pacer holds the rest back.
        """
        self.bytes_in_flight = in_flight = self.bytes_in_flight + size
        if in_flight > self.window - self.max_datagram_size or (pacing_limited and 2 * in_flight > self.window):
            self._utilized_at = now

    def on_packets_acked(self, packets: Iterable[SentPacket]) -> None:
        """Grow by what was sent after the recovery period began, while the window was the limit (RFC 9002 §7.3)."""
        recovery_start, utilized_at = self._recovery_start, self._utilized_at
        removed = growing = 0
        for packet in packets:
            if packet.in_flight:
                removed += packet.size
                if recovery_start < packet.time_sent <= utilized_at:
                    growing += packet.size
        self.bytes_in_flight -= removed
        if growing:
            self._grow(growing)

    def on_packets_lost(self, packets: Iterable[SentPacket], now: float) -> None:
        """Take lost packets out of flight; the newest of them tells whether this is a new congestion event."""
        newest = -math.inf
        for packet in packets:
            if packet.in_flight:
                self.bytes_in_flight -= packet.size
                # Only a probe for the path's MTU is larger, and its loss is no sign of congestion (RFC 9000 §14.4).
                if packet.size <= self.max_datagram_size:
                    newest = packet.time_sent
        if newest > -math.inf:
            self.on_congestion_event(newest, now)

    def on_packets_discarded(self, packets: Iterable[SentPacket]) -> None:
        """Take packets out of flight without drawing any conclusion (RFC 9002 §6.4)."""
        self.bytes_in_flight -= sum(packet.size for packet in packets if packet.in_flight)

    def on_congestion_event(self, time_sent: float, now: float) -> None:
        """A packet sent at `time_sent` was lost or marked ECN-CE: at most one reduction each round trip (§7.3.2)."""
        if time_sent <= self._recovery_start:
            return
        self._recovery_start = now
        self._acked_bytes = 0
        self.slow_start_threshold = self.window // LOSS_REDUCTION
        self.window = max(self.window // LOSS_REDUCTION, self.minimum_window)

    def on_persistent_congestion(self) -> None:
        """Start over from the minimum window (RFC 9002 §7.6.2)."""
        self.window = self.minimum_window
        self._acked_bytes = 0
        self._recovery_start = -math.inf

    def _grow(self, acked_bytes: int) -> None:
        if self.window < self.slow_start_threshold:
            step = int(min(acked_bytes, self.slow_start_threshold - self.window))
            self.window += step
            acked_bytes -= step
        # Congestion avoidance: one datagram for each window acknowledged, counted in bytes (RFC 9002 §7.3.3).
        self._acked_bytes += acked_bytes
        if self._acked_bytes >= self.window:
            self._acked_bytes -= self.window
            self.window += self.max_datagram_size
