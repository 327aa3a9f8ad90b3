"""What a server demands of a ClientHello, and how it chooses from the lists (RFC 9846 §4.2.2, §9.2; RFC 9001 §8)."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from quicmini.errors import crypto_error
from quicmini.tls.codes import LEGACY_VERSION, TLS_1_3, Alert, ExtensionType
from quicmini.tls.extensions import parse_client_shares, parse_u16_list
from quicmini.tls.handshake import protocol_violation
from quicmini.tls.messages import ClientHello
from quicmini.tls.psk import OfferedPsks

__all__ = ["check_client_hello", "check_retried", "choose"]

# What may differ between the ClientHellos before and after a HelloRetryRequest (RFC 9846 §4.2.2).
_RETRY_CHANGES = frozenset(
    {
        ExtensionType.KEY_SHARE,
        ExtensionType.EARLY_DATA,
        ExtensionType.COOKIE,
        ExtensionType.PRE_SHARED_KEY,
        ExtensionType.PADDING,
        ExtensionType.ENCRYPTED_CLIENT_HELLO,
    }
)

# Without these no ClientHello is of use, because key shares always are (RFC 9846 §9.2, RFC 9001 §8.2).
_REQUIRED = (
    ExtensionType.SUPPORTED_GROUPS,
    ExtensionType.KEY_SHARE,
    ExtensionType.QUIC_TRANSPORT_PARAMETERS,
)


def choose(what: str, preferred: Iterable[int], offered: Collection[int], alert: Alert) -> int:
    """The first of ours that the client offers. What we do not know (GREASE, RFC 8701) is passed over."""
    for code in preferred:
        if code in offered:
            return code
    raise crypto_error(alert, f"no {what} in common")


def check_client_hello(hello: ClientHello) -> OfferedPsks | None:
    """The rules that do not depend on what this server supports; the pre-shared keys that the client offers, if any."""
    extensions = hello.extensions
    versions = extensions.get(ExtensionType.SUPPORTED_VERSIONS)
    if versions is None or TLS_1_3 not in parse_u16_list(versions, "supported_versions", size=1):
        raise crypto_error(Alert.PROTOCOL_VERSION, "the client does not speak TLS 1.3")
    if hello.legacy_version != LEGACY_VERSION:
        raise crypto_error(Alert.PROTOCOL_VERSION, f"the legacy version is {hello.legacy_version:#06x}")
    if hello.legacy_session_id:
        raise protocol_violation("a legacy session ID in QUIC")  # RFC 9001 §8.4
    if hello.legacy_compression_methods != b"\0":
        raise crypto_error(Alert.ILLEGAL_PARAMETER, "the client offers compression")
    for required in _REQUIRED:
        if required not in extensions:
            raise crypto_error(Alert.MISSING_EXTENSION, f"ClientHello without {required.name.lower()}")
    offered = extensions.get(ExtensionType.PRE_SHARED_KEY)
    if offered is None:
        if ExtensionType.SIGNATURE_ALGORITHMS not in extensions:
            raise crypto_error(Alert.MISSING_EXTENSION, "ClientHello without signature_algorithms")
        if ExtensionType.EARLY_DATA in extensions:  # RFC 9846 §4.3.10
            raise crypto_error(Alert.ILLEGAL_PARAMETER, "early_data without pre_shared_key")
        return None
    if extensions.get(ExtensionType.EARLY_DATA):
        raise crypto_error(Alert.DECODE_ERROR, "the client's early_data is not empty")
    if next(reversed(extensions)) != ExtensionType.PRE_SHARED_KEY:  # RFC 9846 §4.3.11
        raise crypto_error(Alert.ILLEGAL_PARAMETER, "pre_shared_key is not the last extension")
    if ExtensionType.PSK_KEY_EXCHANGE_MODES not in extensions:  # RFC 9846 §4.3.9
        raise crypto_error(Alert.MISSING_EXTENSION, "pre_shared_key without psk_key_exchange_modes")
    return OfferedPsks.parse(offered)


def check_retried(first: ClientHello, second: ClientHello, group: int) -> None:
    """The second ClientHello is the first with the share that was asked for (RFC 9846 §4.2.2)."""

    def constant(hello: ClientHello) -> ClientHello:
        kept = {code: content for code, content in hello.extensions.items() if code not in _RETRY_CHANGES}
        return hello._replace(extensions=kept)

    if constant(first) != constant(second):
        raise crypto_error(Alert.ILLEGAL_PARAMETER, "the second ClientHello is not the first one again")
    if ExtensionType.EARLY_DATA in second.extensions:  # RFC 9846 §4.3.10
        raise crypto_error(Alert.ILLEGAL_PARAMETER, "early_data in the second ClientHello")
    if list(parse_client_shares(second.extensions[ExtensionType.KEY_SHARE])) != [group]:
        raise crypto_error(Alert.ILLEGAL_PARAMETER, "the second ClientHello lacks the key share asked for")
