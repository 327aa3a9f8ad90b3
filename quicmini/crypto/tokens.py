"""Sealed bytes that a peer keeps for us and brings back: address validation tokens, session tickets.

Whoever hands them out keeps no state for them; nobody else can read or make them (RFC 9000 §8.1.4).
"""

from __future__ import annotations

from collections.abc import Callable

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from quicmini.errors import DecodeError

__all__ = ["TOKEN_KEY_LENGTH", "TOKEN_OVERHEAD", "TokenKey"]

TOKEN_KEY_LENGTH = 32  # bytes: AES-256
_NONCE_LENGTH = 12
_TAG_LENGTH = 16

# Bytes that sealing adds.
TOKEN_OVERHEAD = _NONCE_LENGTH + _TAG_LENGTH


class TokenKey:
    """One key for any number of tokens (random nonces: up to 2**32 of them). random: like os.urandom."""

    __slots__ = ("_aead", "_random")

    def __init__(self, key: bytes, random: Callable[[int], bytes]) -> None:
        if len(key) != TOKEN_KEY_LENGTH:
            raise ValueError(f"a token key has {TOKEN_KEY_LENGTH} bytes (got {len(key)})")
        self._aead = AESGCM(key)
        self._random = random

    def seal(self, content: bytes, purpose: bytes) -> bytes:
        """The token with this content. purpose: a token made for one purpose is of no use for another."""
        nonce = self._random(_NONCE_LENGTH)
        return nonce + self._aead.encrypt(nonce, content, purpose)

    def open(self, token: bytes, purpose: bytes) -> bytes:
        """The content; DecodeError for what was not sealed with this key for this purpose."""
        if len(token) < TOKEN_OVERHEAD:
            raise DecodeError("too short for a token")
        try:
            return self._aead.decrypt(token[:_NONCE_LENGTH], token[_NONCE_LENGTH:], purpose)
        except InvalidTag:
            raise DecodeError("the token was not made with this key, or for this purpose") from None
