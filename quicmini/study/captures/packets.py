"""From a captured frame to the UDP datagram inside: link layers, IPv4 (RFC 791), IPv6 (RFC 8200), UDP (RFC 768)."""

from __future__ import annotations

import ipaddress
import struct
from collections.abc import Callable
from functools import lru_cache
from typing import NamedTuple

from quicmini.study.captures.capture import Address

__all__ = ["LINK_TYPES", "NotUdp", "Udp", "udp_of"]

_IPV4, _IPV6 = 0x0800, 0x86DD  # EtherType
_VLAN_TAGS = (0x8100, 0x88A8, 0x9100)
_SMALLEST_ETHERTYPE = 0x0600  # below: a length (IEEE 802.3)
_UDP = 17
_FRAGMENT, _AUTHENTICATION = 44, 51
# IPv6 extension headers of the usual form (RFC 6564): hop-by-hop, routing, destination, mobility, HIP, shim6.
_EXTENSIONS = (0, 43, 60, 135, 139, 140)
# AF_INET6 has another number on each system: NetBSD and OpenBSD, FreeBSD, macOS, Linux.
_FAMILIES = {2: _IPV4, 24: _IPV6, 28: _IPV6, 30: _IPV6, 10: _IPV6}


class NotUdp(Exception):
    """There is no datagram to be had from this frame; the message says why."""


class Udp(NamedTuple):
    """As `CapturedDatagram` has it."""

    source: Address
    destination: Address
    payload: bytes
    truncated: bool
    ecn: int


def udp_of(link_type: int, frame: bytes) -> Udp:
    """The datagram in a frame. Raises NotUdp."""
    find = LINK_TYPES.get(link_type)
    if find is None:
        raise NotUdp(f"its link type, number {link_type}, is not known")
    try:
        ethertype, start = find(frame)
        if ethertype == _IPV4:
            return _of_ipv4(frame, start)
        if ethertype == _IPV6:
            return _of_ipv6(frame, start)
    except (struct.error, IndexError):
        raise NotUdp("it ends within a header") from None
    raise NotUdp("it is not IP")


# Link layers: each tells the EtherType, and where what comes after begins.


def _ethernet(frame: bytes) -> tuple[int, int]:
    return _skip_vlan_tags(frame, 12)


def _skip_vlan_tags(frame: bytes, pos: int) -> tuple[int, int]:
    (ethertype,) = struct.unpack_from("!H", frame, pos)
    while ethertype in _VLAN_TAGS:
        pos += 4
        (ethertype,) = struct.unpack_from("!H", frame, pos)
    if ethertype < _SMALLEST_ETHERTYPE:
        raise NotUdp("it is not IP")
    return ethertype, pos + 2


def _null(frame: bytes) -> tuple[int, int]:
    """The address family, in the byte order of whichever machine captured it."""
    family = frame[0] or frame[3]
    return _FAMILIES.get(family, 0), 4


def _raw(frame: bytes) -> tuple[int, int]:
    return {4: _IPV4, 6: _IPV6}.get(frame[0] >> 4, 0), 0


def _linux_cooked(frame: bytes) -> tuple[int, int]:
    return _skip_vlan_tags(frame, 14)


def _linux_cooked_2(frame: bytes) -> tuple[int, int]:
    (ethertype,) = struct.unpack_from("!H", frame)
    if ethertype not in _VLAN_TAGS:
        return ethertype, 20
    return _skip_vlan_tags(frame, 22)


# By the numbers that the tcpdump group gives them.
LINK_TYPES: dict[int, Callable[[bytes], tuple[int, int]]] = {
    0: _null,
    1: _ethernet,
    12: _raw,  # what some systems write for 101
    14: _raw,
    101: _raw,
    108: _null,
    113: _linux_cooked,
    228: lambda frame: (_IPV4, 0),
    229: lambda frame: (_IPV6, 0),
    276: _linux_cooked_2,
}


def _of_ipv4(frame: bytes, start: int) -> Udp:
    first, tos, total_length, _, fragment, _, protocol = struct.unpack_from("!BBHHHBB", frame, start)
    header_length = (first & 0x0F) * 4
    if first >> 4 != 4 or header_length < 20:
        raise NotUdp("its IPv4 header is malformed")
    if fragment & 0x3FFF:  # more to come, or an offset
        raise NotUdp("it is a fragment of an IP packet, and fragments are not put together")
    if protocol != _UDP:
        raise NotUdp("it is not UDP")
    hosts = frame[start + 12 : start + 16], frame[start + 16 : start + 20]
    # 0: whoever captured a burst before the hardware cut it did not know.
    end = start + total_length if total_length else len(frame)
    return _of_udp(frame, start + header_length, end, hosts, tos & 0x03)


def _of_ipv6(frame: bytes, start: int) -> Udp:
    first, payload_length, following = struct.unpack_from("!IHB", frame, start)
    if first >> 28 != 6:
        raise NotUdp("its IPv6 header is malformed")
    pos = start + 40
    end = pos + payload_length if payload_length else len(frame)
    while following != _UDP:
        kind, following, length = following, frame[pos], frame[pos + 1]
        if kind in _EXTENSIONS:
            pos += (length + 1) * 8
        elif kind == _AUTHENTICATION:
            pos += (length + 2) * 4
        elif kind == _FRAGMENT:
            # Without an offset and without more to come, it is all there (RFC 6946).
            if struct.unpack_from("!H", frame, pos + 2)[0] & 0xFFF9:
                raise NotUdp("it is a fragment of an IP packet, and fragments are not put together")
            pos += 8
        else:
            raise NotUdp("it is not UDP")
    hosts = frame[start + 8 : start + 24], frame[start + 24 : start + 40]
    return _of_udp(frame, pos, end, hosts, first >> 20 & 0x03)


def _of_udp(frame: bytes, pos: int, end: int, hosts: tuple[bytes, bytes], ecn: int) -> Udp:
    source_port, destination_port, length = struct.unpack_from("!HHH", frame, pos)
    if length == 0:
        length = end - pos  # longer than the field can tell (RFC 2675 §4)
    if length < 8 or pos + length > end:
        raise NotUdp("its UDP length does not fit")
    payload = frame[pos + 8 : pos + length]
    source, destination = (_text(host) for host in hosts)
    truncated = len(payload) < length - 8
    return Udp((source, source_port), (destination, destination_port), payload, truncated, ecn)


@lru_cache(maxsize=1024)
def _text(host: bytes) -> str:
    """A capture has few addresses, each of them very often."""
    return str(ipaddress.ip_address(host))
