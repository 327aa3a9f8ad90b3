"""Transport parameters: what each side tells the other during the handshake (RFC 9000 §7.4, §18).

One table says for each parameter its identifier, its field, how its value is written and read, and what is allowed.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address
from struct import pack, unpack
from typing import Any, NamedTuple

from quicmini.errors import DecodeError, TransportError, TransportErrorCode
from quicmini.wire.frames import MAX_STREAM_COUNT, RESET_TOKEN_LENGTH
from quicmini.wire.packet import MAX_CID_LENGTH
from quicmini.wire.varint import MAX_VARINT, decode_varint, encode_varint

__all__ = [
    "DISABLE_ACTIVE_MIGRATION",
    "INITIAL_SOURCE_CONNECTION_ID",
    "ORIGINAL_DESTINATION_CONNECTION_ID",
    "PREFERRED_ADDRESS",
    "RETRY_SOURCE_CONNECTION_ID",
    "STATELESS_RESET_TOKEN",
    "VERSION_INFORMATION",
    "PreferredAddress",
    "TransportParameters",
    "VersionInformation",
    "encode_parameter",
    "encode_version_information",
    "parse_transport_parameters",
]

# The identifiers of the parameters that differ from one connection to the next.
ORIGINAL_DESTINATION_CONNECTION_ID = 0x00
STATELESS_RESET_TOKEN = 0x02
DISABLE_ACTIVE_MIGRATION = 0x0C
PREFERRED_ADDRESS = 0x0D
INITIAL_SOURCE_CONNECTION_ID = 0x0F
RETRY_SOURCE_CONNECTION_ID = 0x10
VERSION_INFORMATION = 0x11


class PreferredAddress(NamedTuple):
    """Where the server would rather be reached (RFC 9000 §9.6, §18.2). Addresses: 4 and 16 bytes, zeros: none."""

    ipv4_address: bytes
    ipv4_port: int
    ipv6_address: bytes
    ipv6_port: int
    connection_id: bytes
    stateless_reset_token: bytes

    @classmethod
    def at(cls, address: tuple[str, int], connection_id: bytes, stateless_reset_token: bytes) -> PreferredAddress:
        """One of a single IP version. Raises ValueError if that is no IP address."""
        ip, port = ip_address(address[0]), address[1]
        if ip.version == 4:
            return cls(ip.packed, port, bytes(16), 0, connection_id, stateless_reset_token)
        return cls(bytes(4), 0, ip.packed, port, connection_id, stateless_reset_token)

    def encode(self) -> bytes:
        """The value of the transport parameter."""
        ipv4 = self.ipv4_address + self.ipv4_port.to_bytes(2, "big")
        ipv6 = self.ipv6_address + self.ipv6_port.to_bytes(2, "big")
        connection_id = bytes((len(self.connection_id),)) + self.connection_id
        return ipv4 + ipv6 + connection_id + self.stateless_reset_token

    @property
    def addresses(self) -> list[tuple[str, int]]:
        """(host, port) of each address that is there."""
        ipv4 = str(IPv4Address(self.ipv4_address)), self.ipv4_port
        ipv6 = str(IPv6Address(self.ipv6_address)), self.ipv6_port
        return [address for address in (ipv4, ipv6) if address[1]]


class VersionInformation(NamedTuple):
    """The version in use and those that are possible, in order of preference (RFC 9368 §3)."""

    chosen_version: int
    available_versions: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class TransportParameters:
    """All of RFC 9000 §18.2, and of RFC 9221 §3, RFC 9287 §3, RFC 9368 §3; defaults are those of an absent parameter.

    max_idle_timeout and max_ack_delay are in milliseconds, as on the wire; sizes in bytes.
    """

    original_destination_connection_id: bytes | None = None
    max_idle_timeout: int = 0
    stateless_reset_token: bytes | None = None
    max_udp_payload_size: int = 65527
    initial_max_data: int = 0
    initial_max_stream_data_bidi_local: int = 0
    initial_max_stream_data_bidi_remote: int = 0
    initial_max_stream_data_uni: int = 0
    initial_max_streams_bidi: int = 0
    initial_max_streams_uni: int = 0
    ack_delay_exponent: int = 3
    max_ack_delay: int = 25
    disable_active_migration: bool = False
    preferred_address: PreferredAddress | None = None
    active_connection_id_limit: int = 2
    initial_source_connection_id: bytes | None = None
    retry_source_connection_id: bytes | None = None
    version_information: VersionInformation | None = None
    max_datagram_frame_size: int = 0
    grease_quic_bit: bool = False

    def encode(self) -> bytes:
        """The bytes for the TLS extension; a parameter with its default value is left out."""
        parts = []
        for identifier, parameter in _PARAMETERS.items():
            value = getattr(self, parameter.field)
            if value != getattr(_DEFAULTS, parameter.field):
                parts.append(encode_parameter(identifier, parameter.encode(value)))
        return b"".join(parts)


_DEFAULTS = TransportParameters()


def encode_parameter(identifier: int, value: bytes) -> bytes:
    """A single parameter (RFC 9000 §18): identifier, length, value. The bytes of several may follow each other."""
    return encode_varint(identifier) + encode_varint(len(value)) + value


class _Parameter(NamedTuple):
    """One line of the table. decode raises DecodeError for a value that is not allowed."""

    field: str
    encode: Callable[[Any], bytes]
    decode: Callable[[bytes], Any]
    server_only: bool = False


def _integer(field: str, minimum: int = 0, maximum: int = MAX_VARINT) -> _Parameter:
    def decode(data: bytes) -> int:
        value, end = decode_varint(data, 0)
        if end != len(data):
            raise DecodeError("bytes after the integer")
        if not minimum <= value <= maximum:
            raise DecodeError(f"{value} is not in {minimum} to {maximum}")
        return value

    return _Parameter(field, encode_varint, decode)


def _flag(field: str) -> _Parameter:
    """A parameter that says all by being there."""

    def decode(data: bytes) -> bool:
        if data:
            raise DecodeError("it has no value")
        return True

    return _Parameter(field, lambda value: b"", decode)


def _opaque(field: str, minimum: int, maximum: int, *, server_only: bool = False) -> _Parameter:
    """Bytes of a certain length."""

    def decode(data: bytes) -> bytes:
        if not minimum <= len(data) <= maximum:
            raise DecodeError(f"{len(data)} bytes are not {minimum} to {maximum}")
        return data

    return _Parameter(field, bytes, decode, server_only)


def _decode_preferred_address(data: bytes) -> PreferredAddress:
    cid_start = 4 + 2 + 16 + 2 + 1
    cid_end = len(data) - RESET_TOKEN_LENGTH
    connection_id = data[cid_start : max(cid_start, cid_end)]
    if not 1 <= len(connection_id) <= MAX_CID_LENGTH or data[cid_start - 1] != len(connection_id):
        raise DecodeError("its connection ID has a wrong length")
    return PreferredAddress(
        data[:4],
        int.from_bytes(data[4:6], "big"),
        data[6:22],
        int.from_bytes(data[22:24], "big"),
        connection_id,
        data[cid_end:],
    )


def encode_version_information(value: VersionInformation) -> bytes:
    """The value of the parameter."""
    return pack(f">{1 + len(value.available_versions)}I", value.chosen_version, *value.available_versions)


def _decode_version_information(data: bytes) -> VersionInformation:
    if not data or len(data) % 4:
        raise DecodeError("it is truncated")
    versions = unpack(f">{len(data) // 4}I", data)
    if 0 in versions:  # RFC 9368 §4
        raise DecodeError("version 0 is none")
    return VersionInformation(versions[0], versions[1:])


_PARAMETERS = {
    ORIGINAL_DESTINATION_CONNECTION_ID: _opaque(
        "original_destination_connection_id", 0, MAX_CID_LENGTH, server_only=True
    ),
    0x01: _integer("max_idle_timeout"),
    STATELESS_RESET_TOKEN: _opaque("stateless_reset_token", RESET_TOKEN_LENGTH, RESET_TOKEN_LENGTH, server_only=True),
    0x03: _integer("max_udp_payload_size", minimum=1200),
    0x04: _integer("initial_max_data"),
    0x05: _integer("initial_max_stream_data_bidi_local"),
    0x06: _integer("initial_max_stream_data_bidi_remote"),
    0x07: _integer("initial_max_stream_data_uni"),
    0x08: _integer("initial_max_streams_bidi", maximum=MAX_STREAM_COUNT),  # RFC 9000 §4.6
    0x09: _integer("initial_max_streams_uni", maximum=MAX_STREAM_COUNT),
    0x0A: _integer("ack_delay_exponent", maximum=20),
    0x0B: _integer("max_ack_delay", maximum=2**14 - 1),
    DISABLE_ACTIVE_MIGRATION: _flag("disable_active_migration"),
    PREFERRED_ADDRESS: _Parameter(
        "preferred_address", PreferredAddress.encode, _decode_preferred_address, server_only=True
    ),
    0x0E: _integer("active_connection_id_limit", minimum=2),
    INITIAL_SOURCE_CONNECTION_ID: _opaque("initial_source_connection_id", 0, MAX_CID_LENGTH),
    RETRY_SOURCE_CONNECTION_ID: _opaque("retry_source_connection_id", 0, MAX_CID_LENGTH, server_only=True),
    VERSION_INFORMATION: _Parameter("version_information", encode_version_information, _decode_version_information),
    0x20: _integer("max_datagram_frame_size"),
    0x2AB2: _flag("grease_quic_bit"),
}


def parse_transport_parameters(data: bytes, *, from_client: bool) -> TransportParameters:
    """Read what the peer's TLS extension says; unknown parameters are ignored (RFC 9000 §7.4.2).

    Raises TransportError TRANSPORT_PARAMETER_ERROR for everything §7.4 and §18.2 forbid. Whether the connection IDs
    are there and are the right ones (§7.3) is for the handshake to say: it knows what they should be.
    """
    values: dict[str, Any] = {}
    seen: set[int] = set()
    pos, end = 0, len(data)
    while pos < end:
        try:
            identifier, pos = decode_varint(data, pos)
            length, start = decode_varint(data, pos)
        except DecodeError:
            raise _invalid("a transport parameter is truncated") from None
        pos = start + length
        if pos > end:
            raise _invalid(f"transport parameter {identifier:#x} is truncated")
        if identifier in seen:
            raise _invalid(f"transport parameter {identifier:#x} appears twice")
        seen.add(identifier)
        if identifier not in _PARAMETERS:
            continue
        field, _, decode, server_only = _PARAMETERS[identifier]
        if from_client and server_only:
            raise _invalid(f"a client must not send {field}")
        try:
            values[field] = decode(data[start:pos])
        except DecodeError as error:
            raise _invalid(f"{field}: {error}") from None
    parameters = TransportParameters(**values)
    _check_together(parameters, from_client)
    return parameters


def _check_together(parameters: TransportParameters, from_client: bool) -> None:
    """What one parameter alone does not tell."""
    if parameters.preferred_address is not None and parameters.initial_source_connection_id == b"":  # §18.2
        raise _invalid("preferred_address from a server that has zero-length connection IDs")
    versions = parameters.version_information
    if from_client and versions is not None and versions.chosen_version not in versions.available_versions:
        raise _invalid("version_information: the chosen version is not among the available ones")  # RFC 9368 §4


def _invalid(reason: str) -> TransportError:
    return TransportError(TransportErrorCode.TRANSPORT_PARAMETER_ERROR, reason)
