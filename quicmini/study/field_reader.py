"""A cursor over bytes that makes a `Field` of each piece it reads."""

from __future__ import annotations

from collections.abc import Callable
from typing import NoReturn

from quicmini.study.fields import Field
from quicmini.study.texts import bytes_text
from quicmini.wire.varint import decode_varint

__all__ = ["FieldReader", "Unreadable", "are_left"]


class Unreadable(ValueError):
    """The bytes do not go on as they should; the sentence says why, and where."""


def _nothing(_: bytes) -> str:
    return ""


class FieldReader:
    """Reads `data` from `position` to `end`; `fields` are the pieces so far.

    base: the offset of the first byte of `data`. section: of the pieces that do not bring their own.
    Every method that reads names the piece, and raises Unreadable where the bytes end before it does.
    """

    def __init__(
        self, data: bytes, position: int = 0, end: int | None = None, *, base: int = 0, section: str = ""
    ) -> None:
        self.data = data
        self.position = position
        self.end = len(data) if end is None else min(end, len(data))
        self.base = base
        self.section = section
        self.fields: list[Field] = []

    @property
    def left(self) -> int:
        """How many bytes are still to be read."""
        return self.end - self.position

    @property
    def offset(self) -> int:
        """Where the next piece starts."""
        return self.base + self.position

    def octets(self, name: str, length: int, section: str = "", show: Callable[[bytes], str] = _nothing) -> bytes:
        """A piece of `length` bytes."""
        self.need(name, length)
        raw = self.data[self.position : self.position + length]
        self.fields.append(Field(name, self.offset, raw, show(raw), section or self.section))
        self.position += length
        return raw

    def rest(self, name: str, section: str = "", show: Callable[[bytes], str] = _nothing) -> bytes:
        """All that is left, nothing perhaps."""
        return self.octets(name, self.left, section, show)

    def number(self, name: str, size: int, section: str = "", show: Callable[[int], str] = str) -> int:
        """An unsigned number of `size` bytes."""
        return int.from_bytes(self.octets(name, size, section, lambda raw: show(int.from_bytes(raw))))

    def varint(self, name: str, section: str = "", show: Callable[[int], str] = str) -> int:
        """A variable-length integer (RFC 9000 §16)."""
        self.need(name, 1)
        self.need(name, 1 << (self.data[self.position] >> 6))
        value, after = decode_varint(self.data, self.position)
        self.octets(name, after - self.position, section, lambda _: show(value))
        return value

    def mark(self) -> tuple[int, int]:
        """Where a field begins that is going to have children; for `collapse`."""
        return len(self.fields), self.position

    def collapse(self, name: str, mark: tuple[int, int], value: str, section: str = "") -> None:
        """What was read since `mark` becomes the children of one field."""
        count, start = mark
        children = tuple(self.fields[count:])
        del self.fields[count:]
        raw = self.data[start : self.position]
        self.fields.append(Field(name, self.base + start, raw, value, section or self.section, children))

    def need(self, name: str, length: int) -> None:
        """There must be so many bytes for what has this name."""
        if length > self.left:
            self.fail(f"truncated: {name} needs {bytes_text(length)}, {are_left(self.left)}")

    def fail(self, why: str) -> NoReturn:
        """Give up here, for this reason."""
        raise Unreadable(f"{why} (byte {self.offset})")


def are_left(count: int) -> str:
    """How a sentence about missing bytes ends."""
    return f"{count} {'is' if count == 1 else 'are'} left"
