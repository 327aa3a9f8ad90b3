"""Virtual time: the next thing to happen is always the next thing in the heap."""

from __future__ import annotations

import heapq
import itertools
import math
from collections.abc import Callable

__all__ = ["Clock", "LocalClock"]

# Far more than any honest run needs; a timer that fires without making progress ends here.
MAX_EVENTS = 2_000_000


class Clock:
    """Seconds that pass only when something happens. It starts at 1000: nothing may count on time starting at 0."""

    def __init__(self) -> None:
        self.now = 1000.0
        self._heap: list[tuple[float, int, Callable[[], None]]] = []
        self._order = itertools.count()

    def at(self, when: float, action: Callable[[], None]) -> None:
        """Call `action` at that time; what is due at the same time runs in the order in which it was asked for."""
        heapq.heappush(self._heap, (max(when, self.now), next(self._order), action))

    def run(self, done: Callable[[], bool], limit: float) -> bool:
        """Let time pass until `done()`; False if nothing is left to happen or `limit` seconds are over before that."""
        end = self.now + limit
        for _ in range(MAX_EVENTS):
            if done():
                return True
            if not self._heap or self._heap[0][0] > end:
                return False
            self.now, _, action = heapq.heappop(self._heap)
            action()
        raise RuntimeError(f"no end after {MAX_EVENTS} events")


class LocalClock:
    """One host's clock: it runs like all the others, but is ahead of them by `offset` seconds, and may leap forward."""

    def __init__(self, clock: Clock, offset: float) -> None:
        self._clock = clock
        self._offset = offset

    @property
    def now(self) -> float:
        return self._clock.now + self._offset

    def at(self, when: float, action: Callable[[], None]) -> None:
        """Call `action` when this clock will show `when`, unless it leaps before that."""
        shared = when - self._offset
        while shared + self._offset < when:  # rounded down: it would be too early, for ever
            shared = math.nextafter(shared, math.inf)
        self._clock.at(shared, action)

    def leap(self, seconds: float) -> None:
        """Be ahead by so much more. Who waits for a time on this clock has to ask for it again."""
        self._offset += seconds
