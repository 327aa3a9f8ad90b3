"""Who may come in: so many clients in all, so many from each address."""

from __future__ import annotations

import threading
from collections import Counter

from chat.message import Message

__all__ = ["MAX_CLIENTS", "MAX_CLIENTS_PER_ADDRESS", "Admission"]

MAX_CLIENTS = 1024  # each costs a thread, or two
MAX_CLIENTS_PER_ADDRESS = 256  # there may be many people behind one address, but not all of them


class Admission:
    """Counts the clients, and looks at those that introduce themselves. Any thread may use it; it does not block."""

    def __init__(self, max_clients: int = MAX_CLIENTS, max_per_address: int = MAX_CLIENTS_PER_ADDRESS) -> None:
        self._max_clients = max_clients
        self._max_per_address = max_per_address
        self._lock = threading.Lock()
        self._hosts: Counter[str] = Counter()

    def enter(self, host: str) -> str:
        """A client comes from `host`: empty, or why it cannot stay. Who has entered has to `leave`."""
        with self._lock:
            if self._hosts.total() >= self._max_clients:
                return f"the server is full ({self._max_clients} clients)"
            if self._hosts[host] >= self._max_per_address:
                return f"the server is full for your address ({self._max_per_address} clients)"
            self._hosts[host] += 1
            return ""

    def leave(self, host: str) -> None:
        """A client that had entered has gone."""
        with self._lock:
            self._hosts[host] -= 1
            if not self._hosts[host]:
                del self._hosts[host]

    def check(self, hello: Message) -> str:
        """Whether a client that says this may take part: empty, or a sentence that says why not."""
        del hello
        return ""
