"""Certificate authorities and certificates made on the spot: no test depends on a file that expires.

authority = Authority.create(directory)
files = authority.issue("localhost", "127.0.0.1", kind="ed25519")
listen(..., certfile=files.certfile, keyfile=files.keyfile)
connect(..., cafile=authority.cafile)
"""

from __future__ import annotations

import datetime
import ipaddress
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

__all__ = ["KINDS", "Authority", "CertificateFiles"]

PrivateKey = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey | ed25519.Ed25519PrivateKey

KINDS: dict[str, Callable[[], PrivateKey]] = {
    "ecdsa": lambda: ec.generate_private_key(ec.SECP256R1()),
    "ecdsa-p384": lambda: ec.generate_private_key(ec.SECP384R1()),
    "rsa": lambda: rsa.generate_private_key(public_exponent=65537, key_size=2048),
    "ed25519": ed25519.Ed25519PrivateKey.generate,
}

_DAY = datetime.timedelta(days=1)

_USAGES = {False: ExtendedKeyUsageOID.SERVER_AUTH, True: ExtendedKeyUsageOID.CLIENT_AUTH}


@dataclass(frozen=True)
class CertificateFiles:
    """A certificate (with its chain) and its key, as PEM files."""

    certfile: str
    keyfile: str
    cafile: str
    kind: str


@dataclass(frozen=True)
class Authority:
    """A certificate authority whose root certificate is in `cafile`."""

    directory: Path
    certificate: x509.Certificate
    key: PrivateKey

    @classmethod
    def create(cls, directory: Path, name: str = "Test authority", kind: str = "ecdsa") -> Authority:
        """Make a root certificate and write it to `directory`/ca.pem."""
        key = KINDS[kind]()
        subject = _name(name)
        identifier = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
        builder = _validity(x509.CertificateBuilder().subject_name(subject).issuer_name(subject))
        builder = (
            builder.public_key(key.public_key())
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(_key_usage(authority=True), critical=True)
            .add_extension(identifier, critical=False)
            .add_extension(x509.AuthorityKeyIdentifier(identifier.digest, None, None), critical=False)
        )
        certificate = builder.sign(key, _signature_hash(key))
        directory.mkdir(parents=True, exist_ok=True)
        authority = cls(directory, certificate, key)
        Path(authority.cafile).write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
        return authority

    @property
    def cafile(self) -> str:
        """The path of the root certificate, PEM."""
        return str(self.directory / "ca.pem")

    def issue(
        self, *names: str, kind: str = "ecdsa", age: datetime.timedelta = _DAY, client: bool = False
    ) -> CertificateFiles:
        """Make a certificate for host names and IP addresses; it became valid `age` ago, for 30 days.

        client: for a client, whose names nobody looks at; it is of no use for a server.
        """
        names = names or ("localhost", "127.0.0.1", "::1")
        key = KINDS[kind]()
        builder = _validity(x509.CertificateBuilder().subject_name(_name(names[0])), age)
        builder = (
            builder.issuer_name(self.certificate.subject)
            .public_key(key.public_key())
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(_key_usage(authority=False), critical=True)
            .add_extension(x509.ExtendedKeyUsage([_USAGES[client]]), critical=False)
            .add_extension(x509.SubjectAlternativeName([_general_name(name) for name in names]), critical=False)
            .add_extension(self._authority_key_identifier(), critical=False)
        )
        certificate = builder.sign(self.key, _signature_hash(self.key))
        stem = self.directory / f"{kind}-{certificate.serial_number:x}"
        certfile, keyfile = stem.with_suffix(".pem"), stem.with_suffix(".key")
        certfile.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
        keyfile.write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
        )
        return CertificateFiles(str(certfile), str(keyfile), self.cafile, kind)

    def _authority_key_identifier(self) -> x509.AuthorityKeyIdentifier:
        own = self.certificate.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
        return x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(own)


def _name(common_name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


def _validity(builder: x509.CertificateBuilder, age: datetime.timedelta = _DAY) -> x509.CertificateBuilder:
    start = datetime.datetime.now(datetime.UTC) - age
    builder = builder.serial_number(x509.random_serial_number())
    return builder.not_valid_before(start).not_valid_after(start + 30 * _DAY)


def _general_name(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _key_usage(*, authority: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=True,
        key_cert_sign=authority,
        crl_sign=authority,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _signature_hash(key: PrivateKey) -> hashes.SHA256 | None:
    return None if isinstance(key, ed25519.Ed25519PrivateKey) else hashes.SHA256()
