"""How long a silent connection lives, and how it is kept from falling silent (RFC 9000 §10.1)."""

from __future__ import annotations

from math import inf

__all__ = ["IdleTimer"]


class IdleTimer:
    """The idle timeout and the keep-alive that prevents it. Times in seconds."""

    __slots__ = ("_keep_alive", "_last_activity", "_sent_since_received", "timeout")

    def __init__(self, timeout: float, keep_alive_interval: float | None, now: float) -> None:
        self.timeout = timeout  # 0: none
        self._keep_alive = keep_alive_interval
        self._last_activity = now
        self._sent_since_received = False

    def negotiate(self, peer_timeout: float) -> None:
        """The smaller of both sides' timeouts counts; 0 stands for none (RFC 9000 §10.1)."""
        if peer_timeout:
            self.timeout = min(self.timeout, peer_timeout) if self.timeout else peer_timeout

    def on_packet_received(self, now: float) -> None:
        self._last_activity = now
        self._sent_since_received = False

    def on_ack_eliciting_sent(self, now: float) -> None:
        """Only the first such packet after something was received restarts the timer (RFC 9000 §10.1)."""
        if not self._sent_since_received:
            self._sent_since_received = True
            self._last_activity = now

    @property
    def soonest(self) -> float:
        """No deadline of this timer lies before this time: what is due earlier need not ask for them."""
        if self._keep_alive is None:
            return self._last_activity + self.timeout if self.timeout else inf
        return self._last_activity + self._interval(self._keep_alive)

    def deadline(self, pto: float) -> float | None:
        """When the connection is given up: never earlier than three PTOs, so that a probe can be answered."""
        return self._last_activity + max(self.timeout, 3 * pto) if self.timeout else None

    def keep_alive_deadline(self) -> float | None:
        """When a PING is due: no later than half the negotiated timeout, so that one may be lost (RFC 9000 §10.1.2)."""
        if self._keep_alive is None:
            return None
        return None if self._sent_since_received else self._last_activity + self._interval(self._keep_alive)

    def _interval(self, keep_alive: float) -> float:
        return min(keep_alive, self.timeout / 2) if self.timeout else keep_alive
