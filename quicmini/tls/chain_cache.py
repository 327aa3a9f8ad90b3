"""Which chains were found good, so that nobody need verify the same one for every connection with a peer.

Verifying a chain is the dearest part of a handshake, and nothing but the time can change what comes of it: the
certificates, the name and the trust store are the same.
"""

from __future__ import annotations

from collections import OrderedDict
from datetime import datetime
from typing import NamedTuple

from cryptography.hazmat.primitives.asymmetric.types import PublicKeyTypes

__all__ = ["MAX_CACHED_CHAINS", "ChainCache", "Period"]

# Chains that one trust store remembers: a client has few servers, and a chain may have 64 KB.
MAX_CACHED_CHAINS = 16


class Period(NamedTuple):
    """From when to when something is valid, both included: aware datetimes."""

    start: datetime
    end: datetime


class ChainCache:
    """The newest chains that were verified. Failures are not kept: the next attempt shall fail by itself.

    Many threads may connect with one trust store, so each method changes the table in single steps that need no lock.
    """

    def __init__(self) -> None:
        self._verified: OrderedDict[tuple[tuple[bytes, ...], str], tuple[Period, PublicKeyTypes]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._verified)

    def key_of(self, chain: tuple[bytes, ...], name: str, now: datetime) -> PublicKeyTypes | None:
        """The peer's public key if this very chain was verified for this name, and the time still allows it."""
        found = self._verified.get((chain, name))
        if found is None:
            return None
        period, key = found
        return key if period.start <= now <= period.end else None

    def add(self, chain: tuple[bytes, ...], name: str, period: Period, key: PublicKeyTypes) -> None:
        """Remember a chain (DER, the peer's own certificate first); period: when all of its path is valid."""
        self._verified[chain, name] = period, key
        if len(self._verified) > MAX_CACHED_CHAINS:
            self._verified.popitem(last=False)
