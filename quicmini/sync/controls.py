"""Ancillary data of UDP sockets: how bursts are cut into datagrams, and which of this host's addresses they concern.

The socket module has no names for most of this; the numbers are those of Linux.
"""

from __future__ import annotations

import socket
import struct
import sys

__all__ = ["CONTROL_SPACE", "SOL_UDP", "UDP_GRO", "UDP_SEGMENT", "Control", "ask_for_local_address", "parse_controls",
           "segment_control"]  # fmt: skip

# What sendmsg takes: level, type, data.
Control = tuple[int, int, bytes]

# <linux/udp.h>
SOL_UDP = 17
UDP_SEGMENT = 103
UDP_GRO = 104

IP_PKTINFO = 8  # <linux/in.h>
IPV6_RECVPKTINFO, IPV6_PKTINFO = 49, 50  # <linux/in6.h>

_PKTINFO = struct.Struct("=I4s4s")  # interface, this host's address, the address in the header: struct in_pktinfo
_PKTINFO6 = struct.Struct("=16sI")  # address, interface: struct in6_pktinfo

# Bytes for one UDP_GRO and one of the two addresses.
CONTROL_SPACE = socket.CMSG_SPACE(4) + socket.CMSG_SPACE(_PKTINFO6.size)


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


def parse_controls(controls: list[Control]) -> tuple[int, Control | None]:
    """The size of a received burst's datagrams (0: not told), and what to send along so that an answer comes from the
    address that the datagram was sent to (None: not told)."""
    size, answer = 0, None
    for level, kind, data in controls:
        if level == SOL_UDP and kind == UDP_GRO:
            size = int.from_bytes(data[:4], sys.byteorder)
        elif level == socket.IPPROTO_IP and kind == IP_PKTINFO and len(data) >= _PKTINFO.size:
            _, local, _ = _PKTINFO.unpack_from(data)
            answer = (level, kind, _PKTINFO.pack(0, local, bytes(4)))
        elif level == socket.IPPROTO_IPV6 and kind == IPV6_PKTINFO and len(data) >= _PKTINFO6.size:
            local, interface = _PKTINFO6.unpack_from(data)
            # Routing chooses the interface, except for link-local addresses, which mean nothing without one.
            is_link_local = local[0] == 0xFE and local[1] & 0xC0 == 0x80
            answer = (level, kind, _PKTINFO6.pack(local, interface if is_link_local else 0))
    return size, answer
