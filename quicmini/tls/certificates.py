"""Certificates, private keys and trust stores, loaded from PEM files.

These loaders are the only place of the core that reads files. They are called before there is a connection; what is
wrong with a file is told in one sentence, as `OSError` (it cannot be read) or `ValueError` (it is not what it should
be).
"""

from __future__ import annotations

import os
import re
import ssl
import warnings
from functools import cached_property, lru_cache
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes, PublicKeyTypes
from cryptography.hazmat.primitives.serialization import Encoding, load_pem_private_key
from cryptography.utils import CryptographyDeprecationWarning
from cryptography.x509.verification import Store

from quicmini.tls import signatures
from quicmini.tls.chain_cache import ChainCache
from quicmini.tls.messages import Certificate, CertificateEntry

__all__ = ["UNREADABLE", "Credential", "TrustStore", "load_credential", "load_trust_store"]

StrPath = str | os.PathLike[str]

# What the library raises over certificates that are not what they should be; much of a
# certificate is parsed only when it is looked at.
UNREADABLE = (
    ValueError,
    UnsupportedAlgorithm,
    x509.InvalidVersion,
    x509.DuplicateExtension,
    x509.UnsupportedGeneralNameType,
)

_PEM_CERTIFICATE = re.compile(rb"-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----", re.DOTALL)

CACHED_TRUST_STORES = 8  # files; the system's bundle takes milliseconds to parse
CACHED_CREDENTIALS = 8  # for programs that connect with a certificate again and again


class Credential:
    """A certificate chain, own certificate first, and its private key. The Certificate message is encoded once.

    Raises ValueError if the key is not the certificate's, or of a kind that TLS 1.3 cannot sign with here.
    """

    def __init__(self, chain: tuple[bytes, ...], private_key: PrivateKeyTypes) -> None:
        self.chain = chain
        self._private_key = private_key
        self.schemes = signatures.schemes_for_key(private_key.public_key())
        if not self.schemes:
            raise ValueError("the private key must be ECDSA P-256 or P-384, RSA or Ed25519")
        if private_key.public_key() != _public_key(chain[0]):
            raise ValueError("the private key is not the one of the certificate")
        self.certificate_message = Certificate(b"", tuple(CertificateEntry(der, {}) for der in chain)).encode()

    def sign(self, scheme: int, content: bytes) -> bytes:
        """The signature over `content` with one of `schemes`."""
        return signatures.sign(scheme, self._private_key, content)


def _public_key(der: bytes) -> PublicKeyTypes | None:
    try:
        return x509.load_der_x509_certificate(der).public_key()
    except UNREADABLE:
        return None


class TrustStore:
    """Certificates that are trusted as they are: roots, and servers' own self-signed ones; one at least.

    verified: the chains that were found good with these certificates.
    """

    def __init__(self, certificates: list[x509.Certificate]) -> None:
        if not certificates:
            raise ValueError("a trust store without a certificate would trust nobody")
        self.certificates = certificates
        self.encoded = frozenset(certificate.public_bytes(Encoding.DER) for certificate in certificates)
        self.verified = ChainCache()

    @cached_property
    def store(self) -> Store:
        """The form that the path validation wants."""
        return Store(self.certificates)


def _load_certificates(path: StrPath, *, skip_unreadable: bool = False) -> list[x509.Certificate]:
    certificates = []
    with warnings.catch_warnings():
        # Some of the web's old roots have serial numbers that are not allowed any more.
        warnings.simplefilter("ignore", CryptographyDeprecationWarning)
        for block in _PEM_CERTIFICATE.findall(Path(path).read_bytes()):
            try:
                certificates.append(x509.load_pem_x509_certificate(block))
            except UNREADABLE:
                if not skip_unreadable:
                    raise ValueError(f"{os.fspath(path)!r} holds a certificate that cannot be parsed") from None
    if not certificates:
        raise ValueError(f"{os.fspath(path)!r} holds no PEM certificate")
    return certificates


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

    Files that did not change since are not read again. Raises OSError or ValueError with what is wrong with which.
    """
    paths = os.fspath(certfile), os.fspath(certfile if keyfile is None else keyfile)
    return _cached_credential(*paths, *(_state_of(path) for path in paths))


def _state_of(path: str) -> tuple[int, int]:
    """What changes when a file is written."""
    status = os.stat(path)
    return status.st_mtime_ns, status.st_size


@lru_cache(maxsize=CACHED_CREDENTIALS)
def _cached_credential(certfile: str, keyfile: str, *_states: tuple[int, int]) -> Credential:
    chain = tuple(certificate.public_bytes(Encoding.DER) for certificate in _load_certificates(certfile))
    private_key = _load_private_key(keyfile)
    try:
        return Credential(chain, private_key)
    except ValueError as error:
        raise ValueError(f"{certfile!r} with {keyfile!r}: {error}") from None


@lru_cache(maxsize=CACHED_TRUST_STORES)
def _cached_trust_store(path: str, of_system: bool, _state: tuple[int, int]) -> TrustStore:
    return TrustStore(_load_certificates(path, skip_unreadable=of_system))


def load_trust_store(cafile: StrPath | None = None) -> TrustStore:
    """The certificates in a PEM bundle; None: the system's bundle, where OpenSSL looks for it (or SSL_CERT_FILE).

    A file that did not change since is not read again. In the system's bundle a certificate that cannot be parsed is
    passed over: the others must not suffer from it. Raises OSError or ValueError.
    """
    path = ssl.get_default_verify_paths().cafile if cafile is None else os.fspath(cafile)
    if path is None:
        raise FileNotFoundError("this system has no bundle of trusted certificates: name one as cafile")
    return _cached_trust_store(path, cafile is None, _state_of(path))
