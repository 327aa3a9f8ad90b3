"""A bad stretch of network for the demo: a UDP path to the server that throws some datagrams away on purpose."""

from __future__ import annotations

import random
import selectors
import socket
import threading
from contextlib import suppress
from typing import NamedTuple, Self

__all__ = ["LOSS", "LossyPath", "Thrown"]

LOSS = 1 / 6  # the chance of each datagram after the handshake, unless the one before it was thrown away
MESSAGE_SIZE = 100  # bytes: a datagram with a message is larger, one that only acknowledges is much smaller
_LONG_HEADER = 0x80  # in the first byte of a handshake's packets (RFC 9000 §17.2)


class Thrown(NamedTuple):
    """A datagram that did not arrive: on the way to the server or from it, bytes."""

    to_server: bool
    size: int


class LossyPath:
    """Carries datagrams between one client and the server at `target`, an IPv4 address, both ways.

    `seed` decides which are thrown away: the same ones, counted from the first, each time. The handshake gets through,
    and of two in a row one does, so that the conversation is never held up for long. A context manager with one thread.
    """

    def __init__(self, target: tuple[str, int], seed: str) -> None:
        self.thrown: list[Thrown] = []
        self.carried = 0  # datagrams that did get through
        self._losing = True
        self._message_lost = threading.Event()
        self._message_lost.set()
        self._chance = {to_server: random.Random(f"{seed} {to_server}") for to_server in (True, False)}
        self._spared = dict.fromkeys(self._chance, False)  # for each direction: the next one gets through
        self._near, self._far = (socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(2))
        for each in (self._near, self._far):
            each.setblocking(False)  # what makes a socket readable, an error, may be gone by the time it is read
        self._near.bind(("127.0.0.1", 0))
        self._far.connect(target)
        self._client: tuple[str, int] | None = None
        self._end, self._ended = socket.socketpair()
        self._thread = threading.Thread(target=self._run, name=f"lossy path of {seed}", daemon=True)

    @property
    def address(self) -> tuple[str, int]:
        """Where the client finds the server."""
        host, port = self._near.getsockname()
        return host, port

    def lose_next_message(self) -> None:
        """Throw away the next datagram to the server that is large enough for a message."""
        self._message_lost.clear()

    def wait_message_lost(self, timeout: float) -> None:
        """Block until that has happened, `timeout` seconds at most."""
        self._message_lost.wait(timeout)

    def mend(self) -> None:
        """Throw nothing away any more."""
        self._losing = False

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._end.close()
        self._thread.join()
        for each in (self._near, self._far, self._ended):
            each.close()

    def _run(self) -> None:
        with selectors.DefaultSelector() as selector:
            for each in (self._near, self._far, self._ended):
                selector.register(each, selectors.EVENT_READ)
            while True:
                for key, _ in selector.select():
                    if key.fileobj is self._ended:
                        return
                    with suppress(OSError):  # the one or the other side has gone
                        self._carry(to_server=key.fileobj is self._near)

    def _carry(self, to_server: bool) -> None:
        if to_server:
            datagram, self._client = self._near.recvfrom(65535)
        else:
            datagram = self._far.recv(65535)
        if self._throws_away(datagram, to_server):
            self.thrown.append(Thrown(to_server, len(datagram)))
            return
        self.carried += 1
        if to_server:
            self._far.send(datagram)
        elif self._client:
            self._near.sendto(datagram, self._client)

    def _throws_away(self, datagram: bytes, to_server: bool) -> bool:
        if not self._losing or datagram[:1] >= bytes([_LONG_HEADER]):
            return False
        lost = self._chance[to_server].random() < LOSS and not self._spared[to_server]
        if to_server and len(datagram) > MESSAGE_SIZE and not self._message_lost.is_set():
            lost = True
            self._message_lost.set()
        self._spared[to_server] = lost
        return lost
