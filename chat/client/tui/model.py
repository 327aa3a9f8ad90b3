"""What the terminal shows: what was said, what the status line says, and what each event changes of it."""

from __future__ import annotations

import datetime
from collections.abc import Callable
from typing import NamedTuple

from chat.client.events import (
    CaughtUp,
    Confirmed,
    Event,
    Moved,
    Names,
    Notice,
    Refused,
    Rooms,
    Said,
    State,
    StateChanged,
    Welcomed,
)
from chat.client.sentences import Whereabouts, back_again, connection_lost, names_line, rooms_line
from chat.client.tui import entries
from chat.client.tui.cells import Fragments
from chat.client.tui.status import Path, Status, status_line
from chat.client.tui.transcript import Entry, Transcript
from chat.message import Dialect, Kind

__all__ = ["Model", "Typed"]

MAX_UNCONFIRMED_SHOWN = 5
MAX_SPEAKERS = 200  # whose nicknames can be completed although they are not in the list of the room
WHO_INTERVAL = 1.0  # seconds between questions who is there, however many come and go
MAX_NAMES_AGE = 20.0  # seconds: nobody announces who comes back after a server was restarted


class Typed(NamedTuple):
    """Something said here that has not come back."""

    kind: str
    text: str
    recipient: str
    time: float


class _Refusals(NamedTuple):
    """Several in a row for the same reason: the first, how many more, and where they are shown."""

    first: Refused
    more: int
    entry: Entry


class Model:
    """Nothing here blocks, and all of it belongs to the interface's thread.

    ask_names: asks the server who is in the room. clock: seconds since 1970.
    """

    def __init__(self, nickname: str, room: str, *, ask_names: Callable[[], None], clock: Callable[[], float]) -> None:
        self.nickname = nickname
        self.quiet = False
        self.unconfirmed: list[Typed] = []
        self.rooms: set[str] = {room} - {""}
        self.speakers: dict[str, None] = {}  # the last is who has spoken last
        self.status = Status(room=room)
        self.transcript = Transcript(datetime.datetime.fromtimestamp(clock()).date())
        self._whereabouts = Whereabouts(nickname, room)
        self._ask_names = ask_names
        self._clock = clock
        self._bell = False
        self._refusals: _Refusals | None = None
        self._simple = False
        self._names_wanted = False  # by the person
        self._names_old = False
        self._names_asked = 0.0
        self._history_wanted = False
        self._answered = clock()  # when QUIC last waited for nothing, or has heard something

    # What the interface reads

    def rows(self, width: int, height: int) -> list[Fragments]:
        """What was said, as far as it is in view."""
        shown = self.unconfirmed[:MAX_UNCONFIRMED_SHOWN]
        more = [entries.of_unconfirmed(self.nickname, *each) for each in shown]
        if rest := len(self.unconfirmed) - len(shown):
            more.append(Entry(shown[-1].time, (("class:unconfirmed", f"… and {rest} more"),)))
        return self.transcript.view(width, height, more)

    def status_line(self, width: int, lines: int = 1) -> Fragments:
        """lines: how many are in the input."""
        return status_line(self.status._replace(below=self.transcript.below, lines=lines, quiet=self.quiet), width)

    def take_bell(self) -> bool:
        """Whether it should ring, once."""
        bell, self._bell = self._bell, False
        return bell

    # What changes it

    def show(self, event: Event) -> None:
        """Something has happened."""
        match event:
            case Said():
                self._said(event)
            case Notice():
                self._notice(event)
            case Names():
                self._names(event)
            case Rooms():
                self.rooms |= {room.name for room in event.rooms}
                self.tell(rooms_line(event))
            case Refused():
                self._refused(event)
            case Confirmed():
                self.status = self.status._replace(waiting=event.waiting)
            case Welcomed():
                self._welcomed(event)
            case StateChanged():
                self._state(event)
            case CaughtUp():
                self.tell(back_again(event))
            case Moved(address):
                self.status = self.status._replace(moved=address)

    def measured(self, path: Path, waiting: int) -> None:
        """What QUIC does, and how many messages the server has not confirmed; called about once a second."""
        now = self._clock()
        if not path.in_flight or path.received != self.status.path.received:
            self._answered = now
        self.status = self.status._replace(path=path, waiting=waiting, silent=now - self._answered)
        is_old = now - self._names_asked >= MAX_NAMES_AGE and self.status.state is State.CONNECTED
        if self._names_old or is_old:
            self._want_names()

    def tell(self, text: str, time: float = 0.0) -> None:
        """Words for the person."""
        for entry in entries.of_notice(text, time or self._clock()):
            self.transcript.add(entry)

    def typed(self, kind: str, text: str, recipient: str) -> None:
        """Something was said here."""
        self.unconfirmed.append(Typed(kind, text, recipient, self._clock()))
        self.transcript.follow()

    def asked(self, kind: str) -> None:
        """Something was asked of the server by the person."""
        self._names_wanted |= kind == Kind.WHO
        self._history_wanted |= kind == Kind.HISTORY

    def _said(self, said: Said) -> None:
        if said.mine and not said.old:
            self._forget(said.kind, said.text)
        self.speakers.pop(said.nickname, None)
        self.speakers[said.nickname] = None
        if len(self.speakers) > MAX_SPEAKERS:
            del self.speakers[next(iter(self.speakers))]
        entry = entries.of_said(said, self._clock())
        if not (said.old and said.number):
            self.transcript.add(entry)
            self._bell |= said.mention and not (said.old or self.quiet)
        elif self.transcript.insert(entry) and self._history_wanted:
            self._history_wanted = False
            self.transcript.look_at(said.number)

    def _forget(self, kind: str, text: str) -> None:
        for index, typed in enumerate(self.unconfirmed):
            if (typed.kind, typed.text) == (kind, text):
                del self.unconfirmed[index]
                return

    def _notice(self, notice: Notice) -> None:
        self._history_wanted = False
        if notice.room:
            self._want_names()
        if not (self.quiet and notice.room):
            self.tell(notice.text, notice.time / 1000)

    def _names(self, names: Names) -> None:
        if names.room == self.status.room:
            self.status = self.status._replace(names=names.names)
        if self._names_wanted:
            self._names_wanted = False
            self.tell(names_line(names))

    def _refused(self, refused: Refused) -> None:
        if refused.kind == Kind.WHO and not self._names_wanted:
            return
        if refused.said:
            self._forget(refused.kind, refused.said)
        self._history_wanted &= refused.kind != Kind.HISTORY
        self._names_wanted &= refused.kind != Kind.WHO
        if refused.said and self._count(refused):
            return
        entry = entries.of_refusal(refused, self._clock())
        self._refusals = _Refusals(refused, 0, entry)
        self.transcript.add(entry)

    def _count(self, refused: Refused) -> bool:
        """Say it with the one before, if that is still the last that is to be read, and has the same reason."""
        last = self._refusals
        if last is None or (last.first.text, last.first.kind) != (refused.text, refused.kind):
            return False
        entry = entries.of_refusal(last.first, last.entry.time, last.more + 1)
        self._refusals = _Refusals(last.first, last.more + 1, entry)
        return self.transcript.amend(last.entry, entry)

    def _welcomed(self, welcomed: Welcomed) -> None:
        before = self.status
        self._simple = welcomed.dialect == Dialect.SIMPLE
        for line in self._whereabouts.news(welcomed):
            self.tell(line)
        self.nickname = welcomed.nickname
        if welcomed.room != before.room:
            self.unconfirmed.clear()
            self.status = before._replace(names=(), room=welcomed.room)
        self.rooms |= {welcomed.room} - {""}
        if before.state is not State.CONNECTED:
            self.status = self.status._replace(early=welcomed.early, resumed=welcomed.resumed, moved="")
        self._want_names(at_once=True)

    def _state(self, change: StateChanged) -> None:
        if change.state is State.LOST and change.attempt == 0:
            self.tell(connection_lost(change.reason))
        self._answered = self._clock()
        self.status = self.status._replace(state=change.state, reason=change.reason, attempt=change.attempt, silent=0.0)

    def _want_names(self, *, at_once: bool = False) -> None:
        """Ask who is there, or remember to: many may come and go in a second."""
        now = self._clock()
        self._names_old = not self._simple
        if self._names_old and (at_once or not 0 <= now - self._names_asked < WHO_INTERVAL):
            self._names_old = False
            self._names_asked = now
            self._ask_names()
