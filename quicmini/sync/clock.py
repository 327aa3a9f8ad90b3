"""The calendar: what the parts below are told, which have no clock of their own."""

from __future__ import annotations

from datetime import UTC, datetime
from time import monotonic_ns, time_ns

__all__ = ["calendar", "stamp"]

_OFFSET = time_ns() - monotonic_ns()


def calendar() -> datetime:
    """Now, with a time zone: certificates and tickets have dates."""
    return datetime.now(UTC)


def stamp() -> int:
    """Nanoseconds since 1970, as the system's clock was set when the program began: never earlier than a moment ago."""
    return monotonic_ns() + _OFFSET
