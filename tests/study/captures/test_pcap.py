"""Classic pcap files, made by hand."""

from __future__ import annotations

import pytest

from quicmini.study.captures import CaptureError, read_capture
from tests.study.captures.frames import ipv4, pcap_header, pcap_record, udp

PACKET = ipv4(udp(b"hello"))


@pytest.mark.parametrize("order", "<>")
@pytest.mark.parametrize(("magic", "fraction"), [(0xA1B2C3D4, 250_000), (0xA1B23C4D, 250_000_000)])
def test_byte_orders_and_units(order: str, magic: int, fraction: int) -> None:
    records = pcap_record(order, 7, fraction, PACKET) + pcap_record(order, 8, 0, PACKET)
    capture = read_capture(pcap_header(order, magic) + records)
    assert [(each.number, each.time) for each in capture.datagrams] == [(1, 7.25), (2, 8.0)]
    assert capture.remarks == []


def test_the_upper_bits_of_the_link_type_are_not_part_of_it() -> None:
    capture = read_capture(pcap_header(link_type=101 | 0x2400_0000) + pcap_record("<", 0, 0, PACKET + b"\1\2\3\4"))
    assert [each.payload for each in capture.datagrams] == [b"hello"]


def test_frames_that_are_passed_over_are_counted() -> None:
    others = [pcap_record("<", 0, 0, ipv4(b"", protocol=6))] * 2 + [pcap_record("<", 0, 0, b"?")]
    capture = read_capture(pcap_header() + others[0] + pcap_record("<", 0, 0, PACKET) + b"".join(others[1:]))
    assert [each.number for each in capture.datagrams] == [2]
    assert capture.remarks == [
        "2 frames (the first is frame 1) passed over: it is not UDP",
        "frame 4 passed over: it is not IP",
    ]


@pytest.mark.parametrize(
    ("missing", "remark"),
    [
        (1, "the file ends within frame 2: 1 bytes of it are missing"),
        (len(PACKET) + 1, "the file ends within frame 2"),
    ],
)
def test_a_file_that_breaks_off(missing: int, remark: str) -> None:
    capture = read_capture((pcap_header() + 2 * pcap_record("<", 0, 0, PACKET))[:-missing])
    assert [each.payload for each in capture.datagrams] == [b"hello"]
    assert capture.remarks == [remark]


def test_a_length_that_nobody_can_have_meant() -> None:
    capture = read_capture(pcap_header() + b"\xff" * 16 + PACKET)
    assert (capture.datagrams, len(capture.remarks)) == ([], 1)


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        (b"", "the file is empty: a pcap or pcapng file was expected"),
        (b"GIF89a", "not a pcap or pcapng file: it begins with the bytes 47494638"),
        (b"\x1f\x8b\x08", "not a pcap or pcapng file: it is compressed with gzip: gunzip it first"),
        (pcap_header()[:23], "a pcap file begins with 24 bytes of header; this one has 23 in all"),
        (pcap_header(major=3), "pcap version 3.4 is not known: version 2.4 is"),
    ],
)
def test_what_is_no_capture(data: bytes, sentence: str) -> None:
    with pytest.raises(CaptureError) as caught:
        read_capture(data)
    assert str(caught.value) == sentence
