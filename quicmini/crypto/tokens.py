"""Sealed bytes that a peer keeps for us and brings back: address validation tokens, session tickets.

Whoever hands them out keeps no state for them; nobody else can read or make them (RFC 9000 §8.1.4).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from quicmini.errors import DecodeError

__all__ = ["KEY_LIFETIME", "TOKEN_KEY_LENGTH", "TOKEN_OVERHEAD", "TicketKeys", "TokenKey"]

TOKEN_KEY_LENGTH = 32  # bytes: AES-256
_NONCE_LENGTH = 12
_TAG_LENGTH = 16

# Bytes that sealing adds.
TOKEN_OVERHEAD = _NONCE_LENGTH + _TAG_LENGTH

# Seconds for which a key of `TicketKeys` seals; for as long again it opens what it has sealed. So nothing that was
# sealed can be read for longer than twice this, by whoever gets hold of the keys.
KEY_LIFETIME = 24 * 3600.0


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


class TicketKeys:
    """Token keys that change as time passes, or those that are handed in: the first of them seals, all open.

    random: like os.urandom. keys: for servers that share their tickets; who hands in keys also changes them, with
    `replace`.
    """

    def __init__(self, random: Callable[[int], bytes], keys: Sequence[bytes] = ()) -> None:
        self._random = random
        self._rotates = not keys
        self._next_rotation = 0.0
        self._keys: tuple[TokenKey, ...] = ()
        if keys:
            self.replace(keys)

    def replace(self, keys: Sequence[bytes]) -> None:
        """From now on use these keys, of TOKEN_KEY_LENGTH bytes each. ValueError if there is none."""
        if not keys:
            raise ValueError("there must be a key to seal with")
        replaced = tuple(TokenKey(key, self._random) for key in keys)
        self._rotates = False
        self._keys = replaced

    def seal(self, content: bytes, purpose: bytes, now: float) -> bytes:
        """As `TokenKey.seal`. now: seconds of a clock that all calls share."""
        self._rotate(now)
        return self._keys[0].seal(content, purpose)

    def open(self, token: bytes, purpose: bytes, now: float) -> bytes:
        """As `TokenKey.open`, for what was sealed within KEY_LIFETIME; later it may raise DecodeError."""
        self._rotate(now)
        for key in self._keys:
            try:
                return key.open(token, purpose)
            except DecodeError:
                continue
        raise DecodeError("the token was made with none of these keys, or for another purpose")

    def _rotate(self, now: float) -> None:
        if not self._rotates or now < self._next_rotation:
            return
        overdue = now >= self._next_rotation + KEY_LIFETIME  # even what the newest key sealed is too old
        kept = () if overdue else self._keys[:1]
        self._keys = (TokenKey(self._random(TOKEN_KEY_LENGTH), self._random), *kept)
        self._next_rotation = now + KEY_LIFETIME
