"""What the drafts of qlog ask of a file: the newest version and, for tools that know no other, version 0.3.

Both are tables made from the drafts themselves (see `cddl`): draft-ietf-quic-qlog-main-schema and -quic-events as they
were in July 2026, at commit f8dfcfc of github.com/quicwg/qlog, just after -14 and -13; and -main-schema-03 with
-quic-events-03, of August 2022. A file is right if it is so by both, where each ignores the fields that only the other
one has. CONTRADICTIONS says where that cannot be.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from quicmini.observe.qlog import flush

__all__ = ["EVENTS", "FRAMES", "event_problems", "frame_problems", "problems", "read"]

Kind = Any
Problems = dict[str, str]  # by where it is: what is wrong there

# The events that are written, with the names of 0.3. Newer drafts have all of them in one namespace, `quic`.
EVENTS = (
    "connectivity:connection_started",
    "connectivity:connection_closed",
    "connectivity:connection_id_updated",
    "connectivity:connection_state_updated",
    "connectivity:mtu_updated",
    "connectivity:tuple_assigned",  # since -quic-events-07
    "transport:version_information",
    "transport:alpn_information",
    "transport:parameters_set",
    "transport:parameters_restored",
    "transport:packet_sent",
    "transport:packet_received",
    "transport:packet_dropped",
    "transport:packet_buffered",
    "security:key_updated",
    "security:key_discarded",
    "recovery:metrics_updated",
    "recovery:congestion_state_updated",
    "recovery:packet_lost",
    "recovery:ecn_state_updated",  # since -quic-events-06
)
_RENAMED = {"recovery:metrics_updated": "quic:recovery_metrics_updated"}

# Where a file follows one version against the other, or none.
CONTRADICTIONS = {
    # The newer form, where qvis reads neither.
    "transport:alpn_information.chosen_alpn": "0.3",
    "transport:packet_dropped.trigger": "0.3",
    "connectivity:connection_closed.trigger": "0.3",
    "frame stream.raw": "0.3",
    "frame datagram": "0.3",  # it has none
    # These had 32 bits there, and have 62 (RFC 9000 §19.4, §19.5, §19.19).
    **{f"frame {name}.error_code": "0.3" for name in ("reset_stream", "stop_sending", "connection_close")},
    "frame unknown.raw": "0.3",
    # Secrets are not written (RFC 9000 §10.3.1), nor are keys.
    "transport:parameters_set.preferred_address.stateless_reset_token": "both",
    "security:key_updated.new": "0.3",
    # An address that a server does not have cannot be written.
    **{
        f"transport:parameters_set.preferred_address.{kind}_v{version}": "0.3"
        for kind in ("ip", "port")
        for version in "46"
    },
}

# Fields of the project's own, which the drafts allow (draft-ietf-quic-qlog-main-schema §8.2).
EXTENSIONS = {
    "transport:alpn_information.tls_cipher",
    "transport:alpn_information.resumed",
}


class Schema:
    """One version's table, and how it calls things."""

    def __init__(self, name: str, file: str) -> None:
        self.name = name
        self.kinds: dict[str, Kind] = json.loads(Path(__file__).with_name(file).read_text(encoding="utf-8"))
        self.kinds.setdefault("$ApplicationError", "text")  # 0.3 leaves it to others to define it
        self._folded = {kind.lower(): kind for kind in self.kinds}

    def kind_of_event(self, name: str) -> str | None:
        """The entry for the data of an event, such as QUICPacketSent or TransportPacketSent."""
        return self._folded.get(name.replace(":", "").replace("_", ""))

    def problems(self, value: Any, kind: Kind, where: str) -> Problems:
        """What is wrong with a value that should be of a kind."""
        if isinstance(kind, str):
            if kind not in _PRELUDE:
                return self.problems(value, self.kinds[kind], where)
            return {} if _PRELUDE[kind](value) else {where: f"is no {kind}: {value!r}"}
        if isinstance(kind, list):
            if not isinstance(value, list):
                return {where: f"is no list: {value!r}"}
            return {at: text for item in value for at, text in self.problems(item, kind[0], where).items()}
        if "is" in kind:
            return {} if value == kind["is"] else {where: f"is not {kind['is']}: {value!r}"}
        if "matches" in kind:
            fits = isinstance(value, str) and re.fullmatch(kind["matches"], value)
            return {} if fits else {where: f"is not {kind['matches']}: {value!r}"}
        if "one of" in kind:
            return self._any_of(value, kind, where)
        return self._object(value, self._fields(kind), where)

    def _any_of(self, value: Any, kind: Kind, where: str) -> Problems:
        kinds = list(self.alternatives(kind))
        if isinstance(value, dict) and "frame_type" in value:
            named = [each for each in kinds if each["fields"]["frame_type"]["is"] == value["frame_type"]]
            where = f"frame {value['frame_type']}"
            return self.problems(value, named[0], where) if named else {where: "is no frame"}
        found = [self.problems(value, each, where) for each in kinds]
        return min(found, key=len)

    def alternatives(self, kind: Kind) -> Iterator[Kind]:
        """All kinds of which a value may be."""
        if isinstance(kind, str) and kind not in _PRELUDE:
            yield from self.alternatives(self.kinds[kind])
        elif isinstance(kind, dict) and "one of" in kind:
            for each in kind["one of"]:
                yield from self.alternatives(each)
        else:
            yield kind

    def _fields(self, kind: Kind) -> dict[str, Kind]:
        fields: dict[str, Kind] = {}
        for name, each in kind["fields"].items():
            fields |= self._fields(self.kinds[name[1:]]) if name.startswith("~") else {name: each}
        return fields

    def _object(self, value: Any, fields: dict[str, Kind], where: str) -> Problems:
        if not isinstance(value, dict):
            return {where: f"is no object: {value!r}"}
        found = {f"{where}.{name}": MISSING for name in fields if name.isidentifier() and name not in value}
        for name, item in value.items():
            kind = fields.get(name, fields.get(f"?{name}", fields.get("*")))
            found |= {f"{where}.{name}": UNKNOWN} if kind is None else self.problems(item, kind, f"{where}.{name}")
        return found


MISSING, UNKNOWN = "is missing", "is in no draft"


def _uint(bits: int) -> Callable[[Any], bool]:
    return lambda value: type(value) is int and 0 <= value < 2**bits


_PRELUDE: dict[str, Callable[[Any], bool]] = {
    "any": lambda value: True,
    "text": lambda value: isinstance(value, str),
    "bool": lambda value: isinstance(value, bool),
    **{f"uint{bits}": _uint(bits) for bits in (8, 16, 32, 64)},
    **{f"float{bits}": lambda value: type(value) in (int, float) for bits in (32, 64)},
}

NEWEST, OLD = Schema("newest", "qlog_newest.json"), Schema("0.3", "qlog_0_3.json")

FRAMES = {each["fields"]["frame_type"]["is"] for each in NEWEST.alternatives("$QuicFrame")} - {
    "reset_stream_at"
}  # of an extension that nobody here has


def _by_both(value: Any, newest: Kind | None, old: Kind | None, where: str) -> list[str]:
    kinds = {NEWEST: newest, OLD: old}
    found = {schema: schema.problems(value, kind, where) for schema, kind in kinds.items() if kind is not None}
    everywhere = set.intersection(*(set(each) for each in found.values()))
    return [
        f"{at} {text} ({schema.name})"
        for schema, each in found.items()
        for at, text in each.items()
        if CONTRADICTIONS.get(at) not in (schema.name, "both")
        and not (text == UNKNOWN and (at not in everywhere or at in EXTENSIONS))
    ]


def frame_problems(frame: Any) -> list[str]:
    """All that is wrong with a frame."""
    return _by_both(frame, "$QuicFrame", "$QuicFrame", "frame")


def event_problems(name: str, data: Any) -> list[str]:
    """All that is wrong with the data of an event."""
    if name not in EVENTS:
        return [f"{name} is no event that is written"]
    newest = NEWEST.kind_of_event(_RENAMED.get(name, f"quic:{name.split(':')[1]}"))
    return _by_both(data, newest, OLD.kind_of_event(name), name)


def problems(records: list[Any]) -> list[str]:
    """All that is wrong with the records of a file."""
    head, *events = records
    found = _by_both(head, "QlogFileSeq", "QlogFileSeq", "head")
    newest = 0.0
    for event in events:
        name = event["name"]
        found += _by_both(event | {"data": {}}, EVENT, EVENT, "event") + event_problems(name, event["data"])
        if event["time"] < newest:
            found.append(f"{name} at {event['time']} is out of order")
        newest = event["time"]
    return found


EVENT: Kind = {"fields": {"time": "float64", "name": "text", "data": "any"}}


def read(path: Path) -> list[Any]:
    """The records of a file, with those that are on their way to it: RFC 7464 §2.1."""
    flush()
    before, *records = path.read_text(encoding="utf-8").split("\x1e")
    assert before == ""
    assert all(record.endswith("\n") for record in records)
    return [json.loads(record) for record in records]
