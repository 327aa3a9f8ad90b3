"""qlog: a file for each connection, which says what happened on it, for qvis and other tools to draw.

    config = Config(observer=Qlog("qlog"))

Written as a sequence of JSON texts (RFC 7464), the first of them about the connection, then one for each event: see
`qlog_events`. No data and no secrets are recorded, but who talks to whom, and when. Each packet takes some 300 bytes
of the disk, and a busy connection becomes about three times as slow: for debugging, and for study.
"""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

from quicmini.connection.occurrences import Phase, PhaseChanged
from quicmini.observe.problems import why
from quicmini.observe.qlog_events import Renderer
from quicmini.sync.background import EXIT_PATIENCE, Background
from quicmini.sync.clock import calendar

__all__ = ["MAX_WAITING", "Qlog", "flush"]

logger = logging.getLogger("quicmini")

# Seconds between two writes: a file is opened for each, so that any number of connections may be recorded.
WRITE_INTERVAL = 0.25
# Characters of all connections that wait for a disk that is too slow; more are left out.
MAX_WAITING = 64 * 1024 * 1024

_RECORD_SEPARATOR = "\x1e"

# What a file says that it is. The newest draft wants the first two at its beginning; qvis reads the next two.
_KIND = {
    "file_schema": "urn:ietf:params:qlog:file:sequential",
    "serialization_format": "application/qlog+json-seq",
    "qlog_format": "JSON-SEQ",
    "qlog_version": "0.3",
}
_EVENT_SCHEMAS = ["urn:ietf:params:qlog:events:quic-13"]


class Qlog:
    """Writes `<original destination connection ID>_client.sqlog` or `…_server.sqlog` into a directory.

    For `Config.observer`; any number of connections and threads share one. The directory is made if there is none. A
    thread of its own writes what is recorded, with a short delay, the rest when the program ends. An error, such as a
    full disk, ends the file, with a warning the first time; no connection waits for the disk, or fails.

    clock: what time it is, for the times of the file.
    """

    def __init__(self, directory: str | os.PathLike[str], clock: Callable[[], datetime] = calendar) -> None:
        self._directory = Path(directory)
        self._clock = clock
        self._warned = False

    def __call__(self, original_cid: bytes, is_client: bool) -> Trace:
        """The observer of a connection."""
        return Trace(self, original_cid, is_client=is_client)

    def now(self) -> float:
        """Milliseconds since 1970."""
        return round(self._clock().timestamp() * 1000, 3)

    def append(self, name: str, text: str, *, first: bool) -> bool:
        """Write to a file of the directory, a new one at first; whether that was possible. May wait for the disk."""
        try:
            if first:
                self._directory.mkdir(parents=True, exist_ok=True)
            with open(self._directory / name, "w" if first else "a", encoding="utf-8") as file:
                file.write(text)
        except OSError as error:
            self.warn(why(error))
            return False
        return True

    def warn(self, reason: str) -> None:
        """Tell, once, why there is no file, or no more of it."""
        if not self._warned:
            self._warned = True
            logger.warning("cannot write qlog into %r: %s; going on without it", str(self._directory), reason)


def flush() -> None:
    """Have everything that was recorded so far written. Blocks for that, a few seconds at most."""
    _background.flush(EXIT_PATIENCE)


class Trace:
    """The record of one connection; called with the time (seconds) and one of `quicmini.connection.occurrences`."""

    def __init__(self, qlog: Qlog, original_cid: bytes, *, is_client: bool) -> None:
        self._qlog = qlog
        self._role = "client" if is_client else "server"
        self._original_cid = original_cid.hex()
        self._renderer = Renderer(is_client=is_client)
        self._start: float | None = None
        self._epoch = 0.0  # when that was, in milliseconds since 1970
        self._newest = 0.0  # the time of the newest event
        self._written = self._failed = False
        self._over = False  # the file is complete, or could not be written

    def __call__(self, now: float, occurrence: object) -> None:
        if self._over:
            return
        if self._start is None:
            self._start = now
            self._epoch = self._qlog.now()
            self._add(self._head())
        event = self._renderer.render(occurrence)
        if event is not None:
            name, data = event
            # Readers insist on the order.
            self._newest = max(self._newest, round(self._epoch + (now - self._start) * 1000, 3))
            self._add({"time": self._newest, "name": name, "data": data})
        if isinstance(occurrence, PhaseChanged) and occurrence.new is Phase.CLOSED:
            self._over = True

    def _head(self) -> dict[str, Any]:
        # Times are milliseconds since 1970, of the system's clock. That is what the absence of `time_format` and
        # `reference_time` means in every version; their values have no common form.
        trace = {
            "vantage_point": {"name": "quicmini", "type": self._role},
            "common_fields": {"group_id": self._original_cid, "protocol_type": ["QUIC"]},
            "event_schemas": _EVENT_SCHEMAS,
        }
        return {**_KIND, "title": "quicmini", "trace": trace}

    def _add(self, record: dict[str, Any]) -> None:
        text = f"{_RECORD_SEPARATOR}{json.dumps(record, separators=(',', ':'))}\n"
        if not _background.put((self, text), len(text)):
            self._over = True
            if not _background.closed:  # as it is when the program has ended
                self._qlog.warn("it grows faster than it can be written")

    def write(self, text: str) -> None:
        """Append to the file, in the background."""
        name = f"{self._original_cid}_{self._role}.sqlog"
        if not self._failed:
            self._failed = not self._qlog.append(name, text, first=not self._written)
            self._written = True
            self._over |= self._failed


def _write(items: list[tuple[Trace, str]], _last: bool) -> float | None:
    """What has come for each file, at once."""
    texts: dict[Trace, list[str]] = {}
    for trace, text in items:
        texts.setdefault(trace, []).append(text)
    for trace, parts in texts.items():
        trace.write("".join(parts))
    return WRITE_INTERVAL if items else None


_background = Background(_write, name="quicmini qlog", capacity=MAX_WAITING)
