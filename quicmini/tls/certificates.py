"""Certificates, private keys and trust stores, loaded from PEM files.

These loaders are the only place of the core that reads files. They are called before there is a connection; what is
wrong with a file is told in one sentence, as `OSError` (it cannot be read) or `ValueError` (it is not what it should
be).
"""

from __future__ import annotations

import os
import ssl
from functools import cached_property, lru_cache
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key
from cryptography.x509.verification import Store

from quicmini.tls import signatures
from quicmini.tls.messages import Certificate, CertificateEntry

__all__ = ["Credential", "TrustStore", "load_credential", "load_trust_store"]

StrPath = str | os.PathLike[str]

CACHED_TRUST_STORES = 8  # files; the system's bundle takes milliseconds to parse


class Credential:
    """A certificate chain, own certificate first, and its private key. The Certificate message is encoded once.

    Raises ValueError if the key is not the certificate's, or of a kind that TLS 1.3 cannot sign with here.
    """

    def __init__(self, chain: tuple[bytes, ...], private_key: PrivateKeyTypes) -> None:
        self.chain = chain
        self._private_key = private_key
        public_key = x509.load_der_x509_certificate(chain[0]).public_key()
        self.schemes = signatures.schemes_for_key(public_key)
        if not self.schemes:
            raise ValueError("the certificate's key must be ECDSA P-256 or P-384, RSA or Ed25519")
        own = private_key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        if own != public_key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo):
            raise ValueError("the private key is not the one of the certificate")
        self.certificate_message = Certificate(b"", tuple(CertificateEntry(der, {}) for der in chain)).encode()

    def sign(self, scheme: int, content: bytes) -> bytes:
        """The signature over `content` with one of `schemes`."""
        return signatures.sign(scheme, self._private_key, content)


class TrustStore:
    """Certificates that are trusted as they are: roots, and servers' own self-signed ones."""

    def __init__(self, certificates: list[x509.Certificate]) -> None:
        self.certificates = certificates
        self.encoded = frozenset(certificate.public_bytes(Encoding.DER) for certificate in certificates)

    @cached_property
    def store(self) -> Store:
        """The form that the path validation wants."""
        return Store(self.certificates)


def _load_certificates(path: StrPath) -> list[x509.Certificate]:
    data = Path(path).read_bytes()
    try:
        return x509.load_pem_x509_certificates(data)
    except ValueError:
        raise ValueError(f"{os.fspath(path)!r} holds no readable PEM certificate") from None


def _load_private_key(path: StrPath) -> PrivateKeyTypes:
    data = Path(path).read_bytes()
    try:
        return load_pem_private_key(data, password=None)
    except TypeError:
        raise ValueError(f"the private key in {os.fspath(path)!r} is encrypted: decrypt it first") from None
    except (ValueError, UnsupportedAlgorithm):
        raise ValueError(f"{os.fspath(path)!r} holds no readable PEM private key") from None


def load_credential(certfile: StrPath, keyfile: StrPath | None = None) -> Credential:
    """The chain in `certfile` (PEM, own certificate first) with the key in `keyfile` (None: in `certfile` as well).

    Raises OSError or ValueError with what is wrong with which file.
    """
    chain = tuple(certificate.public_bytes(Encoding.DER) for certificate in _load_certificates(certfile))
    keyfile = certfile if keyfile is None else keyfile
    private_key = _load_private_key(keyfile)
    try:
        return Credential(chain, private_key)
    except ValueError as error:
        raise ValueError(f"{os.fspath(certfile)!r} with {os.fspath(keyfile)!r}: {error}") from None


@lru_cache(maxsize=CACHED_TRUST_STORES)
def _cached_trust_store(path: str, _mtime_ns: int, _size: int) -> TrustStore:
    return TrustStore(_load_certificates(path))


def load_trust_store(cafile: StrPath | None = None) -> TrustStore:
    """The certificates in a PEM bundle; None: the system's bundle, where OpenSSL looks for it (or SSL_CERT_FILE).

    A file that did not change since is not read again. Raises OSError or ValueError.
    """
    path = ssl.get_default_verify_paths().cafile if cafile is None else os.fspath(cafile)
    if path is None:
        raise FileNotFoundError("this system has no bundle of trusted certificates: name one as cafile")
    status = os.stat(path)
    return _cached_trust_store(path, status.st_mtime_ns, status.st_size)
