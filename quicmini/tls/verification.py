"""Is this chain trusted, valid now, and for the name that was asked for? (RFC 5280 §6, RFC 9525 §6, RFC 9846 §4.5.1.3)

Path validation is the `cryptography` package's. What is added here: a certificate that is itself in the trust store,
and an error that names the check that failed.
"""

from __future__ import annotations

import re
from datetime import datetime
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import NamedTuple

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.types import PublicKeyTypes
from cryptography.x509 import DNSName, IPAddress
from cryptography.x509.oid import NameOID
from cryptography.x509.verification import (
    Criticality,
    ExtensionPolicy,
    Policy,
    PolicyBuilder,
    VerificationError,
)

from quicmini.errors import HandshakeError, crypto_error
from quicmini.tls.certificates import UNREADABLE, TrustStore
from quicmini.tls.chain_cache import Period
from quicmini.tls.codes import Alert

__all__ = [
    "ServerName",
    "authenticated_client_key",
    "authenticated_key",
    "parse_certificate",
    "parse_server_name",
    "public_key",
    "verify_chain",
]

SHOWN_NAMES = 3  # how many of a certificate's names an error lists

MAX_HOST_NAME = 253  # characters (RFC 1035 §3.1)
CACHED_SERVER_NAMES = 64  # a client talks to the same few again and again
_LABEL = "[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?"  # with the underscore that RFC 952 lacks and real hosts have
_HOST_NAME = re.compile(rf"{_LABEL}(\.{_LABEL})*")


class ServerName(NamedTuple):
    """Whom a client wants to talk to. sni: what server_name carries, None for an address (RFC 6066 §3)."""

    text: str
    address: IPv4Address | IPv6Address | None
    subject: DNSName | IPAddress

    @property
    def sni(self) -> str | None:
        return None if self.address is not None else self.text


@lru_cache(maxsize=CACHED_SERVER_NAMES)
def parse_server_name(name: str) -> ServerName:
    """A DNS name or an IPv4 or IPv6 literal as the reference identity. Raises ValueError for what is neither."""
    try:
        address = ip_address(name.partition("%")[0])  # a zone index is local to this host: no certificate has it
    except ValueError:
        pass
    else:
        return ServerName(str(address), address, IPAddress(address))
    try:
        text = name.removesuffix(".").encode("idna").decode("ascii").lower()
    except ValueError:
        text = ""
    if not _HOST_NAME.fullmatch(text) or len(text) > MAX_HOST_NAME:
        raise ValueError(f"{name!r} is neither a host name nor an IP address")
    return ServerName(text, None, DNSName(text))


def parse_certificate(der: bytes) -> x509.Certificate:
    """A peer's certificate; bad_certificate if it does not parse."""
    try:
        return x509.load_der_x509_certificate(der)
    except UNREADABLE:
        raise crypto_error(Alert.BAD_CERTIFICATE, "the certificate cannot be parsed") from None


def public_key(certificate: x509.Certificate) -> PublicKeyTypes:
    """A peer's public key; unsupported_certificate if it is of a kind that nobody here knows."""
    try:
        return certificate.public_key()
    except UNREADABLE:
        raise crypto_error(Alert.UNSUPPORTED_CERTIFICATE, "the certificate's key is of an unknown kind") from None


def _failure(alert: Alert, sentence: str) -> HandshakeError:
    return crypto_error(alert, f"certificate verify failed: {sentence}")


def _check_key_usage(_policy: Policy, _certificate: x509.Certificate, usage: x509.KeyUsage | None) -> None:
    if usage is not None and not usage.key_cert_sign:
        raise ValueError("a certificate authority whose keyUsage does not include keyCertSign")


# The default policy wants every authority to have a keyUsage; RFC 5280 §6.1.4 (n) checks it only where there is one,
# and authorities made with `openssl req -x509` have none.
_CA_POLICY = ExtensionPolicy.webpki_defaults_ca().may_be_present(x509.KeyUsage, Criticality.AGNOSTIC, _check_key_usage)
_LEAF_POLICY = ExtensionPolicy.webpki_defaults_ee()

# A client's name is not looked at: it may be in the subject alone.
_CLIENT_POLICY = _LEAF_POLICY.may_be_present(x509.SubjectAlternativeName, Criticality.AGNOSTIC, None)


def authenticated_key(chain: tuple[bytes, ...], name: ServerName, trust: TrustStore, now: datetime) -> PublicKeyTypes:
    """The public key of the server that shows this chain (DER, its own certificate first), if the chain is good.

    Raises HandshakeError naming the check that failed. now: an aware datetime.
    """
    return _authenticated_key(chain, name, trust, now)


def authenticated_client_key(chain: tuple[bytes, ...], trust: TrustStore, now: datetime) -> PublicKeyTypes:
    """The same of a client, which may have any name. certificate_required if there is no chain at all."""
    if not chain:
        raise crypto_error(Alert.CERTIFICATE_REQUIRED, "the client has no certificate")
    return _authenticated_key(chain, None, trust, now)


def _authenticated_key(
    chain: tuple[bytes, ...], name: ServerName | None, trust: TrustStore, now: datetime
) -> PublicKeyTypes:
    cached_name = "" if name is None else name.text  # no server is called ""
    key = trust.verified.key_of(chain, cached_name, now)
    if key is None:
        certificates = [parse_certificate(encoded) for encoded in chain]
        period = verify_chain(certificates, chain[0], name, trust, now)
        key = public_key(certificates[0])
        trust.verified.add(chain, cached_name, period, key)
    return key


def verify_chain(
    chain: list[x509.Certificate], encoded_leaf: bytes, name: ServerName | None, trust: TrustStore, now: datetime
) -> Period:
    """Check a peer's chain, its own certificate first. Raises HandshakeError naming the check that failed.

    name: the server's; None: the chain of a client. now: an aware datetime, compared with the validity periods. The
    result says when the same check would pass again: while all certificates of the path that was found, the trusted
    one included, are valid.
    """
    try:
        if encoded_leaf in trust.encoded:
            # The user named this very certificate: there is no path to validate. (The library refuses it as a leaf if
            # it says CA:TRUE, which is what `openssl req -x509` writes, and as a root if it says CA:FALSE.)
            _check_validity(chain[0], now)
            if name is not None:
                _check_name(chain[0], name, trusted_directly=True)
            path = chain[:1]
        else:
            path = _validate_path(chain, name, trust, now)
        return Period(
            max(certificate.not_valid_before_utc for certificate in path),
            min(certificate.not_valid_after_utc for certificate in path),
        )
    except UNREADABLE as error:
        raise _failure(Alert.BAD_CERTIFICATE, f"a certificate cannot be read: {error}") from None


def _validate_path(
    chain: list[x509.Certificate], name: ServerName | None, trust: TrustStore, now: datetime
) -> list[x509.Certificate]:
    """The certificates from the peer's own to a trusted one."""
    builder = PolicyBuilder().store(trust.store).time(now)
    builder = builder.extension_policies(
        ca_policy=_CA_POLICY, ee_policy=_LEAF_POLICY if name is not None else _CLIENT_POLICY
    )
    try:
        if name is None:
            return builder.build_client_verifier().verify(chain[0], chain[1:]).chain
        # ValueError: a name that the library does not take for one, such as one with an underscore.
        return builder.build_server_verifier(name.subject).verify(chain[0], chain[1:])
    except (VerificationError, ValueError) as error:
        # Why it refused: its own words do not tell the checks apart.
        for certificate in chain:
            _check_validity(certificate, now)
        _check_issuers(chain, trust)
        if name is not None:
            _check_name(chain[0], name, trusted_directly=False)
        raise _failure(Alert.BAD_CERTIFICATE, str(error).partition(" (encountered")[0]) from None


def _check_validity(certificate: x509.Certificate, now: datetime) -> None:
    if now < certificate.not_valid_before_utc:
        period = f"is not valid before {certificate.not_valid_before_utc:%Y-%m-%d %H:%M:%S} UTC"
    elif now > certificate.not_valid_after_utc:
        period = f"expired on {certificate.not_valid_after_utc:%Y-%m-%d %H:%M:%S} UTC"
    else:
        return
    raise _failure(Alert.CERTIFICATE_EXPIRED, f"the certificate of {certificate.subject.rfc4514_string()!r} {period}")


def _check_name(certificate: x509.Certificate, name: ServerName, *, trusted_directly: bool) -> None:
    try:
        alternatives = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        # Names in the subject are history (RFC 9525 §2), and an authority may not have checked them. Nobody else
        # vouches for a certificate that the user has named, and a self-signed one often has no other name.
        names = [str(item.value) for item in certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)]
        if not trusted_directly:
            subject = certificate.subject.rfc4514_string()
            sentence = f"the certificate of {subject!r} has no subjectAltName"
            raise _failure(Alert.BAD_CERTIFICATE, sentence) from None
        matches = any(_names_host(common_name, name) for common_name in names)
    else:
        addresses = alternatives.get_values_for_type(IPAddress)
        hosts = alternatives.get_values_for_type(DNSName)
        names = hosts + [str(address) for address in addresses]
        if name.address is not None:
            matches = name.address in addresses
        else:
            matches = any(_names_host(host, name) for host in hosts)
    if not matches:
        shown = ", ".join(repr(host) for host in names[:SHOWN_NAMES]) or "no host"
        more = f" and {len(names) - SHOWN_NAMES} more" if len(names) > SHOWN_NAMES else ""
        raise _failure(Alert.BAD_CERTIFICATE, f"the certificate is for {shown}{more}, not for {name.text!r}")


def _names_host(presented: str, name: ServerName) -> bool:
    """RFC 9525 §6.3: equal without regard to case; a wildcard stands for the whole leftmost label, and only there."""
    presented = presented.lower()
    if presented.startswith("*.") and name.address is None:
        _, _, parent = name.text.partition(".")
        return "." in parent and parent == presented[2:]
    return presented == name.text


def _check_issuers(chain: list[x509.Certificate], trust: TrustStore) -> None:
    """Follow the signatures from the leaf until a trusted certificate signs; unknown_ca if that never happens."""
    current, others = chain[0], chain[1:]
    while not any(_issued(anchor, current) for anchor in trust.certificates):
        issuer = next((other for other in others if _issued(other, current)), None)
        if issuer is None:
            if current.issuer == current.subject:
                sentence = f"{current.subject.rfc4514_string()!r} is self-signed and not in the trust store"
            else:
                sentence = f"the issuer {current.issuer.rfc4514_string()!r} is not in the trust store"
            raise _failure(Alert.UNKNOWN_CA, sentence)
        others.remove(issuer)
        current = issuer


def _issued(issuer: x509.Certificate, certificate: x509.Certificate) -> bool:
    """Whether the names fit together, which is looked at first, and the signature too."""
    try:
        certificate.verify_directly_issued_by(issuer)
    except (*UNREADABLE, TypeError, InvalidSignature):
        return False
    return True
