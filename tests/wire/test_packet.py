from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quicmini.errors import DecodeError
from quicmini.wire.packet import (
    VERSION_1,
    VERSION_2,
    LongHeader,
    PacketType,
    RetryPacket,
    UnknownVersion,
    VersionNegotiation,
    decode_packet_number,
    encode_long_header,
    encode_packet_number,
    encode_retry,
    encode_short_header,
    encode_version_negotiation,
    parse_long_header,
)

CLIENT_CID = bytes.fromhex("8394c8f03e515708")
SERVER_CID = bytes.fromhex("f067a5502a4262b5")
INITIAL, HANDSHAKE, ZERO_RTT = PacketType.INITIAL, PacketType.HANDSHAKE, PacketType.ZERO_RTT

# (packet type, version, dcid, scid, token, packet number, its length, payload and tag), and the header's bytes. The
# first two of each version: RFC 9001 §A.2, §A.3; RFC 9369 §A.2, §A.3.
LONG_HEADERS = [
    ((INITIAL, VERSION_1, CLIENT_CID, b"", b"", 2, 4, 1178), "c300000001088394c8f03e5157080000449e00000002"),
    ((INITIAL, VERSION_1, b"", SERVER_CID, b"", 1, 2, 115), "c1000000010008f067a5502a4262b50040750001"),
    ((INITIAL, VERSION_1, b"\x01", b"\x02", b"tok", 0x1234, 1, 19), "c0 00000001 0101 0102 03746f6b 4014 34"),
    ((ZERO_RTT, VERSION_1, b"\x01", b"", b"", 5, 1, 19), "d0 00000001 0101 00 4014 05"),
    (
        (HANDSHAKE, VERSION_1, b"\xaa" * 20, b"\xbb" * 20, b"", 5, 3, 100),
        f"e2 00000001 14{'aa' * 20} 14{'bb' * 20} 4067 000005",
    ),
    ((INITIAL, VERSION_2, CLIENT_CID, b"", b"", 2, 4, 1178), "d36b3343cf088394c8f03e5157080000449e00000002"),
    ((INITIAL, VERSION_2, b"", SERVER_CID, b"", 1, 2, 115), "d16b3343cf0008f067a5502a4262b50040750001"),
    ((ZERO_RTT, VERSION_2, b"\x01", b"", b"", 5, 1, 19), "e0 6b3343cf 0101 00 4014 05"),
    ((HANDSHAKE, VERSION_2, b"\x01", b"", b"", 5, 1, 19), "f0 6b3343cf 0101 00 4014 05"),
]
LongHeaderFields = tuple[PacketType, int, bytes, bytes, bytes, int, int, int]


@pytest.mark.parametrize(("fields", "text"), LONG_HEADERS)
def test_long_headers_are_written(fields: LongHeaderFields, text: str) -> None:
    assert encode_long_header(*fields) == bytes.fromhex(text)


@pytest.mark.parametrize("before", [b"", b"another packet"])
@pytest.mark.parametrize(("fields", "text"), LONG_HEADERS)
def test_long_headers_are_read(fields: LongHeaderFields, text: str, before: bytes) -> None:
    packet_type, version, dcid, scid, token, _, pn_length, payload_length = fields
    header = bytes.fromhex(text)
    datagram = before + header + bytes(payload_length) + b"the next packet"
    parsed = parse_long_header(datagram, len(before))
    pn_offset = len(before) + len(header) - pn_length
    assert parsed == LongHeader(
        version, packet_type, dcid, scid, token, pn_offset, pn_offset + pn_length + payload_length
    )


@pytest.mark.parametrize(("fields", "text"), LONG_HEADERS)
def test_each_truncation_is_refused(fields: LongHeaderFields, text: str) -> None:
    packet = bytes.fromhex(text) + bytes(fields[-1])
    for length in range(len(packet)):
        with pytest.raises(DecodeError):
            parse_long_header(packet[:length], 0)


def test_length_that_two_bytes_do_not_hold() -> None:
    header = encode_long_header(HANDSHAKE, VERSION_1, b"", b"", b"", 0, 4, 16379)
    assert header[-6:-4] == b"\x7f\xff"
    with pytest.raises(ValueError, match="16383"):
        encode_long_header(HANDSHAKE, VERSION_1, b"", b"", b"", 0, 4, 16380)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("40 00000001 00 00 00 4014" + "00" * 20, "a short header"),
        ("80 00000001 00 00 00 4014" + "00" * 20, "fixed bit 0, RFC 9000 §17.2"),
        (f"c0 00000001 15{'aa' * 21} 00 00 4014" + "00" * 20, "destination ID of 21 bytes, §17.2"),
        (f"c0 6b3343cf 00 15{'aa' * 21} 00 4014" + "00" * 20, "source ID of 21 bytes, §17.2"),
        ("c0 00000001 00 00 ffffffffffffffff", "token longer than the datagram"),
        ("c0 00000001 00 00 00 ffffffffffffffff 00", "packet longer than the datagram"),
        ("80 00000000 00 00", "Version Negotiation without a version, §17.2.1"),
        ("80 00000000 00 00 000000", "Version Negotiation with half a version"),
        ("f0 00000001 00 00" + "00" * 16, "Retry with an empty token, §17.2.5.2"),
        ("f0 00000001 00 00" + "00" * 15, "Retry too short for its tag"),
    ],
)
def test_no_packet(text: str, why: str) -> None:
    with pytest.raises(DecodeError):
        parse_long_header(bytes.fromhex(text), 0, quic_bit=True)


def test_the_quic_bit_may_be_anything_between_those_who_agree_on_it() -> None:
    """RFC 9287 §3."""
    header = parse_long_header(bytes.fromhex("80 00000001 00 00 00 4014" + "00" * 20), 0)
    assert isinstance(header, LongHeader)
    assert header.packet_type is PacketType.INITIAL


# RFC 9001 §A.4, RFC 9369 §A.4; the tag is the last 16 bytes.
RETRIES = [
    (VERSION_1, "ff000000010008f067a5502a4262b5746f6b656e04a265ba2eff4d829058fb3f0f2496ba"),
    (VERSION_2, "cf6b3343cf0008f067a5502a4262b5746f6b656ec8646ce8bfe33952d955543665dcc7b6"),
]


@pytest.mark.parametrize(("version", "text"), RETRIES)
def test_retry(version: int, text: str) -> None:
    packet = bytes.fromhex(text)
    parsed = parse_long_header(packet, 0)
    assert parsed == RetryPacket(version, b"", SERVER_CID, b"token", packet[-16:], packet[:-16])
    assert encode_retry(version, b"", SERVER_CID, b"token", 0x0F) == packet[:-16]


def test_retry_after_another_packet_knows_its_own_bytes() -> None:
    packet = bytes.fromhex(RETRIES[0][1])
    parsed = parse_long_header(b"before" + packet, 6)
    assert isinstance(parsed, RetryPacket)
    assert parsed.without_tag == packet[:-16]


@pytest.mark.parametrize(
    ("dcid", "scid", "versions", "text"),
    [
        (b"\x01", b"\x02\x03", (VERSION_1, VERSION_2), "c0 00000000 0101 020203 00000001 6b3343cf"),
        (b"", b"\xaa" * 255, (0x1A2A3A4A,), f"c0 00000000 00 ff{'aa' * 255} 1a2a3a4a"),
    ],
)
def test_version_negotiation(dcid: bytes, scid: bytes, versions: tuple[int, ...], text: str) -> None:
    packet = bytes.fromhex(text)
    assert encode_version_negotiation(dcid, scid, versions, 0) == packet
    assert parse_long_header(packet, 0) == VersionNegotiation(dcid, scid, versions)
    # All bits but the first are the sender's to choose (RFC 8999 §6).
    assert parse_long_header(b"\x80" + packet[1:], 0) == VersionNegotiation(dcid, scid, versions)
    assert encode_version_negotiation(dcid, scid, versions, 0xFF)[0] == 0xFF


def test_unknown_version_is_read_as_far_as_all_versions_agree() -> None:
    packet = bytes.fromhex(f"80 1a2a3a4a ff{'aa' * 255} fe{'bb' * 254}") + b"whatever"
    assert parse_long_header(packet, 0) == UnknownVersion(0x1A2A3A4A, b"\xaa" * 255, b"\xbb" * 254)


@pytest.mark.parametrize(
    ("header", "text"),
    [
        (encode_short_header(b"", 654_360_564, 3), "4200bff4"),  # RFC 9001 §A.5
        (encode_short_header(b"\xaa\xbb", 0x1FF, 1), "40 aabb ff"),
        (encode_short_header(b"\xaa", 0x1FF, 2, spin=True), "61 aa 01ff"),
        (encode_short_header(b"\xaa", 1, 4, key_phase=True), "47 aa 00000001"),
    ],
)
def test_short_headers_are_written(header: bytes, text: str) -> None:
    assert header == bytes.fromhex(text)


@pytest.mark.parametrize(
    ("full", "largest_acked", "length"),
    [
        (0xAC5C02, 0xABE8B3, 2),  # RFC 9000 §A.2
        (0xACE8FE, 0xABE8B3, 3),
        (0, None, 1),
        (0, -1, 1),
        (126, None, 1),
        (127, None, 2),  # 256 numbers are not more than twice 128 (RFC 9000 §17.1)
        (127, 0, 1),
        (128, 0, 2),
        (2**31 - 1, 0, 4),
    ],
)
def test_packet_number_length(full: int, largest_acked: int | None, length: int) -> None:
    assert encode_packet_number(full, largest_acked) == length


def test_packet_number_that_four_bytes_do_not_hold() -> None:
    with pytest.raises(ValueError, match="4 bytes"):
        encode_packet_number(2**31, 0)


@pytest.mark.parametrize(
    ("largest", "truncated", "bits", "expected"),
    [
        (0xA82F30EA, 0x9B32, 16, 0xA82F9B32),  # RFC 9000 §A.3
        (-1, 0, 8, 0),
        (-1, 255, 8, 255),
        (254, 0, 8, 256),
        (256, 255, 8, 255),
        (383, 0, 8, 512),  # 128 below and 128 above what is expected: the one above
        (2**62 - 2, 255, 8, 2**62 - 1),
        (2**62 - 2, 0, 8, 2**62 - 256),
    ],
)
def test_packet_number_decoding(largest: int, truncated: int, bits: int, expected: int) -> None:
    assert decode_packet_number(largest, truncated, bits) == expected


@given(st.integers(0, 2**62 - 1), st.integers(0, 2**31 - 2), st.data())
@settings(deadline=None, max_examples=200)
def test_packet_number_round_trip(full: int, in_flight: int, data: st.DataObject) -> None:
    """Whatever the receiver has seen between the last acknowledged number and this one, it finds the number."""
    acked = max(-1, full - 1 - in_flight)
    bits = 8 * encode_packet_number(full, acked)
    seen = data.draw(st.integers(acked, full - 1))
    assert decode_packet_number(seen, full & ((1 << bits) - 1), bits) == full


known_start = st.sampled_from([VERSION_1, VERSION_2, 0, 0x1A2A3A4A]).map(lambda version: version.to_bytes(4, "big"))
nearly_packets = st.builds(
    lambda first, version, dcid, scid, rest: (
        bytes((first | 0x80,)) + version + bytes((len(dcid),)) + dcid + bytes((len(scid),)) + scid + rest
    ),
    st.integers(0, 255),
    known_start,
    st.binary(max_size=22),
    st.binary(max_size=22),
    st.binary(max_size=60),
)


@given(st.binary(max_size=80) | nearly_packets, st.integers(0, 5))
@settings(deadline=None, max_examples=500)
def test_any_bytes_give_a_header_or_a_decode_error(datagram: bytes, pos: int) -> None:
    try:
        parsed = parse_long_header(datagram, pos)
    except DecodeError:
        return
    if isinstance(parsed, LongHeader):
        assert pos < parsed.pn_offset <= parsed.end <= len(datagram)
