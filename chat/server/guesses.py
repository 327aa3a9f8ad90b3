"""Whoever guesses at the password is slowed down."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable
from typing import NamedTuple

__all__ = ["FIRST", "FORGOTTEN", "FREE", "LONGEST", "MAX_GUESSERS", "Guesses"]

FREE = 3  # wrong passwords that cost nothing: people mistype
FIRST = 1.0  # seconds that the next one costs; each one more costs twice as much
LONGEST = 15.0  # seconds that one costs at most
FORGOTTEN = 600.0  # seconds after the last one, when there were none
MAX_GUESSERS = 4096  # whose wrong passwords are counted; then those are forgotten who have guessed least recently


class _Count(NamedTuple):
    """Wrong passwords of one guesser, and when the last one came."""

    wrong: int
    at: float

    @property
    def delay(self) -> float:
        further = self.wrong - FREE
        return min(FIRST * 2.0 ** min(further - 1, 30), LONGEST) if further > 0 else 0.0


class Guesses:
    """How many wrong passwords came from where. Not locked.

    The rule: FREE wrong ones are met with nothing but the answer. After each further one no password of the same
    guesser is looked at for a while, be it right or wrong: FIRST seconds, twice as many after the next, and so on up to
    LONGEST. What comes meanwhile is refused, and makes it no longer. FORGOTTEN seconds after the last wrong one all of
    them are forgotten; a right one changes nothing, or somebody who knows the password could guess at another for ever.

    So an address has some 6,000 guesses a day, and whoever knows the password and shares the address of somebody who
    does not, behind a NAT, waits for LONGEST seconds at most after the other's last guess. clock: seconds, monotonic.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._counts: OrderedDict[str, _Count] = OrderedDict()  # in the order of `at`

    def __len__(self) -> int:
        return len(self._counts)

    def wait(self, guesser: str) -> float:
        """For how many seconds no password of this one is to be looked at."""
        count = self._counts.get(guesser)
        return max(0.0, count.at + count.delay - self._clock()) if count else 0.0

    def wrong(self, guesser: str) -> None:
        """Count a wrong password."""
        now = self._clock()
        while self._counts and next(iter(self._counts.values())).at + FORGOTTEN <= now:
            self._counts.popitem(last=False)
        before = self._counts.pop(guesser, None)
        self._counts[guesser] = _Count(before.wrong + 1 if before else 1, now)
        if len(self._counts) > MAX_GUESSERS:
            self._counts.popitem(last=False)
