"""How much one client may say: a long paste at once, then so many messages a second; the rest is dropped."""

from __future__ import annotations

import time
from collections.abc import Callable

__all__ = ["BURST", "MAX_DROPPED", "RATE", "UNIT", "RateLimit", "TooMuch"]

BURST = 500  # messages at once: a paste, or a file that is piped into the client
RATE = 10.0  # messages a second, as soon as those are used up
UNIT = 1024  # bytes; a message that is longer counts as several
MAX_DROPPED = 5_000  # messages, until the bucket is full again, after which a client is told to go


class TooMuch(ValueError):
    """A message is dropped, as its sender has said too much; the text says how much would do."""


class RateLimit:
    """A token bucket, and a count of what it did not let through. Not locked.

    burst: messages that may come at once. rate: how many a second are good for ever. clock: seconds, monotonic.
    """

    def __init__(self, burst: int = BURST, rate: float = RATE, clock: Callable[[], float] = time.monotonic) -> None:
        self._burst = burst
        self._rate = rate
        self._clock = clock
        self._tokens = float(burst)
        self._filled_at = clock()
        self._unreported = 0
        self._dropped = 0

    def admit(self, size: int) -> None:
        """Let a message of `size` bytes pass, or raise TooMuch and count it as dropped."""
        now = self._clock()
        self._tokens = min(self._burst, self._tokens + (now - self._filled_at) * self._rate)
        self._filled_at = now
        if self._tokens == self._burst:
            self._dropped = 0
        # One that is longer than the whole bucket passes a full one, and has it empty for as long as it takes.
        cost = 1 + size // UNIT
        if self._tokens >= min(cost, self._burst):
            self._tokens -= cost
            return
        self._unreported += 1
        self._dropped += 1
        raise TooMuch(f"dropped: {self._rule}")

    @property
    def flooding(self) -> bool:
        """Whether so much was dropped that it is no paste."""
        return self._dropped > MAX_DROPPED

    def report(self) -> str:
        """A sentence about what was dropped since the last report; empty if that is nothing."""
        count, self._unreported = self._unreported, 0
        if not count:
            return ""
        return f"{count} message{' was' if count == 1 else 's were'} dropped: {self._rule}"

    @property
    def _rule(self) -> str:
        return f"this server takes {self._burst} messages at once, and then {self._rate:g} a second"
