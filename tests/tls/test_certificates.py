"""Loading certificates, keys and trust stores, and what is said about files that are wrong."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, x25519
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, Encoding, NoEncryption, PrivateFormat

from quicmini.tls.certificates import TrustStore, load_credential, load_trust_store
from quicmini.tls.messages import Certificate
from tests.certificates import PrivateKey
from tests.tls.certs import make
from tests.tls.peers import KINDS


def write(path: Path, *contents: bytes) -> str:
    path.write_bytes(b"".join(contents))
    return str(path)


@pytest.mark.parametrize("kind", KINDS)
def test_a_chain_and_its_key(tmp_path: Path, kind: str) -> None:
    root = make("root", ca=True)
    leaf = make("localhost", "localhost", kind=kind, issuer=root)
    certfile = write(tmp_path / "chain.pem", b"a comment\n", leaf.pem, b"another\n", root.pem)
    credential = load_credential(certfile, write(tmp_path / "key.pem", leaf.key_pem))
    assert credential.chain == (leaf.der, root.der)
    message = Certificate.parse(credential.certificate_message[4:])
    assert [(entry.data, entry.extensions) for entry in message.entries] == [(leaf.der, {}), (root.der, {})]
    assert credential.schemes


def test_certificate_and_key_in_one_file(tmp_path: Path) -> None:
    leaf = make("localhost")
    assert load_credential(write(tmp_path / "both.pem", leaf.key_pem, leaf.pem)).chain == (leaf.der,)


@pytest.mark.parametrize("format_", [PrivateFormat.PKCS8, PrivateFormat.TraditionalOpenSSL])
@pytest.mark.parametrize("kind", ["ecdsa", "rsa"])
def test_both_forms_of_keys(tmp_path: Path, format_: PrivateFormat, kind: str) -> None:
    leaf = make("localhost", kind=kind)
    key = write(tmp_path / "key.pem", leaf.key.private_bytes(Encoding.PEM, format_, NoEncryption()))
    assert load_credential(write(tmp_path / "cert.pem", leaf.pem), key).chain == (leaf.der,)


def encrypted(key: PrivateKey) -> bytes:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"password"))


def pem(key: ec.EllipticCurvePrivateKey | x25519.X25519PrivateKey) -> bytes:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


LEAF = make("localhost")
BROKEN = b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"
P521 = make("x", kind="p521")

WRONG_CREDENTIALS: dict[str, tuple[bytes, bytes, str]] = {
    "a key of another certificate": (LEAF.pem, make("other").key_pem, "the private key is not the one of the"),
    "a key of another kind": (LEAF.pem, make("localhost", kind="rsa").key_pem, "the private key is not the one of the"),
    "an empty certificate file": (b"", LEAF.key_pem, "cert.pem' holds no PEM certificate"),
    "a key for a certificate": (LEAF.key_pem, LEAF.key_pem, "cert.pem' holds no PEM certificate"),
    "a broken certificate": (BROKEN, LEAF.key_pem, "cert.pem' holds a certificate that cannot be parsed"),
    "DER": (LEAF.der, LEAF.key_pem, "cert.pem' holds no PEM certificate"),
    "an empty key file": (LEAF.pem, b"", "key.pem' holds no readable PEM private key"),
    "a certificate for a key": (LEAF.pem, LEAF.pem, "key.pem' holds no readable PEM private key"),
    "an encrypted key": (LEAF.pem, encrypted(LEAF.key), "key.pem' is encrypted"),
    "a curve that does not sign here": (P521.pem, P521.key_pem, "must be ECDSA P-256 or P-384, RSA or Ed25519"),
    "a key that does not sign at all": (
        LEAF.pem,
        pem(x25519.X25519PrivateKey.from_private_bytes(bytes(32))),
        "must be ECDSA P-256 or P-384, RSA or Ed25519",
    ),
}


@pytest.mark.parametrize(("certificate", "key", "sentence"), WRONG_CREDENTIALS.values(), ids=WRONG_CREDENTIALS)
def test_what_is_wrong_with_a_credential(tmp_path: Path, certificate: bytes, key: bytes, sentence: str) -> None:
    certfile, keyfile = write(tmp_path / "cert.pem", certificate), write(tmp_path / "key.pem", key)
    with pytest.raises(ValueError, match=re.escape(sentence)) as caught:
        load_credential(certfile, keyfile)
    assert "\n" not in str(caught.value)


def test_missing_files(tmp_path: Path) -> None:
    certfile, missing = write(tmp_path / "cert.pem", LEAF.pem), str(tmp_path / "missing.pem")
    with pytest.raises(FileNotFoundError, match=r"missing\.pem"):
        load_credential(missing, missing)
    with pytest.raises(FileNotFoundError, match=r"missing\.pem"):
        load_credential(certfile, missing)
    with pytest.raises(FileNotFoundError, match=r"missing\.pem"):
        load_trust_store(missing)


def test_a_trust_store_is_read_again_only_if_it_changed(tmp_path: Path) -> None:
    cafile = write(tmp_path / "ca.pem", LEAF.pem)
    os.utime(cafile, (1, 1))
    first = load_trust_store(cafile)
    assert first.encoded == {LEAF.der}
    assert load_trust_store(cafile) is first
    other = make("other")
    write(tmp_path / "ca.pem", LEAF.pem, other.pem)
    assert load_trust_store(cafile).encoded == {LEAF.der, other.der}


@pytest.mark.parametrize(
    ("contents", "sentence"), [(b"", "no PEM certificate"), (BROKEN, "cannot be parsed"), (LEAF.pem + BROKEN, "cannot")]
)
def test_what_is_wrong_with_a_trust_store(tmp_path: Path, contents: bytes, sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        load_trust_store(write(tmp_path / "ca.pem", contents))


def test_an_empty_trust_store() -> None:
    with pytest.raises(ValueError, match="would trust nobody"):
        TrustStore([])


def test_the_systems_trust_store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """SSL_CERT_FILE says where it is, as for OpenSSL; what cannot be parsed in it is passed over."""
    monkeypatch.setenv("SSL_CERT_FILE", write(tmp_path / "system.pem", BROKEN, LEAF.pem))
    assert load_trust_store().encoded == {LEAF.der}
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "missing.pem"))
    with pytest.raises(FileNotFoundError):
        load_trust_store()
