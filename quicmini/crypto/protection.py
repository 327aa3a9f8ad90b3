"""Packet protection (RFC 9001 §5.3, §5.4): `Sealer` makes protected packets, `Opener` takes them apart again.

These run for every packet, so both are shaped by what things cost: cipher contexts are made once, the header protection
masks of a burst come from one call, and masking is XOR on whole integers instead of byte by byte.
"""

from __future__ import annotations

from struct import Struct
from typing import Self

from cryptography.exceptions import InvalidTag

from quicmini.crypto.header_protection import SAMPLE_LENGTH, HeaderProtection
from quicmini.crypto.keys import (
    INITIAL_SUITE,
    IV_LENGTH,
    Aead,
    CipherSuite,
    derive_packet_keys,
    initial_secrets,
    next_secret,
)
from quicmini.errors import DecodeError

__all__ = ["Opener", "Sealer", "initial_protection"]

MAX_PN_LENGTH = 4  # bytes; the sample starts as if the packet number had this length (RFC 9001 §5.4.2)

# A mask, read as the byte for the first byte of the header and the four for the packet number.
_read_masks = Struct(">BI11x").iter_unpack

# The bits of a packet's first byte that are protected: 5 in a short header, 4 in a long one (RFC 9001 §5.4.1).
_PROTECTED_BITS = bytes([0x1F] * 128 + [0x0F] * 128)

_TOO_SHORT_TO_SAMPLE = "packet number and payload must have 4 bytes or more: pad the payload (RFC 9001 §5.4.2)"

_BYTE = [bytes((value,)) for value in range(256)]


class _PacketProtection:
    """The cipher contexts of one direction at one encryption level, made once: when the first packet needs them.

    In a handshake keys are ready before their first packet is, and the peer waits for what else is to be done.
    """

    __slots__ = ("_aead", "_header_protection", "_iv", "_ready", "_secret", "suite", "version")

    _aead: Aead
    _iv: int
    _header_protection: HeaderProtection

    def __init__(self, suite: CipherSuite, secret: bytes, version: int) -> None:
        self.suite = suite
        self.version = version
        self._secret = secret
        self._ready = False

    def _make_contexts(self, header_protection: HeaderProtection | None = None) -> None:
        keys = derive_packet_keys(self.suite, self._secret, self.version)
        self._aead = self.suite.aead(keys.key)
        self._iv = int.from_bytes(keys.iv)
        self._header_protection = header_protection or self.suite.header_protection(keys.hp)
        self._ready = True

    def updated(self) -> Self:
        """The same for the next key phase: new key and IV, the same header protection (RFC 9001 §6.1)."""
        if not self._ready:
            self._make_contexts()
        successor = type(self)(self.suite, next_secret(self.suite, self._secret, self.version), self.version)
        successor._make_contexts(self._header_protection)
        return successor


class Sealer(_PacketProtection):
    """Protects the packets of one direction at one encryption level.

    sealed: packets protected with these keys so far, to hold against `suite.confidentiality_limit` (RFC 9001 §6.6).
    """

    __slots__ = ("sealed",)

    overhead = 16  # bytes that the AEAD's tag adds to each packet (RFC 9001 §5.3)

    def __init__(self, suite: CipherSuite, secret: bytes, version: int) -> None:
        super().__init__(suite, secret, version)
        self.sealed = 0

    def seal(self, header: bytes, packet_number: int, payload: bytes) -> bytes:
        """One protected packet; see `seal_batch`, whose bookkeeping a single packet need not pay for."""
        if not self._ready:
            self._make_contexts()
        ciphertext = self._aead.encrypt((self._iv ^ packet_number).to_bytes(IV_LENGTH), payload, header)
        first_byte = header[0]
        start = 3 - (first_byte & 3)
        sample = ciphertext[start : start + SAMPLE_LENGTH]
        if len(sample) != SAMPLE_LENGTH:
            raise ValueError(_TOO_SHORT_TO_SAMPLE)
        self.sealed += 1
        ((first_mask, number_mask),) = _read_masks(self._header_protection.masks(sample))
        length = len(header)
        mask: int = (first_mask & _PROTECTED_BITS[first_byte]) << (8 * length - 8) | number_mask >> 8 * start
        return (int.from_bytes(header) ^ mask).to_bytes(length) + ciphertext

    def seal_batch(self, packets: list[tuple[bytes, int, bytes]]) -> list[bytes]:
        """Protect a burst of (header, full packet number, payload).

        The header ends with the truncated packet number, whose length its first byte gives. ValueError if the packet
        number and the payload together are shorter than 4 bytes: that leaves no sample to take (RFC 9001 §5.4.2).
        """
        if not self._ready:
            self._make_contexts()
        encrypt = self._aead.encrypt
        iv = self._iv
        ciphertexts = [
            encrypt((iv ^ number).to_bytes(IV_LENGTH), payload, header) for header, number, payload in packets
        ]
        # The sample begins 4 bytes after the start of a packet number that is (first byte & 3) + 1 long.
        samples = b"".join(
            [
                ciphertext[3 - (header[0] & 3) : 19 - (header[0] & 3)]
                for (header, _, _), ciphertext in zip(packets, ciphertexts, strict=True)
            ]
        )
        if len(samples) != SAMPLE_LENGTH * len(packets):
            raise ValueError(_TOO_SHORT_TO_SAMPLE)
        protected = []
        masks = _read_masks(self._header_protection.masks(samples))
        for (header, _, _), ciphertext, (first_mask, number_mask) in zip(packets, ciphertexts, masks, strict=True):
            first_byte = header[0]
            length = len(header)
            # One XOR over the header as an integer: the first byte at its top, the packet number at its bottom.
            mask = (first_mask & _PROTECTED_BITS[first_byte]) << 8 * (length - 1)
            mask |= number_mask >> 8 * (3 - (first_byte & 3))
            protected.append((int.from_bytes(header) ^ mask).to_bytes(length) + ciphertext)
        self.sealed += len(packets)
        return protected


class Opener(_PacketProtection):
    """Removes the protection from the packets of one direction at one encryption level.

    failures: packets that did not authenticate. They count against `suite.integrity_limit`, which holds for all keys
    of a connection together (RFC 9001 §6.6), so whoever owns the openers adds them up.
    """

    __slots__ = ("failures",)

    def __init__(self, suite: CipherSuite, secret: bytes, version: int) -> None:
        super().__init__(suite, secret, version)
        self.failures = 0

    def unmask(self, packet: bytes, pn_offset: int) -> tuple[int, int, int]:
        """The first byte, the truncated packet number and its length in bytes, without header protection.

        None of it can be trusted before `open` has authenticated it. DecodeError if the packet is too short to hold a
        whole sample (RFC 9001 §5.4.2).
        """
        if not self._ready:
            self._make_contexts()
        start = pn_offset + MAX_PN_LENGTH
        sample = packet[start : start + SAMPLE_LENGTH]
        if len(sample) != SAMPLE_LENGTH:
            raise DecodeError(f"a packet of {len(packet)} bytes is too short for a header protection sample")
        ((first_mask, number_mask),) = _read_masks(self._header_protection.masks(sample))
        first_byte = packet[0]
        first_byte ^= first_mask & _PROTECTED_BITS[first_byte]
        missing = 3 - (first_byte & 3)
        number = (int.from_bytes(packet[pn_offset:start]) ^ number_mask) >> 8 * missing
        return first_byte, number, MAX_PN_LENGTH - missing

    def unmask_batch(self, packets: list[bytes], pn_offset: int) -> list[tuple[int, int, int] | None]:
        """`unmask` for many packets whose packet numbers start at the same offset; None for one that is too short."""
        if len(packets) == 1:  # as in `seal`
            try:
                return [self.unmask(packets[0], pn_offset)]
            except DecodeError:
                return [None]
        if not self._ready:
            self._make_contexts()
        start = pn_offset + MAX_PN_LENGTH
        stop = start + SAMPLE_LENGTH
        samples = b"".join([packet[start:stop] for packet in packets])
        if len(samples) != SAMPLE_LENGTH * len(packets):
            return self._unmask_long_enough(packets, pn_offset)
        unmasked: list[tuple[int, int, int] | None] = []
        masks = _read_masks(self._header_protection.masks(samples))
        for packet, (first_mask, number_mask) in zip(packets, masks, strict=True):
            first_byte = packet[0]
            first_byte ^= first_mask & _PROTECTED_BITS[first_byte]
            missing = 3 - (first_byte & 3)
            number = (int.from_bytes(packet[pn_offset:start]) ^ number_mask) >> 8 * missing
            unmasked.append((first_byte, number, MAX_PN_LENGTH - missing))
        return unmasked

    def _unmask_long_enough(self, packets: list[bytes], pn_offset: int) -> list[tuple[int, int, int] | None]:
        unmasked = iter(self.unmask_batch([packet for packet in packets if _has_sample(packet, pn_offset)], pn_offset))
        return [next(unmasked) if _has_sample(packet, pn_offset) else None for packet in packets]

    def open(self, packet: bytes, pn_offset: int, first_byte: int, pn_length: int, packet_number: int) -> bytes:
        """The payload of a packet; what `unmask`, which comes first, gave, and the full packet number.

        DecodeError, counted in `failures`, if the packet does not authenticate.
        """
        payload_offset = pn_offset + pn_length
        # The low bytes of the full packet number are the truncated one: no need to keep the unmasked header around.
        header = _BYTE[first_byte] + packet[1:pn_offset] + packet_number.to_bytes(8)[-pn_length:]
        try:
            return self._aead.decrypt((self._iv ^ packet_number).to_bytes(IV_LENGTH), packet[payload_offset:], header)
        except InvalidTag:
            self.failures += 1
            raise DecodeError("the packet does not authenticate") from None


def _has_sample(packet: bytes, pn_offset: int) -> bool:
    return len(packet) >= pn_offset + MAX_PN_LENGTH + SAMPLE_LENGTH


def initial_protection(original_cid: bytes, version: int, *, is_client: bool) -> tuple[Sealer, Opener]:
    """This side's sealer and opener of Initial packets (RFC 9001 §5.2).

    original_cid: the Destination Connection ID of the client's first Initial. Whoever sees it can make the same.
    """
    client, server = initial_secrets(original_cid, version)
    send, receive = (client, server) if is_client else (server, client)
    return Sealer(INITIAL_SUITE, send, version), Opener(INITIAL_SUITE, receive, version)
