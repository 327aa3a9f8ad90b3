"""Ancillary data of UDP sockets: how bursts are cut into datagrams, which of this host's addresses they concern, and
what their IP headers say of congestion.

The socket module has no names for most of this; the numbers are those of Linux.
"""

from __future__ import annotations

import socket
import struct
import sys

__all__ = ["CONTROL_SPACE", "SOL_UDP", "UDP_GRO", "UDP_SEGMENT", "Control", "ask_for_ecn", "ask_for_local_address",
           "ecn_controls", "local_address", "mark_by_default", "parse_controls", "segment_control"]  # fmt: skip

# What sendmsg takes: level, type, data.
Control = tuple[int, int, bytes]

# <linux/udp.h>
SOL_UDP = 17
UDP_SEGMENT = 103
UDP_GRO = 104

IP_TOS, IP_PKTINFO, IP_RECVTOS = 1, 8, 13  # <linux/in.h>
IPV6_RECVPKTINFO, IPV6_PKTINFO, IPV6_RECVTCLASS, IPV6_TCLASS = 49, 50, 66, 67  # <linux/in6.h>

# The two lower bits of what IPv4 calls type of service, and IPv6 traffic class (RFC 3168 §5).
_ECN = 0x03
_INT = struct.Struct("=i")

_PKTINFO = struct.Struct("=I4s4s")  # interface, this host's address, the address in the header: struct in_pktinfo
_PKTINFO6 = struct.Struct("=16sI")  # address, interface: struct in6_pktinfo

# Bytes for one UDP_GRO, one of the two addresses, and one ECN field.
CONTROL_SPACE = 2 * socket.CMSG_SPACE(_INT.size) + socket.CMSG_SPACE(_PKTINFO6.size)


def segment_control(size: int) -> Control:
    """For a burst: datagrams of this many bytes, the last may be shorter."""
    return SOL_UDP, UDP_SEGMENT, struct.pack("=H", size)


def ask_for_local_address(sock: socket.socket) -> bool:
    """Have each datagram come with the address that it was sent to."""
    if sys.platform != "linux":
        return False
    is_ipv6 = sock.family == socket.AF_INET6
    try:
        if is_ipv6:
            sock.setsockopt(socket.IPPROTO_IPV6, IPV6_RECVPKTINFO, 1)
        else:
            sock.setsockopt(socket.IPPROTO_IP, IP_PKTINFO, 1)
    except OSError:
        return False
    return True


def ask_for_ecn(sock: socket.socket) -> bool:
    """Have each datagram come with the ECN field of its IP header."""
    return _set_both(sock, IP_RECVTOS, IPV6_RECVTCLASS, 1)


def mark_by_default(sock: socket.socket, ecn: int) -> bool:
    """Send this ECN field where a datagram's `ecn_controls` do not say otherwise: most need none then."""
    return _set_both(sock, IP_TOS, IPV6_TCLASS, ecn)


def ecn_controls(family: int, ecn: int) -> tuple[Control, ...]:
    """For datagrams with this ECN field. On a socket that speaks IPv6, some may go to an IPv4 address nevertheless."""
    ipv4 = (socket.IPPROTO_IP, IP_TOS, _INT.pack(ecn))
    return (ipv4, (socket.IPPROTO_IPV6, IPV6_TCLASS, _INT.pack(ecn))) if family == socket.AF_INET6 else (ipv4,)


def _set_both(sock: socket.socket, ipv4_option: int, ipv6_option: int, value: int) -> bool:
    if sys.platform != "linux":
        return False
    try:
        sock.setsockopt(socket.IPPROTO_IP, ipv4_option, value)
        if sock.family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, ipv6_option, value)
    except OSError:
        return False
    return True


def parse_controls(controls: list[Control]) -> tuple[int, Control | None, int]:
    """The size of a received burst's datagrams (0: not told), what to send along so that an answer comes from the
    address that the datagram was sent to (None: not told), and the ECN field (0: none, or not told)."""
    size, answer, ecn = 0, None, 0
    for level, kind, data in controls:
        if level == SOL_UDP and kind == UDP_GRO:
            size = int.from_bytes(data[:4], sys.byteorder)
        elif level == socket.IPPROTO_IP and kind == IP_TOS and data:
            ecn = data[0] & _ECN
        elif level == socket.IPPROTO_IPV6 and kind == IPV6_TCLASS and len(data) >= _INT.size:
            ecn = _INT.unpack_from(data)[0] & _ECN
        elif level == socket.IPPROTO_IP and kind == IP_PKTINFO and len(data) >= _PKTINFO.size:
            _, local, _ = _PKTINFO.unpack_from(data)
            answer = (level, kind, _PKTINFO.pack(0, local, bytes(4)))
        elif level == socket.IPPROTO_IPV6 and kind == IPV6_PKTINFO and len(data) >= _PKTINFO6.size:
            local, interface = _PKTINFO6.unpack_from(data)
            # Routing chooses the interface, except for link-local addresses, which mean nothing without one.
            is_link_local = local[0] == 0xFE and local[1] & 0xC0 == 0x80
            answer = (level, kind, _PKTINFO6.pack(local, interface if is_link_local else 0))
    return size, answer, ecn


def local_address(answer: Control) -> str:
    """This host's IP address in what `parse_controls` wants to be sent along."""
    _, kind, data = answer
    if kind == IPV6_PKTINFO:
        return socket.inet_ntop(socket.AF_INET6, _PKTINFO6.unpack_from(data)[0])
    return socket.inet_ntop(socket.AF_INET, _PKTINFO.unpack_from(data)[1])
