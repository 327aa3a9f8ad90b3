"""Reading and writing the presentation language of TLS: numbers and vectors (RFC 9846 §3)."""

from __future__ import annotations

from collections.abc import Iterable
from struct import pack, unpack

from quicmini.errors import crypto_error
from quicmini.tls.codes import Alert

__all__ = ["Reader", "encode_u16_list", "encode_vector"]


class Reader:
    """A cursor over a peer's bytes. Everything that does not fit raises the decode_error alert.

    what: the name of the structure, for the error's sentence.
    """

    __slots__ = ("_data", "_pos", "_what")

    def __init__(self, data: bytes, what: str) -> None:
        self._data = data
        self._pos = 0
        self._what = what

    def take(self, length: int) -> bytes:
        """The next `length` bytes."""
        start = self._pos
        end = self._pos = start + length
        if end > len(self._data):
            raise crypto_error(Alert.DECODE_ERROR, f"{self._what} is truncated")
        return self._data[start:end]

    def number(self, size: int) -> int:
        """An unsigned number of `size` bytes (RFC 9846 §3.3)."""
        return int.from_bytes(self.take(size))

    def vector(self, size: int, minimum: int = 0) -> bytes:
        """A vector whose length stands before it in `size` bytes (RFC 9846 §3.4); `minimum` bytes at least."""
        start = self._pos + size
        length = int.from_bytes(self._data[self._pos : start])
        if length < minimum:
            raise crypto_error(Alert.DECODE_ERROR, f"{self._what} has a vector that is too short")
        self._pos = start
        return self.take(length)

    def u16_list(self, size: int) -> tuple[int, ...]:
        """A non-empty vector of 16-bit numbers."""
        data = self.vector(size, minimum=2)
        if len(data) % 2:
            raise crypto_error(Alert.DECODE_ERROR, f"{self._what} has a list of odd length")
        return unpack(f">{len(data) // 2}H", data)

    @property
    def at_end(self) -> bool:
        return self._pos >= len(self._data)

    def finish(self) -> None:
        """Nothing may be left over (RFC 9846 §4.3)."""
        if self._pos != len(self._data):
            raise crypto_error(Alert.DECODE_ERROR, f"{self._what} has trailing bytes")


def encode_vector(size: int, data: bytes) -> bytes:
    """`data` after its length in `size` bytes."""
    return len(data).to_bytes(size) + data


def encode_u16_list(size: int, values: Iterable[int]) -> bytes:
    """16-bit numbers after their length in `size` bytes."""
    numbers = tuple(values)
    return (2 * len(numbers)).to_bytes(size) + pack(f">{len(numbers)}H", *numbers)
