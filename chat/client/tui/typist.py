"""What was typed, on its way to the session: a thread of its own waits for it, so that the interface never does."""

from __future__ import annotations

import queue
import re
import threading
from collections.abc import Callable
from functools import partial

from chat.client import commands
from chat.client.events import Event, Refused
from chat.client.session import Session
from chat.client.tui.model import Model
from chat.message import Kind

__all__ = ["Typist", "lines_of"]

_NO_CHARACTER = re.compile("[\ud800-\udfff]")  # prompt_toolkit's stand-ins for bytes that are no UTF-8
_SPOKEN_COMMANDS = {"me": 1, "msg": 2}  # those that say something, and how many words come before it


class Typist:
    """Takes what is typed from the interface's thread. It is the `chat.client.commands.Person` of its commands.

    leave: called by /quit.
    """

    def __init__(self, session: Session, model: Model, leave: Callable[[], None]) -> None:
        self._session = session
        self._model = model
        self._leave = leave
        self._work: queue.SimpleQueue[Callable[[], object] | None] = queue.SimpleQueue()

    def start(self) -> None:
        """Begin to hand over."""
        threading.Thread(target=self._hand_over, name="chat typist", daemon=True).start()

    def type(self, text: str) -> None:
        """Do what was typed. Does not block."""
        for line in lines_of(text):
            commands.run(self, line)

    def finish(self) -> None:
        """Leave when everything typed so far is confirmed. Does not block."""
        self._work.put(None)

    # What commands do

    @property
    def quiet(self) -> bool:
        """Whether there is no bell, and nobody is announced."""
        return self._model.quiet

    @quiet.setter
    def quiet(self, quiet: bool) -> None:
        self._model.quiet = self._session.quiet = quiet

    def say(self, text: str, kind: str = Kind.SAY, recipient: str = "", *, block: bool = True) -> bool:
        """Said as soon as there is room for it."""
        self._model.typed(kind, text, recipient)
        self._work.put(partial(self._session.say, text, kind, recipient, block=block))
        return True

    def ask(self, kind: str, *, nickname: str = "", room: str = "") -> None:
        """Asked after what was said before it."""
        self._model.asked(kind)
        self._ask(kind, nickname, room)

    def ask_names(self) -> None:
        """Ask who is in the room, for the interface's own sake."""
        self._ask(Kind.WHO)

    def tell(self, event: Event) -> None:
        """Shown at once. What a command refuses was never said."""
        self._model.show(event._replace(said="") if isinstance(event, Refused) else event)

    def leave(self) -> None:
        """Go."""
        self._leave()

    def _ask(self, kind: str, nickname: str = "", room: str = "") -> None:
        def ask() -> None:
            try:
                self._session.ask(kind, nickname=nickname, room=room)
            except ValueError as error:
                self._session.tell(Refused(str(error), kind))

        self._work.put(ask)

    def _hand_over(self) -> None:
        while (work := self._work.get()) is not None:
            work()
        self._session.finish()


def lines_of(text: str) -> list[str]:
    """What was typed or pasted as lines that are typed one after the other; empty ones are left out.

    Only the first line can be a command; if it is one that says something, all lines are said in that way: what is
    pasted behind /msg Ada is for her alone. What the terminal has sent as no UTF-8 becomes U+FFFD.
    """
    lines = [line.rstrip() for line in _NO_CHARACTER.sub("\N{REPLACEMENT CHARACTER}", text).splitlines()]
    first, *rest = [line for line in lines if line] or [""]
    if not first:
        return []
    return [first, *(_said_like(first, line) for line in rest)]


def _said_like(first: str, line: str) -> str:
    name, _, arguments = first[1:].partition(" ")
    if not first.startswith("/") or name.lower() not in _SPOKEN_COMMANDS:
        return f"/{line}" if line.startswith("/") else line
    if _SPOKEN_COMMANDS[name.lower()] == 1:
        return f"/{name} {line}"
    arguments = arguments.strip()
    end = arguments.find('"', 1) + 1 if arguments.startswith('"') else arguments.find(" ")
    return f"/{name} {arguments[:end] if end > 0 else arguments} {line}"
