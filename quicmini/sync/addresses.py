"""What is to be known of an address before the system is asked."""

from __future__ import annotations

import socket

from quicmini.connection.state import Address

__all__ = ["check_address", "family_of"]

_MAX_PORT = 65_535


def check_address(address: tuple[str, int], lowest_port: int = 0) -> tuple[str, int]:
    """The host and the port. Raises TypeError for what is no (host, port), and ValueError for a port that there is not:
    `getaddrinfo` would take 70000 for 4464."""
    if not isinstance(address, tuple | list) or [*map(type, address)] != [str, int]:
        raise TypeError(f"an address must be (host, port), a string and a number (got {address!r})")
    host, port = address
    if not lowest_port <= port <= _MAX_PORT:
        raise ValueError(f"a port must be {lowest_port} to {_MAX_PORT} (got {port})")
    return host, port


def family_of(address: Address) -> int:
    """What kind of socket an IP address and port need."""
    return socket.AF_INET6 if ":" in address[0] else socket.AF_INET
