"""Early data is taken once: replays of a recorded flight are found out (RFC 9846 §8)."""

from __future__ import annotations

__all__ = ["FRESHNESS", "MAX_RECORDED_TICKETS", "ReplayGuard"]

# Seconds by which a ClientHello may come earlier or later than its ticket's age says (RFC 9846 §8.3).
FRESHNESS = 10.0

# How long a ticket has to be remembered, in seconds: for so long the ClientHello that used it can look fresh.
_WINDOW = 2 * FRESHNESS

# Tickets remembered from one window: 16 bytes each, and what the table takes. Two windows are kept. When a table is
# full the rest of the window gets no early data: that costs a round trip, while forgetting would let replays in
# (RFC 9846 §8.1).
MAX_RECORDED_TICKETS = 16_384


class ReplayGuard:
    """The tickets used for early data of late. Servers that share ticket keys should share this, too.

    Times are in seconds since 1970. A clock that is put back makes 0-RTT wait until it has caught up.
    """

    def __init__(self) -> None:
        self._started: float | None = None
        self._newest = 0.0  # the latest time seen
        self._window_end = 0.0
        self._recent: set[bytes] = set()
        self._older: set[bytes] = set()

    def __len__(self) -> int:
        return len(self._recent) + len(self._older)

    def start(self, now: float) -> None:
        """From now on every use is recorded. Repeating it changes nothing."""
        if self._started is None:
            self._started = now

    def first_use(self, ticket_id: bytes, *, issued_at: float, sent_at: float, now: float) -> bool:
        """Whether this is the first use of the ticket, beyond doubt; it is recorded.

        issued_at: when the ticket was made. sent_at: when the client says that it has sent its ClientHello.
        """
        self.start(now)
        now = self._newest = max(self._newest, now)
        if abs(sent_at - now) > FRESHNESS or self._used_before_start(issued_at, sent_at):
            return False
        if now >= self._window_end:
            # After a quiet time nothing of the last window can look fresh any more, but keeping it does no harm.
            self._older, self._recent = self._recent, set()
            self._window_end = now + _WINDOW
        if ticket_id in self._older or ticket_id in self._recent or len(self._recent) >= MAX_RECORDED_TICKETS:
            return False
        self._recent.add(ticket_id)
        return True

    def _used_before_start(self, issued_at: float, sent_at: float) -> bool:
        """Whether a use may have been missed: an older ticket, sent when this guard was not there (RFC 9846 §8.2)."""
        return self._started is not None and issued_at < self._started and sent_at - FRESHNESS < self._started
