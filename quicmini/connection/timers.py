"""How long a silent connection lives, how it is kept from falling silent, and how long a handshake may take."""

from __future__ import annotations

from math import inf

__all__ = ["HANDSHAKE_TIMEOUT", "IdleTimer"]

# Seconds that a handshake may take, or the idle timeout if that is longer. A peer that says just enough to be heard
# does not keep half a connection for ever (RFC 9000 §21.6), nor does silence where there is no idle timeout (§10.1).
HANDSHAKE_TIMEOUT = 30.0


class IdleTimer:
    """The idle timeout and the keep-alive that prevents it (RFC 9000 §10.1). Times in seconds.

    soonest: no deadline of this timer lies before this time, so that what is due earlier need not ask for them. What
    comes and goes only moves them away: it is left behind until `deadline` is asked for, and no packet pays for it.
    """

    __slots__ = (
        "_asked_since_received",
        "_handshake_until",
        "_keep_alive",
        "_last_activity",
        "_sent_since_received",
        "soonest",
        "timeout",
    )

    def __init__(self, timeout: float, keep_alive_interval: float | None, now: float) -> None:
        self.timeout = timeout  # 0: none
        self._keep_alive = keep_alive_interval
        self._last_activity = now
        self._sent_since_received = False
        self._asked_since_received = False
        self._handshake_until = now + max(HANDSHAKE_TIMEOUT, timeout)
        self._plan()

    def on_handshake_complete(self) -> None:
        """Only silence ends the connection from now on."""
        self._handshake_until = inf

    def negotiate(self, peer_timeout: float) -> None:
        """The smaller of both sides' timeouts counts; 0 stands for none (RFC 9000 §10.1)."""
        if peer_timeout:
            self.timeout = min(self.timeout, peer_timeout) if self.timeout else peer_timeout
            self._plan()

    def on_packet_received(self, now: float) -> None:
        self._last_activity = now
        self._sent_since_received = False
        self._asked_since_received = False

    def on_ack_eliciting_sent(self, now: float) -> None:
        """Only the first such packet after something was received restarts the timer (RFC 9000 §10.1)."""
        if not self._sent_since_received:
            self._sent_since_received = True
            self._last_activity = now

    def _plan(self) -> None:
        patience = (self.timeout or inf) if self._keep_alive is None else self._interval(self._keep_alive)
        self.soonest = min(self._last_activity + patience, self._handshake_until)

    def deadline(self, pto: float) -> float | None:
        """When the connection is given up; None: never."""
        self._plan()
        deadline = min(self._silence_ends(pto), self._handshake_until)
        return None if deadline == inf else deadline

    def expired(self, now: float, pto: float) -> str:
        """Why the connection is to be given up, or an empty string."""
        if now >= self._silence_ends(pto):
            return f"nothing was heard of the peer for {self.timeout:g} seconds"
        return "the handshake takes too long" if now >= self._handshake_until else ""

    def _silence_ends(self, pto: float) -> float:
        """Never earlier than three PTOs, so that a probe can be answered (RFC 9000 §10.1)."""
        return self._last_activity + max(self.timeout, 3 * pto) if self.timeout else inf

    def keep_alive_deadline(self) -> float | None:
        """When a PING is due: no later than half the negotiated timeout, so that one may be lost (RFC 9000 §10.1.2)."""
        if self._keep_alive is None or self._sent_since_received or self._asked_since_received:
            return None
        return self._last_activity + self._interval(self._keep_alive)

    def on_keep_alive(self) -> None:
        """A PING waits to be sent, maybe for the congestion window: asking again would not make it any faster."""
        self._asked_since_received = True

    def _interval(self, keep_alive: float) -> float:
        return min(keep_alive, self.timeout / 2) if self.timeout else keep_alive
