"""The shapes that the contents of extensions have: one number, a list of numbers, a list of byte strings, …"""

from __future__ import annotations

from collections.abc import Callable

from quicmini.study.texts import shown_text
from quicmini.study.tls_fields.reader import Parse, TlsReader

__all__ = ["counted", "empty", "number", "numbers", "opaque", "opaques", "raw"]


def counted(count: int, what: str) -> str:
    """The number and the word, which takes an s but for one."""
    return f"{count} {what}{'' if count == 1 else 's'}"


def raw(reader: TlsReader) -> str:
    """Contents that nothing is known about."""
    return counted(len(reader.rest("extension_data")), "byte") if reader.left else "empty"


def empty(reader: TlsReader) -> str:
    """An extension that says all by being there."""
    return "empty"


def number(name: str, size: int, show: Callable[[int], str] = str) -> Parse:
    """One number of `size` bytes."""
    return lambda reader: show(reader.number(name, size, show=show))


def numbers(name: str, entry: str, size: int, length_size: int, show: Callable[[int], str] = str) -> Parse:
    """Numbers of `size` bytes, the length of their list in `length_size` bytes before it."""
    return _last(
        lambda reader: reader.vector(name, length_size, lambda items: ", ".join(items.numbers(entry, size, show=show)))
    )


def opaque(name: str, length_size: int, show: Callable[[bytes], str] = lambda _: "") -> Parse:
    """One byte string after its length."""
    return _last(lambda reader: reader.opaque(name, length_size, show=show))


def opaques(
    name: str, entry: str, length_size: int, entry_length_size: int, show: Callable[[bytes], str] = shown_text
) -> Parse:
    """Byte strings, each after its length, and the length of all of them before."""

    def entries(reader: TlsReader) -> str:
        while reader.left:
            reader.opaque(entry, entry_length_size, show=show)
        return ", ".join(field.value for field in reader.fields[1:])

    return _last(lambda reader: reader.vector(name, length_size, entries))


def _last(read: Callable[[TlsReader], None]) -> Parse:
    """The value is taken from the field that `read` makes."""

    def parse(reader: TlsReader) -> str:
        read(reader)
        return reader.take_value()

    return parse
