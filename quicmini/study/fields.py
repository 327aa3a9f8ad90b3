"""What everything that is taken apart becomes: fields with a place, bytes, a meaning and a section of an RFC."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

__all__ = ["Field", "unreadable"]


class Field(NamedTuple):
    """A piece of a datagram, of a decrypted payload or of a CRYPTO stream; what it consists of are its children.

    name: the RFC's word. offset: bytes, from the start of what is being taken apart. raw: the bytes of the field, those
    of its children included. value: decoded, for people; may be empty. section: as in "RFC 9000 §17.2"; may be empty.
    """

    name: str
    offset: int
    raw: bytes
    value: str
    section: str
    children: tuple[Field, ...] = ()

    @property
    def end(self) -> int:
        """Where the next field starts."""
        return self.offset + len(self.raw)

    def walk(self) -> Iterator[Field]:
        """This field and all below it, in the order in which they are read."""
        yield self
        for child in self.children:
            yield from child.walk()


def unreadable(offset: int, raw: bytes, why: str) -> Field:
    """What could not be read; `why` says what is wrong and where."""
    return Field("unreadable", offset, raw, why, "")
