"""What a client demands of a ServerHello, and of a HelloRetryRequest alike (RFC 9846 §4.2.3, §4.2.4, §4.3.1)."""

from __future__ import annotations

from quicmini.crypto.keys import CIPHER_SUITES, CipherSuite
from quicmini.errors import crypto_error
from quicmini.tls.codes import LEGACY_VERSION, TLS_1_3, Alert, ExtensionType
from quicmini.tls.extensions import parse_number
from quicmini.tls.messages import ClientHello, ServerHello

__all__ = ["check_server_hello"]

# The end of a Random by which a TLS 1.3 server says that it was made to speak an older version (RFC 9846 §4.2.3).
_DOWNGRADES = (b"DOWNGRD\x01", b"DOWNGRD\x00")


def check_server_hello(hello: ServerHello, sent: ClientHello) -> CipherSuite:
    """The cipher suite that the server chose, if it chose among what was offered; the version is looked at first."""
    selected = hello.extensions.get(ExtensionType.SUPPORTED_VERSIONS)
    if selected is None:
        if hello.random[-8:] in _DOWNGRADES:
            raise crypto_error(Alert.ILLEGAL_PARAMETER, "somebody made the server speak an older TLS version")
        raise crypto_error(Alert.PROTOCOL_VERSION, "the server does not speak TLS 1.3")
    version = parse_number(selected, "supported_versions")
    if version != TLS_1_3:
        raise crypto_error(Alert.ILLEGAL_PARAMETER, f"the server selected version {version:#06x}, not offered")
    if hello.legacy_version != LEGACY_VERSION:
        raise crypto_error(Alert.PROTOCOL_VERSION, f"the legacy version is {hello.legacy_version:#06x}")
    if hello.legacy_session_id_echo != sent.legacy_session_id:
        raise crypto_error(Alert.ILLEGAL_PARAMETER, "the server does not echo the session ID")
    if hello.legacy_compression_method != 0:
        raise crypto_error(Alert.ILLEGAL_PARAMETER, "the server selected a compression method")
    if hello.cipher_suite not in sent.cipher_suites:
        raise crypto_error(Alert.ILLEGAL_PARAMETER, f"cipher suite {hello.cipher_suite:#06x} was not offered")
    return CIPHER_SUITES[hello.cipher_suite]
