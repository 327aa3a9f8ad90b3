"""Whether this machine has slept."""

from __future__ import annotations

import time
from collections.abc import Callable

__all__ = ["Sleep", "clock"]

LONGEST_LOOK = 10.0  # seconds between two looks of who is awake


def clock() -> float:
    """Seconds, which are counted while the machine sleeps, too."""
    return time.clock_gettime(time.CLOCK_BOOTTIME) if hasattr(time, "CLOCK_BOOTTIME") else time.time()


class Sleep:
    """For who looks about every second: if it is LONGEST_LOOK since the last look, the machine, or this process, slept.

    clock: counts on meanwhile.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._last = clock()

    def over(self) -> bool:
        """Whether there was any since the last look."""
        before, self._last = self._last, self._clock()
        return self._last - before > LONGEST_LOOK
