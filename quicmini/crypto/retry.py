"""The Retry Integrity Tag (RFC 9001 §5.8, RFC 9369 §3.3.3)."""

from __future__ import annotations

from functools import lru_cache

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from quicmini.crypto.keys import version_keys

__all__ = ["RETRY_INTEGRITY_TAG_LENGTH", "retry_integrity_tag"]

RETRY_INTEGRITY_TAG_LENGTH = 16  # bytes


@lru_cache(maxsize=2)
def _retry_aead(version: int) -> AESGCM:
    return AESGCM(version_keys(version).retry_key)


def retry_integrity_tag(retry_without_tag: bytes, original_dcid: bytes, version: int) -> bytes:
    """The 16-byte tag at the end of a Retry packet.

    original_dcid: the Destination Connection ID of the Initial packet that the Retry answers. It is not in the Retry
    itself: the tag proves that whoever sent the Retry saw that Initial.
    """
    pseudo_packet = bytes((len(original_dcid),)) + original_dcid + retry_without_tag
    return _retry_aead(version).encrypt(version_keys(version).retry_nonce, b"", pseudo_packet)
