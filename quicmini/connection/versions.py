"""The QUIC versions of one connection (RFC 9368)."""

from __future__ import annotations

from collections.abc import Container

from quicmini.crypto.protection import Opener, Sealer

__all__ = ["Versions"]


class Versions:
    """The versions of one connection.

    available: what this side speaks, in order of preference. original: the version of the client's first flight.
    settled: the version will not change any more. reacted: the client has begun anew because of a Version Negotiation
    packet. protections: of Initial packets, in versions other than the present one.
    """

    __slots__ = ("available", "original", "protections", "reacted", "settled")

    def __init__(self, available: tuple[int, ...], original: int) -> None:
        self.available = available
        self.original = original
        self.settled = False
        self.reacted = False
        self.protections: dict[int, tuple[Sealer, Opener]] = {}

    def preferred(self, offered: Container[int]) -> int | None:
        """The best version that the other side has, too; None: there is none."""
        for version in self.available:
            if version in offered:
                return version
        return None
