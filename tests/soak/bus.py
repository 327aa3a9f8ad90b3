"""The Redis or Valkey between the servers of a run: stopped, started again with what it had, and asked what that is."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterable, Mapping
from pathlib import Path
from time import monotonic
from typing import Any, Self

from chat.message import Kind, Message
from chat.server.bus import DEFAULT_PREFIX
from chat.server.bus_format import BEGINNING, encode_entry
from chat.server.history import Entry
from tests.chat.redis_server import RedisServer
from tests.soak.journal import CURTAIN, words_of

__all__ = ["Bus"]

MESSAGES = f"{DEFAULT_PREFIX}:messages"
HERALD = "c" * 16  # who says on the bus that all is said
PATIENCE = 120.0  # seconds in which the servers have to write what they have confirmed
POLL = 0.2  # seconds between two looks whether they have
READ_COUNT = 1000  # messages that are read at once


class Bus:
    """A context manager. deaths: how often it was stopped."""

    def __init__(self, directory: Path) -> None:
        self.deaths = 0
        self._redis = RedisServer(directory)
        self._client: Any = self._redis.client
        self._curtains = 0
        self._read_to = b"0-0"
        self._has: dict[str, int] = {}  # the last message of each person

    def __enter__(self) -> Self:
        self._redis.__enter__()
        return self

    def __exit__(self, *error: Any) -> None:
        self._redis.__exit__(*error)

    @property
    def url(self) -> str:
        return self._redis.url

    def stop(self, gently: bool) -> None:
        """SIGTERM if it is to be gentle, else SIGKILL. Blocks until it has ended."""
        self.deaths += 1
        self._client.close()
        if gently:
            self._redis.terminate()
        else:
            self._redis.kill()

    def start(self) -> None:
        """Start it again, with what it had. Blocks until it answers."""
        self._redis.start()

    def drop_curtain(self, rooms: Iterable[str]) -> None:
        """Say in each room that all is said, as if a server did: behind everything that is there."""
        for room in rooms:
            self._curtains += 1
            message = Message(CURTAIN, CURTAIN, f"{HERALD}-{self._curtains}", 1, Kind.SAY, room)
            self._client.xadd(MESSAGES, {"m": encode_entry(Entry(message, HERALD), BEGINNING)})

    def missing(self, wanted: Mapping[str, int]) -> list[str]:
        """Wait until the bus has had everybody's message of such a number; returns who is missing one all the same.

        The bus keeps as many as `chat.server.redis_bus.STREAM_LENGTH`: what it has dropped before is missed, too.
        """
        deadline = monotonic() + PATIENCE
        pause = threading.Event()
        while True:
            self._read()
            missing = [name for name, count in wanted.items() if self._has.get(name, 0) < count]
            if not missing or monotonic() > deadline:
                return missing
            pause.wait(POLL)

    def _read(self) -> None:
        while reply := self._client.xread({MESSAGES: self._read_to}, count=READ_COUNT):
            ((_, entries),) = reply
            self._read_to = entries[-1][0]
            for _, fields in entries:
                try:
                    name, count, _ = words_of(json.loads(fields[b"m"])[0][-1])
                except ValueError:
                    continue  # a curtain
                self._has[name] = max(self._has.get(name, 0), count)
