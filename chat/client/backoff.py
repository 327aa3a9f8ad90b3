"""How long to wait between attempts to come back."""

from __future__ import annotations

from collections.abc import Callable

__all__ = ["LONGEST", "BackOff"]

FIRST = 0.1  # seconds, at most: a restarted server is not met by everybody at the same instant
SECOND = 0.5  # seconds, at most; doubled each time
LONGEST = 15.0  # seconds


class BackOff:
    """Delays that grow from attempt to attempt, each between half of its longest and that.

    chance: draws a number from 0 to 1, like random.random.
    """

    def __init__(self, chance: Callable[[], float]) -> None:
        self._chance = chance
        self.attempts = 0

    def next(self) -> float:
        """Seconds before the next attempt."""
        longest = FIRST if not self.attempts else min(SECOND * 2.0 ** min(self.attempts - 1, 30), LONGEST)
        self.attempts += 1
        return longest * (1 + self._chance()) / 2
