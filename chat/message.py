"""The chat's one message on the wire, in both dialects.

Go's `struct { Nickname, Text string }` is all there is to `simpleproto`. In `quicmini-chat/1` the same struct has more
fields behind these two; whoever does not know them passes over them, and those that are zero take no bytes.
"""

from __future__ import annotations

import hashlib
from enum import StrEnum
from typing import Any, NamedTuple

from chat.gob import GobError, decode
from chat.gob_writing import encode_struct
from chat.text import printable

__all__ = [
    "ALPN_PROTOCOL",
    "ALPN_PROTOCOLS",
    "DEFAULT_PORT",
    "MAX_MESSAGE_SIZE",
    "MAX_SEQ",
    "MAX_SIZES",
    "SPOKEN",
    "Dialect",
    "Kind",
    "Message",
    "message_id",
    "sender_id",
]

DEFAULT_PORT = 4242
MAX_MESSAGE_SIZE = 64 * 1024  # bytes on the wire: nickname, text and the 60 or so that describe them
SENDER_ID_LENGTH = 16  # hexadecimal digits
MAX_SEQ = 10**18 - 1  # 18 digits: so many has a seq in an id
MAX_INTEGER = (1 << 63) - 1  # of Go's int, and of SQLite's
MAX_FIELDS_SIZE = 1024  # bytes that the further fields may take, so that what fits one dialect fits the other


class Dialect(StrEnum):
    """What a connection speaks: its application protocol (RFC 7301)."""

    CHAT = "quicmini-chat/1"
    SIMPLE = "simpleproto"


ALPN_PROTOCOLS = tuple(map(str, Dialect))  # in the order in which they are offered
ALPN_PROTOCOL = Dialect.SIMPLE.value


class Kind(StrEnum):
    """What a message of `quicmini-chat/1` is for, and the fields that it uses beyond those of `Message` itself.

    What people say (SAY, ME, MSG) comes with its sender's session and seq = 1, 2, 3 …; the server numbers, keeps and
    acknowledges it, or refuses it, which settles its seq too. Nothing else is kept.
    """

    SAY = ""
    ME = "me"  # what the sender does, as if somebody else told it
    MSG = "msg"  # for the recipient alone: room is empty
    # What a client asks for, besides:
    HELLO = "hello"  # first: nickname, room, session, seq (the last that was settled), seen, store; text: the password
    # id: of the message `seen` stands for, in case that another server knows it; number: how many of the messages up to
    # seq it can send again, in case that another server does not know them
    JOIN = "join"  # another room
    NICK = "nick"  # another nickname
    WHO = "who"  # NAMES
    ROOMS = "rooms"
    HISTORY = "history"  # what the room heard before number `seen`; 0: what it heard last
    BYE = "bye"  # leaves for good, instead of being lost
    # What a server answers, besides:
    WELCOME = "welcome"  # to HELLO, JOIN, NICK: nickname, room, store; seq: the last that is settled; seen: from where
    # on what is missed follows, up to number, which is the newest that the room has heard; text: a greeting;
    # recipient: which seqs above the HELLO's were refused, if that is known; there are spaces between them; id: that of
    # HELLO, from a server that has, or will have, what follows that message on other servers
    ACK = "ack"  # everything of the session up to seq is settled; text: which seqs above `after` were refused, as a
    # REFUSED says; after: the seq of the ACK before it, or of the WELCOME
    NAMES = "names"  # who is in the room: text, one a line
    NOTICE = "notice"  # text: the server's words, for people
    REFUSED = "refused"  # text: why something is not done; recipient: the kind that was asked for; seq, if it had one


SPOKEN = frozenset({Kind.SAY, Kind.ME, Kind.MSG})


def sender_id(session: str) -> str:
    """Who the owner of a session is to everybody else: the session itself is a secret."""
    return hashlib.sha256(session.encode("utf-8", "replace")).hexdigest()[:SENDER_ID_LENGTH]


def message_id(session: str, seq: int) -> str:
    """The id of what was said in a session as number `seq`: the same on each server, however often it is sent."""
    return f"{sender_id(session)}-{seq}"


class Message(NamedTuple):
    """What someone says, or what client and server have to tell each other.

    id: of what is said, the same for everyone: `message_id`. time: when the server took it, milliseconds since 1970.
    kind: a `Kind`, or what a later version knows. session, seq: the sender's numbering. number: the server's. after:
    the number of what this client was sent before; sender_after: of what it was sent before from the same sender (0:
    nothing, on this connection). store: what numbers are valid for.
    seen: from a client, the number up to which it has everything. From the server, in what somebody has said: this
    answers HISTORY; the answers end with that number, and `after` chains them, from 0, instead of what else was sent.
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

        Raises GobError if they are more than MAX_SIZES[dialect].
        """
        data = encode_struct("Message", dict(zip(_WIRE_NAMES[dialect], self, strict=False)))
        _check_size(data, dialect)
        return data

    @classmethod
    def decode(cls, data: bytes, dialect: str = Dialect.SIMPLE) -> Message | None:
        """The message in `data`, None if it is not all there yet. Fields that the dialect has not are passed over.

        Raises GobError if this is no message, is followed by something else, or exceeds MAX_SIZES[dialect] bytes.
        """
        _check_size(data, dialect)
        if (decoded := decode(data, MAX_SIZES[dialect])) is None:
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
            if isinstance(field, int) and field > MAX_INTEGER:  # it came as an unsigned one
                raise GobError(f"{name} is more than {MAX_INTEGER}")
        return cls(*fields)

    def line(self) -> str:
        """The message as one line for a terminal."""
        return f"[{printable(self.nickname)}]: {printable(self.text)}"


def _check_size(data: bytes, dialect: str) -> None:
    if len(data) > MAX_SIZES[dialect]:
        raise GobError(f"a message of more than {MAX_SIZES[dialect]} bytes")


MAX_SIZES: dict[str, int] = {Dialect.SIMPLE: MAX_MESSAGE_SIZE, Dialect.CHAT: MAX_MESSAGE_SIZE + MAX_FIELDS_SIZE}

# The fields' names on the wire, in the order of `Message`.
_FIELDS = (
    *("Nickname", "Text", "ID", "Time", "Kind", "Room", "Recipient"),
    *("Seq", "Number", "After", "SenderAfter", "Session", "Seen", "Store"),
)
_WIRE_NAMES: dict[str, tuple[str, ...]] = {Dialect.CHAT: _FIELDS, Dialect.SIMPLE: _FIELDS[:2]}
_DEFAULTS: tuple[str | int, ...] = ("", "", *Message._field_defaults.values())
_TYPES = {str: "a string", int: "an integer"}
