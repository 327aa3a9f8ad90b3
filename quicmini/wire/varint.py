"""Variable-length integers: 62 bits in 1, 2, 4 or 8 bytes; the first two bits tell which (RFC 9000 §16)."""

from __future__ import annotations

from quicmini.errors import DecodeError

__all__ = ["MAX_VARINT", "decode_varint", "encode_varint", "varint_size"]

MAX_VARINT = 2**62 - 1


def encode_varint(value: int) -> bytes:
    """The shortest encoding of `value`. Raises ValueError outside 0 to 2**62-1."""
    if 0 <= value < 0x40:
        return value.to_bytes(1, "big")
    if 0 <= value < 0x4000:
        return (value | 0x4000).to_bytes(2, "big")
    if 0 <= value < 0x4000_0000:
        return (value | 0x8000_0000).to_bytes(4, "big")
    if 0 <= value <= MAX_VARINT:
        return (value | 0xC000_0000_0000_0000).to_bytes(8, "big")
    raise ValueError(f"a variable-length integer is 0 to 2**62-1, not {value}")


def decode_varint(data: bytes, pos: int) -> tuple[int, int]:
    """The integer that starts at `pos`, and the position after it. Raises DecodeError if the bytes end too early."""
    if pos >= len(data):
        raise DecodeError("no byte left for a variable-length integer")
    first = data[pos]
    if first < 0x40:
        return first, pos + 1
    size = 1 << (first >> 6)
    end = pos + size
    if end > len(data):
        raise DecodeError("a variable-length integer is truncated")
    return int.from_bytes(data[pos:end], "big") & ((1 << (8 * size - 2)) - 1), end


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
