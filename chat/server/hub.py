"""Who is there, and who gets what.

One lock guards all of it. What holds it never waits for a client (see `sending`), and the order in which messages are
numbered is the order in which every client is sent them. `arriving`, `requests` and `speaking` say what is done with
what comes.
"""

from __future__ import annotations

import logging
import secrets
import sqlite3
import threading
import time
from collections import Counter, OrderedDict
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import NamedTuple

from chat.exchange import ErrorCode
from chat.message import Kind, Message
from chat.server.admission import Admission
from chat.server.client import Client, Encoded
from chat.server.history import Entry, History
from chat.server.ledger import Ledger
from chat.server.others import Others, Person
from chat.server.rooms import LOBBY, Holder, Nicknames, Rooms
from chat.text import name_key

__all__ = ["Hub"]

logger = logging.getLogger("chat")

NAME_KEPT = 120.0  # seconds for which somebody whose connection broke has not left
HELLO_TIMEOUT = 10.0  # seconds for which a client may have a place without saying who it is
MAX_AWAY = 4096  # sessions of which this is so


class Away(NamedTuple):
    """A session whose connection broke, and that may come back. refused: as its client's."""

    room: str
    until: float
    refused: Sequence[int] = ()


def pump(clients: Iterable[Client]) -> None:
    """Send each of them what is waiting for it, as far as that takes no waiting."""
    for client in clients:
        client.sender.pump()


class Hub:
    """The clients of one server, their rooms and nicknames, and the history.

    clock: seconds since 1970. timer: seconds, monotonic, for what times out. others: who is on other servers; ledger:
    what is known of what was said there, None: there can be none. changed: is called when somebody may have come, gone
    or said something; it does not block. send_to: is called, without the lock, when something is waiting for these
    clients; it does not block either.
    """

    def __init__(
        self,
        history: History,
        admission: Admission,
        clock: Callable[[], float] = time.time,
        timer: Callable[[], float] = time.monotonic,
    ) -> None:
        self._lock = threading.Lock()
        self.history = history
        self.admission = admission
        self.others = Others()
        self.ledger: Ledger | None = None
        self.changed: Callable[[], None] = lambda: None
        self.send_to: Callable[[Iterable[Client]], None] = pump
        self.nicknames = Nicknames(self.others)
        self.rooms = Rooms()
        self._clock = clock
        self._timer = timer
        self._clients: dict[Client, float] = {}  # since when they are connected
        self._by_session: dict[str, Client] = {}
        self._by_id: dict[str, Client] = {}
        self._away: OrderedDict[str, Away] = OrderedDict()  # in the order of `until`
        self._slow: list[Client] = []
        self._unsent: dict[Client, None] = {}  # for whom something is waiting, perhaps
        self._closing = False
        for session, nickname, room in history.present():
            try:
                self.claim(session, nickname)
            except ValueError:  # it was nobody's name by the rules of now
                self._release(session)
            else:
                self._wait_for(session, room)

    # Coming and going. These take the lock.

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the lock. At the end those are dropped who are too slow, and what was sent to the others meanwhile goes
        its way, without the lock."""
        with self._lock:
            yield
            self._drop_slow()
            unsent, self._unsent = self._unsent, {}
        if unsent:
            self.send_to(unsent)
        self.changed()

    def add(self, client: Client) -> bool:
        """A client has connected; False if the hub is closing. One of the seed's dialect is in the lobby at once."""
        with self.locked():
            if self._closing:
                return False
            self._clients[client] = self._timer()
            if client.is_simple:
                client.begin(secrets.token_hex(8), 0)
                client.sequence.begin(0)
                self.place(client, LOBBY)
            return True

    def remove(self, client: Client, left: bool, why: str) -> None:
        """A client's connection is over. left: it does not want to come back. why: what went wrong, if something did,
        and if it is news."""
        with self.locked():
            self._remove(client, left or client.left, why)

    def close(self) -> list[Client]:
        """Add nobody from now on; returns who is there. Who is sent away by this is expected back."""
        with self.locked():
            self._closing = True
            return list(self._clients)

    def sweep(self) -> None:
        """Wait no more for those who have been away for too long, nor for the hello of a client that is silent; tell
        who has said too much what was dropped. To be called now and then."""
        with self.locked():
            now = self._timer()
            while self._away and next(iter(self._away.values())).until <= now:
                session, away = self._away.popitem(last=False)
                self._forget(session, away.room)
            for client, since in list(self._clients.items()):
                if not client.session and since + HELLO_TIMEOUT <= now:
                    client.log.warning("dropped client %s: it does not say who it is", client)
                    self.drop(client, ErrorCode.NO_HELLO, f"no hello came within {HELLO_TIMEOUT:g} seconds")
                elif client.is_simple and (text := client.limit.report()):
                    self.notice([client], client.room, text)

    # The rest is for holders of the lock.

    def now(self) -> int:
        """Milliseconds since 1970."""
        return int(self._clock() * 1000)

    def place(self, client: Client, room: str) -> None:
        """A client that has begun takes part, in a room."""
        self._by_session[client.session] = client
        self._by_id[client.id] = client
        self.rooms.move(client, room)
        client.log.info("added client %s", client)

    def connected(self, session: str) -> Client | None:
        """The client that has a session."""
        return self._by_session.get(session)

    def returns(self, session: str) -> Away | None:
        """What is known of a session that begins, if it was waited for; it is no more."""
        return self._away.pop(session, None)

    def claim(self, session: str, nickname: str) -> None:
        """Give a session a nickname; that of somebody whose connection broke can be had. Raises ValueError, with a
        sentence, if it cannot have it; then it keeps what it had."""
        holder = self.nicknames.holder(nickname)
        if holder is not None and holder.session != session:
            self.give_up(holder.session)
        self.nicknames.claim(session, nickname, self.now())

    def give_up(self, session: str) -> bool:
        """Wait no more for somebody whose connection broke; False if that is not so."""
        away = self._away.pop(session, None)
        if away is not None:
            self._forget(session, away.room)
        return away is not None

    def names(self, room: str) -> list[str]:
        """The nicknames of those who are in a room and have one, sorted, wherever they are."""
        names = [client.nickname for client in self.rooms.members(room) if client.nickname]
        names += [person.nickname for person in self.nicknames.elsewhere() if person.room == room]
        return sorted(names, key=name_key)

    def sizes(self) -> list[tuple[str, int]]:
        """The rooms, sorted, with how many are in each."""
        sizes = Counter({room: len(self.rooms.members(room)) for room in self.rooms.names()})
        sizes.update(person.room for person in self.nicknames.elsewhere())
        return sorted(sizes.items())

    def person(self, holder: Holder) -> Person:
        """Somebody who is here, or is waited for, as the other servers are told of them."""
        client, away = self.connected(holder.session), self._away.get(holder.session)
        room = client.room if client else away.room if away else LOBBY
        return Person(holder.id, holder.nickname, room, holder.since, client is not None)

    def moved(self, session: str) -> None:
        """A session goes on at another server."""
        client = self.connected(session)
        if client is not None:
            self.replace(client)
        self._away.pop(session, None)
        self._release(session)

    def replace(self, client: Client) -> None:
        """A client's session goes on over another connection."""
        self._remove(client, left=False)
        self._away.pop(client.session, None)
        client.drop(ErrorCode.REPLACED, "another connection has taken over")

    def drop(self, client: Client, error_code: ErrorCode, reason: str) -> None:
        """Close a client's connection; it may come back."""
        if self._remove(client, left=False):
            client.drop(error_code, reason)

    def _drop_slow(self) -> None:
        """Drop those for whom too much was waiting when something was sent to them."""
        while self._slow:
            client = self._slow.pop()
            if self._remove(client, left=False):
                waiting = client.sender.waiting
                client.log.warning("dropped client %s: too slow, %d messages were waiting for it", client, waiting)
                client.drop(ErrorCode.TOO_SLOW, "too slow: too many messages were waiting")

    def tell(self, client: Client, message: Message) -> None:
        """Send a client something that is not kept."""
        self._sent(client, client.tell(message))

    def welcome(self, client: Client, newest: int, refused: Iterable[int] = (), id: str = "") -> None:
        """Tell a client what it is called and where it is. newest: the number of the last that its room has heard.
        refused: the seqs of what was, without its having learned of it, maybe. id: of a message behind which it is sent
        everything, as soon as it is known here."""
        self.tell(
            client,
            Message(
                client.nickname,
                f"{len(self.names(client.room))} in {client.room}",
                id,
                kind=Kind.WELCOME,
                room=client.room,
                recipient=" ".join(map(str, refused)),
                seq=client.sequence.last,
                number=newest,
                seen=client.cursor,
                store=self.history.store,
            ),
        )

    def notice(self, clients: Iterable[Client], room: str, text: str, but: Client | None = None) -> None:
        """Send the server's words to clients, `but` one."""
        message = Message("", text, kind=Kind.NOTICE, room=room, time=self.now())
        for client in clients:
            if client is not but:
                self.tell(client, message)

    def deliver(self, entry: Entry) -> None:
        """Send what was said to whoever may read it: the room, or the two between whom it stays."""
        if room := entry.message.room:
            audience: Iterable[Client] = self.rooms.members(room)
        else:
            parties = dict.fromkeys((entry.sender, entry.addressee))
            audience = [self._by_id[party] for party in parties if party in self._by_id]
        encoded: Encoded = {}
        for client in audience:
            self._sent(client, client.deliver(entry, encoded))

    def _sent(self, client: Client, has_room: bool) -> None:
        self._unsent[client] = None
        if not has_room:
            self._slow.append(client)

    def fail(self, client: Client, error: sqlite3.Error) -> None:
        """The history does not work just now. What was not acknowledged is sent again by who comes back."""
        if not self._closing:
            logger.error("the history fails: %s", error)
        self.drop(client, ErrorCode.NOT_KEPT, "the server cannot keep messages just now")

    def _remove(self, client: Client, left: bool, why: str = "") -> bool:
        if client.gone:
            return False
        client.gone = True
        self._clients.pop(client, None)
        session, room = client.session, client.room
        self.rooms.move(client, "")
        if why:
            client.log.warning("client %s: %s", client, why)
        client.log.info("removed client %s", client)
        if session:
            del self._by_session[session], self._by_id[client.id]
            if left or client.is_simple:
                self._forget(session, room)
            else:
                self._wait_for(session, room, client.refused)
        return True

    def _wait_for(self, session: str, room: str, refused: Sequence[int] = ()) -> None:
        if len(self._away) == MAX_AWAY:
            first, away = self._away.popitem(last=False)
            self._forget(first, away.room)
        self._away[session] = Away(room, self._timer() + NAME_KEPT, refused)

    def _forget(self, session: str, room: str) -> None:
        """A session's owner has left for good, or has not come back."""
        nickname = self.nicknames.of(session)
        self._release(session)
        if nickname and not self._closing:
            self.notice(self.rooms.members(room), room, f"{nickname} left")

    def _release(self, session: str) -> None:
        self.nicknames.release(session)
        if self._closing:
            return
        try:
            self.history.leave(session, self.now())
        except sqlite3.Error as error:  # then the next server waits for it a while
            logger.error("the history fails: %s", error)
