"""A session as lines: for pipes, and for terminals without more."""

from __future__ import annotations

import datetime
import logging
from typing import TextIO

from chat.client.events import (
    CaughtUp,
    Event,
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
from chat.client.session import Session
from chat.client.style import BELL, colours_wanted, painted
from chat.logs import log_of
from chat.message import Kind
from chat.problems import writing
from chat.text import printable

__all__ = ["PlainFace", "said_line"]

MAX_QUOTED = 40  # characters of what was not sent

logger = logging.getLogger("chat")


class PlainFace:
    """Shows a session's events on `out`: what is said, as '[nick]: text'.

    conversing: a person sits there, and sees who comes and goes, what was said before, and the answers to commands, all
    of which would be in the way of a program; what happens to the connection is logged for both.
    """

    def __init__(self, session: Session, *, conversing: bool, out: TextIO) -> None:
        self.not_sent = 0
        self._session = session
        self._whereabouts = Whereabouts(session.nickname, session.room)
        self._conversing = conversing
        self._out = out
        self._log = log_of("")  # of the present connection
        self._terminal = out.isatty()
        self._colours = colours_wanted(out)

    def show(self, event: Event) -> None:
        """Raises Problem if it cannot be written, BrokenPipeError when nobody reads any more."""
        if isinstance(event, Welcomed):
            self._log = log_of(event.connection)
        match event:
            case Said():
                self._said(event)
            case Notice():
                self._notice(event)
            case Names():
                self._tell(names_line(event))
            case Rooms():
                self._tell(rooms_line(event))
            case Refused():
                self._refused(event)
            case Welcomed() if self._conversing:
                for line in self._whereabouts.news(event):
                    self._tell(line)
            case StateChanged(State.LOST, reason, 0):
                self._log.warning("%s", printable(connection_lost(reason)))
            case CaughtUp():
                self._log.info("%s", back_again(event, "nothing was missed"))

    def _said(self, said: Said) -> None:
        if said.old and not self._conversing:
            return
        time = ""
        if self._terminal and said.time:
            time = datetime.datetime.fromtimestamp(said.time / 1000).strftime("%H:%M ")
        bell = BELL if said.mention and self._terminal and not (said.old or self._session.quiet) else ""
        self._print(f"{bell}{time}{said_line(said, colours=self._colours)}")

    def _notice(self, notice: Notice) -> None:
        if not (self._session.quiet and notice.room):
            self._tell(notice.text)

    def _refused(self, refused: Refused) -> None:
        if refused.kind in (Kind.SAY, Kind.ME, Kind.MSG) and refused.said:
            self.not_sent += 1
            logger.error("not sent: %s (%s)", printable(refused.text), _quoted(refused.said))
        else:
            logger.error("%s", printable(refused.text))

    def _tell(self, text: str) -> None:
        """Words of the server: for the person, or for the log of a program."""
        if self._conversing:
            self._print("\n".join(f"* {printable(line)}" for line in text.split("\n")))
        else:
            logger.info("%s", printable(text))

    def _print(self, line: str) -> None:
        with writing():
            print(line, file=self._out, flush=True)


def _quoted(text: str) -> str:
    """Enough of what was not sent to know what it was."""
    shown = printable(text[:MAX_QUOTED])
    return f"{shown}…" if len(text) > MAX_QUOTED else shown


def said_line(said: Said, *, colours: bool = False) -> str:
    """What was said as one line for a terminal, which it cannot harm."""
    nickname, text = printable(said.nickname), printable(said.text)
    if colours:
        nickname = painted(nickname, said.nickname)
    if said.kind == Kind.ME:
        return f"* {nickname} {text}"
    to = f" → {printable(said.recipient)}" if said.kind == Kind.MSG else ""
    return f"[{nickname}{to}]: {text}"
