"""HKDF (RFC 5869) and the HKDF-Expand-Label of TLS 1.3 (RFC 9846 §7.1), from which QUIC derives every key."""

from __future__ import annotations

import hashlib
from functools import lru_cache

__all__ = ["hkdf_expand", "hkdf_expand_label", "hkdf_extract", "hkdf_label", "hmac_digest"]

_HASHES = {"sha256": hashlib.sha256, "sha384": hashlib.sha384}
_DIGEST_SIZES = {name: new().digest_size for name, new in _HASHES.items()}
_BLOCK_SIZES = {name: new().block_size for name, new in _HASHES.items()}

# XOR with ipad and opad, for `bytes.translate` (RFC 2104 §2).
_INNER = bytes(byte ^ 0x36 for byte in range(256))
_OUTER = bytes(byte ^ 0x5C for byte in range(256))

MAX_BLOCKS = 255  # the block counter is a single byte (RFC 5869 §2.3)


def hmac_digest(hash_name: str, key: bytes, message: bytes) -> bytes:
    """HMAC (RFC 2104 §2) with "sha256" or "sha384".

    A handshake computes more than forty of them, and `hmac.digest` takes twice as long: it looks up the hash each time.
    """
    new, size = _HASHES[hash_name], _BLOCK_SIZES[hash_name]
    block = (key if len(key) <= size else new(key).digest()).ljust(size, b"\0")
    return new(block.translate(_OUTER) + new(block.translate(_INNER) + message).digest()).digest()


def hkdf_extract(hash_name: str, salt: bytes, ikm: bytes) -> bytes:
    """HKDF-Extract (RFC 5869 §2.2): a pseudorandom key as long as the hash ("sha256" or "sha384")."""
    return hmac_digest(hash_name, salt, ikm)


def hkdf_expand(hash_name: str, prk: bytes, info: bytes, length: int) -> bytes:
    """HKDF-Expand (RFC 5869 §2.3): `length` bytes; ValueError beyond 255 hashes."""
    digest_size = _DIGEST_SIZES[hash_name]
    if length <= digest_size:  # every key of TLS and QUIC is this short
        return hmac_digest(hash_name, prk, info + b"\x01")[:length]
    blocks = -(-length // digest_size)
    if blocks > MAX_BLOCKS:
        raise ValueError(f"HKDF-Expand gives at most {MAX_BLOCKS} hashes (asked for {length} bytes)")
    output = block = b""
    for counter in range(1, blocks + 1):
        block = hmac_digest(hash_name, prk, block + info + bytes((counter,)))
        output += block
    return output[:length]


@lru_cache(maxsize=64)
def _label_without_context(label: str, length: int) -> bytes:
    """The same few for every connection: "quic key", "quic iv" and their like (RFC 9001 §5.1)."""
    return hkdf_label(label, b"", length)


def hkdf_label(label: str, context: bytes, length: int) -> bytes:
    """The HkdfLabel structure: length, "tls13 " and the label, context (RFC 9846 §7.1)."""
    full_label = b"tls13 " + label.encode("ascii")
    return b"".join((length.to_bytes(2), bytes((len(full_label),)), full_label, bytes((len(context),)), context))


def hkdf_expand_label(hash_name: str, secret: bytes, label: str, context: bytes, length: int) -> bytes:
    """HKDF-Expand-Label (RFC 9846 §7.1): `length` bytes that only this secret, label and context give."""
    info = hkdf_label(label, context, length) if context else _label_without_context(label, length)
    return hkdf_expand(hash_name, secret, info, length)
