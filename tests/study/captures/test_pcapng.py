"""pcapng files, made by hand, and damaged ones."""

from __future__ import annotations

import struct
from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quicmini.study.captures import CaptureError, read_capture
from tests.study.captures.frames import block, enhanced, interface, ipv4, option, pcap_header, secrets, section, udp

PACKET = ipv4(udp(b"hello"))
KEY = b"CLIENT_RANDOM 00 11\n"


def payloads(*blocks: bytes) -> list[bytes]:
    return [each.payload for each in read_capture(b"".join(blocks)).datagrams]


@pytest.mark.parametrize("order", "<>")
def test_each_block_that_has_a_frame(order: str) -> None:
    old = block(order, 2, struct.pack(order + "HHIIII", 0, 9, 0, 5_000_000, len(PACKET), len(PACKET)) + PACKET)
    simple = block(order, 3, struct.pack(order + "I", len(PACKET)) + PACKET)
    file = section(order) + interface(order) + enhanced(order, PACKET, time=3_500_000) + old + simple
    capture = read_capture(file)
    assert [(each.number, each.time, each.payload) for each in capture.datagrams] == [
        (1, 3.5, b"hello"),
        (2, 5.0, b"hello"),
        (3, 0.0, b"hello"),
    ]
    assert capture.remarks == []


@pytest.mark.parametrize("order", "<>")
@pytest.mark.parametrize(
    ("resolution", "offset", "time"), [(9, 0, 3.5e9), (0x82, 0, 14), (3, -2, 5500), (None, 1, 2.5e6)]
)
def test_units_of_time(order: str, resolution: int | None, offset: int, time: float) -> None:
    options = option(order, 2, b"lo") + option(order, 14, struct.pack(order + "q", offset))
    if resolution is not None:
        options += option(order, 9, bytes([resolution]))
    options += option(order, 0, b"")
    (datagram,) = read_capture(
        section(order) + interface(order, options=options) + enhanced(order, PACKET, time=int(time))
    ).datagrams
    assert datagram.time == 3.5


def test_a_simple_block_is_cut_as_its_interface_says() -> None:
    simple = block("<", 3, struct.pack("<I", len(PACKET)) + PACKET[:30])
    (datagram,) = read_capture(section() + interface(snap=30) + simple).datagrams
    assert (datagram.payload, datagram.truncated) == (b"he", True)


def test_a_frame_belongs_to_its_interface() -> None:
    ethernet = bytes(12) + b"\x08\x00" + PACKET
    blocks = section(), interface(), interface(link_type=1), enhanced("<", PACKET), enhanced("<", ethernet, of=1)
    assert payloads(*blocks) == [b"hello", b"hello"]


def test_a_section_has_its_own_interfaces_and_byte_order() -> None:
    first = section("<") + interface("<", link_type=1)
    second = section(">") + interface(">") + enhanced(">", PACKET)
    assert payloads(first, second) == [b"hello"]


def test_secrets_of_all_sections() -> None:
    file = section() + secrets("<", KEY) + secrets("<", b"wireguard", kind=0x57474B4C) + section(">")
    assert read_capture(file + secrets(">", KEY[:-1])).secrets == 2 * KEY.decode()


def test_other_blocks_are_passed_over() -> None:
    others = block("<", 5, bytes(12)) + block("<", 0xBAD, b"custom")
    assert payloads(section(), others, interface(), others, enhanced("<", PACKET)) == [b"hello"]


def test_a_frame_of_no_interface() -> None:
    capture = read_capture(section() + interface() + enhanced("<", PACKET, of=1) + enhanced("<", PACKET))
    assert [each.number for each in capture.datagrams] == [2]
    assert capture.remarks == ["frame 1 passed over: it is of an interface that the file does not describe"]


def test_blocks_too_short_for_what_they_are() -> None:
    short = block("<", 1, b""), block("<", 10, b""), block("<", 6, bytes(12))
    capture = read_capture(section() + interface() + b"".join(short) + enhanced("<", PACKET))
    assert [each.number for each in capture.datagrams] == [2]
    assert capture.remarks == ["frame 1 passed over: its block is too short"]


WHOLE = section() + interface() + enhanced("<", PACKET)
DAMAGED = {
    "ends within a block": (WHOLE[:-1], "the file ends within a block: 1 bytes are missing"),
    "ends within a block's head": (
        section() + interface() + bytes(8),
        "the file ends within a block that begins at byte 48",
    ),
    "a length of nothing": (
        section() + bytes(12),
        "the file is damaged: the block at byte 28 cannot have a length of 0",
    ),
    "an odd length": (
        section() + struct.pack("<III", 5, 13, 13) + b"?",
        "the file is damaged: the block at byte 28 cannot have a length of 13",
    ),
    "two lengths": (
        section() + struct.pack("<III", 5, 12, 16),
        "the file is damaged: the block at byte 28 does not end with its own length",
    ),
}


@pytest.mark.parametrize(("data", "remark"), DAMAGED.values(), ids=DAMAGED.keys())
def test_a_damaged_file(data: bytes, remark: str) -> None:
    assert read_capture(data).remarks == [remark]


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        (section()[:12], "the pcapng section at byte 0 has no readable header"),
        (section()[:8] + b"????" + section()[12:], "the pcapng section at byte 0 has no readable header"),
        (section(major=2), "pcapng version 2.0 is not known: version 1.0 is"),
    ],
)
def test_a_section_that_cannot_be_read(data: bytes, sentence: str) -> None:
    with pytest.raises(CaptureError) as caught:
        read_capture(data)
    assert str(caught.value) == sentence


@settings(deadline=None, max_examples=300)
@given(st.sampled_from([b"", WHOLE, pcap_header(), section("<") + interface("<")]), st.binary(max_size=80), st.data())
def test_any_bytes_give_a_capture_or_a_clear_error(whole: bytes, noise: bytes, data: st.DataObject) -> None:
    cut = data.draw(st.integers(0, len(whole)))
    file = whole[:cut] + noise + whole[cut:]
    with suppress(CaptureError):
        assert sum(len(each.payload) for each in read_capture(file).datagrams) <= len(file)
