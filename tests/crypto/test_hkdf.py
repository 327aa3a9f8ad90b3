"""HKDF beyond what the vectors show: its limits and both hashes."""

from __future__ import annotations

import hmac

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand

from quicmini.crypto.hkdf import hkdf_expand, hkdf_expand_label, hkdf_extract, hkdf_label, hmac_digest

HASHES: dict[str, hashes.HashAlgorithm] = {"sha256": hashes.SHA256(), "sha384": hashes.SHA384()}


@pytest.mark.parametrize("hash_name", HASHES)
@pytest.mark.parametrize("key_length", [0, 1, 32, 48, 64, 65, 128, 129, 1000])
@pytest.mark.parametrize("message", [b"", b"message" * 100])
def test_hmac_agrees_with_the_standard_library(hash_name: str, key_length: int, message: bytes) -> None:
    """Keys shorter than a block of the hash, as long, and longer."""
    key = bytes(index % 256 for index in range(key_length))
    assert hmac_digest(hash_name, key, message) == hmac.digest(key, message, hash_name)


@pytest.mark.parametrize("hash_name", HASHES)
@pytest.mark.parametrize("length", [1, 31, 32, 33, 48, 49, 64, 255 * 32])
def test_expand_agrees_with_another_implementation(hash_name: str, length: int) -> None:
    prk = bytes(range(48))
    theirs = HKDFExpand(HASHES[hash_name], length, b"info").derive(prk)
    assert hkdf_expand(hash_name, prk, b"info", length) == theirs


def test_expand_refuses_more_than_255_hashes() -> None:
    assert len(hkdf_expand("sha256", b"prk", b"", 255 * 32)) == 255 * 32
    with pytest.raises(ValueError, match="at most 255"):
        hkdf_expand("sha256", b"prk", b"", 255 * 32 + 1)


def test_extract_without_a_salt_uses_zeros() -> None:
    """RFC 5869 §2.2: a salt not provided is a string of HashLen zeros."""
    assert hkdf_extract("sha256", b"", b"ikm") == hkdf_extract("sha256", bytes(32), b"ikm")
    assert len(hkdf_extract("sha384", b"", b"ikm")) == 48


def test_label_carries_length_label_and_context() -> None:
    assert hkdf_label("quic hp", b"\xaa\xbb", 0x0120) == b"\x01\x20\x0dtls13 quic hp\x02\xaa\xbb"


def test_expand_label_depends_on_each_input() -> None:
    inputs = [
        ("sha256", b"secret", "label", b"", 16),
        ("sha384", b"secret", "label", b"", 16),
        ("sha256", b"Secret", "label", b"", 16),
        ("sha256", b"secret", "Label", b"", 16),
        ("sha256", b"secret", "label", b"c", 16),
    ]
    assert len({hkdf_expand_label(*each) for each in inputs}) == len(inputs)
