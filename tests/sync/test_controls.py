from __future__ import annotations

import socket
import struct

import pytest

from quicmini.sync.controls import SOL_UDP, UDP_GRO, ecn_controls, parse_controls, segment_control

IP_TOS, IP_PKTINFO, IPV6_PKTINFO, IPV6_TCLASS = 1, 8, 50, 67


def test_segment_size() -> None:
    assert segment_control(1200) == (17, 103, struct.pack("=H", 1200))
    assert parse_controls([(SOL_UDP, UDP_GRO, struct.pack("=i", 1452))]) == (1452, None, 0)
    assert parse_controls([]) == (0, None, 0)


def test_ipv4_answers_come_from_the_same_address() -> None:
    received = struct.pack("=I", 7) + bytes([192, 0, 2, 1]) + bytes([192, 0, 2, 255])
    size, answer, _ = parse_controls([(socket.IPPROTO_IP, IP_PKTINFO, received)])
    assert size == 0
    assert answer == (socket.IPPROTO_IP, IP_PKTINFO, bytes(4) + bytes([192, 0, 2, 1]) + bytes(4))


@pytest.mark.parametrize(("address", "interface"), [("2001:db8::1", 0), ("fe80::1", 7), ("::ffff:192.0.2.1", 0)])
def test_ipv6_answers_come_from_the_same_address(address: str, interface: int) -> None:
    packed = socket.inet_pton(socket.AF_INET6, address)
    controls = [
        (SOL_UDP, UDP_GRO, struct.pack("=i", 1200)),
        (socket.IPPROTO_IPV6, IPV6_PKTINFO, packed + struct.pack("=I", 7)),
    ]
    expected = (socket.IPPROTO_IPV6, IPV6_PKTINFO, packed + struct.pack("=I", interface))
    assert parse_controls(controls) == (1200, expected, 0)


def test_the_ecn_field() -> None:
    """RFC 3168 §5: two bits; the other six mean something else."""
    assert parse_controls([(socket.IPPROTO_IP, IP_TOS, b"\xfe")]) == (0, None, 2)
    assert parse_controls([(socket.IPPROTO_IPV6, IPV6_TCLASS, struct.pack("=i", 0x0F))]) == (0, None, 3)
    assert ecn_controls(socket.AF_INET, 2) == ((socket.IPPROTO_IP, IP_TOS, struct.pack("=i", 2)),)
    assert ecn_controls(socket.AF_INET6, 0) == (
        (socket.IPPROTO_IP, IP_TOS, bytes(4)),
        (socket.IPPROTO_IPV6, IPV6_TCLASS, bytes(4)),
    )


def test_what_is_cut_off_or_unknown_is_ignored() -> None:
    cut_off = [(socket.IPPROTO_IP, IP_PKTINFO, bytes(3)), (socket.IPPROTO_IP, IP_TOS, b"")]
    assert parse_controls([*cut_off, (socket.IPPROTO_IPV6, IPV6_TCLASS, b"?"), (1, 2, b"?")]) == (0, None, 0)
