"""Packet headers and packet numbers (RFC 9000 §17, RFC 9369 §3.2), before protection and after it is removed.

What is read here is not authenticated yet. Bytes that are no packet raise `DecodeError`: the caller drops them.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import IntEnum
from typing import NamedTuple

from quicmini.errors import DecodeError
from quicmini.wire.varint import MAX_VARINT, decode_varint, encode_varint

__all__ = [
    "MAX_CID_LENGTH",
    "SUPPORTED_VERSIONS",
    "VERSION_1",
    "VERSION_2",
    "LongHeader",
    "PacketType",
    "RetryPacket",
    "UnknownVersion",
    "VersionNegotiation",
    "decode_packet_number",
    "encode_long_header",
    "encode_packet_number",
    "encode_retry",
    "encode_short_header",
    "encode_version_negotiation",
    "parse_long_header",
]

VERSION_1 = 0x00000001
VERSION_2 = 0x6B3343CF
SUPPORTED_VERSIONS = (VERSION_1, VERSION_2)

MAX_CID_LENGTH = 20
"""Bytes of a connection ID in versions 1 and 2 (RFC 9000 §17.2); other versions may go up to 255 (RFC 8999 §5.1)."""

RETRY_TAG_LENGTH = 16
MAX_TWO_BYTE_LENGTH = 0x3FFF
LONG_HEADER, FIXED_BIT = 0x80, 0x40

# Looked up rather than computed for each packet.
_NUMBER_MASKS = (0, 0xFF, 0xFFFF, 0xFF_FFFF, 0xFFFF_FFFF)
_ONE_BYTE = tuple(bytes((value,)) for value in range(256))


class PacketType(IntEnum):
    """The kind of a packet, whatever bits its version writes for it."""

    INITIAL = 0
    ZERO_RTT = 1
    HANDSHAKE = 2
    RETRY = 3
    ONE_RTT = 4
    VERSION_NEGOTIATION = 5


_I, _0, _H, _R = PacketType.INITIAL, PacketType.ZERO_RTT, PacketType.HANDSHAKE, PacketType.RETRY

# The two type bits of a long header, by version (RFC 9000 §17.2 Table 5, RFC 9369 §3.2).
_TYPE_OF_BITS = {VERSION_1: (_I, _0, _H, _R), VERSION_2: (_R, _I, _0, _H)}
_BITS_OF_TYPE = {
    version: {packet_type: bits for bits, packet_type in enumerate(types)} for version, types in _TYPE_OF_BITS.items()
}


class LongHeader(NamedTuple):
    """An Initial, 0-RTT or Handshake packet as far as it can be read without keys.

    token: empty but in Initial packets. pn_offset: where the protected packet number starts. end: where the packet
    ends; both count from the start of the datagram.
    """

    version: int
    packet_type: PacketType
    destination_cid: bytes
    source_cid: bytes
    token: bytes
    pn_offset: int
    end: int


class VersionNegotiation(NamedTuple):
    """A Version Negotiation packet (RFC 9000 §17.2.1)."""

    destination_cid: bytes
    source_cid: bytes
    versions: tuple[int, ...]


class RetryPacket(NamedTuple):
    """A Retry packet (RFC 9000 §17.2.5). without_tag: all of it before the tag, which is what the tag protects."""

    version: int
    destination_cid: bytes
    source_cid: bytes
    token: bytes
    integrity_tag: bytes
    without_tag: bytes


class UnknownVersion(NamedTuple):
    """A long header of a version not spoken here: no more than what all versions share (RFC 8999 §5.1)."""

    version: int
    destination_cid: bytes
    source_cid: bytes


def parse_long_header(
    datagram: bytes, pos: int, *, quic_bit: bool = False
) -> LongHeader | VersionNegotiation | RetryPacket | UnknownVersion:
    """Read the long header that starts at `pos`. Raises DecodeError for bytes that are no such packet.

    quic_bit: the fixed bit must be 1 (RFC 9000 §17.2), as it is for those who have not been told otherwise (RFC 9287).
    """
    if len(datagram) < pos + 5:
        raise DecodeError("too short for a long header")
    first = datagram[pos]
    if not first & LONG_HEADER:
        raise DecodeError("not a long header")
    version = int.from_bytes(datagram[pos + 1 : pos + 5], "big")
    destination_cid, after = _read_cid(datagram, pos + 5)
    source_cid, after = _read_cid(datagram, after)
    if version == 0:
        return VersionNegotiation(destination_cid, source_cid, _read_versions(datagram, after))
    if version not in _TYPE_OF_BITS:
        return UnknownVersion(version, destination_cid, source_cid)
    if quic_bit and not first & FIXED_BIT:
        raise DecodeError("the fixed bit is 0")
    if len(destination_cid) > MAX_CID_LENGTH or len(source_cid) > MAX_CID_LENGTH:
        raise DecodeError("a connection ID is longer than 20 bytes")
    packet_type = _TYPE_OF_BITS[version][(first >> 4) & 0x03]
    if packet_type is _R:
        token, tag, without_tag = _read_retry(datagram, pos, after)
        return RetryPacket(version, destination_cid, source_cid, token, tag, without_tag)
    token = b""
    if packet_type is _I:
        token, after = _read_token(datagram, after)
    length, pn_offset = decode_varint(datagram, after)
    end = pn_offset + length
    if end > len(datagram):
        raise DecodeError("the packet is longer than its datagram")
    return LongHeader(version, packet_type, destination_cid, source_cid, token, pn_offset, end)


def _read_cid(datagram: bytes, pos: int) -> tuple[bytes, int]:
    if pos >= len(datagram):
        raise DecodeError("no connection ID length")
    start = pos + 1
    end = start + datagram[pos]
    if end > len(datagram):
        raise DecodeError("a connection ID is truncated")
    return datagram[start:end], end


def _read_token(datagram: bytes, pos: int) -> tuple[bytes, int]:
    length, start = decode_varint(datagram, pos)
    end = start + length
    if end > len(datagram):
        raise DecodeError("the token is truncated")
    return datagram[start:end], end


def _read_retry(datagram: bytes, start: int, pos: int) -> tuple[bytes, bytes, bytes]:
    tag_start = len(datagram) - RETRY_TAG_LENGTH
    if pos >= tag_start:  # a Retry without a token is to be discarded, too (RFC 9000 §17.2.5.2)
        raise DecodeError("a Retry without a token or without its integrity tag")
    return datagram[pos:tag_start], datagram[tag_start:], datagram[start:tag_start]


def _read_versions(datagram: bytes, pos: int) -> tuple[int, ...]:
    size = len(datagram) - pos
    if size == 0 or size % 4:
        raise DecodeError("the versions of a Version Negotiation packet are truncated")
    return tuple(int.from_bytes(datagram[at : at + 4], "big") for at in range(pos, len(datagram), 4))


def encode_long_header(
    packet_type: PacketType,
    version: int,
    dcid: bytes,
    scid: bytes,
    token: bytes,
    packet_number: int,
    pn_length: int,
    payload_length: int,
) -> bytes:
    """The unprotected header of an Initial, 0-RTT or Handshake packet, up to and with the packet number.

    payload_length: bytes after the packet number, AEAD tag included. The length field has always two bytes, so that
    a header's size is known before its payload is; raises ValueError for a packet too long for that (16383 bytes).
    """
    length = pn_length + payload_length
    if length > MAX_TWO_BYTE_LENGTH:
        raise ValueError(f"a long header packet holds at most {MAX_TWO_BYTE_LENGTH} bytes, not {length}")
    return b"".join(
        (
            _long_header_start(packet_type, version, dcid, scid, pn_length - 1),
            encode_varint(len(token)) + token if packet_type is PacketType.INITIAL else b"",
            (length | 0x4000).to_bytes(2, "big"),
            _truncate(packet_number, pn_length),
        )
    )


def _long_header_start(packet_type: PacketType, version: int, dcid: bytes, scid: bytes, low_bits: int) -> bytes:
    first = LONG_HEADER | FIXED_BIT | _BITS_OF_TYPE[version][packet_type] << 4 | low_bits
    return _ONE_BYTE[first] + version.to_bytes(4, "big") + _with_length(dcid) + _with_length(scid)


def _with_length(cid: bytes) -> bytes:
    return _ONE_BYTE[len(cid)] + cid


def _truncate(packet_number: int, pn_length: int) -> bytes:
    return (packet_number & _NUMBER_MASKS[pn_length]).to_bytes(pn_length, "big")


def encode_short_header(
    dcid: bytes, packet_number: int, pn_length: int, *, spin: bool = False, key_phase: bool = False
) -> bytes:
    """The unprotected header of a 1-RTT packet, up to and with the packet number (RFC 9000 §17.3.1)."""
    first = FIXED_BIT | spin << 5 | key_phase << 2 | pn_length - 1
    number = packet_number & _NUMBER_MASKS[pn_length]
    return _ONE_BYTE[first] + dcid + number.to_bytes(pn_length, "big")


def encode_version_negotiation(dcid: bytes, scid: bytes, versions: Iterable[int], unused_bits: int = 0) -> bytes:
    """A Version Negotiation packet (RFC 9000 §17.2.1); the IDs are those of the client's packet, exchanged.

    unused_bits: arbitrary; the bit that is the fixed bit elsewhere is set in any case, as §17.2.1 recommends.
    """
    first = LONG_HEADER | FIXED_BIT | unused_bits & 0x3F
    offered = b"".join(version.to_bytes(4, "big") for version in versions)
    return _ONE_BYTE[first] + bytes(4) + _with_length(dcid) + _with_length(scid) + offered


def encode_retry(version: int, dcid: bytes, scid: bytes, token: bytes, unused_bits: int = 0) -> bytes:
    """A Retry packet without its integrity tag (RFC 9000 §17.2.5). unused_bits: four arbitrary bits."""
    return _long_header_start(PacketType.RETRY, version, dcid, scid, unused_bits & 0x0F) + token


def encode_packet_number(full: int, largest_acked: int | None) -> int:
    """How many bytes (1 to 4) of the packet number `full` must be sent (RFC 9000 §17.1, §A.2).

    largest_acked: the largest number of the space that the peer has acknowledged; None or -1: none yet. Raises
    ValueError when four bytes do not do.
    """
    unacknowledged = full + 1 if largest_acked is None else full - largest_acked
    # What is sent must tell apart more than twice as many numbers as are in flight (§17.1).
    size = max(1, ((2 * unacknowledged).bit_length() + 7) // 8)
    if size > 4:
        raise ValueError("too many unacknowledged packets for a packet number of 4 bytes")
    return size


def decode_packet_number(largest: int, truncated: int, bits: int) -> int:
    """The full packet number: the one nearest to the next expected that ends with `truncated` (RFC 9000 §A.3).

    largest: the largest number of the space that was authenticated, -1: none yet. bits: 8, 16, 24 or 32.
    """
    expected = largest + 1
    window = 1 << bits
    half = window >> 1
    candidate = (expected & -window) | truncated
    if candidate <= expected - half and candidate <= MAX_VARINT - window:
        return candidate + window
    if candidate > expected + half and candidate >= window:
        return candidate - window
    return candidate
