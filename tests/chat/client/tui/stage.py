"""The interface on a terminal that is only thought of.

with Stage(columns=40) as stage:
    stage.show(Said("Ada", "hello"))
    stage.sees("Ada: hello")
    stage.press("hi" + ENTER)
    assert stage.typed == ["hi"]
"""

from __future__ import annotations

import datetime
import io
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack
from types import TracebackType
from typing import Self

import pyte
from prompt_toolkit.data_structures import Size
from prompt_toolkit.input import create_pipe_input
from prompt_toolkit.output.vt100 import Vt100_Output

from chat.client.events import Event
from chat.client.tui.model import Model
from chat.client.tui.screen import Screen

__all__ = ["ENTER", "ESCAPE", "PAGE_DOWN", "PAGE_UP", "TAB", "UP", "Stage", "row_of"]

PATIENCE = 30.0  # seconds: a limit against hangs
NOON = datetime.datetime(2026, 11, 21, 12, 0).timestamp()

ENTER, ESCAPE, TAB = "\r", "\x1b", "\t"
UP, DOWN = "\x1b[A", "\x1b[B"
PAGE_UP, PAGE_DOWN = "\x1b[5~", "\x1b[6~"


class _Glass(io.StringIO):
    """Where the interface writes to: a screen that a thread can watch."""

    def __init__(self, columns: int, rows: int) -> None:
        super().__init__()
        self.changed = threading.Condition()
        self.text = ""  # all of it
        self.screen = pyte.Screen(columns, rows)
        self._stream = pyte.Stream(self.screen)

    def write(self, text: str) -> int:
        with self.changed:
            self.text += text
            self._stream.feed(text)
            self.changed.notify_all()
        return len(text)


class Stage:
    """The interface, in a thread of its own. typed: what was sent off; left: whether it has ended by itself."""

    def __init__(self, columns: int = 100, rows: int = 12, *, colours: bool = True) -> None:
        self.typed: list[str] = []
        self.model = Model("Zoe", "lobby", ask_names=lambda: None, clock=lambda: NOON)
        self._glass = _Glass(columns, rows)
        self._size = Size(rows, columns)
        self._exits = ExitStack()
        self._input = self._exits.enter_context(create_pipe_input())
        output = Vt100_Output(self._glass, lambda: self._size, term="xterm-256color")
        self.screen = Screen(self.model, self.typed.append, colours=colours, input=self._input, output=output)
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> Self:
        self._thread.start()
        assert self._ready.wait(PATIENCE)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._thread.is_alive():
            self.do(self.screen.leave)
        self._thread.join(PATIENCE)
        self._exits.close()

    def press(self, keys: str) -> None:
        """As the terminal sends them."""
        self._input.send_text(keys)

    def show(self, *events: Event) -> None:
        """Something happens."""

        def show() -> None:
            for event in events:
                self.model.show(event)

        self.do(show)

    def do(self, work: Callable[[], object]) -> None:
        """In the interface's thread; returns when it is done."""
        done = threading.Event()

        def do() -> None:
            work()
            self.screen.refresh()
            done.set()

        loop = self.screen.application.loop
        assert loop
        loop.call_soon_threadsafe(do)
        assert done.wait(PATIENCE)

    def resize(self, columns: int, rows: int) -> None:
        """As it comes with SIGWINCH, which only a main thread is told of."""
        with self._glass.changed:
            self._size = Size(rows, columns)
            self._glass.screen.resize(rows, columns)
        self.do(lambda: self.screen.application.renderer.erase(leave_alternate_screen=False))

    def sees(self, *texts: str) -> None:
        """Wait until all of these are on the screen."""
        self.waits(lambda: all(any(text in row for row in self.rows) for text in texts), f"{texts}")

    def waits(self, condition: Callable[[], bool], what: str = "a condition") -> None:
        """Wait until it holds; it is looked at whenever something is written."""
        with self._glass.changed:
            assert self._glass.changed.wait_for(condition, PATIENCE), f"{what} not on the screen: {self.rows}"

    def loads_history(self, count: int) -> None:
        """Wait until the input knows so many earlier lines: prompt_toolkit reads them behind the back of the keys."""
        deadline = time.monotonic() + PATIENCE
        while len(self.screen.buffer._working_lines) <= count:
            assert time.monotonic() < deadline
            self.do(lambda: None)

    def ends(self) -> None:
        """Wait until the interface has ended by itself."""
        self._thread.join(PATIENCE)
        assert not self._thread.is_alive()

    @property
    def rows(self) -> list[str]:
        """The screen, without the spaces at the ends of its rows."""
        return [row.rstrip() for row in self._glass.screen.display]

    @property
    def cursor(self) -> tuple[int, int]:
        """Row and column."""
        return self._glass.screen.cursor.y, self._glass.screen.cursor.x

    @property
    def written(self) -> str:
        """Everything that the terminal was sent."""
        return self._glass.text

    def _run(self) -> None:
        self.screen.application.run(self._ready.set, set_exception_handler=False)


def row_of(stage: Stage, text: str) -> int:
    """Which row has this text."""
    return next(index for index, row in enumerate(stage.rows) if text in row)
