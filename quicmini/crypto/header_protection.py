"""The masks of header protection (RFC 9001 §5.4.3, §5.4.4): many samples in, as many masks out."""

from __future__ import annotations

from typing import Protocol

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

__all__ = ["SAMPLE_LENGTH", "AesHeaderProtection", "ChaCha20HeaderProtection", "HeaderProtection"]

SAMPLE_LENGTH = 16  # bytes, for every cipher suite that QUIC uses (RFC 9001 §5.4.2)


class HeaderProtection(Protocol):
    """Turns samples, one after the other, into masks of 16 bytes each, of which QUIC uses the first five."""

    def masks(self, samples: bytes) -> bytes: ...


class AesHeaderProtection:
    """AES-ECB over the sample (RFC 9001 §5.4.3).

    The context is kept, because making one costs twenty times its use; and since ECB encrypts each block by itself,
    one `update` gives the masks of a whole burst for little more than the price of one.
    """

    def __init__(self, key: bytes) -> None:
        self.masks = Cipher(algorithms.AES(key), modes.ECB()).encryptor().update


class ChaCha20HeaderProtection:
    """ChaCha20 with the block counter and the nonce taken from the sample (RFC 9001 §5.4.4)."""

    def __init__(self, key: bytes) -> None:
        self._context = Cipher(algorithms.ChaCha20(key, bytes(SAMPLE_LENGTH)), mode=None).encryptor()

    def masks(self, samples: bytes) -> bytes:
        # Resetting the nonce of a kept context costs a sixth of making a new one.
        reset_nonce, update = self._context.reset_nonce, self._context.update
        zeros = bytes(SAMPLE_LENGTH)
        masks = []
        for start in range(0, len(samples), SAMPLE_LENGTH):
            reset_nonce(samples[start : start + SAMPLE_LENGTH])
            masks.append(update(zeros))
        return b"".join(masks)
