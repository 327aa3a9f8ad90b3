"""Which network this machine is on, as far as the way to one server is concerned."""

from __future__ import annotations

import socket
from collections.abc import Callable
from typing import Protocol

__all__ = ["Network", "SystemNetwork"]


class Network(Protocol):
    """What a session has to know of the machine's addresses."""

    def local_host(self, remote: tuple[str, int]) -> str | None:
        """The address from which the system would send to `remote`; None: it has no way there. Does not block."""

    def has(self, host: str) -> bool:
        """Whether this is, still, an address of this machine."""


class SystemNetwork:
    """The operating system's view."""

    def local_host(self, remote: tuple[str, int]) -> str | None:
        """Asks the routing table: connecting a UDP socket sends nothing."""
        return _probe(remote, lambda udp: udp.connect(remote))

    def has(self, host: str) -> bool:
        """A socket can be bound to it."""
        return _probe((host, 0), lambda udp: udp.bind((host, 0))) is not None


def _probe(address: tuple[str, int], prepare: Callable[[socket.socket], None]) -> str | None:
    """The local address of a socket after that; None if the system refuses."""
    family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as udp:
            prepare(udp)
            host: str = udp.getsockname()[0]
    except OSError:
        return None
    return host
