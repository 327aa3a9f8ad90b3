"""Frames and files made by hand, for the tests of what reads them."""

from __future__ import annotations

import struct
from ipaddress import ip_address

HOSTS_4 = ip_address("192.0.2.1").packed + ip_address("192.0.2.2").packed
HOSTS_6 = ip_address("2001:db8::1").packed + ip_address("2001:db8::2").packed


def udp(payload: bytes, length: int | None = None) -> bytes:
    return struct.pack("!HHHH", 1000, 443, 8 + len(payload) if length is None else length, 0) + payload


def ipv4(
    body: bytes, *, options: bytes = b"", fragment: int = 0, protocol: int = 17, length: int | None = None, tos: int = 0
) -> bytes:
    size = 20 + len(options)
    total = size + len(body) if length is None else length
    first = 0x40 | size // 4
    return struct.pack("!BBHHHBBH", first, tos, total, 0, fragment, 64, protocol, 0) + HOSTS_4 + options + body


def ipv6(body: bytes, *, following: int = 17, length: int | None = None, traffic_class: int = 0) -> bytes:
    first = 6 << 28 | traffic_class << 20
    return struct.pack("!IHBB", first, len(body) if length is None else length, following, 64) + HOSTS_6 + body


def pcap_header(order: str = "<", magic: int = 0xA1B2C3D4, *, major: int = 2, link_type: int = 101) -> bytes:
    return struct.pack(order + "IHHiIII", magic, major, 4, 0, 0, 65535, link_type)


def pcap_record(order: str, seconds: int, fraction: int, data: bytes, original: int | None = None) -> bytes:
    return struct.pack(order + "IIII", seconds, fraction, len(data), original or len(data)) + data


def block(order: str, kind: int, body: bytes) -> bytes:
    """A pcapng block, padded as it must be."""
    body += bytes(-len(body) % 4)
    length = struct.pack(order + "I", 12 + len(body))
    return struct.pack(order + "I", kind) + length + body + length


def section(order: str = "<", *, major: int = 1, options: bytes = b"") -> bytes:
    return block(order, 0x0A0D0D0A, struct.pack(order + "IHHq", 0x1A2B3C4D, major, 0, -1) + options)


def interface(order: str = "<", link_type: int = 101, *, snap: int = 0, options: bytes = b"") -> bytes:
    return block(order, 1, struct.pack(order + "HHI", link_type, 0, snap) + options)


def option(order: str, code: int, value: bytes) -> bytes:
    return struct.pack(order + "HH", code, len(value)) + value + bytes(-len(value) % 4)


def enhanced(order: str, data: bytes, *, time: int = 0, of: int = 0) -> bytes:
    return block(order, 6, struct.pack(order + "IIIII", of, time >> 32, time & 0xFFFFFFFF, len(data), len(data)) + data)


def secrets(order: str, text: bytes, kind: int = 0x544C534B) -> bytes:
    return block(order, 10, struct.pack(order + "II", kind, len(text)) + text)
