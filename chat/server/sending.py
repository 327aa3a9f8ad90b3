"""What one client is sent: at once if that takes no waiting, otherwise through a queue and a thread of its own.

Sending blocks for as long as the client gives no stream credit, and one slow client must not hold up the others. So
whoever has something for a client never waits: it puts it into the client's queue, with the hub's lock held so that all
clients get the same order, and afterwards the postman hands what is there to QUIC as far as there is credit, which is
nearly always enough. The rest is for the client's own thread; and a queue that is full costs its owner the connection,
nobody else anything.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from typing import Protocol

from chat.exchange import DIRECT_SIZE, ErrorCode
from quicmini import ConnectionClosed

__all__ = ["CLOSE_TIMEOUT", "MAX_QUEUE_SIZE", "NO_THREAD", "QUEUE_LIMIT", "Sender"]

QUEUE_LIMIT = 4096  # messages that may wait for one client, beyond those that QUIC has on the way
MAX_QUEUE_SIZE = 16 * 1024 * 1024  # bytes that these may have together
CLOSE_TIMEOUT = 3.0  # seconds that a client has to acknowledge what was sent to it, when it is the server that leaves
NO_THREAD = "the server is too busy for you just now: come back later"
LINGER = 1.0  # seconds after which a thread that has nothing to send ends


class SendsMessages(Protocol):
    """`chat.exchange.Outbox`, or what stands for it in a test."""

    def try_send(self, data: bytes) -> bool: ...
    def send(self, data: bytes) -> None: ...


class ClosesConnection(Protocol):
    """What of a connection is needed here."""

    def close(self, error_code: int = 0, reason: str = "", *, timeout: float | None = 0) -> None: ...


class Sender:
    """Sends to one client, in the order of the calls. Any thread may use it; no method blocks, but `join`."""

    def __init__(self, connection: ClosesConnection, outbox: SendsMessages, name: str, limit: int) -> None:
        self._connection = connection
        self._outbox = outbox
        self._name = name
        self._limit = limit
        self._changed = threading.Condition()
        self._waiting: deque[bytes] = deque()
        self._size = 0
        self._backlog: Callable[[], list[bytes]] | None = None
        self._thread: threading.Thread | None = None
        self._busy = False  # some thread has the outbox: nobody else may use it
        self._threaded = False  # it is this one's own thread, or soon will be
        self._finishing = False
        self._closed = False
        self._end = (0, "")  # what the connection is closed with
        self._page: deque[bytes] = deque()  # of the backlog: the thread's own

    @property
    def waiting(self) -> int:
        """How many messages are waiting."""
        return len(self._waiting)

    @property
    def busy(self) -> bool:
        """Whether somebody is sending just now."""
        return self._busy

    def post(self, data: bytes) -> bool:
        """Put a message behind those that are waiting; False if these are too many. `pump` sends it."""
        with self._changed:
            if self._finishing:
                return True
            if len(self._waiting) >= self._limit or self._size + len(data) > MAX_QUEUE_SIZE:
                return False
            self._waiting.append(data)
            self._size += len(data)
            return True

    def pump(self) -> None:
        """Send what is waiting, as far as that takes no waiting, unless another thread is about it."""
        with self._changed:
            if self._busy:
                return
            self._busy = True
        try:
            while data := self._take():
                if len(data) > DIRECT_SIZE or not self._outbox.try_send(data):
                    with self._changed:
                        self._waiting.appendleft(data)
                        self._size += len(data)
                        self._start()
                    return
        except ConnectionClosed:
            self._forget()  # the client's handler learns of it too, and says so

    def _take(self) -> bytes | None:
        """What `pump` sends next; when there is nothing, it has done."""
        with self._changed:
            if not self._waiting:
                self._busy = False
                if self._finishing or self._backlog is not None:
                    self._start()
                return None
            data = self._waiting.popleft()
            self._size -= len(data)
            return data

    def _forget(self) -> None:
        with self._changed:
            self._waiting.clear()
            self._size = 0
            self._backlog = None
            self._finishing = self._closed = True
            self._changed.notify_all()

    def catch_up(self, backlog: Callable[[], list[bytes]]) -> None:
        """Send what `backlog` returns, again and again until it returns nothing. What is posted meanwhile goes first.

        It is called by the thread, with no lock held.
        """
        with self._changed:
            self._backlog = backlog
            if not self._busy:
                self._start()

    def finish(self, error_code: int, reason: str) -> None:
        """Close the connection when what is waiting has been sent and acknowledged."""
        with self._changed:
            if not self._finishing:
                self._finishing = True
                self._end = (error_code, reason)
                if not self._busy:
                    self._start()

    def drop(self, error_code: int, reason: str) -> None:
        """Close the connection without sending what is waiting, nor waiting for what is on the way."""
        with self._changed:
            self._waiting.clear()
            self._backlog = None
            self._finishing = self._busy = self._closed = True
            self._end = (error_code, reason)
            if self._thread is not None:
                self._threaded = True  # there is nothing left for it to do
            self._changed.notify_all()
        self._connection.close(error_code, reason, timeout=0)

    def join(self, timeout: float) -> None:
        """After `finish`: wait until the connection is closed, `timeout` seconds at most."""
        with self._changed:
            self._changed.wait_for(lambda: self._closed, timeout)

    def _start(self) -> None:
        self._busy = self._threaded = True
        if self._thread is not None:
            self._changed.notify_all()
            return
        self._thread = threading.Thread(target=self._write, name=f"writer {self._name}", daemon=True)
        try:
            self._thread.start()
        except RuntimeError:  # no thread can be had just now
            self._thread = None
            self.drop(ErrorCode.FULL, NO_THREAD)

    def _write(self) -> None:
        """Send what is waiting, until nothing has for a while or nothing follows: the thread."""
        try:
            while (data := self._next()) is not None:
                self._outbox.send(data)
            if self._finishing and self._thread is threading.current_thread():  # else another one has come meanwhile
                self._connection.close(*self._end, timeout=CLOSE_TIMEOUT)
                self._forget()
        except ConnectionClosed:
            self._forget()

    def _next(self) -> bytes | None:
        """What the thread sends next; None if it has done."""
        while True:
            with self._changed:
                if self._waiting:
                    data = self._waiting.popleft()
                    self._size -= len(data)
                    return data
                if self._page:
                    return self._page.popleft()
                backlog = self._backlog
                if backlog is None:
                    if self._finishing:
                        return None
                    self._busy = self._threaded = False
                    if not self._changed.wait_for(lambda: self._threaded, LINGER):
                        self._thread = None
                        return None
                    continue
            self._page.extend(backlog())
            with self._changed:
                if not self._page and self._backlog is backlog:
                    self._backlog = None
