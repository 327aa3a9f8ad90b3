"""The capture as a file for other tools."""

from __future__ import annotations

import struct
from pathlib import Path

from quicmini.study.link.link import Captured
from tests.interop.pcap import write_pcap


def test_a_file_with_both_ip_versions(tmp_path: Path) -> None:
    four = Captured(1.5, True, ("127.0.0.1", 1000), ("127.0.0.2", 443), ("127.0.0.1", 1), b"hello", 2, None, False)
    six = Captured(2.0, False, ("::1", 443), ("::1", 1), ("::1", 1), b"there", 1, 2.1, False)
    write_pcap(tmp_path / "file", [four, six])
    content = (tmp_path / "file").read_bytes()
    assert content[:4] == bytes.fromhex("d4c3b2a1")
    assert struct.unpack("<IIII", content[24:40]) == (1, 500_000, 33, 33)
    ipv4 = content[40:73]
    assert (ipv4[0], ipv4[1], ipv4[9]) == (0x45, 2, 17)
    assert (ipv4[12:16], ipv4[16:20]) == (bytes([127, 0, 0, 1]), bytes([127, 0, 0, 2]))
    assert struct.unpack("!HHHH", ipv4[20:28]) == (1, 443, 13, 0)
    assert ipv4[28:] == b"hello"
    assert struct.unpack("<IIII", content[73:89]) == (2, 0, 53, 53)
    ipv6 = content[89:]
    assert (ipv6[0] >> 4, ipv6[1] >> 4, ipv6[6]) == (6, 1, 17)
    assert ipv6[48:] == b"there"


def test_both_directions_have_the_same_addresses(tmp_path: Path) -> None:
    """The link stands between the two, and each talks to it."""
    client, front, path, server = (("127.0.0.1", port) for port in (1, 2, 3, 4))
    there = Captured(0.0, True, client, front, path, b"hello", 0, None, False)
    back = Captured(0.0, False, server, path, path, b"there", 0, None, False)
    write_pcap(tmp_path / "file", [there, back])
    content = (tmp_path / "file").read_bytes()
    ports = [struct.unpack("!HH", content[start : start + 4]) for start in (24 + 16 + 20, 24 + 2 * (16 + 20) + 13)]
    assert ports == [(3, 2), (2, 3)]
