"""What a session tells the face that shows it. Texts are as they came: a screen needs `chat.text.printable`."""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple, TypeAlias

__all__ = ["CaughtUp", "Confirmed", "Ended", "Event", "Moved", "Names", "Notice", "Refused", "Room", "Rooms", "Said",
           "State", "StateChanged", "Welcomed"]  # fmt: skip


class State(StrEnum):
    """Where a session stands with its server."""

    CONNECTING = "connecting"  # for the first time
    CONNECTED = "connected"
    LOST = "lost"  # it was connected, and is coming back
    ENDED = "ended"


class Said(NamedTuple):
    """Someone said something: once for each message, in the order of its sender.

    kind: a `chat.message.Kind`: SAY, ME, MSG. number, id, time: the server's (0, "", 0 in `simpleproto`), time in
    milliseconds since 1970. recipient: of a MSG. mine: it was said here. mention: another's words name this person, or
    are for them alone. old: it was said before this person came to the room; missed: while the connection was lost.
    """

    nickname: str
    text: str
    kind: str = ""
    room: str = ""
    recipient: str = ""
    number: int = 0
    id: str = ""
    time: int = 0
    mine: bool = False
    mention: bool = False
    old: bool = False
    missed: bool = False


class Confirmed(NamedTuple):
    """The server keeps what was said here up to seq; waiting: how many messages it has not confirmed yet."""

    seq: int
    waiting: int


class Refused(NamedTuple):
    """Something asked of the server, or of this client, is not done. text: why. seq: of the message, 0 if it was none;
    kind: the `chat.message.Kind` of what was asked, or the command, with its slash; said: what the message was."""

    text: str
    kind: str = ""
    seq: int = 0
    said: str = ""


class Notice(NamedTuple):
    """The server's words, or the client's own: who comes and goes, answers to commands."""

    text: str
    room: str = ""
    time: int = 0


class Names(NamedTuple):
    """Who is in a room."""

    room: str
    names: tuple[str, ...]


class Room(NamedTuple):
    """A room, and how many people are in it."""

    name: str
    people: int


class Rooms(NamedTuple):
    """The rooms that there are."""

    rooms: tuple[Room, ...]


class Welcomed(NamedTuple):
    """The server knows this session, under this nickname and in this room; again, too, when one of them changes.

    text: its greeting. dialect: `chat.message.Dialect`. returned: it knew the session from before. resumed: TLS went
    on from an earlier connection; early: the greeting went with the first flight (0-RTT). connection: the ID by which
    logs, qlog and captures name the connection.
    """

    nickname: str
    room: str
    text: str = ""
    dialect: str = ""
    returned: bool = False
    resumed: bool = False
    early: bool = False
    connection: str = ""


class CaughtUp(NamedTuple):
    """After a return everything has come that was missed: so many messages."""

    messages: int


class Moved(NamedTuple):
    """The connection goes on from another address of this machine."""

    address: str


class StateChanged(NamedTuple):
    """state, and why: a sentence if the connection was lost, otherwise empty. attempt: how often it has tried to come
    back: 0 when it was just lost."""

    state: State
    reason: str = ""
    attempt: int = 0


class Ended(NamedTuple):
    """The last event. error: why, None if this side has left and everything was delivered."""

    error: Exception | None = None


Event: TypeAlias = (
    Said | Confirmed | Refused | Notice | Names | Rooms | Welcomed | CaughtUp | Moved | StateChanged | Ended
)
