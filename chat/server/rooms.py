"""Who is called what, and who is in which room."""

from __future__ import annotations

from collections.abc import Collection
from typing import NamedTuple

from chat.server.client import Client
from chat.text import RESERVED_NAMES, check_name, name_key, printable

__all__ = ["LOBBY", "Nicknames", "Rooms", "room_key"]

LOBBY = "lobby"  # where everyone is who asks for no other room


def room_key(text: str) -> str:
    """The name under which a room is known, however people write it. Raises ValueError, with a sentence, for none."""
    return name_key(check_name(text, "room")) if text else LOBBY


class Holder(NamedTuple):
    """Who has a nickname."""

    session: str
    nickname: str


class Nicknames:
    """Each nickname belongs to one session, and each session has one at most. For holders of the hub's lock."""

    def __init__(self) -> None:
        self._holders: dict[str, Holder] = {}  # by the name's key
        self._keys: dict[str, str] = {}  # by session

    def check(self, session: str, nickname: str) -> str:
        """The key of a nickname that the session can have. Raises ValueError, with a sentence, if it cannot."""
        key = name_key(check_name(nickname))
        if key in RESERVED_NAMES:
            raise ValueError(f"nobody can be called {printable(nickname)}: choose another nickname")
        holder = self._holders.get(key)
        if holder is not None and holder.session != session:
            raise ValueError(f"somebody is called {holder.nickname} already: choose another nickname")
        return key

    def claim(self, session: str, nickname: str) -> None:
        """Give a session a nickname, instead of the one that it had. Raises ValueError like `check`; then it keeps what
        it had."""
        key = self.check(session, nickname)
        self.release(session)
        self._holders[key] = Holder(session, nickname)
        self._keys[session] = key

    def release(self, session: str) -> None:
        """The session needs no nickname any more."""
        if (key := self._keys.pop(session, None)) is not None:
            del self._holders[key]

    def find(self, nickname: str) -> Holder | None:
        """Who has a nickname."""
        return self._holders.get(name_key(nickname))

    def of(self, session: str) -> str:
        """The nickname of a session, empty if it has none."""
        key = self._keys.get(session)
        return self._holders[key].nickname if key is not None else ""


class Rooms:
    """The clients in each room. A room is there while somebody is in it. For holders of the hub's lock."""

    def __init__(self) -> None:
        self._rooms: dict[str, dict[Client, None]] = {}

    def move(self, client: Client, room: str) -> None:
        """Put a client into a room, and out of the one where it was; into none, if `room` is empty."""
        if members := self._rooms.get(client.room):
            members.pop(client, None)
            if not members:
                del self._rooms[client.room]
        client.room = room
        if room:
            self._rooms.setdefault(room, {})[client] = None

    def members(self, room: str) -> Collection[Client]:
        """Who is in a room."""
        return self._rooms.get(room, {}).keys()

    def nicknames(self, room: str) -> list[str]:
        """The nicknames of those who are in a room and have one, sorted."""
        return sorted((client.nickname for client in self.members(room) if client.nickname), key=name_key)

    def sizes(self) -> list[tuple[str, int]]:
        """The rooms, sorted, with how many are in each."""
        return sorted((room, len(members)) for room, members in self._rooms.items())
