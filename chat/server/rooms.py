"""Who is called what, and who is in which room."""

from __future__ import annotations

from collections.abc import Collection
from typing import NamedTuple

from chat.message import sender_id
from chat.server.client import Client
from chat.server.others import Others, Person
from chat.text import MAX_NAME_LENGTH, RESERVED_NAMES, check_name, name_key, printable

__all__ = ["LOBBY", "Holder", "NameTaken", "Nicknames", "Rooms", "room_key"]

LOBBY = "lobby"  # where everyone is who asks for no other room


def room_key(text: str) -> str:
    """The name under which a room is known, however people write it. Raises ValueError, with a sentence, for none.

    It is known under that name itself, too: clients and other servers give it back.
    """
    return check_name(name_key(check_name(text, "room")), "room") if text else LOBBY


class NameTaken(ValueError):
    """Somebody else has the nickname."""


class Holder(NamedTuple):
    """Who has a nickname: a session, and its `sender_id`. since: when, milliseconds since 1970."""

    session: str
    nickname: str
    id: str
    since: int


class Nicknames:
    """Each nickname belongs to one session, and each session has one at most. For holders of the hub's lock.

    others: who is on other servers; their nicknames cannot be had either. version: changes with every change.
    """

    def __init__(self, others: Others) -> None:
        self.version = 0
        self._others = others
        self._ids: dict[str, str] = {}  # sessions, by their `sender_id`
        self._holders: dict[str, Holder] = {}  # by the name's key
        self._keys: dict[str, str] = {}  # by session

    def check(self, session: str, nickname: str) -> str:
        """The key of a nickname that the session can have. Raises ValueError, with a sentence, if it cannot."""
        key = name_key(check_name(nickname))
        if key in RESERVED_NAMES:
            raise ValueError(f"nobody can be called {printable(nickname)}: choose another nickname")
        holder = self._holders.get(key) or self._elsewhere(nickname)
        if holder is not None and holder.id != sender_id(session):
            raise NameTaken(f"somebody is called {holder.nickname} already: choose another nickname")
        return key

    def variation(self, session: str, nickname: str) -> str:
        """A nickname like this one that the session can have."""
        number = 2
        while True:
            candidate = f"{nickname[: MAX_NAME_LENGTH - len(str(number)) - 1]}-{number}"
            try:
                self.check(session, candidate)
            except NameTaken:
                number += 1
            else:
                return candidate

    def claim(self, session: str, nickname: str, now: int = 0) -> None:
        """Give a session a nickname, instead of the one that it had. Raises ValueError like `check`; then it keeps what
        it had. now: milliseconds since 1970."""
        key = self.check(session, nickname)
        self.release(session)
        holder = self._holders[key] = Holder(session, nickname, sender_id(session), now)
        self._keys[session] = key
        self._ids[holder.id] = session

    def release(self, session: str) -> None:
        """The session needs no nickname any more."""
        self.version += 1
        if (key := self._keys.pop(session, None)) is not None:
            del self._ids[self._holders.pop(key).id]

    def holder(self, nickname: str) -> Holder | None:
        """Who has a nickname here."""
        return self._holders.get(name_key(nickname)) if len(nickname) <= MAX_NAME_LENGTH else None

    def find(self, nickname: str) -> Holder | Person | None:
        """Who has a nickname, here or elsewhere."""
        return self.holder(nickname) or self._elsewhere(nickname)

    def has(self, id: str) -> bool:
        """Whether the session of a `sender_id` has a nickname here."""
        return id in self._ids

    def holders(self) -> list[Holder]:
        """Everybody here who has a nickname."""
        return list(self._holders.values())

    def elsewhere(self) -> list[Person]:
        """Everybody who is connected to another server, and was not here since."""
        return [person for person in self._others.present() if person.id not in self._ids]

    def _elsewhere(self, nickname: str) -> Person | None:
        person = self._others.find(nickname) if len(nickname) <= MAX_NAME_LENGTH else None
        return None if person is None or not person.present or person.id in self._ids else person

    def of(self, session: str) -> str:
        """The nickname of a session, empty if it has none."""
        key = self._keys.get(session)
        return self._holders[key].nickname if key is not None else ""


class Rooms:
    """The clients in each room. A room is there while somebody is in it. For holders of the hub's lock.

    version: changes with every change.
    """

    def __init__(self) -> None:
        self.version = 0
        self._rooms: dict[str, dict[Client, None]] = {}

    def move(self, client: Client, room: str) -> None:
        """Put a client into a room, and out of the one where it was; into none, if `room` is empty."""
        self.version += 1
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

    def names(self) -> list[str]:
        """The rooms."""
        return list(self._rooms)
