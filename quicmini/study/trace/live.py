"""`trace -- PROGRAM …`: run a program, and draw its connections while it is at work.

The program is asked for qlog files through its environment (QLOGDIR), as each one is that is built on this project; so
are the programs that it starts. Lines come about a second late: until both sides have written what they know.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from quicmini.study.terminal import WIDTH, Ink
from quicmini.study.trace.diagram import Diagram
from quicmini.study.trace.elision import Elider, Run
from quicmini.study.trace.rows import Row
from quicmini.study.trace.story import Story
from quicmini.study.trace.summary import LEGEND, summary
from quicmini.study.trace.tail import Tail, Told
from quicmini.sync.clock import stamp

__all__ = ["Screen", "follow"]

_LOOK = 0.1  # seconds between two looks at what is new

# Milliseconds that an event waits for older ones, which another log may still bring, and that a packet waits for what
# becomes of it.
_WAIT_FOR_OLDER = 400.0
_WAIT_FOR_FATE = 400.0

_MOST_HELD = 500  # packets of a long transfer that are counted before there is a line about them

_MARGIN = "» "  # before what the program prints

_PATIENCE = 5.0  # seconds that a program has for its end after an interruption

_INTERRUPTED = 130  # what a shell reports for a process that SIGINT ended
_SIGNALLED = 128  # a shell adds the number of the signal


def follow(program: list[str], ink: Ink, *, everything: bool = False) -> int:
    """Run it and draw. Exit status: the program's, 128 and the signal that ended it, or 1 if there was nothing to draw.

    What the program prints is shown between the lines of the diagram.
    """
    screen = Screen(ink, print_line, everything=everything)
    with tempfile.TemporaryDirectory(prefix="quicmini-trace-") as scratch:
        directory = Path(os.environ.get("QLOGDIR") or scratch)
        tail, output = Tail(directory), Path(scratch) / "output"
        environment = os.environ | {"QLOGDIR": str(directory), "PYTHONUNBUFFERED": "1"}
        with open(output, "wb") as file:
            try:
                process = subprocess.Popen(program, stdout=file, stderr=subprocess.STDOUT, env=environment)
            except OSError as error:
                print(f"{program[0]} cannot be run: {error.strerror or error}.", file=sys.stderr)
                return 1
        with process, open(output, encoding="utf-8", errors="replace") as lines:
            try:
                status = _watch(process, tail, lines.readlines, screen)
            except KeyboardInterrupt:
                _end(process)
                status = _INTERRUPTED
            screen.hear(tail.look(), lines.readlines(), _now())
            screen.finish()
    return status if screen.conversations else _nothing(status)


def print_line(line: str) -> None:
    """Print it now: it is there to be watched."""
    print(line, flush=True)


def _now() -> float:
    """Milliseconds since 1970, as the logs have it."""
    return stamp() / 1e6


def _watch(process: subprocess.Popen[bytes], tail: Tail, output: Callable[[], list[str]], screen: Screen) -> int:
    """Draw until the program ends; its exit status."""
    while True:
        try:
            status = process.wait(_LOOK)
        except subprocess.TimeoutExpired:
            screen.hear(tail.look(), output(), _now())
            screen.show(_now())
        else:
            return status if status >= 0 else _SIGNALLED - status


def _end(process: subprocess.Popen[bytes]) -> None:
    """After an interruption, which the program has most likely heard as well."""
    try:
        process.wait(_PATIENCE)
    except subprocess.TimeoutExpired:
        process.terminate()


def _nothing(status: int) -> int:
    print(
        "There is no connection to draw: the program made none, or does not write qlog to QLOGDIR.",
        file=sys.stderr,
    )
    return status or 1


class _Said(NamedTuple):
    """A line that the program printed, and when it was seen: milliseconds since 1970."""

    time: float
    text: str


class _Conversation:
    """A connection, as far as it has been told and shown."""

    def __init__(self, connection: str, start: float, ink: Ink, *, everything: bool) -> None:
        self.connection = connection
        self.story = Story(())
        self.diagram = Diagram(ink, start, all_details=everything)
        self._elider = None if everything else Elider()
        self._next = 0

    def lines(self, before: float) -> list[str]:
        """What is to be shown of the rows that are old enough; each is shown once."""
        rows: list[Row | Run] = []
        elider, told = self._elider, self.story.rows
        first = self._next
        while self._next < len(told) and told[self._next].time <= before:
            row = told[self._next]
            rows += [row] if elider is None else elider.feed(row)
            self._next += 1
        if elider is not None and (self._next == first or elider.held >= _MOST_HELD):
            rows += elider.flush()  # nobody should have to wait for the end of a run
        return [line for row in rows for line in self.diagram.lines(row)]


class Screen:
    """What is shown of a program at work: `write` gets line after line."""

    def __init__(self, ink: Ink, write: Callable[[str], None], *, everything: bool = False) -> None:
        self.conversations: dict[str, _Conversation] = {}
        self._ink = ink
        self._write = write
        self._everything = everything
        self._waiting: list[Told] = []
        self._said: list[_Said] = []
        self._current: _Conversation | None = None
        self._start: float | None = None  # of the first connection: the time that is 0

    def hear(self, told: list[Told], output: list[str], now: float) -> None:
        """There are new events, and new lines of the program; now: milliseconds since 1970."""
        self._waiting = sorted(self._waiting + told, key=lambda each: each.event.time)
        self._said += [_Said(now, line.rstrip("\n")) for line in output]

    def show(self, now: float) -> None:
        """Draw what is old enough to be complete."""
        self._tell(now - _WAIT_FOR_OLDER)
        self._draw(now - _WAIT_FOR_OLDER - _WAIT_FOR_FATE)

    def finish(self) -> None:
        """There is no more to come: draw the rest."""
        self._tell(float("inf"))
        for conversation in self.conversations.values():
            conversation.story.settle()
        for _ in range(2):  # the second time, what the first one has held back
            self._draw(float("inf"))
        for conversation in self.conversations.values():
            self._write("")
            if len(self.conversations) > 1:
                self._write(self._title(conversation))
            for line in summary(conversation.story, self._ink):
                self._write(line)
        for line in LEGEND if self.conversations else ():
            self._write(self._ink("faint", line))

    def _tell(self, before: float) -> None:
        count = 0
        for connection, role, event in self._waiting:
            if event.time > before:
                break
            count += 1
            if connection not in self.conversations:
                self._start = event.time if self._start is None else self._start
                made = _Conversation(connection, self._start, self._ink, everything=self._everything)
                self.conversations[connection] = made
            self.conversations[connection].story.tell(role, event)
        del self._waiting[:count]

    def _draw(self, before: float) -> None:
        """One connection after another, so that there is little to and fro; then what the program says."""
        for conversation in self.conversations.values():
            lines = conversation.lines(before)
            if lines:
                self._turn_to(conversation)
            for line in lines:
                self._write(line)
        for said in self._said:
            if said.time <= before:
                self._say(said.text)
        self._said = [said for said in self._said if said.time > before]

    def _turn_to(self, conversation: _Conversation) -> None:
        """Say which connection the next lines are about, where that changes."""
        if self._current is None:
            self._write("")
        if conversation is not self._current:
            self._write(self._title(conversation))
        if self._current is None:
            self._write(conversation.diagram.head())
        self._current = conversation

    def _title(self, conversation: _Conversation) -> str:
        return self._ink("title", f"Connection {conversation.connection}")

    def _say(self, text: str) -> None:
        """A line of the program, whole, and without what could move the cursor."""
        clean = "".join(character if character.isprintable() else " " for character in text.expandtabs())
        for line in textwrap.wrap(clean, WIDTH - len(_MARGIN)) or [""]:
            self._write(self._ink("value", f"{_MARGIN}{line}".rstrip()))
