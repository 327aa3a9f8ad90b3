"""QUIC's transport parameters, one by one (RFC 9000 §18.2)."""

from __future__ import annotations

from ipaddress import ip_address
from typing import NamedTuple

from quicmini.errors import TransportError
from quicmini.study.fields import Field
from quicmini.study.tls_fields.reader import Parse, TlsReader, compose
from quicmini.study.versions import numbered_version
from quicmini.wire.frames import RESET_TOKEN_LENGTH
from quicmini.wire.transport_parameters import parse_transport_parameters

__all__ = ["dissect_transport_parameters", "parameters"]


class _Parameter(NamedTuple):
    """A line of the table; `parse` reads the value."""

    name: str
    parse: Parse
    section: str = "RFC 9000 §18.2"


def _integer(unit: str) -> Parse:
    """unit: one word for one, or for many; the plural has an s."""

    def show(value: int) -> str:
        return f"{value:,} {unit}".strip() if value == 1 or unit in ("", "ms") else f"{value:,} {unit}s"

    def parse(reader: TlsReader) -> str:
        return show(reader.varint("value", "RFC 9000 §16", show))

    return parse


def _flag(reader: TlsReader) -> str:
    return "present"


def _opaque(reader: TlsReader) -> str:
    return reader.rest("value").hex() or "(empty)"


def _text(reader: TlsReader) -> str:
    return repr(reader.rest("value"))[1:]


def _exponent(reader: TlsReader) -> str:
    exponent = reader.varint("value", "RFC 9000 §16")
    return f"{exponent}: ACK Delay counts {1 << exponent} µs" if exponent <= 20 else str(exponent)


def _preferred_address(reader: TlsReader) -> str:
    """RFC 9000 §18.2, figure 22."""
    found = []
    for version, size in (("IPv4", 4), ("IPv6", 16)):
        host = ip_address(reader.octets(f"{version} Address", size, show=lambda raw: str(ip_address(raw))))
        port = reader.number(f"{version} Port", 2)
        if port:
            found.append(f"{host}:{port}" if version == "IPv4" else f"[{host}]:{port}")
    reader.octets("Connection ID", reader.number("Connection ID Length", 1), show=bytes.hex)
    reader.octets("Stateless Reset Token", RESET_TOKEN_LENGTH)
    return ", ".join(found)


def _versions(reader: TlsReader) -> str:
    """RFC 9368 §3."""
    chosen = numbered_version(reader.number("Chosen Version", 4, show=numbered_version))
    available = reader.numbers("Available Version", 4, show=numbered_version)
    return f"chosen: {chosen}; available: {', '.join(available) or 'none'}"


_BYTES, _COUNT, _MILLISECONDS = _integer("byte"), _integer(""), _integer("ms")

_PARAMETERS = {
    0x00: _Parameter("original_destination_connection_id", _opaque),
    0x01: _Parameter("max_idle_timeout", _MILLISECONDS),
    0x02: _Parameter("stateless_reset_token", _opaque),
    0x03: _Parameter("max_udp_payload_size", _BYTES),
    0x04: _Parameter("initial_max_data", _BYTES),
    0x05: _Parameter("initial_max_stream_data_bidi_local", _BYTES),
    0x06: _Parameter("initial_max_stream_data_bidi_remote", _BYTES),
    0x07: _Parameter("initial_max_stream_data_uni", _BYTES),
    0x08: _Parameter("initial_max_streams_bidi", _COUNT),
    0x09: _Parameter("initial_max_streams_uni", _COUNT),
    0x0A: _Parameter("ack_delay_exponent", _exponent),
    0x0B: _Parameter("max_ack_delay", _MILLISECONDS),
    0x0C: _Parameter("disable_active_migration", _flag),
    0x0D: _Parameter("preferred_address", _preferred_address),
    0x0E: _Parameter("active_connection_id_limit", _COUNT),
    0x0F: _Parameter("initial_source_connection_id", _opaque),
    0x10: _Parameter("retry_source_connection_id", _opaque),
    0x11: _Parameter("version_information", _versions, "RFC 9368 §3"),
    0x20: _Parameter("max_datagram_frame_size", _BYTES, "RFC 9221 §3"),
    0x173E: _Parameter("discard", _opaque, ""),
    0x2AB2: _Parameter("grease_quic_bit", _flag, "RFC 9287 §3"),
    # Google's own, without a specification.
    0x26AB: _Parameter("google_handshake_message", _opaque, ""),
    0x3127: _Parameter("initial_rtt", _integer("microsecond"), ""),
    0x3128: _Parameter("google_connection_options", _text, ""),
    0x3129: _Parameter("user_agent", _text, ""),
    0x4752: _Parameter("google_version", _opaque, ""),
    0xFF04DE1B: _Parameter("min_ack_delay", _integer("microsecond"), "draft-ietf-quic-ack-frequency"),
}


def _specification(identifier: int) -> _Parameter:
    if known := _PARAMETERS.get(identifier):
        return known
    if identifier % 31 == 27:
        return _Parameter("reserved, means nothing", _opaque, "RFC 9000 §18.1")
    return _Parameter(f"parameter {identifier:#x}", _opaque, "RFC 9000 §7.4.2")


def parameters(reader: TlsReader) -> str:
    """All up to the end (RFC 9000 §18)."""
    count = 0
    while reader.left:
        _read_parameter(reader)
        count += 1
    return f"{count} parameter{'' if count == 1 else 's'}"


def _read_parameter(reader: TlsReader) -> None:
    """One parameter: identifier, length, value. What is not allowed is said so."""
    head = TlsReader(reader.peek(16), base=reader.offset)  # a look ahead: the name stands before the fields
    identifier = head.varint("identifier")
    length = head.varint("length")
    size = len(head.fields[0].raw) + len(head.fields[1].raw) + length
    specification = _specification(identifier)

    def parse(inner: TlsReader) -> str:
        inner.varint("identifier", "RFC 9000 §18", hex)
        inner.varint("length", "RFC 9000 §18")
        return specification.parse(inner)

    reader.part(specification.name, size, parse, specification.section)
    field = reader.fields[-1]
    try:
        parse_transport_parameters(field.raw, from_client=False)
    except TransportError as error:
        reader.fields[-1] = field._replace(value=f"{field.value} (not allowed: {error.reason})".lstrip())


def dissect_transport_parameters(data: bytes, offset: int) -> tuple[Field, ...]:
    """A field for each parameter of the quic_transport_parameters extension (RFC 9000 §18).

    offset: of `data` in what is being taken apart. Never raises: what cannot be read is a field "unreadable".
    """
    return compose("quic_transport_parameters", data, offset, parameters).children
