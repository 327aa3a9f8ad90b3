"""qlog files, whoever wrote them: the events of each connection, with one kind of time and one kind of name.

JSON, JSON text sequences (RFC 7464) and a JSON text on each line are read, as version 0.3 of qlog has them, the drafts
before it, and those after it. Events keep their fields as they are; the category before an event's name is left out.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Any, NamedTuple

__all__ = ["Event", "Log", "LogError", "Reader", "read_logs"]

_RECORD_SEPARATOR = "\x1e"

# What the drafts have called an event's time and name, the newest first.
_TIMES = ("time", "relative_time", "delta_time")
_NAMES = ("name", "event", "event_type")

_MAX_TIME = 1e15  # milliseconds: what is more is no time

_NAME_LENGTH = 40  # characters: a connection ID has 20 bytes (RFC 9000 §17.2)


class LogError(ValueError):
    """What was to be read is no qlog; the message is a sentence for people."""


class Event(NamedTuple):
    """time: milliseconds, on a clock that all events of a log share. name: without its category."""

    time: float
    name: str
    data: dict[str, Any]


class Log(NamedTuple):
    """What one side wrote about one connection. role: "client" or "server". connection: the original Destination
    Connection ID in hexadecimal, "" if it is not said."""

    role: str
    connection: str
    events: list[Event]


class Reader:
    """Reads one trace, record by record: first its head, then its events."""

    def __init__(self, head: dict[str, Any]) -> None:
        """head: the object that has `vantage_point` and `common_fields` in it. LogError if it has not."""
        common = _mapping(head.get("common_fields"))
        self.role = _role(head)
        name = str(common.get("ODCID") or common.get("odcid") or common.get("group_id") or "")
        self.connection = "".join(character if character.isprintable() else "·" for character in name[:_NAME_LENGTH])
        form = str(common.get("time_format") or _mapping(head.get("configuration")).get("time_format") or "absolute")
        self._adds_up = form in ("delta", "relative_to_previous_event")
        self._unit = 0.001 if _mapping(head.get("configuration")).get("time_units") == "us" else 1.0
        self._origin = 0.0 if form == "absolute" else _origin(common.get("reference_time"))
        fields = head.get("event_fields")
        self._fields = [str(field).lower() for field in fields] if isinstance(fields, list) else []

    def event(self, record: object) -> Event | None:
        """An event of the trace; None for what is none."""
        if isinstance(record, list) and self._fields:
            record = dict(zip(self._fields, record, strict=False))
        if not isinstance(record, dict):
            return None
        time = _number(next((record[word] for word in _TIMES if word in record), None))
        name = next((record[word] for word in _NAMES if word in record), None)
        if time is None or not isinstance(name, str):
            return None
        time = self._origin + time * self._unit
        if self._adds_up:
            self._origin = time
        return Event(time, name.rpartition(":")[2].lower(), _mapping(record.get("data")))


def read_logs(text: str) -> list[Log]:
    """All traces of a file that have events. A last record that is cut off is left out: its writer is still at work, or
    was killed. LogError if there is no trace."""
    if text.startswith(_RECORD_SEPARATOR):
        logs = _read_sequence(_records(text.split(_RECORD_SEPARATOR)))
    else:
        try:
            whole = json.loads(text)
        except RecursionError:
            raise LogError("it is JSON that is nested too deeply") from None
        except ValueError as error:
            logs = _read_lines(text, error)
        else:
            logs = _read_whole(whole)
    if not any(log.events for log in logs):
        raise LogError("there is no event in it")
    return [log for log in logs if log.events]


def _read_lines(text: str, error: ValueError) -> list[Log]:
    lines = text.splitlines()
    if len(lines) < 2:
        raise LogError(f"it is no JSON ({error}), and qlog is")
    return _read_sequence(_records(lines))


def _records(texts: Iterable[str]) -> Iterator[object]:
    """What can be read, as far as it can: a file that somebody is writing ends in the middle of a record."""
    for number, text in enumerate(text for text in texts if text.strip()):
        try:
            yield json.loads(text)
        except (ValueError, RecursionError):
            if number == 0:
                raise LogError("its first record is no JSON, and in a qlog file it is") from None
            return


def _read_sequence(records: Iterator[object]) -> list[Log]:
    head = next(records, None)
    if not isinstance(head, dict):
        raise LogError("its first record does not describe a trace, as that of a qlog file does")
    reader = Reader(_mapping(head.get("trace")) or head)
    return [Log(reader.role, reader.connection, list(filter(None, map(reader.event, records))))]


def _read_whole(whole: object) -> list[Log]:
    traces = _mapping(whole).get("traces")
    if not isinstance(traces, list):
        raise LogError('it is JSON, but no qlog: there are no "traces" in it')
    logs = []
    for trace in traces:
        if isinstance(trace, dict) and isinstance(trace.get("events"), list):
            reader = Reader(trace)
            logs.append(Log(reader.role, reader.connection, list(filter(None, map(reader.event, trace["events"])))))
    return logs


def _role(head: dict[str, Any]) -> str:
    point = _mapping(head.get("vantage_point"))
    for word in (point.get("type"), point.get("flow")):
        if isinstance(word, str) and word.lower() in ("client", "server"):
            return word.lower()
    raise LogError('it does not say whether a "client" or a "server" wrote it (vantage_point)')


def _origin(reference: object) -> float:
    """Milliseconds since 1970, or since whatever the writer counts from; newer drafts have an object for it."""
    if isinstance(reference, dict):
        for word in ("wall_clock_time", "epoch"):
            try:
                return datetime.fromisoformat(str(reference.get(word))).timestamp() * 1000
            except (ValueError, OverflowError):
                continue
    return _number(reference) or 0.0


def _number(value: object) -> float | None:
    """Some write numbers as strings, lest they lose digits."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        number = float(value)
    except (ValueError, OverflowError):
        return None
    return number if abs(number) <= _MAX_TIME else None


def _mapping(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}
