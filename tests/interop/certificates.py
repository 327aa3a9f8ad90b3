"""The folder with certificates that the convention gives to endpoints: cert.pem, priv.key, ca.pem."""

from __future__ import annotations

import datetime
import ipaddress
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID, ObjectIdentifier

from tests.certificates import Authority

__all__ = ["write_certificates", "write_long_chain"]

_NAMES = ("localhost", "127.0.0.1", "::1")
_DAY = datetime.timedelta(days=1)

# A comment in each certificate of the long chain (the Netscape extension that nobody has to understand) makes it as
# large as one with an RSA key, without the time that it takes to make those.
_COMMENT = ObjectIdentifier("2.16.840.1.113730.1.13")
_COMMENT_SIZE = 500  # bytes


def write_certificates(directory: Path) -> None:
    """A certificate that an authority has issued itself."""
    authority = Authority.create(directory)
    files = authority.issue(*_NAMES)
    Path(files.certfile).rename(directory / "cert.pem")
    Path(files.keyfile).rename(directory / "priv.key")


def write_long_chain(directory: Path, length: int = 9) -> None:
    """A chain of so many certificates below the root, larger than a server may send to an unvalidated address."""
    directory.mkdir(parents=True, exist_ok=True)
    issuer_key = ec.generate_private_key(ec.SECP256R1())
    issuer = _sign("Root of a long chain", issuer_key, None, issuer_key, authority=True)
    (directory / "ca.pem").write_bytes(issuer.public_bytes(serialization.Encoding.PEM))
    chain: list[x509.Certificate] = []
    for number in range(length):
        last = number == length - 1
        key = ec.generate_private_key(ec.SECP256R1())
        name = _NAMES[0] if last else f"Link {number + 1} of a long chain"
        issuer = _sign(name, key, issuer, issuer_key, authority=not last)
        issuer_key = key
        chain.insert(0, issuer)
    pem = b"".join(certificate.public_bytes(serialization.Encoding.PEM) for certificate in chain)
    (directory / "cert.pem").write_bytes(pem)
    (directory / "priv.key").write_bytes(
        issuer_key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )


def _sign(
    name: str,
    key: ec.EllipticCurvePrivateKey,
    issuer: x509.Certificate | None,
    issuer_key: ec.EllipticCurvePrivateKey,
    *,
    authority: bool,
) -> x509.Certificate:
    """One certificate; without an issuer a root."""
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.datetime.now(datetime.UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer.subject if issuer else subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _DAY)
        .not_valid_after(now + 30 * _DAY)
        .add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
        .add_extension(_usage(authority=authority), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key.public_key()), critical=False)
        .add_extension(x509.UnrecognizedExtension(_COMMENT, bytes(_COMMENT_SIZE)), critical=False)
    )
    if not authority:
        names = [x509.DNSName(_NAMES[0]), *(x509.IPAddress(ipaddress.ip_address(name)) for name in _NAMES[1:])]
        builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False).add_extension(
            x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False
        )
    return builder.sign(issuer_key, hashes.SHA256())


def _usage(*, authority: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not authority,
        key_cert_sign=authority,
        crl_sign=authority,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )
