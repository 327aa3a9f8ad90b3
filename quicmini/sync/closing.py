"""What is left to do for clients that have closed their connections: one thread for all of them.

For some time a closed connection has to repeat its CONNECTION_CLOSE to a peer that did not get it (RFC 9000 §10.2.1).
Nobody waits for that. A thread for each, woken by each late datagram, would take the processor from a program that
connects again at once; so all of them are looked at together, now and then.
"""

from __future__ import annotations

import threading
from time import sleep
from typing import Protocol

__all__ = ["CLOSING", "LOOK_INTERVAL", "Closing"]

# Seconds between two looks at the sockets of closed connections: about the shortest probe timeout (RFC 9002 §6.2.1),
# which is when a peer that has lost the CONNECTION_CLOSE speaks again.
LOOK_INTERVAL = 0.03


class Leaving(Protocol):
    """A loop whose connections are closed."""

    def look(self) -> bool:
        """Do what there is to do; False when there will never be anything again. Does not block."""
        ...


class Closing:
    """Looks after loops until they are done."""

    def __init__(self) -> None:
        self._loops: list[Leaving] = []
        # Reentrant: a signal handler may close a connection while its thread is closing another.
        self._changed = threading.Condition(threading.RLock())
        self._thread: threading.Thread | None = None

    def take_over(self, loop: Leaving) -> None:
        """Look after this one too. Does not block."""
        with self._changed:
            self._loops.append(loop)
            if self._thread is None or not self._thread.is_alive():  # the latter in a child process
                self._thread = threading.Thread(target=self._run, name="quicmini closing", daemon=True)
                self._thread.start()
            elif len(self._loops) == 1:
                self._changed.notify()

    def _run(self) -> None:
        while True:
            with self._changed:
                while not self._loops:
                    self._changed.wait()
            sleep(LOOK_INTERVAL)
            with self._changed:
                loops = list(self._loops)
            done = {loop for loop in loops if not loop.look()}
            with self._changed:
                self._loops = [loop for loop in self._loops if loop not in done]


CLOSING = Closing()
