"""What the link has captured as a file for Wireshark: with the key logs beside it, it can be read to the last frame.

The format is classic pcap with bare IP packets (LINKTYPE_RAW). Headers are made up from what the link knows; UDP
checksums are left out, as IPv4 permits.
"""

from __future__ import annotations

import ipaddress
import struct
from collections.abc import Iterable
from pathlib import Path

from quicmini.study.link.link import Address, Captured

__all__ = ["write_pcap"]

_FILE_HEADER = struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 101)
_UDP = 17


def write_pcap(path: Path, captured: Iterable[Captured]) -> None:
    """Every datagram as its sender sent it, whether it arrived or not.

    Both directions of a path have the same two addresses, or Wireshark would not know that they belong together: the
    client's is the one that the server sees, which a rebinding changes, and the server's the one that the client does.
    """
    datagrams = list(captured)
    servers = {each.path: each.destination for each in datagrams if each.to_server}
    with open(path, "wb") as file:
        file.write(_FILE_HEADER)
        for datagram in datagrams:
            packet = _packet(datagram, servers.get(datagram.path, datagram.source))
            seconds, microseconds = divmod(round(datagram.time * 1e6), 1_000_000)
            file.write(struct.pack("<IIII", seconds, microseconds, len(packet), len(packet)) + packet)


def _packet(captured: Captured, server: Address) -> bytes:
    """The IP packet around a datagram."""
    source, destination = (captured.path, server) if captured.to_server else (server, captured.path)
    udp = struct.pack("!HHHH", source[1], destination[1], 8 + len(captured.datagram), 0) + captured.datagram
    if ":" in source[0]:
        first = 6 << 28 | captured.ecn << 20
        return struct.pack("!IHBB", first, len(udp), _UDP, 64) + _packed(source) + _packed(destination) + udp
    header = struct.pack("!BBHHHBBH", 0x45, captured.ecn, 20 + len(udp), 0, 0, 64, _UDP, 0)
    return header + _packed(source) + _packed(destination) + udp


def _packed(address: Address) -> bytes:
    return ipaddress.ip_address(address[0]).packed
