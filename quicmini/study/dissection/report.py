"""Datagrams taken apart, as JSON objects for programs."""

from __future__ import annotations

from typing import Any

from quicmini.study.dissection.packets import Datagram, Packet
from quicmini.study.fields import Field

__all__ = ["datagram_object"]


def datagram_object(datagram: Datagram) -> dict[str, Any]:
    """One datagram. Bytes are hexadecimal; what is not known is null; offsets and sizes are in bytes."""
    return {
        "number": datagram.number,
        "time": datagram.time or None,
        "source": datagram.source,
        "destination": datagram.destination,
        "size": len(datagram.data),
        "ecn": datagram.ecn,
        "remark": datagram.remark or None,
        "packets": [_packet(packet) for packet in datagram.packets],
    }


def _packet(packet: Packet) -> dict[str, Any]:
    payload = packet.payload
    return {
        "name": packet.name,
        "offset": packet.offset,
        "size": len(packet.raw),
        "section": packet.section,
        "connection": packet.connection,
        "sender": None if packet.to_server is None else "client" if packet.to_server else "server",
        "version": packet.version or None,
        "destination_cid": packet.destination_cid.hex(),
        "source_cid": packet.source_cid.hex(),
        "packet_number": packet.packet_number,
        "key_phase": packet.key_phase,
        "keys": payload.keys if payload else None,
        "problem": packet.problem or None,
        "remark": packet.remark or None,
        "header": [_field(field) for field in packet.header],
        "frames": None if payload is None else [_field(field) for field in payload.frames],
        "messages": [] if payload is None else [_field(field) for field in payload.messages],
    }


def _field(field: Field) -> dict[str, Any]:
    described: dict[str, Any] = {"name": field.name, "offset": field.offset, "raw": field.raw.hex()}
    if field.value:
        described["value"] = field.value
    if field.section:
        described["section"] = field.section
    if field.children:
        described["children"] = [_field(child) for child in field.children]
    return described
