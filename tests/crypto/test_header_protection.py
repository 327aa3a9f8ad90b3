"""Header protection: a burst of masks is what single masks are, side by side."""

from __future__ import annotations

import pytest
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms

from quicmini.crypto.header_protection import (
    SAMPLE_LENGTH,
    AesHeaderProtection,
    ChaCha20HeaderProtection,
    HeaderProtection,
)

SAMPLES = bytes(range(5 * SAMPLE_LENGTH))
PROTECTIONS = [
    AesHeaderProtection(bytes(16)),
    AesHeaderProtection(bytes(32)),
    ChaCha20HeaderProtection(bytes(32)),
]


@pytest.mark.parametrize("protection", PROTECTIONS, ids=["AES-128", "AES-256", "ChaCha20"])
def test_a_burst_of_masks_equals_single_masks(protection: HeaderProtection) -> None:
    singly = [protection.masks(SAMPLES[at : at + SAMPLE_LENGTH]) for at in range(0, len(SAMPLES), SAMPLE_LENGTH)]
    assert protection.masks(SAMPLES) == b"".join(singly)
    assert len(set(singly)) == 5
    assert protection.masks(b"") == b""


def test_chacha20_takes_counter_and_nonce_from_the_sample() -> None:
    """RFC 9001 §5.4.4, with a context made for the sample alone."""
    key, sample = bytes(range(32)), bytes(range(100, 116))
    fresh = Cipher(algorithms.ChaCha20(key, sample), mode=None).encryptor()
    assert ChaCha20HeaderProtection(key).masks(sample)[:5] == fresh.update(bytes(5))
