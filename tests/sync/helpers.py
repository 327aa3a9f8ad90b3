"""What the tests of the blocking API share: a pair of connections over real sockets, and threads with results."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from time import monotonic
from typing import Any

from quicmini import Connection, Listener, Stream
from quicmini.sync.driver import Driver

__all__ = ["ALPN", "PATIENCE", "Pair", "drain", "in_thread", "until", "waiters"]

ALPN = "test"

# Seconds after which a test that hangs fails; nothing takes that long otherwise.
PATIENCE = 20.0


@dataclass
class Pair:
    """Both ends of one connection."""

    client: Connection
    server: Connection
    listener: Listener

    def streams(self) -> tuple[Stream, Stream]:
        """A bidirectional stream of the client's, and the server's end of it, after one byte went through."""
        mine = self.client.open_stream()
        mine.sendall(b"!")
        theirs = self.server.accept_stream(PATIENCE)
        for stream in (mine, theirs):
            stream.settimeout(PATIENCE)
        assert theirs.recv(1) == b"!"
        return mine, theirs


def in_thread(function: Callable[..., Any], *args: Any, **kwargs: Any) -> Future[Any]:
    """Run the function in a thread of its own; its result, or its exception, is the future's."""
    future: Future[Any] = Future()

    def run() -> None:
        try:
            future.set_result(function(*args, **kwargs))
        except BaseException as error:
            future.set_exception(error)

    threading.Thread(target=run, daemon=True).start()
    return future


def until(condition: Callable[[], object]) -> None:
    """Wait for something that another thread does, and that nothing tells of."""
    pause = threading.Event()
    give_up = monotonic() + PATIENCE
    while not condition():
        assert monotonic() < give_up, "it never happened"
        pause.wait(0.001)


def waiters(condition: threading.Condition | None) -> int:
    """How many threads wait on the condition."""
    return len(vars(condition)["_waiters"]) if condition is not None else 0


def waiting_threads(driver: Driver, *conditions: threading.Condition | None) -> int:
    """How many threads wait for something of the connection: on one of the conditions, or in a turn of the loop."""
    return sum(map(waiters, conditions)) + (driver.loop.turns.purpose is driver)


def drain(stream: Stream) -> bytes:
    """Everything up to the end of the stream."""
    parts = []
    while data := stream.recv(1 << 16):
        parts.append(data)
    return b"".join(parts)
