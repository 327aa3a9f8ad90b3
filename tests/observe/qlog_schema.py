"""What the drafts of qlog ask of a file, written down by hand: draft-ietf-quic-qlog-main-schema and …-quic-events.

The union of version 0.3, which tools read, and of the newest draft: a field that is in neither is a problem, except
for those in EXTENSIONS.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from quicmini.errors import TransportErrorCode

__all__ = ["EVENTS", "FRAMES", "problems", "read"]

Check = Callable[[Any], bool]
Struct = dict[str, Any]  # by field: a check, a Struct, or a list with one of those; "?" before what may be missing


def uint(value: Any) -> bool:
    return type(value) is int and 0 <= value < 2**64


def number(value: Any) -> bool:
    return type(value) in (int, float)


def text(value: Any) -> bool:
    return isinstance(value, str)


def boolean(value: Any) -> bool:
    return isinstance(value, bool)


def hexstring(value: Any) -> bool:
    return isinstance(value, str) and re.fullmatch(r"([0-9a-f]{2})*", value) is not None


def one_of(*words: str) -> Check:
    return lambda value: value in words


def ack_range(value: Any) -> bool:
    return isinstance(value, list) and 1 <= len(value) <= 2 and all(map(uint, value)) and value == sorted(value)


def transport_error(value: Any) -> bool:
    return isinstance(value, str) and (
        value in _ERRORS or re.fullmatch("crypto_error_0x1[0-9a-f]{2}", value) is not None
    )


_ERRORS = {error.name.lower() for error in TransportErrorCode} | {"unknown"}

OWNER = one_of("local", "remote")
RAW: Struct = {"?length": uint, "?payload_length": uint}
TOKEN: Struct = {"?type": one_of("retry", "resumption"), "?raw": RAW}
SIDE: Struct = {
    "?ip_v4": text,
    "?port_v4": uint,
    "?ip_v6": text,
    "?port_v6": uint,
    "?connection_ids": [hexstring],
}
STATE = one_of(
    "attempted",
    "peer_validated",
    "handshake_started",
    "early_write",
    "handshake_complete",
    "handshake_confirmed",
    "closing",
    "draining",
    "closed",
)
HEADER: Struct = {
    "packet_type": one_of("initial", "handshake", "0RTT", "1RTT", "retry", "version_negotiation", "unknown"),
    "?packet_number": uint,
    "?key_phase": uint,
    "?version": hexstring,
    "?scil": uint,
    "?dcil": uint,
    "?scid": hexstring,
    "?dcid": hexstring,
    "?token": TOKEN,
}
DATA: Struct = {"?length": uint, "?payload_length": uint, "?raw": RAW}
APPLICATION_CODE: Struct = {"error": one_of("unknown"), "error_code": uint}
STREAM_TYPE = one_of("unidirectional", "bidirectional")

FRAMES: dict[str, Struct] = {
    "padding": DATA | {"payload_length": uint},
    "ping": {},
    "ack": {"?ack_delay": number, "?acked_ranges": [ack_range], "?ect0": uint, "?ect1": uint, "?ce": uint},
    "reset_stream": {"stream_id": uint, "final_size": uint, **APPLICATION_CODE},
    "stop_sending": {"stream_id": uint, **APPLICATION_CODE},
    "crypto": DATA | {"offset": uint, "length": uint, "raw": RAW},
    "new_token": {"token": TOKEN},
    "stream": DATA | {"stream_id": uint, "offset": uint, "length": uint, "?fin": boolean},
    "max_data": {"maximum": uint},
    "max_stream_data": {"stream_id": uint, "maximum": uint},
    "max_streams": {"stream_type": STREAM_TYPE, "maximum": uint},
    "data_blocked": {"limit": uint},
    "stream_data_blocked": {"stream_id": uint, "limit": uint},
    "streams_blocked": {"stream_type": STREAM_TYPE, "limit": uint},
    "new_connection_id": {
        "sequence_number": uint,
        "retire_prior_to": uint,
        "?connection_id_length": uint,
        "connection_id": hexstring,
    },
    "retire_connection_id": {"sequence_number": uint},
    "path_challenge": {"?data": hexstring},
    "path_response": {"?data": hexstring},
    "connection_close": {
        "?error_space": one_of("transport", "application"),
        "?error": transport_error,
        "?error_code": uint,
        "?reason": text,
        "?trigger_frame_type": lambda value: uint(value) or text(value),
    },
    "handshake_done": {},
    "datagram": DATA,
    "unknown": {"frame_type_bytes": uint, "?frame_type_value": uint, "?raw": RAW},
}


def frame(value: Any) -> bool:
    name = value.get("frame_type")
    return name in FRAMES and not list(mismatches(value, {"frame_type": text, **FRAMES[name]}, name))


KEY_TYPE = one_of(*(f"{who}_{level}_secret" for who in ("client", "server") for level in
                    ("initial", "handshake", "0rtt", "1rtt")))  # fmt: skip
KEY: Struct = {
    "key_type": KEY_TYPE,
    "?key_phase": uint,
    "?generation": uint,
    "?trigger": one_of("tls", "remote_update", "local_update"),
}
_LIMITS = (
    "max_idle_timeout",
    "max_udp_payload_size",
    "ack_delay_exponent",
    "max_ack_delay",
    "active_connection_id_limit",
    "initial_max_data",
    "initial_max_stream_data_bidi_local",
    "initial_max_stream_data_bidi_remote",
    "initial_max_stream_data_uni",
    "initial_max_streams_bidi",
    "initial_max_streams_uni",
    "max_datagram_frame_size",
)

EVENTS: dict[str, Struct] = {
    "connectivity:connection_started": {
        "?ip_version": one_of("v4", "v6"),
        "src_ip": text,
        "dst_ip": text,
        "?protocol": text,
        "?src_port": uint,
        "?dst_port": uint,
        "?src_cid": hexstring,
        "?dst_cid": hexstring,
        "local": SIDE,
        "remote": SIDE,
    },
    "connectivity:connection_closed": {
        "?owner": OWNER,
        "?initiator": OWNER,
        "?connection_code": transport_error,
        "?connection_error": transport_error,
        "?application_code": uint,
        "?application_error": one_of("unknown"),
        "?error_code": uint,
        "?reason": text,
        "?trigger": one_of(
            "idle_timeout", "application", "error", "version_mismatch", "stateless_reset", "aborted", "unspecified"
        ),
    },
    "connectivity:connection_id_updated": {
        "owner": OWNER,
        "initiator": OWNER,
        "?old": hexstring,
        "?new": hexstring,
    },
    "connectivity:connection_state_updated": {"?old": STATE, "new": STATE},
    "connectivity:tuple_assigned": {"tuple_id": text, "?tuple_remote": SIDE, "?tuple_local": SIDE},
    "connectivity:mtu_updated": {"?old": uint, "new": uint, "?done": boolean},
    "transport:version_information": {
        "?server_versions": [hexstring],
        "?client_versions": [hexstring],
        "?chosen_version": hexstring,
    },
    "transport:alpn_information": {"?chosen_alpn": text},
    "transport:parameters_set": {
        "?owner": OWNER,
        "?initiator": OWNER,
        "?original_destination_connection_id": hexstring,
        "?initial_source_connection_id": hexstring,
        "?retry_source_connection_id": hexstring,
        "?disable_active_migration": boolean,
        "?grease_quic_bit": boolean,
        "?preferred_address": SIDE | {"connection_id": hexstring},
        **{f"?{name}": uint for name in _LIMITS},
    },
    "transport:packet_sent": {"header": HEADER, "?frames": [frame], "?raw": RAW},
    "transport:packet_received": {
        "header": HEADER,
        "?frames": [frame],
        "?raw": RAW,
        "?retry_token": TOKEN,
        "?supported_versions": [hexstring],
    },
    "transport:packet_buffered": {"?header": HEADER, "?raw": RAW, "?trigger": one_of("keys_unavailable")},
    "transport:packet_dropped": {
        "?header": HEADER,
        "?raw": RAW,
        "?details": {"?reason": text},
        "?trigger": one_of(
            "internal_error",
            "rejected",
            "unsupported",
            "invalid",
            "duplicate",
            "connection_unknown",
            "decryption_failure",
            "key_unavailable",
            "general",
        ),
    },
    "security:key_updated": KEY,
    "security:key_discarded": KEY,
    "recovery:metrics_updated": {
        "?min_rtt": number,
        "?smoothed_rtt": number,
        "?latest_rtt": number,
        "?rtt_variance": number,
        "?pto_count": uint,
        "?congestion_window": uint,
        "?bytes_in_flight": uint,
        "?ssthresh": uint,
    },
    "recovery:packet_lost": {
        "?header": HEADER | {"packet_number": uint},
        "?trigger": one_of("reordering_threshold", "time_threshold", "pto_expired"),
    },
    "recovery:ecn_state_updated": {
        "?old": one_of("testing", "unknown", "failed", "capable"),
        "new": one_of("testing", "unknown", "failed", "capable"),
    },
}

# The drafts let some events have fields of their own.
EXTENSIONS: dict[str, Struct] = {"transport:alpn_information": {"tls_cipher": text, "resumed": boolean}}

HEAD: Struct = {
    "qlog_version": one_of("0.3"),
    "qlog_format": one_of("JSON-SEQ"),
    "?title": text,
    "trace": {
        "vantage_point": {"?name": text, "type": one_of("client", "server")},
        "common_fields": {
            "ODCID": hexstring,
            "group_id": hexstring,
            "protocol_type": [one_of("QUIC")],
            "time_format": one_of("relative"),
            "reference_time": number,
        },
    },
}


def mismatches(value: Any, kind: Any, where: str) -> Iterator[str]:
    """What is wrong with a value that should be of a kind."""
    if isinstance(kind, list):
        if not isinstance(value, list):
            yield f"{where} is no list: {value!r}"
            return
        for item in value:
            yield from mismatches(item, kind[0], f"{where}[]")
    elif isinstance(kind, dict):
        if not isinstance(value, dict):
            yield f"{where} is no object: {value!r}"
            return
        fields = {name.removeprefix("?"): check for name, check in kind.items()}
        yield from (f"{where}.{name} is missing" for name in kind if not name.startswith("?") and name not in value)
        yield from (f"{where}.{name} is in no draft" for name in value if name not in fields)
        for name in value.keys() & fields.keys():
            yield from mismatches(value[name], fields[name], f"{where}.{name}")
    elif not kind(value):
        yield f"{where} is wrong: {value!r}"


def problems(records: list[Any]) -> list[str]:
    """All that is wrong with the records of a file."""
    head, *events = records
    found = list(mismatches(head, HEAD, "head"))
    newest = 0.0
    for event in events:
        found += mismatches(event, {"time": number, "name": text, "data": lambda value: True}, "event")
        name = event["name"]
        if name not in EVENTS:
            found.append(f"{name} is no event")
            continue
        found += mismatches(event["data"], EVENTS[name] | EXTENSIONS.get(name, {}), name)
        if event["time"] < newest:
            found.append(f"{name} at {event['time']} is out of order")
        newest = event["time"]
    return found


def read(path: Path) -> list[Any]:
    """The records of a file: RFC 7464 §2.1."""
    before, *records = path.read_text(encoding="utf-8").split("\x1e")
    assert before == ""
    assert all(record.endswith("\n") for record in records)
    return [json.loads(record) for record in records]
