"""Spreading what the congestion window allows over the round trip: a token bucket (RFC 9002 §7.7)."""

from __future__ import annotations

__all__ = ["Pacer"]

PACING_GAIN = 1.25  # N in RFC 9002 §7.7: faster than the window, so that an RTT that varies leaves no gap
MIN_BURST = 10  # datagrams: the initial window's burst is always allowed (RFC 9002 §7.7)
MAX_BURST = 64  # datagrams: what one UDP_SEGMENT call carries
BURST_TIME = 0.002  # seconds: in between, the bucket holds what the rate brings in this time
WAKE_TIME = 0.001  # seconds: a blocked sender sleeps this long rather than for each single datagram


class Pacer:
    """A bucket of `tokens` (bytes that may leave now), filled at `rate` bytes a second up to `capacity`."""

    __slots__ = ("_filled_at", "capacity", "max_datagram_size", "rate", "tokens")

    def __init__(self, max_datagram_size: int) -> None:
        self.max_datagram_size = max_datagram_size
        self.capacity: float = MIN_BURST * max_datagram_size
        self.tokens: float = self.capacity
        self.rate = 0.0
        self._filled_at: float | None = None

    def refill(self, window: int, smoothed_rtt: float, now: float) -> None:
        """Add what the time since the last call brings at 1.25 * window / smoothed_rtt."""
        rate = PACING_GAIN * window / smoothed_rtt
        size = self.max_datagram_size
        self.rate = rate
        # Comparisons instead of `min` and `max`, which cost ten times as much, here and wherever a packet comes by.
        capacity = rate * BURST_TIME
        if capacity < MIN_BURST * size:
            capacity = MIN_BURST * size
        elif capacity > MAX_BURST * size:
            capacity = MAX_BURST * size
        self.capacity = capacity
        tokens = self.tokens
        if self._filled_at is not None and now > self._filled_at:
            tokens += (now - self._filled_at) * rate
        self._filled_at = now
        self.tokens = tokens if tokens < capacity else capacity

    def next_send_time(self, now: float) -> float | None:
        """None when a datagram may leave now, else when to come back. Call `refill` first."""
        if self.tokens >= self.max_datagram_size:
            return None
        enough = max(self.max_datagram_size, min(self.rate * WAKE_TIME, self.capacity / 2))
        # A byte more than that: rounding must not wake the sender a hair too early, again and again.
        return now + (enough + 1 - self.tokens) / self.rate
