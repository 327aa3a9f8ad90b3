"""From a session that is connected to its end: its threads on one side, the interface on the other."""

from __future__ import annotations

import asyncio
import logging
import queue
import signal
import sys
import threading
import time
from collections.abc import Callable
from functools import partial
from types import TracebackType
from typing import Any, Self

from prompt_toolkit.input import Input
from prompt_toolkit.output import Output

from chat.client.events import Ended, Event, State, Welcomed
from chat.client.keeper import NotConfirmed
from chat.client.sentences import messages
from chat.client.session import Session
from chat.client.style import colours_wanted
from chat.client.tui.model import Model
from chat.client.tui.screen import Screen
from chat.client.tui.status import Path
from chat.client.tui.typist import Typist
from chat.client.wire import QuicWire

__all__ = ["LogLines", "Terminal"]

logger = logging.getLogger("chat")

MAX_BATCH = 200  # events that are shown between two keys
MEASURE_INTERVAL = 1.0  # seconds between looks at what QUIC does
MAX_LINES = 100  # that were logged before there was an interface
QUIET_PATIENCE = 1.0  # seconds that it may take to leave without a word
LEAVE_PATIENCE = 3.0  # seconds for the server to confirm what was said last

_SIGNALS = (signal.SIGTERM, signal.SIGHUP)


class LogLines(logging.Handler):
    """While it is used, takes what is logged; what comes before `show` is set is also logged as it would have been."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[str] = []
        self.show: Callable[[str], object] | None = None
        self._others: list[logging.Handler] = []

    def __enter__(self) -> Self:
        root = logging.getLogger()
        self._others, root.handlers = root.handlers, [self]
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        logging.getLogger().handlers = self._others

    def emit(self, record: logging.LogRecord) -> None:
        """For logging."""
        if self.show is not None:
            self.show(record.getMessage())
            return
        if len(self.lines) < MAX_LINES:
            self.lines.append(record.getMessage())
        for handler in self._others:
            handler.handle(record)


class Terminal:
    """The interface for a session whose events come through a queue. server: its name for people.

    `run` shows it until somebody leaves, or the session ends.
    """

    def __init__(
        self,
        session: Session,
        events: queue.Queue[Event],
        server: str,
        log: LogLines,
        *,
        input: Input | None = None,
        output: Output | None = None,
    ) -> None:
        self._session = session
        self._events = events
        self._server = server
        self._log = log
        self._model = Model(session.nickname, session.room, ask_names=self._ask_names, clock=time.time)
        self.screen = Screen(self._model, self._type, colours=colours_wanted(sys.stdout), input=input, output=output)
        self._typist = Typist(session, self._model, self.screen.leave)
        self.connected = False  # whether there ever was a connection
        self._error: Exception | None = None
        self._left = threading.Event()
        self._over = threading.Event()
        self._shown = threading.Event()

    def run(self) -> Exception | None:
        """Returns why the session ended, None: this side has left. Raises KeyboardInterrupt after a signal."""
        error = self._connect()
        if error is not None or self._session.over:
            return error
        self._typist.start()
        handlers = {number: signal.getsignal(number) for number in _SIGNALS}
        try:
            error = self.screen.application.run(self._prepare, set_exception_handler=False)
        except (EOFError, OSError):
            pass  # the terminal has gone
        except KeyboardInterrupt:
            self._left.set()
            self._leave()
            raise
        finally:
            self._left.set()
            self._log.show = None
            for number, handler in handlers.items():
                signal.signal(number, handler)
        return error or self._leave()

    def _connect(self) -> Exception | None:
        """Wait for the first connection on the normal screen, where what goes wrong stays to be read."""
        while True:
            event = self._events.get()
            if isinstance(event, Ended):
                return event.error
            if isinstance(event, Welcomed):
                self.connected = True
                for line in self._log.lines:
                    self._model.tell(line)
                self._model.tell(f"connected to {self._server}; /help lists commands, Esc leaves")
            self._model.show(event)
            if self.connected:
                return None

    def _prepare(self) -> None:
        """In the interface's thread, before anything is drawn."""
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(self._failed)
        for number in _SIGNALS:
            loop.add_signal_handler(number, self._interrupted)
        self._log.show = lambda line: _soon(loop, partial(self._tell, line))
        threading.Thread(target=self._pump, args=(loop,), name="chat pump", daemon=True).start()

    def _type(self, text: str) -> None:
        self._typist.type(text)

    def _ask_names(self) -> None:
        self._typist.ask_names()

    def _tell(self, line: str) -> None:
        self._model.tell(line)
        self.screen.refresh()

    def _interrupted(self) -> None:
        self.screen.application.exit(exception=KeyboardInterrupt)

    def _failed(self, _loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        self.screen.leave(context.get("exception") or RuntimeError(context["message"]))

    def _show(self, batch: list[Event], path: Path, waiting: int) -> None:
        for event in batch:
            self._model.show(event)
            if isinstance(event, Ended):
                self.screen.leave(event.error)
        self._model.measured(path, waiting)
        self.screen.refresh()
        self._shown.set()

    # The thread that takes events to the interface

    def _pump(self, loop: asyncio.AbstractEventLoop) -> None:
        """A batch after the other, each shown before the next is taken: a flood waits in the network."""
        while not self._over.is_set():
            batch = self._batch()
            for event in batch:
                if isinstance(event, Ended):
                    self._error = event.error
                    self._over.set()
            if self._left.is_set():
                continue
            self._shown.clear()
            show = partial(self._show, batch, _path(self._session), self._session.unconfirmed)
            if _soon(loop, show):
                while not (self._shown.wait(MEASURE_INTERVAL) or self._left.is_set()):
                    pass

    def _batch(self) -> list[Event]:
        """What has happened; nothing, if that is nothing for a while."""
        batch: list[Event] = []
        try:
            batch.append(self._events.get(timeout=MEASURE_INTERVAL))
            while len(batch) < MAX_BATCH:
                batch.append(self._events.get_nowait())
        except queue.Empty:
            pass
        return batch

    # On the normal screen again

    def _leave(self) -> Exception | None:
        """Give the server a moment to confirm what was said last."""
        self._typist.finish()
        waiting = self._session.unconfirmed
        if self._session.state is State.LOST and not waiting:
            return None
        if not self._over.wait(QUIET_PATIENCE) and waiting:
            logger.info("leaving: %s not confirmed yet", messages(waiting))
            self._over.wait(LEAVE_PATIENCE)
        if self._over.is_set():
            return self._error
        waiting = self._session.unconfirmed
        return NotConfirmed(f"left before the server had confirmed {messages(waiting)}") if waiting else None


def _soon(loop: asyncio.AbstractEventLoop, work: Callable[[], None]) -> bool:
    """Have it done in the interface's thread; False if that is over."""
    try:
        loop.call_soon_threadsafe(work)
    except RuntimeError:
        return False
    return True


def _path(session: Session) -> Path:
    """What QUIC does. May wait for the connection's lock: not for the interface's thread."""
    if not isinstance(session.wire, QuicWire):
        return Path()
    stats = session.wire.connection.stats()
    return Path(
        stats.smoothed_rtt,
        stats.packets_lost,
        stats.retransmitted_bytes,
        stats.bytes_in_flight,
        stats.packets_received,
    )
