"""Sessions whose events can be waited for."""

from __future__ import annotations

import queue
from collections.abc import Callable
from typing import TypeVar

from chat.client.events import Ended, Event, Said, State, StateChanged
from chat.client.network import Network
from chat.client.session import Session
from chat.client.wire import Dial, QuicDial
from chat.exchange import chat_config
from chat.message import ALPN_PROTOCOLS
from quicmini import Connection, Listener, connect
from quicmini import Session as QuicSession

__all__ = ["Laptop", "Person", "dial_to"]

PATIENCE = 30.0  # seconds: a limit against hangs

E = TypeVar("E")


def dial_to(listener: Listener, cafile: str) -> QuicDial:
    """Leads to a server of this process, over QUIC."""

    def connect_to(*, session: QuicSession | None, early_data: bool) -> Connection:
        return connect(
            listener.address,
            alpn_protocols=ALPN_PROTOCOLS,
            cafile=cafile,
            session=session,
            early_data=early_data,
            config=chat_config(),
        )

    return QuicDial(connect_to)


class Laptop:
    """A machine that is at one address, and awake, until the test says something else. time: seconds."""

    def __init__(self, host: str) -> None:
        self.host: str | None = host
        self.hosts = {host}
        self.time = 0.0

    def local_host(self, remote: tuple[str, int]) -> str | None:
        return self.host

    def has(self, host: str) -> bool:
        return host in self.hosts

    def move(self, host: str | None) -> None:
        """To this network, or to none."""
        self.hosts = {host} if host else set()
        self.host = host

    def sleep(self) -> None:
        """For an hour."""
        self.time += 3600.0


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
        clock: Callable[[], float] = lambda: 0.0,
    ) -> None:
        self.told: list[Event] = []
        self._queue: queue.SimpleQueue[Event] = queue.SimpleQueue()
        super().__init__(
            dial,
            nickname,
            self._queue.put,
            password=password,
            patience=patience,
            network=network or Laptop("127.0.0.1"),
            chance=lambda: 0.0,
            clock=clock,
        )

    def next(self, kind: type[E], matches: Callable[[E], bool] = lambda event: True) -> E:
        """The next event of this kind."""
        while True:
            event = self._queue.get(timeout=PATIENCE)
            self.told.append(event)
            if isinstance(event, kind) and matches(event):
                return event
            assert not isinstance(event, Ended), self.told

    def connected(self) -> None:
        """Wait until it is."""
        self.next(StateChanged, lambda event: event.state is State.CONNECTED)

    def lost(self) -> StateChanged:
        """The next time that it is said that there is no connection."""
        return self.next(StateChanged, lambda event: event.state is State.LOST)

    def end(self) -> Exception | None:
        """How it ended."""
        return self.next(Ended).error

    @property
    def said(self) -> list[str]:
        """The texts that were shown so far."""
        return [event.text for event in self.told if isinstance(event, Said)]
