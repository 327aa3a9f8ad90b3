"""The people on the other servers of one chat, as these have told of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from chat.text import name_key

__all__ = ["Others", "Person"]


class Person(NamedTuple):
    """Somebody with a nickname, on one server.

    id: a `sender_id`. since: when it came by the nickname there, milliseconds since 1970. present: False while its
    connection is broken and it is waited for.
    """

    id: str
    nickname: str
    room: str
    since: int
    present: bool

    @property
    def claim(self) -> tuple[bool, int, str]:
        """Of two with the same name it is the one's with the lower claim: who is there, then who had it first."""
        return not self.present, self.since, self.id

    def outranks(self, other: Person) -> bool:
        """Which of two servers has somebody whom both tell of: the one that has a connection, then the later one."""
        return (self.present, self.since) > (other.present, other.since)


class Others:
    """Everybody who is on another server. For holders of the hub's lock."""

    def __init__(self) -> None:
        self._people: dict[str, Person] = {}
        self._by_name: dict[str, Person] = {}

    def replace(self, servers: Iterable[Iterable[Person]]) -> tuple[Mapping[str, Person], Mapping[str, Person]]:
        """Take over what the servers tell now. Returns the people before and after, by id."""
        before, self._people = self._people, {}
        for person in (person for people in servers for person in people):
            known = self._people.get(person.id)
            if known is None or person.outranks(known):
                self._people[person.id] = person
        self._by_name = {}
        for person in self._people.values():
            holder = self._by_name.setdefault(name_key(person.nickname), person)
            if person.claim < holder.claim:
                self._by_name[name_key(person.nickname)] = person
        return before, self._people

    def get(self, id: str) -> Person | None:
        """Who has an id."""
        return self._people.get(id)

    def find(self, nickname: str) -> Person | None:
        """Who has a nickname."""
        return self._by_name.get(name_key(nickname))

    def present(self) -> list[Person]:
        """Those who have a connection."""
        return [person for person in self._people.values() if person.present]
