"""Stateless reset: what is left to say about a connection that is no longer known (RFC 9000 §10.3).

The token of a connection ID is computed from the ID and a key that outlives the process, so that nothing has to be
remembered for it.
"""

from __future__ import annotations

import hmac

from quicmini.tls.groups import Random
from quicmini.wire.frames import RESET_TOKEN_LENGTH

__all__ = ["MAX_RESETS", "MIN_RESET_SIZE", "RESET_SIZE", "StatelessResets"]

# Bytes of the shortest datagram that may be a stateless reset (RFC 9000 §10.3).
MIN_RESET_SIZE = 21

# Bytes of a stateless reset, if what it answers is longer: enough to look like a short packet of any peer (§10.3).
RESET_SIZE = 43

# Resets that are sent at once, and each second: whoever sends garbage gets no garbage back for ever (§10.3.3).
MAX_RESETS = 100


class StatelessResets:
    """Makes tokens, and the datagrams that end in one. key: the same one in every process that serves an address."""

    def __init__(self, key: bytes, random: Random) -> None:
        self._key = key
        self._random = random
        self._left: float = MAX_RESETS
        self._counted_at: float | None = None

    def token(self, cid: bytes) -> bytes:
        """The stateless reset token of one of this side's connection IDs (RFC 9000 §10.3.2)."""
        return hmac.digest(self._key, b"stateless reset " + cid, "sha256")[:RESET_TOKEN_LENGTH]

    def answer(self, datagram: bytes, cid: bytes, now: float) -> bytes | None:
        """The reset for a 1-RTT packet to an ID that nobody has; None if there should be none.

        It is shorter than what it answers: two endpoints that answer each other's resets come to an end (§10.3.3).
        """
        size = min(len(datagram) - 1, RESET_SIZE)
        if size < MIN_RESET_SIZE or not self._may_answer(now):
            return None
        filling = self._random(size - RESET_TOKEN_LENGTH)
        return bytes((filling[0] & 0x3F | 0x40,)) + filling[1:] + self.token(cid)

    def _may_answer(self, now: float) -> bool:
        if self._counted_at is not None:
            self._left = min(MAX_RESETS, self._left + MAX_RESETS * max(0.0, now - self._counted_at))
        self._counted_at = now
        if self._left < 1:
            return False
        self._left -= 1
        return True
