"""What is written beside the packets: a sentence for each event that is none."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from quicmini.study.trace.frames import number_of

__all__ = ["NOTES", "Remark", "remarks_on_recovery"]

_VERSIONS = {"00000001": "QUIC v1", "1": "QUIC v1", "6b3343cf": "QUIC v2", "00000000": ""}

_PHASES = {
    "handshake_complete": "has completed the handshake",
    "handshake_completed": "has completed the handshake",
    "handshake_confirmed": "knows that both sides have (handshake confirmed)",
}


class Remark(NamedTuple):
    """A sentence whose subject is the side that it stands on. meaning: its colour; detail: not for everybody; phase: of
    the keys that it is about, 0 if it is about none."""

    text: str
    meaning: str = "name"
    detail: bool = False
    phase: int = 0


def remarks_on_recovery(before: int | None, now: int | None, data: dict[str, Any]) -> Iterator[Remark]:
    """What stands out in a change of the recovery state. before, now: the congestion window (bytes)."""
    if now is not None and before is not None and now < before:
        yield Remark(f"congestion window {before:,} → {now:,} bytes", "bad")
    probes = number_of(data.get("pto_count"))
    if probes:
        yield Remark(f"hears nothing for too long: probe timeout {probes}", "bad")


def _version(data: dict[str, Any]) -> Remark | None:
    chosen = str(data.get("chosen_version") or "")
    return Remark(f"speaks {_VERSIONS.get(chosen, f'version {chosen}')}") if chosen else None


def _protocol(data: dict[str, Any]) -> Remark | None:
    chosen = data.get("chosen_alpn")
    chosen = chosen.get("string_value") or chosen.get("byte_value") if isinstance(chosen, dict) else chosen
    parts = [str(part) for part in (chosen, data.get("tls_cipher")) if part]
    if data.get("resumed"):
        parts.append("resumed session")
    return Remark(f"agrees on {', '.join(parts)}") if parts else None


def _state(data: dict[str, Any]) -> Remark | None:
    new = str(data.get("new") or "")
    if new in _PHASES:
        return Remark(_PHASES[new])
    return Remark(f"is in state {new}", "faint", True) if new else None


def _keys(data: dict[str, Any]) -> Remark:
    trigger, kind = str(data.get("trigger") or ""), str(data.get("key_type") or "").removesuffix("_secret")
    if trigger in ("local_update", "remote_update"):
        phase = number_of(data.get("key_phase", data.get("generation")))
        who = "by its own choice" if trigger == "local_update" else "following the peer"
        said = f": key phase {phase}" if phase is not None else ""
        return Remark(f"has new 1-RTT keys, {who}{said}", "good", phase=phase or 0)
    return Remark(f"has keys: {kind}", "faint", True)


def _keys_discarded(data: dict[str, Any]) -> Remark:
    return Remark(f"discards keys: {str(data.get('key_type') or '').removesuffix('_secret')}", "faint", True)


def _path(data: dict[str, Any]) -> Remark:
    remote = data.get("tuple_remote", data.get("path_remote"))
    remote = remote if isinstance(remote, dict) else {}
    host = remote.get("ip_v4") or remote.get("ip_v6") or "?"
    port = remote.get("port_v4") or remote.get("port_v6") or "?"
    return Remark(f"uses another path now, to {host}:{port}", "good")


def _connection_id(data: dict[str, Any]) -> Remark:
    new = data.get("new")
    if data.get("owner", data.get("initiator")) == "remote":
        return Remark(f"sends to connection ID {new} from now on", "value")
    return Remark(f"is addressed by connection ID {new} from now on", "faint", True)


def _mtu(data: dict[str, Any]) -> Remark:
    return Remark(f"sends datagrams of up to {data.get('new')} bytes from now on")


def _buffered(data: dict[str, Any]) -> Remark:
    header = data.get("header")
    kind = header.get("packet_type") if isinstance(header, dict) else None
    return Remark(f"puts a packet aside ({kind or 'unknown'}) until it has the keys", "value")


def _closed(data: dict[str, Any]) -> Remark:
    trigger = str(data.get("trigger") or "").replace("_", " ")
    names = ("connection_error", "application_code", "error_code", "connection_code")
    code = next((data[name] for name in names if name in data), None)
    mine = {"local": " by this side", "remote": " by the peer"}
    by = mine.get(str(data.get("initiator", data.get("owner"))), "")
    parts = ", ".join(part for part in (trigger, f"code {code}" if code is not None else "") if part)
    reason = f" “{data['reason']}”" if data.get("reason") else ""
    return Remark(f"connection closed{by}{f' ({parts})' if parts else ''}{reason}")


def _parameters(data: dict[str, Any]) -> Remark:
    mine = data.get("owner", data.get("initiator")) == "local"
    limits = [
        f"{word} {data[field]:,}"
        for word, field in (("data", "initial_max_data"), ("bidi streams", "initial_max_streams_bidi"))
        if isinstance(data.get(field), int)
    ]
    return Remark(f"{'has its own' if mine else 'learns the peer’s'} parameters: {', '.join(limits)}", "faint", True)


def _ecn(data: dict[str, Any]) -> Remark:
    return Remark(f"ECN on this path: {data.get('new')}", "faint", True)


# By the event's name in any of the drafts.
NOTES: dict[str, Callable[[dict[str, Any]], Remark | None]] = {
    "version_information": _version,
    "alpn_information": _protocol,
    "connection_state_updated": _state,
    "key_updated": _keys,
    "key_discarded": _keys_discarded,
    "tuple_assigned": _path,
    "path_assigned": _path,
    "connection_id_updated": _connection_id,
    "mtu_updated": _mtu,
    "packet_buffered": _buffered,
    "connection_closed": _closed,
    "parameters_set": _parameters,
    "ecn_state_updated": _ecn,
}
