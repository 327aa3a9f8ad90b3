"""The network between one client and the server: it loses datagrams, goes dark, and gives the client other addresses.

It sits in the client's own socket, where it costs next to nothing: a relay for some 10,000 datagrams a second would
take the time of a core that the server needs.
"""

from __future__ import annotations

import random
import threading
from time import monotonic
from typing import ClassVar

from quicmini.config import Capture
from quicmini.connection.state import Address
from quicmini.sync import client
from quicmini.sync.udp import UdpSocket

__all__ = ["HOME", "LossySocket", "Path", "install"]

HOME = "127.0.0.1"
AFTERMATH = 5.0  # seconds after a dark time in which it still shows
_here = threading.local()


class Path:
    """What a client's sockets and its `chat.client.network.Network` ask. Chance comes from the seed."""

    def __init__(self, loss: float, seed: str) -> None:
        self.host = HOME
        self._loss = loss
        self._chance = random.Random(seed).random
        self._dark_until = 0.0
        self._socket_type = type("LossySocket", (LossySocket,), {"path": self})

    def loses(self) -> bool:
        """The fate of one more datagram."""
        return self._chance() < self._loss or monotonic() < self._dark_until

    def clear_since(self, time: float) -> bool:
        """Whether nothing but the usual loss was to be expected from then on: it had been a while since it was dark.

        A path that is lit again is not enough: what was said in the dark waits for a timer that has backed off.
        """
        return time > self._dark_until + AFTERMATH

    def go_dark(self, seconds: float) -> None:
        """Lose everything for so long."""
        self._dark_until = max(self._dark_until, monotonic() + seconds)

    def mend(self) -> None:
        """Be dark no more, though still lossy."""
        self._dark_until = min(self._dark_until, monotonic())

    def enter(self) -> None:
        """The connections that this thread makes from now on take this path, from the address where all begin."""
        self.host = HOME
        _here.socket_type = self._socket_type

    # For a session

    def local_host(self, remote: tuple[str, int]) -> str | None:
        """The address that the machine has now."""
        del remote
        return self.host

    def has(self, host: str) -> bool:
        """No address is ever taken away before the connection could move."""
        del host
        return True


class LossySocket(UdpSocket):
    """Loses what its path loses, on the way out and on the way in."""

    path: ClassVar[Path]

    def receive(self, caught: bool = False) -> list[tuple[Address, list[bytes], int]]:
        loses = self.path.loses
        batch = []
        for source, datagrams, ecn in super().receive(caught):
            if left := [datagram for datagram in datagrams if not loses()]:
                batch.append((source, left, ecn))
        return batch

    def _sendmsg(self, piece: bytes, segment_size: int, destination: Address, ecn: int) -> None:
        loses = self.path.loses
        datagrams = (piece[start : start + segment_size] for start in range(0, len(piece), segment_size))
        if left := b"".join(datagram for datagram in datagrams if not loses()):
            super()._sendmsg(left, segment_size, destination, ecn)


def _socket_type(capture: Capture | None) -> type[UdpSocket]:
    del capture
    kind: type[UdpSocket] = getattr(_here, "socket_type", UdpSocket)
    return kind


def install() -> None:
    """Have `quicmini.connect` in this process make its sockets as `Path.enter` says."""
    vars(client)["socket_type"] = _socket_type
