"""A server that is known by its key alone, as SSH knows its hosts: no authority, no name, no date (RFC 7469 §2.4).

Whoever has the key of a certificate is who had it before, however often the certificate is renewed.
"""

from __future__ import annotations

import base64
import hashlib
import re
from hmac import compare_digest

from cryptography.hazmat.primitives.asymmetric.types import PublicKeyTypes
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from quicmini.errors import HandshakeError, crypto_error
from quicmini.tls.codes import Alert
from quicmini.tls.verification import parse_certificate, public_key

__all__ = ["FINGERPRINT", "key_fingerprint", "pinned_server_key"]

FINGERPRINT = re.compile(r"SHA256:[A-Za-z0-9+/]{43}")  # 32 bytes in base64, without the padding


def key_fingerprint(certificate: bytes) -> str:
    """What names the public key of a certificate (DER): `SHA256:` and the hash of its SubjectPublicKeyInfo in base64.

    Certificates of one key have one fingerprint. Raises ValueError for bytes that are no certificate, or one with a key
    of an unknown kind.
    """
    try:
        return _fingerprint(public_key(parse_certificate(certificate)))
    except HandshakeError as error:
        raise ValueError(error.reason) from None


def pinned_server_key(certificate: bytes, pinned_key: str) -> PublicKeyTypes:
    """The public key of a server's certificate (DER) if it is the pinned one; otherwise HandshakeError."""
    key = public_key(parse_certificate(certificate))
    shown = _fingerprint(key)
    if not compare_digest(shown, pinned_key):
        sentence = f"the server's key is {shown}, and not {pinned_key}"
        raise crypto_error(Alert.BAD_CERTIFICATE, sentence)
    return key


def _fingerprint(key: PublicKeyTypes) -> str:
    encoded = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return "SHA256:" + base64.b64encode(hashlib.sha256(encoded).digest()).decode().rstrip("=")
