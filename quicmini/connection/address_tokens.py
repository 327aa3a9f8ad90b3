"""Tokens by which a server knows that a client can receive at its address (RFC 9000 §8.1.2 to §8.1.4).

One that a Retry packet carries is for the connection attempt under way: bound to the client's host and port, to both
connection IDs, and to a few seconds. One of a NEW_TOKEN frame is for a later connection from the same host, once.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from hashlib import sha256
from typing import NamedTuple

from quicmini.connection.state import Address
from quicmini.crypto.tokens import TOKEN_KEY_LENGTH, TicketKeys
from quicmini.errors import DecodeError, TransportError, TransportErrorCode

__all__ = ["MAX_REMEMBERED_TOKENS", "NEW_TOKEN_LIFETIME", "RETRY_TOKEN_LIFETIME", "AddressProof", "AddressTokens"]

# Seconds that a token is good for: long enough for a few lost Initials, short enough to be of no use to who overhears
# it (RFC 9000 §8.1.4); and until a client may be back.
RETRY_TOKEN_LIFETIME = 15.0
NEW_TOKEN_LIFETIME = 7 * 24 * 3600.0

# Tokens known to be used up: a NEW_TOKEN token should work once (RFC 9000 §8.1.4). More than these are forgotten, the
# oldest first, and what is forgotten could be used a second time.
MAX_REMEMBERED_TOKENS = 4096

_TIME_LENGTH = 8  # bytes: milliseconds
_DIGEST_LENGTH = 16
_NAME_LENGTH = 12  # bytes at the start of a token, which are random: they stand for all of it


class AddressProof(NamedTuple):
    """What a client's Initial and its token say. validated: whether the client was seen to receive at its address.

    original_cid: what its first Initial was sent to; retry_cid: what a Retry packet replaced that by, if there was one.
    """

    validated: bool
    original_cid: bytes
    retry_cid: bytes | None = None


class AddressTokens:
    """The tokens of one server. Nobody else can read or make them, and no state is kept for those handed out.

    keys: what they are sealed with, if a server that was restarted should know the tokens of the one before it. It does
    not know which of them were used up by then; and when the clock has begun again with the machine, a token can be
    good for longer than it should, until its key is replaced.
    """

    def __init__(self, random: Callable[[int], bytes], keys: Sequence[bytes] = ()) -> None:
        self._keys = TicketKeys(random, keys or (random(TOKEN_KEY_LENGTH),))
        self._used: dict[bytes, None] = {}

    def replace_keys(self, keys: Sequence[bytes]) -> None:
        """From now on the first of these seals, and all open."""
        self._keys.replace(keys)

    def for_retry(self, address: Address, original_cid: bytes, retry_cid: bytes, version: int, now: float) -> bytes:
        """The token of a Retry packet that changes the client's Destination Connection ID to `retry_cid`."""
        content = _time(now) + _digest(address) + bytes((len(retry_cid),)) + retry_cid + original_cid
        return self._keys.seal(content, _purpose(b"retry", version), now)

    def for_later(self, address: Address, version: int, now: float) -> bytes:
        """The token of a NEW_TOKEN frame. Ports change from one connection to the next, so the host has to do."""
        return self._keys.seal(_time(now) + _digest(address[:1]), _purpose(b"new", version), now)

    def check(self, token: bytes, address: Address, destination_cid: bytes, version: int, now: float) -> AddressProof:
        """What the token of an Initial packet proves: nothing, if it is unknown (RFC 9000 §8.1.3).

        Raises TransportError INVALID_TOKEN for a Retry token that is not what it should be: a client will not take a
        second Retry, so that there is no going on (§8.1.2). A token is good for the version that it came with
        (RFC 9369 §4.1, §5). destination_cid: that of the packet.
        """
        try:
            content = self._keys.open(token, _purpose(b"retry", version), now)
        except DecodeError:
            return AddressProof(self._check_later(token, address, version, now), destination_cid)
        sealed_at, digest, rest = _split(content)
        cid_length = rest[0]
        retry_cid, original_cid = rest[1 : 1 + cid_length], rest[1 + cid_length :]
        is_young = 0 <= now - sealed_at <= RETRY_TOKEN_LIFETIME
        if digest != _digest(address) or retry_cid != destination_cid or not is_young:
            raise TransportError(TransportErrorCode.INVALID_TOKEN, "the token is old, or somebody else's")
        return AddressProof(True, original_cid, retry_cid)

    def _check_later(self, token: bytes, address: Address, version: int, now: float) -> bool:
        try:
            content = self._keys.open(token, _purpose(b"new", version), now)
        except DecodeError:
            return False
        sealed_at, digest, _ = _split(content)
        name = token[:_NAME_LENGTH]
        is_young = 0 <= now - sealed_at <= NEW_TOKEN_LIFETIME
        if digest != _digest(address[:1]) or not is_young or name in self._used:
            return False
        self._used[name] = None
        if len(self._used) > MAX_REMEMBERED_TOKENS:
            del self._used[next(iter(self._used))]
        return True


def _purpose(what: bytes, version: int) -> bytes:
    return what + version.to_bytes(4)


def _time(now: float) -> bytes:
    return int(now * 1000).to_bytes(_TIME_LENGTH)


def _digest(address: Address) -> bytes:
    return sha256(repr(address).encode()).digest()[:_DIGEST_LENGTH]


def _split(content: bytes) -> tuple[float, bytes, bytes]:
    """When it was sealed (seconds), whose it is, and the rest."""
    rest = _TIME_LENGTH + _DIGEST_LENGTH
    return int.from_bytes(content[:_TIME_LENGTH]) / 1000, content[_TIME_LENGTH:rest], content[rest:]
