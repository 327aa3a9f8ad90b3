"""A cursor over bytes that makes a `Field` of each piece it reads, in the language of TLS (RFC 9846 §3)."""

from __future__ import annotations

from collections.abc import Callable
from typing import NoReturn

from quicmini.errors import DecodeError
from quicmini.study.fields import Field, unreadable
from quicmini.wire.varint import decode_varint

__all__ = ["FieldReader", "Parse", "compose", "shown_text"]


class _Unreadable(Exception):
    """The bytes do not go on as they should; caught by `compose`."""


class FieldReader:
    """Reads `data`, which begins at `offset` of what is being taken apart; `fields` are the pieces so far.

    Every method names the piece and, where there is one, the section of the RFC.
    """

    __slots__ = ("_data", "_offset", "_pos", "fields")

    def __init__(self, data: bytes, offset: int) -> None:
        self._data = data
        self._offset = offset
        self._pos = 0
        self.fields: list[Field] = []

    @property
    def left(self) -> int:
        """How many bytes are still to be read."""
        return len(self._data) - self._pos

    @property
    def offset(self) -> int:
        """Where the next piece starts."""
        return self._offset + self._pos

    def peek(self, length: int) -> bytes:
        """The next bytes, as many as there are up to `length`; they stay to be read."""
        return self._data[self._pos : self._pos + length]

    def fail(self, why: str) -> NoReturn:
        """Give up here: what follows is "unreadable", for this reason."""
        raise _Unreadable(why)

    def _need(self, name: str, length: int) -> None:
        if length > self.left:
            raise _Unreadable(f"{name} needs {_bytes(length)}, {_are(self.left)} left")

    def octets(self, name: str, length: int, section: str = "", show: Callable[[bytes], str] = lambda _: "") -> bytes:
        """A field of `length` bytes."""
        self._need(name, length)
        raw = self.peek(length)
        self.fields.append(Field(name, self.offset, raw, show(raw), section))
        self._pos += length
        return raw

    def rest(self, name: str, section: str = "", show: Callable[[bytes], str] = lambda _: "") -> bytes:
        """A field of all that is left; none if nothing is."""
        return self.octets(name, self.left, section, show) if self.left else b""

    def number(self, name: str, size: int, section: str = "", show: Callable[[int], str] = str) -> int:
        """An unsigned number of `size` bytes (RFC 9846 §3.3)."""
        return int.from_bytes(self.octets(name, size, section, lambda raw: show(int.from_bytes(raw))))

    def numbers(self, name: str, size: int, section: str = "", show: Callable[[int], str] = str) -> list[str]:
        """Numbers of `size` bytes up to the end, as they are shown."""
        first = len(self.fields)
        while self.left:
            self.number(name, size, section, show)
        return [field.value for field in self.fields[first:]]

    def varint(self, name: str, section: str = "RFC 9000 §16", show: Callable[[int], str] = str) -> int:
        """A variable-length integer."""
        try:
            value, end = decode_varint(self._data, self._pos)
        except DecodeError:
            raise _Unreadable(f"{name} is a variable-length integer, and truncated") from None
        self.octets(name, end - self._pos, section, lambda _: show(value))
        return value

    def vector(self, name: str, size: int, parse: Parse, section: str = "") -> None:
        """A vector (RFC 9846 §3.4): its length in `size` bytes, and what `parse` makes of its contents."""
        self._need(f"the length of {name}", size)
        length = int.from_bytes(self.peek(size))
        if length > self.left - size:
            raise _Unreadable(f"{name} says that it has {_bytes(length)}, {_are(self.left - size)} left")
        self.part(name, size + length, lambda reader: reader._contents(size, parse), section)

    def _contents(self, size: int, parse: Parse) -> str:
        self.number("length", size)
        return parse(self)

    def opaque(self, name: str, size: int, section: str = "", show: Callable[[bytes], str] = lambda _: "") -> None:
        """A vector whose contents are one field."""
        self.vector(name, size, lambda reader: show(reader.rest(name)), section)

    def take_value(self) -> str:
        """The value of the last field, which goes to the one that surrounds it: it is to be read once."""
        field = self.fields[-1]
        self.fields[-1] = field._replace(value="")
        return field.value

    def part(self, name: str, length: int, parse: Parse, section: str = "") -> None:
        """A field of `length` bytes, and what `parse` makes of it."""
        self._need(name, length)
        self.fields.append(compose(name, self.peek(length), self.offset, parse, section))
        self._pos += length


# Reads all fields of a structure; the result is its value, for people.
Parse = Callable[[FieldReader], str]


def compose(name: str, raw: bytes, offset: int, parse: Parse, section: str = "") -> Field:
    """The field that consists of what `parse` reads; bytes that it leaves, or cannot read, are "unreadable"."""
    reader = FieldReader(raw, offset)
    value = ""
    why = f"{name} should have ended here"
    try:
        value = parse(reader)
    except _Unreadable as error:
        why = str(error)
        if not reader.left:  # no bytes to show: a field without any says it
            reader.fields.append(unreadable(reader.offset, b"", f"{why} (byte {reader.offset})"))
    if reader.left:
        reader.fields.append(unreadable(reader.offset, reader.peek(reader.left), f"{why} (byte {reader.offset})"))
    return Field(name, offset, raw, value, section, tuple(reader.fields))


def shown_text(raw: bytes) -> str:
    """Bytes that are meant to be text; what is not printable ASCII is escaped."""
    return "".join(chr(byte) if 0x20 <= byte < 0x7F and byte != 0x5C else f"\\x{byte:02x}" for byte in raw)


def _bytes(count: int) -> str:
    return "1 byte" if count == 1 else f"{count} bytes"


def _are(count: int) -> str:
    return f"{count} is" if count == 1 else f"{count} are"
