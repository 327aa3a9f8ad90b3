"""One deadline across the steps of one blocking call."""

from __future__ import annotations

from threading import TIMEOUT_MAX
from time import monotonic

__all__ = ["Deadline"]


class Deadline:
    """`timeout` seconds from now; None: never. A call that waits several times uses one deadline for all of it."""

    __slots__ = ("_at",)

    def __init__(self, timeout: float | None) -> None:
        try:
            works = timeout is None or timeout >= 0  # not so for NaN
            self._at = None if timeout is None or timeout > TIMEOUT_MAX else monotonic() + timeout
        except TypeError:
            raise TypeError(f"a timeout must be a number of seconds, or None (got {timeout!r})") from None
        if not works:
            raise ValueError(f"a timeout must be 0 or more seconds, or None (got {timeout!r})")

    def remaining(self) -> float | None:
        """Seconds left, 0 or more; None if there is no deadline."""
        return None if self._at is None else max(0.0, self._at - monotonic())

    def left(self, what: str) -> float | None:
        """Like `remaining`, but raises TimeoutError, naming what was waited for, when no time is left."""
        remaining = self.remaining()
        if remaining == 0.0:
            raise TimeoutError(f"timed out waiting for {what}")
        return remaining

    def share(self, parts: int) -> Deadline:
        """A deadline for the first of `parts` attempts that have to fit into what is left of this one."""
        remaining = self.remaining()
        return Deadline(None if remaining is None else remaining / parts)
