"""Variable-length integers: 62 bits in 1, 2, 4 or 8 bytes; the first two bits tell which (RFC 9000 §16)."""

from __future__ import annotations

import struct

from quicmini.errors import DecodeError

__all__ = ["MAX_VARINT", "decode_varint", "encode_varint", "varint_size"]

MAX_VARINT = 2**62 - 1

_read_uint32 = struct.Struct(">I").unpack_from
_read_uint64 = struct.Struct(">Q").unpack_from

_ONE_BYTE = [bytes((value,)) for value in range(0x40)]  # looked up in half the time that making them takes


def encode_varint(value: int) -> bytes:
    """The shortest encoding of `value`. Raises ValueError outside 0 to 2**62-1."""
    if 0 <= value < 0x40:
        return _ONE_BYTE[value]
    if 0 <= value < 0x4000:
        return (value | 0x4000).to_bytes(2, "big")
    if 0 <= value < 0x4000_0000:
        return (value | 0x8000_0000).to_bytes(4, "big")
    if 0 <= value <= MAX_VARINT:
        return (value | 0xC000_0000_0000_0000).to_bytes(8, "big")
    raise ValueError(f"a variable-length integer is 0 to 2**62-1, not {value}")


def decode_varint(data: bytes, pos: int) -> tuple[int, int]:
    """The integer that starts at `pos`, and the position after it. Raises DecodeError if the bytes end too early."""
    # Each size is read in its own way: half the time of slicing and int.from_bytes, and this runs all the time.
    try:
        first = data[pos]
        if first < 0x40:
            return first, pos + 1
        if first < 0x80:
            return (first & 0x3F) << 8 | data[pos + 1], pos + 2
        if first < 0xC0:
            return _read_uint32(data, pos)[0] & 0x3FFF_FFFF, pos + 4
        return _read_uint64(data, pos)[0] & MAX_VARINT, pos + 8
    except (IndexError, struct.error):
        raise DecodeError("a variable-length integer is truncated") from None


def varint_size(value: int) -> int:
    """How many bytes `encode_varint(value)` gives. Raises ValueError outside 0 to 2**62-1."""
    if 0 <= value < 0x40:
        return 1
    if 0 <= value < 0x4000:
        return 2
    if 0 <= value < 0x4000_0000:
        return 4
    if 0 <= value <= MAX_VARINT:
        return 8
    raise ValueError(f"a variable-length integer is 0 to 2**62-1, not {value}")
