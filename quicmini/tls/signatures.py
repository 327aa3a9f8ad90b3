"""Signatures of CertificateVerify (RFC 9846 §4.3.3, §4.5.2): which scheme goes with which key."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes, PublicKeyTypes

from quicmini.errors import crypto_error
from quicmini.tls.codes import Alert, SignatureScheme

__all__ = ["OFFERED_SCHEMES", "schemes_for_key", "sign", "verify"]


class _Scheme(NamedTuple):
    """fits: whether a public key may be used with it; sign and verify: with keys that fit."""

    fits: Callable[[PublicKeyTypes], bool]
    sign: Callable[[PrivateKeyTypes, bytes], bytes]
    verify: Callable[[PublicKeyTypes, bytes, bytes], None]


def _ecdsa(curve: type[ec.EllipticCurve], algorithm: hashes.HashAlgorithm) -> _Scheme:
    try:
        # RFC 6979: no randomness but what was handed in, so that a handshake can be repeated byte for byte.
        parameters = ec.ECDSA(algorithm, deterministic_signing=True)
    except UnsupportedAlgorithm:  # OpenSSL before 3.2
        parameters = ec.ECDSA(algorithm)

    def fits(key: PublicKeyTypes) -> bool:
        return isinstance(key, ec.EllipticCurvePublicKey) and isinstance(key.curve, curve)

    def sign(key: PrivateKeyTypes, content: bytes) -> bytes:
        if not isinstance(key, ec.EllipticCurvePrivateKey):
            raise TypeError("ECDSA needs an elliptic curve key")
        return key.sign(content, parameters)

    def verify(key: PublicKeyTypes, signature: bytes, content: bytes) -> None:
        if not isinstance(key, ec.EllipticCurvePublicKey):
            raise TypeError("ECDSA needs an elliptic curve key")
        key.verify(signature, content, parameters)

    return _Scheme(fits, sign, verify)


def _rsa_pss(algorithm: hashes.HashAlgorithm) -> _Scheme:
    # The salt is as long as the digest (RFC 9846 §4.3.3).
    parameters = padding.PSS(padding.MGF1(algorithm), algorithm.digest_size)

    def fits(key: PublicKeyTypes) -> bool:
        # PSS needs room for digest, salt and two more bytes (RFC 8017 §9.1.1): short keys cannot do long hashes.
        return isinstance(key, RSAPublicKey) and key.key_size >= 8 * (2 * algorithm.digest_size + 2)

    def sign(key: PrivateKeyTypes, content: bytes) -> bytes:
        if not isinstance(key, RSAPrivateKey):
            raise TypeError("RSA-PSS needs an RSA key")
        return key.sign(content, parameters, algorithm)

    def verify(key: PublicKeyTypes, signature: bytes, content: bytes) -> None:
        if not isinstance(key, RSAPublicKey):
            raise TypeError("RSA-PSS needs an RSA key")
        key.verify(signature, content, parameters, algorithm)

    return _Scheme(fits, sign, verify)


def _ed25519() -> _Scheme:
    def sign(key: PrivateKeyTypes, content: bytes) -> bytes:
        if not isinstance(key, Ed25519PrivateKey):
            raise TypeError("Ed25519 needs an Ed25519 key")
        return key.sign(content)

    def verify(key: PublicKeyTypes, signature: bytes, content: bytes) -> None:
        if not isinstance(key, Ed25519PublicKey):
            raise TypeError("Ed25519 needs an Ed25519 key")
        key.verify(signature, content)

    return _Scheme(lambda key: isinstance(key, Ed25519PublicKey), sign, verify)


# In order of preference, for signing as well as for what a client offers.
_SCHEMES: dict[int, _Scheme] = {
    SignatureScheme.ECDSA_SECP256R1_SHA256: _ecdsa(ec.SECP256R1, hashes.SHA256()),
    SignatureScheme.ED25519: _ed25519(),
    SignatureScheme.RSA_PSS_RSAE_SHA256: _rsa_pss(hashes.SHA256()),
    SignatureScheme.ECDSA_SECP384R1_SHA384: _ecdsa(ec.SECP384R1, hashes.SHA384()),
    SignatureScheme.RSA_PSS_RSAE_SHA384: _rsa_pss(hashes.SHA384()),
    SignatureScheme.RSA_PSS_RSAE_SHA512: _rsa_pss(hashes.SHA512()),
}

# What a client offers. PKCS #1 is for signatures inside certificates only (RFC 9846 §4.3.3): most of the web's
# chains have them, and a server that finds none offered may have no chain to show.
OFFERED_SCHEMES = (
    *_SCHEMES,
    SignatureScheme.RSA_PKCS1_SHA256,
    SignatureScheme.RSA_PKCS1_SHA384,
    SignatureScheme.RSA_PKCS1_SHA512,
)


def schemes_for_key(public_key: PublicKeyTypes) -> tuple[int, ...]:
    """The schemes that a key can sign with, best first; empty if there is none."""
    return tuple(code for code, scheme in _SCHEMES.items() if scheme.fits(public_key))


def sign(code: int, private_key: PrivateKeyTypes, content: bytes) -> bytes:
    """The signature over `content`; `code` is one of `schemes_for_key`."""
    return _SCHEMES[code].sign(private_key, content)


def verify(code: int, public_key: PublicKeyTypes, signature: bytes, content: bytes) -> None:
    """Check a peer's signature (RFC 9846 §4.5.2).

    Raises illegal_parameter for a scheme that was not offered for this use or does not fit the key, decrypt_error
    for a wrong signature.
    """
    scheme = _SCHEMES.get(code)
    if scheme is None or not scheme.fits(public_key):
        raise crypto_error(Alert.ILLEGAL_PARAMETER, f"signature scheme {code:#06x} does not go with the certificate")
    try:
        scheme.verify(public_key, signature, content)
    except InvalidSignature:
        raise crypto_error(Alert.DECRYPT_ERROR, "the CertificateVerify signature is wrong") from None
