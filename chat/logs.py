"""What the commands log: a line for each record, on stderr, for people or as JSON.

A record of a connection carries its ID, so that all that happened to one client is found, in the other side's log and
in a qlog or a capture as well.
"""

from __future__ import annotations

import datetime
import json
import logging
import sys

from chat.text import printable
from quicmini import Connection

__all__ = ["FORMATS", "ConnectionLog", "connection_log", "log_of", "set_up"]

FORMATS = ("text", "json")

ConnectionLog = logging.LoggerAdapter[logging.Logger]

logger = logging.getLogger("chat")


def set_up(form: str, *, timestamps: bool) -> None:
    """Have everything logged to stderr. form: one of FORMATS. timestamps: begin a line of text with the time."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_Json() if form == "json" else _Text(timestamps=timestamps))
    logging.basicConfig(handlers=[handler])
    logger.setLevel(logging.INFO)


def connection_log(connection: Connection) -> ConnectionLog:
    """The chat's logger, for records of one connection."""
    return log_of(connection.original_connection_id.hex())


def log_of(connection: str) -> ConnectionLog:
    """The same, of a connection of which the ID is known; empty: of none."""
    return logging.LoggerAdapter(logger, {"connection": connection})


class _Text(logging.Formatter):
    """`[INFO] what happened (connection 1f2e…)`. Nothing in it moves a cursor or forges a line, whoever wrote it."""

    def __init__(self, *, timestamps: bool) -> None:
        super().__init__()
        self._timestamps = timestamps

    def format(self, record: logging.LogRecord) -> str:
        line = f"[{record.levelname}] {printable(record.getMessage())}"
        if connection := getattr(record, "connection", ""):
            line += f" (connection {connection})"
        if self._timestamps:
            line = f"{self.formatTime(record)} {line}"
        # Indented: an exception's text may have line ends of its own.
        return "\n".join([line, *(f"  {each}" for each in _traceback(self, record))])


class _Json(logging.Formatter):
    """An object for each record: time (ISO 8601, UTC), level, message; connection and traceback where there is one."""

    def format(self, record: logging.LogRecord) -> str:
        time = datetime.datetime.fromtimestamp(record.created, datetime.UTC)
        fields: dict[str, object] = {
            "time": time.isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "message": printable(record.getMessage()),
        }
        if connection := getattr(record, "connection", ""):
            fields["connection"] = connection
        if traceback := _traceback(self, record):
            fields["traceback"] = traceback
        return json.dumps(fields, ensure_ascii=False)


def _traceback(formatter: logging.Formatter, record: logging.LogRecord) -> list[str]:
    if not record.exc_info:
        return []
    return [printable(line) for line in formatter.formatException(record.exc_info).split("\n")]
