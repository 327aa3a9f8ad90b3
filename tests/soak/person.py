"""One client: a session of the chat's own, and what it lives through."""

from __future__ import annotations

import random
from time import monotonic

from chat.client.events import Confirmed, Ended, Event, Moved, Refused, Said, State, StateChanged, Welcomed
from chat.client.session import Session as ChatSession
from chat.client.wire import Connect, QuicWire
from chat.message import Kind, Message
from quicmini import Connection, Session
from tests.soak.journal import Journal, Shown, text_of, words_of
from tests.soak.path import Path

__all__ = ["Person"]

CURTAIN = "curtain"  # what is said when all else is


class _Wire(QuicWire):
    """Notes what is said for the second time."""

    def __init__(self, connection: Connection, person: Person) -> None:
        super().__init__(connection)
        self._person = person

    def send(self, message: Message) -> None:
        self._person.note_sent(message.seq)
        super().send(message)


class Person:
    """Somebody in a room. curtain: the number of what ended it all, as far as this person has said it."""

    def __init__(self, name: str, room: str, path: Path, connect: Connect, journal: Journal) -> None:
        self.name = name
        self.room = room
        self.path = path
        self.curtain = 0
        self.over = False
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

    def drop_curtain(self) -> None:
        """Say that all is said."""
        self._session.say(f"{CURTAIN} {self.name}")

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
        return _Wire(self._connect(session=ticket, early_data=early), self)

    def _note(self, event: Event) -> None:
        match event:
            case Said():
                self._shown(event)
            case Confirmed(seq, _):
                self._journal.add("C", self.name, min(seq, self._said))
            case Refused(seq=seq):
                self._journal.add("R", self.name, seq)
            case Welcomed(early=early):
                self._journal.add("X" if early else "W", self.name)
            case Moved():
                self._journal.add("M", self.name)
            case StateChanged(State.LOST, reason, 0):
                self._journal.add("L", self.name, reason)
            case Ended(error):
                self.over = True
                self._journal.add("E", self.name, error or "")

    def _shown(self, said: Said) -> None:
        if said.text.startswith(CURTAIN):
            if said.text == f"{CURTAIN} {self.name}":
                self.curtain = said.number
            return
        sender, count, time = words_of(said.text)
        kind = "old" if said.old else "missed" if said.missed else "live" if self.path.clear_since(time) else "late"
        self._journal.shown(self.name, Shown(sender, count, said.number, kind, monotonic() - time))
