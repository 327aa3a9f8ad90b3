"""One client: a session of the chat's own, and what it lives through."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from time import monotonic

from chat.client.events import Confirmed, Ended, Event, Moved, Refused, Said, State, StateChanged, Welcomed
from chat.client.session import Session as ChatSession
from chat.client.wire import QuicWire
from chat.message import Kind, Message
from quicmini import Connection, Session
from tests.soak.journal import CURTAIN, Journal, Shown, text_of, words_of
from tests.soak.path import Path

__all__ = ["Connect", "Person", "Route"]

WANDERING = 0.3  # the share of returns that lead to another server, for no reason

Connect = Callable[..., Connection]  # `quicmini.connect`, but for the address and the ticket


class _Wire(QuicWire):
    """Notes what is said for the second time."""

    def __init__(self, connection: Connection, person: Person, *, early: bool) -> None:
        super().__init__(connection, early=early)
        self._person = person

    def send(self, message: Message) -> None:
        self._person.note_sent(message.seq)
        super().send(message)


class Route:
    """Which server an attempt to connect leads to, as a name would do that stands for all of them.

    It is the one where the last attempt went, or another one if nothing came of that; and now and then by chance.
    here: its number. chance: from 0 to 1.
    """

    def __init__(self, ports: Sequence[int], here: int, chance: Callable[[], float]) -> None:
        self.here = here
        self._ports = ports
        self._chance = chance
        self._arrived = True
        self._settled = False

    def next(self) -> int:
        """The port to connect to now."""
        share = 1.0 if not self._arrived else 0.0 if self._settled else WANDERING
        if len(self._ports) > 1 and self._chance() < share:
            others = [number for number in range(len(self._ports)) if number != self.here]
            self.here = others[int(self._chance() * len(others))]
        self._arrived = False
        return self._ports[self.here]

    def arrived(self) -> None:
        """The server has welcomed its guest."""
        self._arrived = True

    def settle(self) -> None:
        """Nobody leaves a server any more that can be reached."""
        self._settled = True


class Person:
    """Somebody in a room. curtain: the number of what ended it all, if it has come."""

    def __init__(self, name: str, room: str, path: Path, route: Route, connect: Connect, journal: Journal) -> None:
        self.name = name
        self.room = room
        self.path = path
        self.curtain = 0
        self.over = False
        self._route = route
        self._connect = connect
        self._journal = journal
        self._said = 0
        self._sent = 0
        self._session = ChatSession(self._dial, name, self._note, room=room, network=path)
        journal.add("J", name, room)
        self._session.start()

    @property
    def connected(self) -> bool:
        return self._session.state is State.CONNECTED

    @property
    def settled(self) -> bool:
        """Whether nothing is missing on the server's side."""
        return self.connected and not self._session.unconfirmed

    @property
    def seen(self) -> int:
        """Up to which number nothing is missing on the screen."""
        return self._session._conversation.hello().seen

    def say(self, chance: random.Random, recipient: str = "") -> None:
        """Say something, to everybody or to one."""
        count = self._said + 1
        now = monotonic()
        time = now if self.connected and self.path.clear_since(now) else 0.0  # what waits for a network is not measured
        text = text_of(self.name, count, time, chance.randrange(80))
        if self._session.say(text, Kind.MSG if recipient else Kind.SAY, recipient, block=False):
            self._said = count
            self._journal.add("T", self.name, count)

    def settle(self) -> None:
        """The network works from now on, as well as a lossy one can, and always leads to the same server."""
        self._route.settle()
        self.path.mend()

    def drop_curtain(self) -> None:
        """Say that all is said."""
        self._session.say(CURTAIN)

    def leave(self) -> None:
        """Blocks until the server knows."""
        self._session.leave()

    def note_sent(self, seq: int) -> None:
        if 0 < seq <= self._sent:
            self._journal.add("A", self.name)
        self._sent = max(self._sent, seq)

    def _dial(self, ticket: Session | None, early: bool) -> _Wire:
        self.path.enter()
        early = early and ticket is not None and ticket.early_data
        address = "127.0.0.1", self._route.next()
        return _Wire(self._connect(address, session=ticket, early_data=early), self, early=early)

    def _note(self, event: Event) -> None:
        match event:
            case Said():
                self._shown(event)
            case Confirmed(seq, _):
                self._journal.add("C", self.name, min(seq, self._said))
            case Refused(seq=seq):
                self._journal.add("R", self.name, seq)
            case Welcomed(early=early):
                self._welcomed(event.nickname, early)
            case Moved():
                self._journal.add("M", self.name)
            case StateChanged(State.LOST, reason, 0):
                self._journal.add("L", self.name, reason)
            case Ended(error):
                self.over = True
                self._journal.add("E", self.name, error or "")

    def _welcomed(self, nickname: str, early: bool) -> None:
        self._route.arrived()
        self._journal.add("X" if early else "W", self.name, self._route.here)
        if nickname != self.name:
            self._journal.add("N", self.name, nickname)

    def _shown(self, said: Said) -> None:
        if said.text == CURTAIN:
            if not said.old:  # nor that of those who were here before
                self.curtain = said.number
            return
        sender, count, time = words_of(said.text)
        kind = "old" if said.old else "missed" if said.missed else "live" if self.path.clear_since(time) else "late"
        self._journal.shown(self.name, Shown(sender, count, said.number, kind, monotonic() - time))
