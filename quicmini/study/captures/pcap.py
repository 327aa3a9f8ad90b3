"""The classic format of tcpdump: a header, then frames, each with its time and two lengths (draft-ietf-opsawg-pcap)."""

from __future__ import annotations

import struct
from collections.abc import Iterator

from quicmini.study.captures.capture import CapturedFrame, CaptureError, Remarks

__all__ = ["MAGIC_NUMBERS", "read_pcap"]

HEADER_SIZE = 24  # bytes
RECORD_HEADER_SIZE = 16  # bytes

# How the file begins -> byte order, and how many units of its time fractions a second has.
MAGIC_NUMBERS: dict[bytes, tuple[str, int]] = {
    bytes.fromhex("d4c3b2a1"): ("<", 1_000_000),
    bytes.fromhex("a1b2c3d4"): (">", 1_000_000),
    bytes.fromhex("4d3cb2a1"): ("<", 1_000_000_000),
    bytes.fromhex("a1b23c4d"): (">", 1_000_000_000),
}


def read_pcap(data: bytes, remarks: Remarks) -> Iterator[CapturedFrame]:
    """The frames in order. Raises CaptureError for a header that cannot be read; what breaks off later is remarked."""
    order, units = MAGIC_NUMBERS[data[:4]]
    if len(data) < HEADER_SIZE:
        raise CaptureError(f"a pcap file begins with {HEADER_SIZE} bytes of header; this one has {len(data)} in all")
    major, minor = struct.unpack_from(order + "HH", data, 4)
    if major != 2:
        raise CaptureError(f"pcap version {major}.{minor} is not known: version 2.4 is")
    # The upper bits tell of a checksum after each frame, which the lengths inside the frame leave out anyway.
    link_type = struct.unpack_from(order + "I", data, 20)[0] & 0xFFFF
    record = struct.Struct(order + "IIII")
    pos = HEADER_SIZE
    number = 0
    while pos < len(data):
        number += 1
        start = pos + RECORD_HEADER_SIZE
        if start > len(data):
            remarks.end(f"the file ends within frame {number}")
            return
        seconds, fraction, captured, _original = record.unpack_from(data, pos)
        pos = start + captured
        if pos > len(data):
            remarks.end(f"the file ends within frame {number}: {pos - len(data)} bytes of it are missing")
            return
        yield CapturedFrame(seconds + fraction / units, link_type, data[start:pos])
