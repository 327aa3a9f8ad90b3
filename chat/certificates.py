"""The server's certificate: the user's own, or a self-signed one that is made once and kept."""

from __future__ import annotations

import datetime
import ipaddress
import logging
import os
import tempfile
from pathlib import Path
from typing import NamedTuple

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from chat.state import named
from quicmini import key_fingerprint

__all__ = [
    "WILDCARD_ADDRESSES",
    "CertificateFiles",
    "default_state_dir",
    "fingerprint",
    "kept_certificate",
    "public_key_fingerprint",
    "write_file",
]

logger = logging.getLogger("chat")

LIFETIME = datetime.timedelta(days=398)  # what browsers accept at most from public authorities
RENEWAL = datetime.timedelta(days=7)  # a certificate with less left than this is replaced
CLOCK_SKEW = datetime.timedelta(hours=1)  # a client's clock may be this much behind
_SIGNS_HANDSHAKES = x509.KeyUsage(True, False, False, False, False, False, False, False, False)  # digital_signature
LOCAL_NAMES = ("localhost", "127.0.0.1", "::1")
WILDCARD_ADDRESSES = ("", "0.0.0.0", "::")  # every address of the machine: no name for a certificate


class CertificateFiles(NamedTuple):
    """Where a certificate and its key are, both PEM."""

    certfile: Path
    keyfile: Path


def default_state_dir() -> Path:
    """Where a program keeps what it made itself (XDG Base Directory Specification): ~/.local/state/quicmini-chat."""
    home = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
    return Path(home) / "quicmini-chat"


def kept_certificate(state_dir: Path, bind_host: str, now: datetime.datetime) -> CertificateFiles:
    """The self-signed certificate in `state_dir`: made if there is none for these names, or soon none that is valid.

    It names localhost, 127.0.0.1, ::1 and `bind_host`. The key is readable by its owner alone, and stays the same when
    the certificate is made anew: clients know the server by it. Raises OSError if the directory cannot be used. Does
    file work, so it may block.
    """
    files = CertificateFiles(state_dir / "cert.pem", state_dir / "key.pem")
    names = list(dict.fromkeys([*LOCAL_NAMES, *([] if bind_host in WILDCARD_ADDRESSES else [bind_host])]))
    key = _kept_key(files.keyfile)
    if key is None or not _serves(files.certfile, key, names, now):
        state_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        if key is None:
            key = ec.generate_private_key(ec.SECP256R1())
            write_file(files.keyfile, _encoded(key), 0o600)
        write_file(files.certfile, _self_signed(key, names, now), 0o644)
    return files


def fingerprint(certfile: Path) -> str:
    """The SHA-256 fingerprint of the first certificate in a PEM file, written as openssl does (AB:CD:…).

    Raises OSError if the file cannot be read, ValueError if it holds no certificate.
    """
    certificate = x509.load_pem_x509_certificate(certfile.read_bytes())
    return certificate.fingerprint(hashes.SHA256()).hex(":").upper()


def public_key_fingerprint(certfile: Path) -> str:
    """The `key_fingerprint` of the first certificate in a PEM file. Raises what `fingerprint` does."""
    certificate = x509.load_pem_x509_certificate(certfile.read_bytes())
    return key_fingerprint(certificate.public_bytes(serialization.Encoding.DER))


def _kept_key(keyfile: Path) -> ec.EllipticCurvePrivateKey | None:
    """The key that was made once; None if there is none, or one that is of no use."""
    try:
        key: object = serialization.load_pem_private_key(keyfile.read_bytes(), None)
    except FileNotFoundError:
        return None
    except (ValueError, TypeError, UnsupportedAlgorithm):
        key = None
    if isinstance(key, ec.EllipticCurvePrivateKey) and isinstance(key.curve, ec.SECP256R1):
        return key
    logger.warning(
        "%s holds no key of the kind that is made here, and gets a new one: whoever has joined before is told that the "
        "server is another, and how to trust it again",
        keyfile,
    )
    return None


def _serves(certfile: Path, key: ec.EllipticCurvePrivateKey, names: list[str], now: datetime.datetime) -> bool:
    """Whether the file holds a certificate of the key that is good for the names, for some time yet."""
    try:
        certificate = x509.load_pem_x509_certificate(certfile.read_bytes())
        alternatives = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except (FileNotFoundError, ValueError, x509.ExtensionNotFound):
        return False
    return (
        certificate.public_key() == key.public_key()
        and {_general_name(name) for name in names} <= set(alternatives)
        and certificate.not_valid_before_utc <= now < certificate.not_valid_after_utc - RENEWAL
    )


def _self_signed(key: ec.EllipticCurvePrivateKey, names: list[str], now: datetime.datetime) -> bytes:
    """A certificate, PEM. It is no authority: to trust it is to trust one server, nothing it might sign."""
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "quicmini chat")])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - CLOCK_SKEW)
        .not_valid_after(now + LIFETIME)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_SIGNS_HANDSHAKES, critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.SubjectAlternativeName([_general_name(each) for each in names]), critical=False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )
    return certificate.public_bytes(serialization.Encoding.PEM)


def _encoded(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def _general_name(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name.partition("%")[0]))
    except ValueError:
        return x509.DNSName(name.encode("idna").decode("ascii"))


def write_file(path: Path, content: bytes, mode: int) -> None:
    """Put a file in place whole, and never with more permissions than `mode`."""
    descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=path.name)  # mode 0600
    try:
        with named(path), os.fdopen(descriptor, "wb") as file:
            file.write(content)
        os.chmod(temporary, mode)
        os.replace(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise
