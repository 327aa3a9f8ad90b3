"""A cursor that makes a `Field` of everything it reads."""

from __future__ import annotations

import re
from collections.abc import Callable

from quicmini.errors import DecodeError
from quicmini.study.fields import Field
from quicmini.wire.varint import decode_varint

__all__ = ["FieldReader", "Truncated", "shown_bytes"]

_TEXT_SHOWN = 80  # characters of application data that a value quotes
_WORD = re.compile(rb"[A-Za-z ]{5}")


class Truncated(ValueError):
    """The bytes end before the field does; the sentence says which field, and where."""


class FieldReader:
    """Reads `data` from `position` to `end`; the fields gather in `fields`.

    section: of the fields that do not bring their own. Offsets are positions in `data`.
    """

    def __init__(self, data: bytes, position: int = 0, end: int | None = None, section: str = "") -> None:
        self.data = data
        self.position = position
        self.end = len(data) if end is None else min(end, len(data))
        self.section = section
        self.fields: list[Field] = []

    def varint(self, name: str, show: Callable[[int], str] = str, section: str = "") -> int:
        """A variable-length integer (RFC 9000 §16). Raises Truncated."""
        start = self.position
        try:
            value, after = decode_varint(self.data, start)
        except DecodeError:
            after = self.end + 1
            value = 0
        if after > self.end:
            size = 1 << (self.data[start] >> 6) if start < self.end else 1
            raise Truncated(self._truncated(name, size))
        self._add(name, after, show(value), section)
        return value

    def number(self, name: str, size: int, show: Callable[[int], str] = str, section: str = "") -> int:
        """An unsigned number of `size` bytes. Raises Truncated."""
        value = int.from_bytes(self._peek(name, size))
        self._add(name, self.position + size, show(value), section)
        return value

    def octets(
        self, name: str, length: int, show: Callable[[bytes], str] = lambda data: "", section: str = ""
    ) -> bytes:
        """`length` bytes. Raises Truncated."""
        value = self._peek(name, length)
        self._add(name, self.position + length, show(value), section)
        return value

    def rest(self, name: str, show: Callable[[bytes], str] = lambda data: "", section: str = "") -> bytes:
        """All that is left, nothing perhaps."""
        return self.octets(name, self.end - self.position, show, section)

    def mark(self) -> tuple[int, int]:
        """Where a field begins that is going to have children; for `collapse`."""
        return len(self.fields), self.position

    def collapse(self, name: str, mark: tuple[int, int], value: str, section: str = "") -> None:
        """What was read since `mark` becomes the children of one field."""
        count, start = mark
        children = tuple(self.fields[count:])
        del self.fields[count:]
        raw = self.data[start : self.position]
        self.fields.append(Field(name, start, raw, value, section or self.section, children))

    def _peek(self, name: str, length: int) -> bytes:
        if length > self.end - self.position:
            raise Truncated(self._truncated(name, length))
        return self.data[self.position : self.position + length]

    def _truncated(self, name: str, needed: int) -> str:
        left = self.end - self.position
        return f"truncated: {name} at offset {self.position} takes {needed} bytes, {left} are left"

    def _add(self, name: str, after: int, value: str, section: str) -> None:
        raw = self.data[self.position : after]
        self.fields.append(Field(name, self.position, raw, value, section or self.section))
        self.position = after


def shown_bytes(data: bytes) -> str:
    """How many bytes, and the text that they are; where words are among other bytes, those, with dots between."""
    size = f"{len(data)} byte{'' if len(data) == 1 else 's'}"
    start = data[:_TEXT_SHOWN]
    more = "…" if len(data) > len(start) else ""
    text = start.decode(errors="ignore" if more else "replace")  # the cut may have gone through a character
    if text and len(text.encode()) > len(start) - 4 and all(each.isprintable() or each in "\r\n\t" for each in text):
        return f"{size} {text!r}{more}"
    if not _WORD.search(start):  # by chance, random bytes have one now and then
        return size
    visible = "".join(chr(byte) if 0x20 <= byte < 0x7F else "·" for byte in start)
    return f"{size} |{visible}|{more}"
