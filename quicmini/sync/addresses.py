"""What a program gives as an address, looked at before the system is asked."""

from __future__ import annotations

__all__ = ["check_address"]

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
