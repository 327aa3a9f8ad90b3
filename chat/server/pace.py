"""How fast one client's streams are looked at, whatever they carry."""

from __future__ import annotations

import time
from collections.abc import Callable

__all__ = ["BURST", "RATE", "Pace"]

BURST = 8  # streams at once: what the others wait for when somebody floods the server
RATE = 200.0  # streams a second


class Pace:
    """Has the handler of a client wait when there is too much to do for it, so that the others have their turn.

    Nothing is lost by it: a stream that has not been looked at gives no credit back, so that it is the client that
    waits in the end (RFC 9000 §4.6). For one thread. burst: how often `wait` returns at once; rate: how often a second
    it does after that. clock: seconds, monotonic; sleep: blocks for so many of them.
    """

    def __init__(
        self,
        burst: int = BURST,
        rate: float = RATE,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._interval = 1 / rate
        self._slack = burst * self._interval
        self._clock = clock
        self._sleep = sleep
        self._due = 0.0  # when the next one would come at an even pace

    def wait(self) -> None:
        """Block until the next stream may be looked at."""
        now = self._clock()
        self._due = max(self._due, now - self._slack) + self._interval
        if self._due > now:
            self._sleep(self._due - now)
