"""qlog files while they are being written: what has been added to a directory since the last look."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from quicmini.study.trace.logs import Event, LogError, Reader

__all__ = ["Tail", "Told"]


class Told(NamedTuple):
    """An event, and in whose log of which connection it is."""

    connection: str
    role: str
    event: Event


class Tail:
    """Reads what comes into the .sqlog files of a directory; what was there before is passed over."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._old = frozenset(directory.glob("*.sqlog"))
        self._files: dict[Path, _File] = {}

    def look(self) -> list[Told]:
        """The events that are new, in the order of their times."""
        found: list[Told] = []
        for path in self._directory.glob("*.sqlog"):
            if path not in self._old:
                found += self._files.setdefault(path, _File(path)).look()
        return sorted(found, key=lambda told: told.event.time)


class _File:
    """A sequence of JSON texts (RFC 7464) that grows."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._position = 0
        self._rest = b""
        self._reader: Reader | None = None

    def look(self) -> Iterator[Told]:
        try:
            with open(self._path, "rb") as file:
                file.seek(self._position)
                added = file.read()
        except OSError:  # it may come yet, or has gone
            return
        self._position += len(added)
        *lines, self._rest = (self._rest + added).split(b"\n")  # the last one is not complete
        for line in lines:
            event = self._read(line)
            if event is not None and self._reader is not None:
                yield Told(self._reader.connection, self._reader.role, event)

    def _read(self, line: bytes) -> Event | None:
        """An event; the head, which comes first, says whose."""
        try:
            record: Any = json.loads(line.lstrip(b"\x1e"))
        except ValueError:
            return None
        if self._reader is not None:
            return self._reader.event(record)
        if isinstance(record, dict) and isinstance(record.get("trace"), dict):
            try:
                self._reader = Reader(record["trace"])
            except LogError:
                return None
        return None
