"""From a secret to the keys of packet protection: cipher suites, Initial secrets, key update (RFC 9001 §5, §6)."""

from __future__ import annotations

from collections.abc import Callable
from enum import IntEnum
from typing import NamedTuple, Protocol

from cryptography.hazmat.primitives.ciphers.aead import AESGCM, ChaCha20Poly1305

from quicmini.crypto.header_protection import AesHeaderProtection, ChaCha20HeaderProtection, HeaderProtection
from quicmini.crypto.hkdf import hkdf_expand_label, hkdf_extract
from quicmini.wire.packet import VERSION_1, VERSION_2

__all__ = [
    "CIPHER_SUITES",
    "INITIAL_SUITE",
    "Aead",
    "CipherSuite",
    "EncryptionLevel",
    "PacketKeys",
    "VersionKeys",
    "derive_packet_keys",
    "initial_secret",
    "initial_secrets",
    "next_secret",
    "version_keys",
]

IV_LENGTH = 12  # bytes: the nonce of every AEAD here (RFC 9001 §5.3)


class EncryptionLevel(IntEnum):
    """The encryption levels of RFC 9001 §2.1, in the order in which their keys become available."""

    INITIAL = 0
    ZERO_RTT = 1
    HANDSHAKE = 2
    ONE_RTT = 3


class Aead(Protocol):
    """Authenticated encryption with associated data (RFC 5116)."""

    def encrypt(self, nonce: bytes, data: bytes, associated_data: bytes | None, /) -> bytes: ...

    def decrypt(self, nonce: bytes, data: bytes, associated_data: bytes | None, /) -> bytes: ...


class CipherSuite(NamedTuple):
    """A TLS 1.3 cipher suite as QUIC uses it; lengths in bytes, limits in packets (RFC 9001 §5.3, §5.4, §6.6)."""

    code: int
    name: str
    hash_name: str
    hash_length: int
    key_length: int
    aead: Callable[[bytes], Aead]
    header_protection: Callable[[bytes], HeaderProtection]
    confidentiality_limit: int
    integrity_limit: int


CIPHER_SUITES = {
    suite.code: suite
    for suite in (
        CipherSuite(
            0x1301, "TLS_AES_128_GCM_SHA256", "sha256", 32, 16, AESGCM, AesHeaderProtection, 1 << 23, 1 << 52
        ),
        CipherSuite(
            0x1302, "TLS_AES_256_GCM_SHA384", "sha384", 48, 32, AESGCM, AesHeaderProtection, 1 << 23, 1 << 52
        ),
        # 2**62 packets is all that there can ever be: no limit (RFC 9001 §6.6).
        CipherSuite(
            0x1303, "TLS_CHACHA20_POLY1305_SHA256", "sha256", 32, 32,
            ChaCha20Poly1305, ChaCha20HeaderProtection, 1 << 62, 1 << 36,
        ),
    )
}  # fmt: skip

INITIAL_SUITE = CIPHER_SUITES[0x1301]  # Initial packets come before any negotiation (RFC 9001 §5.2)


class VersionKeys(NamedTuple):
    """What a QUIC version puts into its key derivation: a salt, four labels, the Retry key (RFC 9369 §3.3)."""

    initial_salt: bytes
    key_label: str
    iv_label: str
    hp_label: str
    ku_label: str
    retry_secret: bytes
    retry_key: bytes
    retry_nonce: bytes


_VERSION_KEYS = {
    VERSION_1: VersionKeys(  # RFC 9001 §5.1, §5.2, §5.8, §6.1
        initial_salt=bytes.fromhex("38762cf7f55934b34d179ae6a4c80cadccbb7f0a"),
        key_label="quic key",
        iv_label="quic iv",
        hp_label="quic hp",
        ku_label="quic ku",
        retry_secret=bytes.fromhex("d9c9943e6101fd200021506bcc02814c73030f25c79d71ce876eca876e6fca8e"),
        retry_key=bytes.fromhex("be0c690b9f66575a1d766b54e368c84e"),
        retry_nonce=bytes.fromhex("461599d35d632bf2239825bb"),
    ),
    VERSION_2: VersionKeys(  # RFC 9369 §3.3
        initial_salt=bytes.fromhex("0dede3def700a6db819381be6e269dcbf9bd2ed9"),
        key_label="quicv2 key",
        iv_label="quicv2 iv",
        hp_label="quicv2 hp",
        ku_label="quicv2 ku",
        retry_secret=bytes.fromhex("c4dd2484d681aefa4ff4d69c2c20299984a765a5d3c31982f38fc74162155e9f"),
        retry_key=bytes.fromhex("8fb4b01b56ac48e260fbcbcead7ccc92"),
        retry_nonce=bytes.fromhex("d86969bc2d7c6d9990efb04a"),
    ),
}


class PacketKeys(NamedTuple):
    """The keys that protect packets in one direction at one encryption level (RFC 9001 §5.1)."""

    key: bytes
    iv: bytes
    hp: bytes


def version_keys(version: int) -> VersionKeys:
    """The key derivation constants of a QUIC version; ValueError for one that this project does not speak."""
    try:
        return _VERSION_KEYS[version]
    except KeyError:
        raise ValueError(f"no key derivation is known for QUIC version {version:#010x}") from None


def derive_packet_keys(suite: CipherSuite, secret: bytes, version: int) -> PacketKeys:
    """Key, IV and header protection key of a traffic secret (RFC 9001 §5.1)."""
    labels, hash_name, key_length = version_keys(version), suite.hash_name, suite.key_length
    return PacketKeys(
        key=hkdf_expand_label(hash_name, secret, labels.key_label, b"", key_length),
        iv=hkdf_expand_label(hash_name, secret, labels.iv_label, b"", IV_LENGTH),
        hp=hkdf_expand_label(hash_name, secret, labels.hp_label, b"", key_length),
    )


def initial_secret(dcid: bytes, version: int) -> bytes:
    """The secret that both sides' Initial secrets come from (RFC 9001 §5.2).

    dcid: the Destination Connection ID of the client's first Initial packet.
    """
    return hkdf_extract(INITIAL_SUITE.hash_name, version_keys(version).initial_salt, dcid)


def initial_secrets(dcid: bytes, version: int) -> tuple[bytes, bytes]:
    """The client's and the server's Initial secret (RFC 9001 §5.2). Anyone who sees `dcid` can compute them."""
    common = initial_secret(dcid, version)
    hash_name, hash_length = INITIAL_SUITE.hash_name, INITIAL_SUITE.hash_length
    return (
        hkdf_expand_label(hash_name, common, "client in", b"", hash_length),
        hkdf_expand_label(hash_name, common, "server in", b"", hash_length),
    )


def next_secret(suite: CipherSuite, secret: bytes, version: int) -> bytes:
    """The traffic secret of the next key phase (RFC 9001 §6.1)."""
    return hkdf_expand_label(suite.hash_name, secret, version_keys(version).ku_label, b"", suite.hash_length)
