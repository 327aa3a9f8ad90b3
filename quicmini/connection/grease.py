"""The QUIC bit, which is always 1 in RFC 9000, takes any value between those who agree on that (RFC 9287).

What is always the same, middleboxes come to rely on, and then it can never be changed.
"""

from __future__ import annotations

from quicmini.tls.groups import Random

__all__ = ["QUIC_BIT", "QuicBit"]

QUIC_BIT = 0x40  # in the first byte of every packet: the fixed bit of RFC 9000 §17.2, §17.3

_TOSSES = 256  # coin tosses for which random bytes are fetched at once


class QuicBit:
    """What one connection does with the bit. greased: the peer takes packets without it (RFC 9287 §3)."""

    __slots__ = ("_random", "_tosses", "greased")

    def __init__(self, random: Random) -> None:
        self.greased = False
        self._random = random
        self._tosses = 1

    def apply(self, header: bytes) -> bytes:
        """The header as it should be sent: with the bit or without it, unpredictably (RFC 9287 §3)."""
        return header if self.toss() else bytes((header[0] & ~QUIC_BIT,)) + header[1:]

    def toss(self) -> int:
        """QUIC_BIT or 0: what the next packet should have."""
        if not self.greased:
            return QUIC_BIT
        if self._tosses == 1:  # the 1 at the top marks the end
            self._tosses = int.from_bytes(self._random(_TOSSES // 8)) | 1 << _TOSSES
        head, self._tosses = self._tosses & 1, self._tosses >> 1
        return QUIC_BIT if head else 0
