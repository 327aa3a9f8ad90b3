"""The chat's one message, on the wire and on a terminal."""

from __future__ import annotations

import unicodedata
from typing import NamedTuple

from chat import gob

__all__ = ["ALPN_PROTOCOL", "DEFAULT_PORT", "MAX_MESSAGE_SIZE", "Message", "printable"]

ALPN_PROTOCOL = "simpleproto"
DEFAULT_PORT = 4242
MAX_MESSAGE_SIZE = 64 * 1024  # bytes on the wire: nickname, text and the 60 or so that describe them


class Message(NamedTuple):
    """What someone says: Go's `struct { Nickname, Text string }`."""

    nickname: str
    text: str

    def encode(self) -> bytes:
        """The bytes of a stream that carries this message. Raises GobError if they are more than MAX_MESSAGE_SIZE."""
        data = gob.encode_strings("Message", {"Nickname": self.nickname, "Text": self.text})
        if len(data) > MAX_MESSAGE_SIZE:
            raise gob.GobError(f"a message of more than {MAX_MESSAGE_SIZE} bytes")
        return data

    @classmethod
    def decode(cls, data: bytes) -> Message | None:
        """The message in `data`, None if it is not all there yet.

        Raises GobError if this is no message, is followed by something else, or exceeds MAX_MESSAGE_SIZE bytes.
        """
        if len(data) > MAX_MESSAGE_SIZE:
            raise gob.GobError(f"a message of more than {MAX_MESSAGE_SIZE} bytes")
        if (decoded := gob.decode(data)) is None:
            return None
        value, length = decoded
        if length != len(data):
            raise gob.GobError(f"{len(data) - length} bytes behind the message")
        if not isinstance(value, dict) or (value and not value.keys() & {"Nickname", "Text"}):
            raise gob.GobError("neither Nickname nor Text in it")
        nickname, text = value.get("Nickname", ""), value.get("Text", "")
        if not isinstance(nickname, str) or not isinstance(text, str):
            raise gob.GobError("Nickname and Text must be strings")
        return cls(nickname, text)

    def line(self) -> str:
        """The message as one line for a terminal."""
        return f"[{printable(self.nickname)}]: {printable(self.text)}"


def printable(text: str) -> str:
    """`text` with everything that could move a cursor, forge a line or run a terminal's escapes made visible.

    Control characters become their pictures (␛ for ESC); line separators, bidirectional overrides and the like U+FFFD.
    """
    return text if text.isprintable() else "".join(map(_visible, text))


def _visible(character: str) -> str:
    code = ord(character)
    if character == "\t":
        return character
    if code < 0x20:
        return chr(0x2400 + code)
    if code == 0x7F:
        return "␡"
    hidden = unicodedata.category(character) in _HIDDEN or code in _BIDIRECTIONAL
    return "\N{REPLACEMENT CHARACTER}" if hidden else character


_HIDDEN = {"Cc", "Cs", "Zl", "Zp"}
_BIDIRECTIONAL = {0x200E, 0x200F, 0x061C, *range(0x202A, 0x202F), *range(0x2066, 0x206A)}
