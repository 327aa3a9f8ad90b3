"""Frames of each link layer, made by hand."""

from __future__ import annotations

import pytest

from quicmini.study.captures.packets import NotUdp, udp_of
from tests.study.captures.frames import ipv4, ipv6, udp

RAW = 101
HELLO = udp(b"hello")
FOUR, SIX = ipv4(HELLO), ipv6(HELLO)
MACS = bytes(12)

LINKS = {
    "Ethernet": (1, MACS + b"\x08\x00" + FOUR + b"padding"),
    "Ethernet, IPv6": (1, MACS + b"\x86\xdd" + SIX),
    "Ethernet, one VLAN": (1, MACS + b"\x81\x00\x00\x07\x08\x00" + FOUR),
    "Ethernet, two VLANs": (1, MACS + b"\x88\xa8\x00\x07\x81\x00\x00\x07\x86\xdd" + SIX),
    "NULL, little-endian": (0, b"\x02\x00\x00\x00" + FOUR),
    "NULL, big-endian": (0, b"\x00\x00\x00\x02" + FOUR),
    "NULL, IPv6 of macOS": (0, b"\x1e\x00\x00\x00" + SIX),
    "LOOP": (108, b"\x00\x00\x00\x18" + SIX),
    "RAW": (101, FOUR),
    "RAW, IPv6": (12, SIX),
    "RAW of OpenBSD": (14, SIX),
    "cooked": (113, bytes(14) + b"\x08\x00" + FOUR),
    "cooked, VLAN": (113, bytes(14) + b"\x81\x00\x00\x07\x86\xdd" + SIX),
    "cooked 2": (276, b"\x08\x00" + bytes(18) + FOUR),
    "cooked 2, VLAN": (276, b"\x81\x00" + bytes(18) + b"\x00\x07\x08\x00" + FOUR),
    "IPV4": (228, FOUR),
    "IPV6": (229, SIX),
}


@pytest.mark.parametrize(("link_type", "frame"), LINKS.values(), ids=LINKS.keys())
def test_a_link_layer(link_type: int, frame: bytes) -> None:
    found = udp_of(link_type, frame)
    hosts = ("2001:db8::1", "2001:db8::2") if ":" in found.source[0] else ("192.0.2.1", "192.0.2.2")
    assert (found.source, found.destination) == ((hosts[0], 1000), (hosts[1], 443))
    assert (found.payload, found.truncated) == (b"hello", False)


PACKETS = {
    "IPv4 options": ipv4(HELLO, options=bytes(8)),
    "bytes after the datagram": FOUR + b"\xff\xff",
    "IPv4 of unknown length": ipv4(HELLO, length=0),
    "IPv6 of unknown length": ipv6(udp(b"hello", length=0), length=0),
    "hop-by-hop options": ipv6(bytes([17, 1]) + bytes(14) + HELLO, following=0),
    "two extensions": ipv6(bytes([60, 0]) + bytes(6) + bytes([17, 0]) + bytes(6) + HELLO, following=43),
    "an authentication header": ipv6(bytes([17, 4]) + bytes(22) + HELLO, following=51),
    "the only fragment": ipv6(bytes([17, 0]) + bytes(6) + HELLO, following=44),
}


@pytest.mark.parametrize("packet", PACKETS.values(), ids=PACKETS.keys())
def test_a_packet_with_more_in_it(packet: bytes) -> None:
    found = udp_of(RAW, packet)
    assert (found.payload, found.truncated) == (b"hello", False)


def test_the_congestion_bits() -> None:
    assert udp_of(RAW, ipv4(HELLO, tos=0xB9)).ecn == 1
    assert udp_of(RAW, ipv6(HELLO, traffic_class=0xB3)).ecn == 3


def test_a_datagram_whose_end_was_not_captured() -> None:
    for packet in (FOUR, SIX):
        found = udp_of(RAW, packet[:-2])
        assert (found.payload, found.truncated) == (b"hel", True)


FRAGMENT = "it is a fragment of an IP packet, and fragments are not put together"
REFUSED = {
    "an unknown link": (147, FOUR, "its link type, number 147, is not known"),
    "ARP": (1, MACS + b"\x08\x06" + FOUR, "it is not IP"),
    "a length where a type is expected": (1, MACS + b"\x00\x2e" + FOUR, "it is not IP"),
    "another family": (0, b"\x07\x00\x00\x00" + FOUR, "it is not IP"),
    "another version": (RAW, b"\x50" + FOUR, "it is not IP"),
    "IPv6 where IPv4 is expected": (228, SIX, "its IPv4 header is malformed"),
    "IPv4 where IPv6 is expected": (229, FOUR + bytes(40), "its IPv6 header is malformed"),
    "a short IPv4 header": (RAW, b"\x44" + FOUR[1:], "its IPv4 header is malformed"),
    "the first fragment": (RAW, ipv4(HELLO, fragment=0x2000), FRAGMENT),
    "a later fragment": (RAW, ipv4(HELLO, fragment=1), FRAGMENT),
    "an IPv6 fragment": (RAW, ipv6(bytes([17, 0, 0, 1]) + bytes(4) + HELLO, following=44), FRAGMENT),
    "TCP": (RAW, ipv4(HELLO, protocol=6), "it is not UDP"),
    "ICMPv6": (RAW, ipv6(HELLO, following=58), "it is not UDP"),
    "a UDP length below its header's": (RAW, ipv4(udp(b"", length=7)), "its UDP length does not fit"),
    "a UDP length beyond the packet": (RAW, ipv4(udp(b"", length=9)), "its UDP length does not fit"),
    "no frame": (RAW, b"", "it ends within a header"),
    "half a header": (RAW, FOUR[:19], "it ends within a header"),
    "half an extension": (RAW, ipv6(b"\x11", following=0), "it ends within a header"),
    "extensions to the end": (RAW, ipv6(bytes([0, 0] + [0] * 6) * 100, following=0), "it ends within a header"),
}


@pytest.mark.parametrize(("link_type", "frame", "reason"), REFUSED.values(), ids=REFUSED.keys())
def test_what_is_no_datagram(link_type: int, frame: bytes, reason: str) -> None:
    with pytest.raises(NotUdp) as caught:
        udp_of(link_type, frame)
    assert str(caught.value) == reason


@pytest.mark.parametrize(("link_type", "frame"), LINKS.values(), ids=LINKS.keys())
def test_every_beginning_of_a_frame_is_bearable(link_type: int, frame: bytes) -> None:
    outcomes: set[bool | str] = set()
    for length in range(len(frame)):
        try:
            outcomes.add(udp_of(link_type, frame[:length]).truncated)
        except NotUdp as reason:
            outcomes.add(str(reason))
    assert outcomes - {False} == {True, "it ends within a header"}
