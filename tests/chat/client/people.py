"""Sessions whose events can be waited for."""

from __future__ import annotations

import queue
from collections.abc import Callable
from typing import TypeVar

from chat.client.events import Ended, Event, Said
from chat.client.network import Network
from chat.client.session import Session
from chat.client.wire import Dial

__all__ = ["Person"]

PATIENCE = 30.0  # seconds: a limit against hangs

E = TypeVar("E")


class Still(Network):
    """A machine that stays where it is."""

    def local_host(self, remote: tuple[str, int]) -> str | None:
        return "127.0.0.1"

    def has(self, host: str) -> bool:
        return True


class Person(Session):
    """A session, and what it has told so far."""

    def __init__(
        self,
        dial: Dial,
        nickname: str = "zoe",
        *,
        password: str = "",
        patience: float | None = None,
        network: Network | None = None,
    ) -> None:
        self.told: list[Event] = []
        self._queue: queue.SimpleQueue[Event] = queue.SimpleQueue()
        super().__init__(
            dial,
            nickname,
            self._queue.put,
            password=password,
            patience=patience,
            network=network or Still(),
            chance=lambda: 0.0,
        )

    def next(self, kind: type[E], matches: Callable[[E], bool] = lambda event: True) -> E:
        """The next event of this kind."""
        while True:
            event = self._queue.get(timeout=PATIENCE)
            self.told.append(event)
            if isinstance(event, kind) and matches(event):
                return event
            assert not isinstance(event, Ended), self.told

    def end(self) -> Exception | None:
        """How it ended."""
        return self.next(Ended).error

    @property
    def said(self) -> list[str]:
        """The texts that were shown so far."""
        return [event.text for event in self.told if isinstance(event, Said)]
