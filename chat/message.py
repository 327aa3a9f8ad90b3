"""The chat's one message on the wire, in both dialects.

Go's `struct { Nickname, Text string }` is all there is to `simpleproto`. In `quicmini-chat/1` the same struct has more
fields behind these two; whoever does not know them passes over them, and those that are zero take no bytes.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Any, NamedTuple

from chat.gob import GobError, decode
from chat.gob_writing import encode_struct
from chat.text import printable

__all__ = ["ALPN_PROTOCOL", "ALPN_PROTOCOLS", "DEFAULT_PORT", "MAX_MESSAGE_SIZE", "Dialect", "Kind", "Message"]

DEFAULT_PORT = 4242
MAX_MESSAGE_SIZE = 64 * 1024  # bytes on the wire: nickname, text and the 60 to 300 that describe them


class Dialect(StrEnum):
    """What a connection speaks: its application protocol (RFC 7301)."""

    CHAT = "quicmini-chat/1"
    SIMPLE = "simpleproto"


ALPN_PROTOCOLS = tuple(map(str, Dialect))  # in the order in which they are offered
ALPN_PROTOCOL = Dialect.SIMPLE.value


class Kind(StrEnum):
    """What a message is for. What people say, SAY to MSG, is numbered, kept and acknowledged; nothing else is."""

    SAY = ""
    ME = "me"  # what the sender does, as if somebody else told it
    MSG = "msg"  # for the recipient alone
    HELLO = "hello"  # a client's first: nickname, room, session, seen, store; text: the password
    JOIN = "join"  # another room
    NICK = "nick"  # another nickname
    WHO = "who"  # asks for NAMES: who is in the room
    ROOMS = "rooms"  # asks for the rooms, one a line, which come under the same kind
    HISTORY = "history"  # asks for what the room heard before number `seen`; 0: what it heard last
    BYE = "bye"  # leaves for good, instead of being lost
    WELCOME = "welcome"  # answers HELLO: nickname and room as granted, the last seq of the session, the store; text
    ACK = "ack"  # everything of the session up to seq is kept
    NAMES = "names"  # who is in the room: text, one a line
    NOTICE = "notice"  # the server's words
    REFUSED = "refused"  # what was asked for (kind, and seq if it had one) is not done; text: why


class Message(NamedTuple):
    """What someone says, or what client and server have to tell each other.

    id: of what is said, the same for everyone. time: when the server took it, milliseconds since 1970. kind: a `Kind`,
    or what a later version knows. session, seq: the sender's numbering. number: the server's. after: the number of what
    this client was sent before, sender_after: of what it was sent before from the same sender (0: nothing).
    seen: the number up to which a client has everything. store: what the numbers are valid for.
    """

    nickname: str
    text: str
    id: str = ""
    time: int = 0
    kind: str = Kind.SAY.value
    room: str = ""
    recipient: str = ""
    seq: int = 0
    number: int = 0
    after: int = 0
    sender_after: int = 0
    session: str = ""
    seen: int = 0
    store: str = ""

    def encode(self, dialect: str = Dialect.SIMPLE) -> bytes:
        """The bytes of a stream that carries this message: in `simpleproto`, nickname and text alone.

        Raises GobError if they are more than MAX_MESSAGE_SIZE.
        """
        data = encode_struct("Message", dict(zip(_WIRE_NAMES[dialect], self, strict=False)))
        if len(data) > MAX_MESSAGE_SIZE:
            raise GobError(f"a message of more than {MAX_MESSAGE_SIZE} bytes")
        return data

    @classmethod
    def decode(cls, data: bytes, dialect: str = Dialect.SIMPLE) -> Message | None:
        """The message in `data`, None if it is not all there yet. Fields that the dialect has not are passed over.

        Raises GobError if this is no message, is followed by something else, or exceeds MAX_MESSAGE_SIZE bytes.
        """
        if len(data) > MAX_MESSAGE_SIZE:
            raise GobError(f"a message of more than {MAX_MESSAGE_SIZE} bytes")
        if (decoded := decode(data)) is None:
            return None
        value, length = decoded
        if length != len(data):
            raise GobError(f"{len(data) - length} bytes behind the message")
        names = _WIRE_NAMES[dialect]
        if not isinstance(value, dict) or (value and value.keys().isdisjoint(names)):
            raise GobError("neither Nickname nor Text in it, nor any other field of a message")
        fields: list[Any] = [value.get(name, default) for name, default in zip(names, _DEFAULTS, strict=False)]
        for name, field, default in zip(names, fields, _DEFAULTS, strict=False):
            if type(field) is not type(default):
                raise GobError(f"{name} must be {_TYPES[type(default)]}; Nickname and Text are strings")
        return cls(*fields)

    def line(self) -> str:
        """The message as one line for a terminal."""
        return f"[{printable(self.nickname)}]: {printable(self.text)}"


# The fields' names on the wire, in the order of `Message`.
_FIELDS = (
    *("Nickname", "Text", "ID", "Time", "Kind", "Room", "Recipient"),
    *("Seq", "Number", "After", "SenderAfter", "Session", "Seen", "Store"),
)
_WIRE_NAMES: dict[str, tuple[str, ...]] = {Dialect.CHAT: _FIELDS, Dialect.SIMPLE: _FIELDS[:2]}
_DEFAULTS: tuple[str | int, ...] = ("", "", *Message._field_defaults.values())
_TYPES = {str: "a string", int: "an integer"}
