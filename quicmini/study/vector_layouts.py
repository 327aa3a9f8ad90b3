"""Which field each byte of a sample packet belongs to: where a wrong byte lies is half of what is wrong."""

from __future__ import annotations

from quicmini.study.dissection.frame_fields import dissect_payload
from quicmini.study.dissection.header_fields import Header, first_byte_field, read_header, read_short_header
from quicmini.study.fields import Field
from quicmini.study.tls_fields import dissect_message
from quicmini.wire.packet import PacketType

__all__ = ["header_layout", "message_layout", "packet_layout", "payload_layout", "retry_layout"]

_LONG_HEADER = 0x80


def message_layout(message: bytes) -> Field:
    """A TLS handshake message."""
    return dissect_message(message, 0)


def header_layout(header: bytes, *, pn_length: int) -> Field:
    """A header without protection, packet number included."""
    read = _read(header)
    first = first_byte_field(read.packet_type, read.version, 0, header[0], unmasked=header[0])
    _, *others = _header_fields(header, read, pn_length)
    return Field("header", 0, header, "", "", (first, *others))


def packet_layout(packet: bytes, *, pn_length: int, payload: bytes) -> Field:
    """A protected packet that holds this payload, byte under byte: every AEAD of QUIC encrypts that way.

    A sample packet with a short header has no connection ID.
    """
    header = _read(packet)
    if not header.pn_offset:  # a damaged one
        return Field("packet", 0, packet, "", "", header.fields)
    start = header.pn_offset + pn_length
    end = start + len(payload)
    inside = tuple(_shifted(frame, start) for frame in payload_layout(payload, header.packet_type).children)
    return Field(
        "packet",
        0,
        packet,
        "",
        "",
        (
            *_header_fields(packet, header, pn_length),
            Field("encrypted payload", start, packet[start:end], "", "RFC 9001 §5.3", inside),
            Field("authentication tag", end, packet[end:], "", "RFC 9001 §5.3"),
        ),
    )


def retry_layout(packet: bytes) -> Field:
    """A Retry packet, which nothing protects."""
    return Field("packet", 0, packet, "", "RFC 9000 §17.2.5", read_header(packet, 0).fields)


def payload_layout(payload: bytes, packet_type: PacketType | None) -> Field:
    """The frames, and the TLS message in each CRYPTO frame: those of sample packets hold whole ones."""
    frames = dissect_payload(payload, packet_type or PacketType.ONE_RTT)
    return Field("payload", 0, payload, "", "", tuple(_with_message(each.field) for each in frames))


def _with_message(frame: Field) -> Field:
    parts = [
        part._replace(children=(dissect_message(part.raw, part.offset),)) if part.name == "Crypto Data" else part
        for part in frame.children
    ]
    return frame._replace(children=tuple(parts))


def _read(packet: bytes) -> Header:
    return read_header(packet, 0) if packet[0] & _LONG_HEADER else read_short_header(packet, 0, 0)


def _header_fields(packet: bytes, header: Header, pn_length: int) -> tuple[Field, ...]:
    if not header.pn_offset:
        return header.fields
    number = packet[header.pn_offset : header.pn_offset + pn_length]
    return *header.fields, Field("Packet Number", header.pn_offset, number, number.hex(), header.section)


def _shifted(field: Field, by: int) -> Field:
    """The same further behind."""
    children = tuple(_shifted(child, by) for child in field.children)
    return field._replace(offset=field.offset + by, children=children)
