"""The blocks of a pcapng file (draft-ietf-opsawg-pcapng §4), little-endian, and the packets in them.

A datagram is written with the IP and UDP headers that it had, as far as a program can know them: the hop limit, for
one, is made up.
"""

from __future__ import annotations

import ipaddress
import struct
from functools import lru_cache

__all__ = ["Address", "interface_block", "packet_block", "secrets_block", "section_block"]

Address = tuple[str, int]  # IP address and port

_SECTION_HEADER, _INTERFACE, _ENHANCED_PACKET, _DECRYPTION_SECRETS = 0x0A0D0D0A, 1, 6, 10
_LINKTYPE_RAW = 101  # a bare IP packet
_TLS_KEY_LOG = 0x544C534B
_PACKET = struct.Struct("<IIIIIII")  # type, length, interface, time (upper, lower half), and the packet's length twice
_FLAGS = {sent: struct.pack("<HHIHH", 2, 4, 2 if sent else 1, 0, 0) for sent in (False, True)}  # out, in


def _block(kind: int, body: bytes) -> bytes:
    body += bytes(-len(body) % 4)
    length = struct.pack("<I", len(body) + 12)
    return struct.pack("<I", kind) + length + body + length


def _option(code: int, value: bytes) -> bytes:
    return struct.pack("<HH", code, len(value)) + value + bytes(-len(value) % 4)


def section_block() -> bytes:
    """What the file begins with."""
    application = _option(4, b"quicmini") + _option(0, b"")
    return _block(_SECTION_HEADER, struct.pack("<IHHq", 0x1A2B3C4D, 1, 0, -1) + application)


def interface_block() -> bytes:
    """The only interface: where a packet went is not known, and does not matter."""
    options = _option(2, b"quicmini") + _option(9, b"\x09") + _option(0, b"")  # times in 10**-9 seconds
    return _block(_INTERFACE, struct.pack("<HHI", _LINKTYPE_RAW, 0, 0) + options)


def secrets_block(lines: str) -> bytes:
    """A Decryption Secrets Block with lines of a key log (RFC 9850)."""
    text = lines.encode("ascii")
    return _block(_DECRYPTION_SECRETS, struct.pack("<II", _TLS_KEY_LOG, len(text)) + text)


def packet_block(time: int, payload: bytes, source: Address, destination: Address, ecn: int, is_sent: bool) -> bytes:
    """An Enhanced Packet Block: a UDP datagram with its IP header. time: nanoseconds since 1970."""
    packet = _ip_packet(payload, source, destination, ecn)
    size = len(packet)
    padded = size + -size % 4
    length = _PACKET.size + padded + 12 + 4
    head = _PACKET.pack(_ENHANCED_PACKET, length, 0, time >> 32, time & 0xFFFFFFFF, size, size)
    return head + packet + bytes(padded - size) + _FLAGS[is_sent] + length.to_bytes(4, "little")


# What the datagram travelled in.

_UDP = 17
_HOP_LIMIT = 64


def _ip_packet(payload: bytes, source: Address, destination: Address, ecn: int) -> bytes:
    hosts = _packed(source[0]) + _packed(destination[0])
    length = 8 + len(payload)
    ports = struct.pack("!HHH", source[1], destination[1], length)
    checksum = _checksum(hosts + struct.pack("!II", length, _UDP) + ports + b"\0\0" + payload)
    udp = ports + checksum.to_bytes(2, "big") + payload
    if len(hosts) == 32:
        return struct.pack("!IHBB", 6 << 28 | ecn << 20, length, _UDP, _HOP_LIMIT) + hosts + udp
    dont_fragment = 0x4000
    head = struct.pack("!BBHHHBB", 0x45, ecn, 20 + length, 0, dont_fragment, _HOP_LIMIT, _UDP)
    return head + _checksum(head + hosts).to_bytes(2, "big") + hosts + udp


def _checksum(data: bytes) -> int:
    """RFC 1071: the complement of a sum of 16-bit words with end-around carry, which is a remainder. Never 0, which
    would say that there is none (RFC 768)."""
    return 0xFFFF - int.from_bytes(data + b"\0" * (len(data) % 2), "big") % 0xFFFF


@lru_cache(maxsize=1024)
def _packed(host: str) -> bytes:
    return ipaddress.ip_address(host).packed
