"""Remembers what happens on connections, and lets one wait for it."""

from __future__ import annotations

import threading
from collections.abc import Callable
from time import monotonic
from typing import TypeVar

from quicmini.config import Observer

__all__ = ["Record", "Recorder"]

_Kind = TypeVar("_Kind")


class Record:
    """One side's connection: what happened, with the times (seconds of the system's monotonic clock).

    occurrences: of `quicmini.connection.occurrences`.
    """

    def __init__(self, connection: bytes, is_client: bool) -> None:
        self.connection = connection
        self.is_client = is_client
        self.occurrences: list[tuple[float, object]] = []

    def of(self, kind: type[_Kind]) -> list[_Kind]:
        """Those of one kind."""
        return [each for _, each in self.occurrences if isinstance(each, kind)]


class Recorder:
    """For `Config.observer`: the records of all connections that have it, in the order in which they began."""

    def __init__(self) -> None:
        self.records: list[Record] = []
        self._changed = threading.Condition()

    def __call__(self, original_cid: bytes, is_client: bool) -> Observer:
        """The observer of a connection."""
        record = Record(original_cid, is_client)
        with self._changed:
            self.records.append(record)

        def observe(now: float, occurrence: object) -> None:
            with self._changed:
                record.occurrences.append((now, occurrence))
                self._changed.notify_all()

        return observe

    def wait(self, condition: Callable[[], object], timeout: float) -> None:
        """Until the condition holds, which is asked whenever something happens. TimeoutError after so many seconds."""
        give_up = monotonic() + timeout
        with self._changed:
            while not condition():
                if not self._changed.wait(give_up - monotonic()) and not condition():
                    raise TimeoutError("what was waited for did not happen")
