"""Signature schemes and the keys they go with."""

from __future__ import annotations

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from quicmini.tls.codes import Alert, SignatureScheme
from quicmini.tls.signatures import OFFERED_SCHEMES, schemes_for_key, sign, verify
from tests.tls.certs import make
from tests.tls.peers import KINDS, alert_of

SCHEMES = {
    "ecdsa": (SignatureScheme.ECDSA_SECP256R1_SHA256,),
    "ecdsa-p384": (SignatureScheme.ECDSA_SECP384R1_SHA384,),
    "rsa": (
        SignatureScheme.RSA_PSS_RSAE_SHA256,
        SignatureScheme.RSA_PSS_RSAE_SHA384,
        SignatureScheme.RSA_PSS_RSAE_SHA512,
    ),
    "ed25519": (SignatureScheme.ED25519,),
}


@pytest.mark.parametrize("kind", KINDS)
def test_each_key_signs_with_its_schemes(kind: str) -> None:
    key = make("localhost", kind=kind).key
    assert schemes_for_key(key.public_key()) == SCHEMES[kind]
    for scheme in SCHEMES[kind]:
        assert scheme in OFFERED_SCHEMES
        signature = sign(scheme, key, b"content")
        verify(scheme, key.public_key(), signature, b"content")
        assert alert_of(verify, scheme, key.public_key(), signature, b"other") == Alert.DECRYPT_ERROR
        assert alert_of(verify, scheme, key.public_key(), b"", b"content") == Alert.DECRYPT_ERROR


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("scheme", [*SignatureScheme, 0x0203, 0x0603, 0x0808, 0x3A3A])
def test_no_other_scheme_goes_with_the_key(kind: str, scheme: int) -> None:
    """PKCS #1 and SHA-1 are not for handshakes at all (RFC 9846 §4.3.3)."""
    if scheme in SCHEMES[kind]:
        return
    key = make("localhost", kind=kind).key.public_key()
    assert alert_of(verify, scheme, key, bytes(64), b"") == Alert.ILLEGAL_PARAMETER


def test_a_short_rsa_key_has_no_room_for_sha_512() -> None:
    key = rsa.generate_private_key(65537, 1024).public_key()
    assert schemes_for_key(key) == (SignatureScheme.RSA_PSS_RSAE_SHA256, SignatureScheme.RSA_PSS_RSAE_SHA384)


def test_other_curves_do_not_sign() -> None:
    assert schemes_for_key(ec.generate_private_key(ec.SECP521R1()).public_key()) == ()
