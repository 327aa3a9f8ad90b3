"""One server's part in a chat of several: what the bus brings to its hub, and what the hub has for the bus."""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Mapping, Sequence

from chat.server.arriving import newest
from chat.server.bus_format import Relayed
from chat.server.hub import Hub
from chat.server.ledger import Ledger
from chat.server.others import Person
from chat.server.rooms import Holder

__all__ = ["Group"]

logger = logging.getLogger("chat")


class Group:
    """A hub among others. The methods take the hub's lock; they raise sqlite3.Error if the history does not work.

    id: what this server is called on the bus.
    """

    def __init__(self, hub: Hub, ledger: Ledger) -> None:
        self.id = hub.history.store
        self.ledger = ledger
        self._hub = hub
        hub.ledger = ledger
        self._is_alone = True  # nothing is known of the other servers

    def take(self, relayed: Sequence[Relayed], start: str, cursor: str) -> None:
        """The bus has been read from `start` to `cursor`: keep what is new, and send it to whoever may read it."""
        with self._hub.locked():
            for entry in self.ledger.take(relayed, start, cursor):
                self._hub.deliver(entry)

    def version(self) -> int:
        """Changes whenever `people` does."""
        return self._hub.nicknames.version + self._hub.rooms.version

    def people(self) -> list[Person]:
        """Who is on this server."""
        with self._hub.locked():
            return [self._hub.person(holder) for holder in self._hub.nicknames.holders()]

    def see(self, servers: Mapping[str, Sequence[Person]]) -> None:
        """This is who is on the other servers now."""
        hub = self._hub
        with hub.locked():
            is_news = not self._is_alone
            before, after = hub.others.replace(servers.values())
            ours = hub.nicknames.holders()
            for holder in ours:
                self._settle(holder)
            if is_news:  # not of those whom this server has told of itself
                for id in (before.keys() | after.keys()).difference(holder.id for holder in ours):
                    self._tell(before.get(id), after.get(id))
            if self._is_alone and any(servers.values()):
                self._announce("the other servers can be reached")
            self._is_alone = False

    def alone(self) -> None:
        """The other servers cannot be reached. Their people do not count until they can. May be repeated."""
        with self._hub.locked():
            before, _ = self._hub.others.replace(())
            if before:
                self._announce("the other servers cannot be reached: what is said here gets there later")
            self._is_alone = True

    # The rest is for holders of the hub's lock.

    def _settle(self, holder: Holder) -> None:
        """Somebody here may have gone to another server, or somebody there may have the same name."""
        other = self._hub.others.get(holder.id)
        person = self._hub.person(holder)
        if other is not None and other.outranks(person):
            self._hub.moved(holder.session)
            return
        rival = self._hub.others.find(holder.nickname)
        if rival is None or rival.id == holder.id or person.claim < rival.claim:
            return
        if not self._hub.give_up(holder.session):
            self._rename(holder)

    def _rename(self, holder: Holder) -> None:
        """Of two who came by the same name while their servers did not know, the later one gets another."""
        hub, client = self._hub, self._hub.connected(holder.session)
        nickname = hub.nicknames.variation(holder.session, holder.nickname)
        hub.nicknames.claim(holder.session, nickname, hub.now())
        logger.info("%s is now called %s: another server has somebody of that name", holder.nickname, nickname)
        if client is None:
            return
        client.nickname, client.former_nickname = nickname, client.nickname
        why = f"another server has somebody called {holder.nickname}: you are now called {nickname}"
        hub.welcome(client, newest(hub, client.room, client.id))
        hub.notice([client], client.room, why)
        hub.notice(
            hub.rooms.members(client.room), client.room, f"{holder.nickname} is now called {nickname}", but=client
        )
        try:
            hub.history.enter(client.session, 0, nickname, client.room, hub.now())
        except sqlite3.Error as error:
            hub.fail(client, error)

    def _tell(self, before: Person | None, after: Person | None) -> None:
        """Tell those here what somebody on another server has done."""
        if before is None:
            if after is not None and after.present:
                self._notice(after.room, f"{after.nickname} joined")
        elif after is None:
            self._notice(before.room, f"{before.nickname} left")
        else:
            if before.nickname != after.nickname:
                self._notice(before.room, f"{before.nickname} is now called {after.nickname}")
            if before.room != after.room:
                self._notice(before.room, f"{after.nickname} went to {after.room}")
                self._notice(after.room, f"{after.nickname} joined")

    def _notice(self, room: str, text: str) -> None:
        self._hub.notice(self._hub.rooms.members(room), room, text)

    def _announce(self, text: str) -> None:
        for room in self._hub.rooms.names():
            self._notice(room, text)
