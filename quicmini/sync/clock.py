"""The calendar: what the parts below are told, which have no clock of their own."""

from __future__ import annotations

from datetime import UTC, datetime

__all__ = ["calendar"]


def calendar() -> datetime:
    """Now, with a time zone: certificates and tickets have dates."""
    return datetime.now(UTC)
