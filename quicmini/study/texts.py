"""Bytes and their numbers in words."""

from __future__ import annotations

import re

__all__ = ["bytes_text", "shown_bytes", "shown_text"]

_TEXT_SHOWN = 80  # characters of application data that a value quotes
_WORD = re.compile(rb"[A-Za-z ]{5}")


def bytes_text(count: int) -> str:
    """A number of bytes, in words."""
    return f"{count} byte{'' if count == 1 else 's'}"


def shown_text(raw: bytes) -> str:
    """Bytes that are meant to be text; what is not printable ASCII is escaped."""
    return "".join(chr(byte) if 0x20 <= byte < 0x7F and byte != 0x5C else f"\\x{byte:02x}" for byte in raw)


def shown_bytes(data: bytes) -> str:
    """How many bytes, and the text that they are; where words are among other bytes, those, with dots between."""
    size = bytes_text(len(data))
    start = data[:_TEXT_SHOWN]
    more = "…" if len(data) > len(start) else ""
    text = start.decode(errors="ignore" if more else "replace")  # the cut may have gone through a character
    if text and len(text.encode()) > len(start) - 4 and all(each.isprintable() or each in "\r\n\t" for each in text):
        return f"{size} {text!r}{more}"
    if not _WORD.search(start):  # by chance, random bytes have one now and then
        return size
    visible = "".join(chr(byte) if 0x20 <= byte < 0x7F else "·" for byte in start)
    return f"{size} |{visible}|{more}"
