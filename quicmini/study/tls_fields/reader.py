"""A cursor for the language of TLS (RFC 9846 §3): vectors, and structures within structures."""

from __future__ import annotations

from collections.abc import Callable

from quicmini.study.field_reader import FieldReader, Unreadable, are_left
from quicmini.study.fields import Field, unreadable
from quicmini.study.texts import bytes_text

__all__ = ["Parse", "TlsReader", "compose"]


class TlsReader(FieldReader):
    """Reads one structure; what is "unreadable" in it is caught by `compose`."""

    def peek(self, length: int) -> bytes:
        """The next bytes, as many as there are up to `length`; they stay to be read."""
        return self.data[self.position : self.position + length]

    def rest(self, name: str, section: str = "", show: Callable[[bytes], str] = lambda _: "") -> bytes:
        """A field of all that is left; none if nothing is."""
        return super().rest(name, section, show) if self.left else b""

    def numbers(self, name: str, size: int, section: str = "", show: Callable[[int], str] = str) -> list[str]:
        """Numbers of `size` bytes up to the end, as they are shown."""
        first = len(self.fields)
        while self.left:
            self.number(name, size, section, show)
        return [field.value for field in self.fields[first:]]

    def vector(self, name: str, size: int, parse: Parse, section: str = "") -> None:
        """A vector (RFC 9846 §3.4): its length in `size` bytes, and what `parse` makes of its contents."""
        self.need(f"the length of {name}", size)
        length = int.from_bytes(self.peek(size))
        if length > self.left - size:
            self.fail(f"{name} says that it has {bytes_text(length)}, {are_left(self.left - size)}")
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
        self.need(name, length)
        self.fields.append(compose(name, self.peek(length), self.offset, parse, section))
        self.position += length


# Reads all fields of a structure; the result is its value, for people.
Parse = Callable[[TlsReader], str]


def compose(name: str, raw: bytes, offset: int, parse: Parse, section: str = "") -> Field:
    """The field that consists of what `parse` reads; bytes that it leaves, or cannot read, are "unreadable"."""
    reader = TlsReader(raw, base=offset)
    value = ""
    try:
        value = parse(reader)
        if reader.left:
            reader.fail(f"{name} should have ended here")
    except Unreadable as error:
        reader.fields.append(unreadable(reader.offset, reader.peek(reader.left), str(error)))
    return Field(name, offset, raw, value, section, tuple(reader.fields))
