"""One thread that hands to QUIC what is waiting for the clients.

Whoever says something only queues it for those who may read it. While the postman is on its round, more is queued; on
the next one each client gets all of it at once, which shares packets. So the more is said, the fewer packets a message
costs, and when little is said nobody waits.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterable

from chat.server.client import Client

__all__ = ["Postman"]

logger = logging.getLogger("chat")


class Postman:
    """Calls `Sender.pump` for the clients it was told about. Any thread may use it."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._waiting: dict[Client, None] = {}
        self._closed = False
        self._thread = threading.Thread(target=self._run, name="chat postman", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def call(self, clients: Iterable[Client]) -> None:
        """Something is waiting for these clients. Does not block."""
        with self._changed:
            self._waiting.update(dict.fromkeys(clients))
            self._changed.notify()

    def close(self) -> None:
        """Go on no more rounds. Blocks until the last one is over."""
        with self._changed:
            self._closed = True
            self._changed.notify()
        if self._thread.ident is not None:  # it was started
            self._thread.join()

    def _run(self) -> None:
        while clients := self._next_round():
            for client in clients:
                try:
                    client.sender.pump()
                except Exception:
                    logger.exception("unexpected error in sending to client %s", client)

    def _next_round(self) -> dict[Client, None]:
        """Whom to see; empty at the end. Blocks."""
        with self._changed:
            self._changed.wait_for(lambda: self._waiting or self._closed)
            clients, self._waiting = self._waiting, {}
            return {} if self._closed else clients
