"""Headers as fields: what they say is what the parser of wire/ says, and their bytes are those of the packet."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import vectors
from quicmini.errors import DecodeError
from quicmini.study.dissection.header_fields import (
    Header,
    first_byte_field,
    read_header,
    read_short_header,
)
from quicmini.wire.packet import (
    VERSION_1,
    VERSION_2,
    LongHeader,
    PacketType,
    RetryPacket,
    UnknownVersion,
    VersionNegotiation,
    encode_retry,
    encode_version_negotiation,
    parse_long_header,
)

PACKETS = [
    vectors.load(name).values.octets("packet")
    for name in (
        "rfc9001-a2-client-initial", "rfc9001-a3-server-initial", "rfc9001-a4-retry", "rfc9369-a2-client-initial",
        "rfc9369-a3-server-initial", "rfc9369-a4-retry",
    )
]  # fmt: skip
NEGOTIATION = encode_version_negotiation(b"to", b"from", [VERSION_2, 0x1A2A3A4A])


def agrees(header: Header, datagram: bytes) -> None:
    """With the parser, which either takes a packet or leaves it."""
    try:
        parsed = parse_long_header(datagram, 0)
    except DecodeError:
        assert header.problem
        return
    assert header.problem == ""
    assert (header.destination_cid, header.source_cid) == (parsed.destination_cid, parsed.source_cid)
    if isinstance(parsed, LongHeader):
        assert (header.packet_type, header.version, header.token) == (
            parsed.packet_type, parsed.version, parsed.token
        )  # fmt: skip
        assert (header.pn_offset, header.end) == (parsed.pn_offset, parsed.end)
    elif isinstance(parsed, RetryPacket):
        assert (header.token, header.tag) == (parsed.token, parsed.integrity_tag)
    elif isinstance(parsed, VersionNegotiation):
        assert header.versions == parsed.versions
    else:
        assert isinstance(parsed, UnknownVersion)
        assert (header.packet_type, header.version) == (None, parsed.version)


@pytest.mark.parametrize("packet", [*PACKETS, NEGOTIATION, encode_retry(1, b"a", b"b", b"token") + bytes(16)])
def test_as_the_parser_has_it_whole_and_cut_anywhere(packet: bytes) -> None:
    for end in range(1, len(packet) + 1):
        header = read_header(packet[:end], 0)
        agrees(header, packet[:end])
        covered = header.fields[-1].end
        assert covered == (header.pn_offset or end)


@given(st.binary(max_size=80), st.sampled_from([VERSION_1, VERSION_2, 0, 0x1A2A3A4A]))
@settings(deadline=None, max_examples=500)
def test_as_the_parser_has_it_for_any_bytes(rest: bytes, version: int) -> None:
    datagram = b"\xc0" + version.to_bytes(4) + rest
    agrees(read_header(datagram, 0), datagram)


def test_fields_lie_one_behind_the_other() -> None:
    for packet in PACKETS:
        fields = read_header(b"\0\0" + packet, 2).fields
        offset = 2
        for field in fields:
            assert field.offset == offset
            assert field.raw == (b"\0\0" + packet)[field.offset : field.end]
            offset = field.end


def test_the_length_field_promises_more_than_there_is() -> None:
    header = read_header(PACKETS[0][:100], 0)
    assert header.problem == "truncated: the Length field says 1182 bytes, 82 are left"
    assert (header.pn_offset, header.end) == (18, 100)


def test_a_short_header_takes_the_length_it_is_told() -> None:
    header = read_short_header(b"\x40" + b"12345678" + bytes(20), 0, 8)
    assert (header.destination_cid, header.pn_offset, header.end) == (b"12345678", 9, 29)
    assert (
        "truncated: Destination Connection ID needs 8 bytes, 3 are left (byte 1)"
        in read_short_header(b"\x40123", 0, 8).problem
    )


def test_the_bits_of_the_first_byte() -> None:
    field = first_byte_field(PacketType.ONE_RTT, 0, 0, 0x5B, 0x46)
    assert field.value == "5b on the wire"
    assert [(child.name, child.value) for child in field.children] == [
        ("Header Form", "0... .... short"),
        ("Fixed Bit", ".1.. .... 1"),
        ("Spin Bit", "..0. .... 0"),
        ("Reserved Bits", "...0 0... 0"),
        ("Key Phase", ".... .1.. 1"),
        ("Packet Number Length", ".... ..10 3 bytes"),
    ]
    protected = first_byte_field(PacketType.INITIAL, VERSION_2, 0, 0xD3)
    assert [child.value for child in protected.children[2:]] == [
        "..01 .... Initial", ".... 00.. protected", ".... ..11 protected"
    ]  # fmt: skip
