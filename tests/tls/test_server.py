"""What a server says to a client that breaks a rule, one rule at a time."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from quicmini.errors import TransportErrorCode
from quicmini.tls.codes import Alert, ExtensionType
from quicmini.tls.events import HandshakeComplete
from quicmini.tls.extensions import encode_client_shares, encode_protocols, parse_client_shares
from quicmini.tls.messages import (
    Certificate,
    CertificateVerify,
    ClientHello,
    EncryptedExtensions,
    Finished,
    ServerHello,
)
from quicmini.tls.psk import OfferedPsks, PskIdentity
from tests.tls.peers import (
    HANDSHAKE,
    INITIAL,
    alert_of,
    client_context,
    credential,
    crypto_data,
    error_of,
    make_client,
    make_server,
    outcome,
    server_context,
    split_messages,
    started,
)
from tests.tls.test_client import changed

E = ExtensionType
GREASE = 0x5A5A
HELLO = ClientHello.parse(started(make_client())[4:])
UNKNOWN_PSK = OfferedPsks((PskIdentity(b"a PSK that nobody here knows", 0),), (bytes(32),)).encode()
SHARE = parse_client_shares(HELLO.extensions[E.KEY_SHARE])[29]


def test_the_flight() -> None:
    server = make_server(server_context("rsa"))
    server.receive(INITIAL, HELLO.encode())
    events = server.events()
    hello = ServerHello.parse(crypto_data(events, INITIAL)[4:])
    assert list(hello.extensions) == [E.SUPPORTED_VERSIONS, E.KEY_SHARE]
    assert hello.legacy_session_id_echo == b""
    extensions, certificate, verify, finished = split_messages(crypto_data(events, HANDSHAKE))
    assert list(EncryptedExtensions.parse(extensions[4:]).extensions) == [
        E.APPLICATION_LAYER_PROTOCOL_NEGOTIATION,
        E.QUIC_TRANSPORT_PARAMETERS,
    ]
    assert tuple(entry.data for entry in Certificate.parse(certificate[4:]).entries) == credential("rsa").chain
    assert CertificateVerify.parse(verify[4:]).algorithm == 0x0804
    assert len(Finished.parse(finished[4:]).verify_data) == 32
    assert not server.complete


HELLOS: dict[str, tuple[Callable[[ClientHello], ClientHello], int]] = {
    "legacy version": (lambda hello: hello._replace(legacy_version=0x0304), 0x100 + Alert.PROTOCOL_VERSION),
    "session ID": (lambda hello: hello._replace(legacy_session_id=bytes(32)), TransportErrorCode.PROTOCOL_VIOLATION),
    "compression": (
        lambda hello: hello._replace(legacy_compression_methods=b"\1\0"),
        0x100 + Alert.ILLEGAL_PARAMETER,
    ),
    "no compression method": (
        lambda hello: hello._replace(legacy_compression_methods=b"\1"),
        0x100 + Alert.ILLEGAL_PARAMETER,
    ),
    "TLS 1.2": (lambda hello: hello._replace(extensions={}), 0x100 + Alert.PROTOCOL_VERSION),
    "no suite in common": (
        lambda hello: hello._replace(cipher_suites=(GREASE, 0xC02F, 0x1304)),
        0x100 + Alert.HANDSHAKE_FAILURE,
    ),
}


@pytest.mark.parametrize(("change", "error_code"), HELLOS.values(), ids=HELLOS)
def test_client_hello(change: Callable[[ClientHello], ClientHello], error_code: int) -> None:
    assert outcome(make_server().receive, INITIAL, change(HELLO).encode()) == error_code


EXTENSIONS: dict[str, tuple[dict[int, bytes | None], Alert]] = {
    "TLS 1.2 by extension": ({E.SUPPORTED_VERSIONS: b"\2\3\3"}, Alert.PROTOCOL_VERSION),
    "no versions": ({E.SUPPORTED_VERSIONS: b"\0"}, Alert.DECODE_ERROR),
    "half a version": ({E.SUPPORTED_VERSIONS: b"\3\3\4\3"}, Alert.DECODE_ERROR),
    "no signature algorithms": ({E.SIGNATURE_ALGORITHMS: None}, Alert.MISSING_EXTENSION),
    "no signature algorithm in common": ({E.SIGNATURE_ALGORITHMS: b"\0\4\4\1\x5a\x5a"}, Alert.HANDSHAKE_FAILURE),
    "malformed signature algorithms": ({E.SIGNATURE_ALGORITHMS: b"\0\0"}, Alert.DECODE_ERROR),
    "no groups": ({E.SUPPORTED_GROUPS: None}, Alert.MISSING_EXTENSION),
    "no group in common": (
        {E.SUPPORTED_GROUPS: b"\0\4\0\x19\x5a\x5a", E.KEY_SHARE: encode_client_shares([])},
        Alert.HANDSHAKE_FAILURE,
    ),
    "malformed groups": ({E.SUPPORTED_GROUPS: b"\0\3\0\x1d\0"}, Alert.DECODE_ERROR),
    "no key share": ({E.KEY_SHARE: None}, Alert.MISSING_EXTENSION),
    "a share of a group that is not in the list": (
        {E.SUPPORTED_GROUPS: b"\0\2\0\x17"},
        Alert.ILLEGAL_PARAMETER,
    ),
    "two shares of one group": (
        {E.KEY_SHARE: encode_client_shares([(29, SHARE), (29, SHARE)])},
        Alert.ILLEGAL_PARAMETER,
    ),
    "a short share": ({E.KEY_SHARE: encode_client_shares([(29, SHARE[:-1])])}, Alert.ILLEGAL_PARAMETER),
    "a share that gives zero": ({E.KEY_SHARE: encode_client_shares([(29, bytes(32))])}, Alert.ILLEGAL_PARAMETER),
    "a point off the curve": (
        {E.KEY_SHARE: encode_client_shares([(23, b"\4" + b"\1" * 64)])},
        Alert.ILLEGAL_PARAMETER,
    ),
    "an empty share": ({E.KEY_SHARE: encode_client_shares([(29, b"")])}, Alert.DECODE_ERROR),
    "no transport parameters": ({E.QUIC_TRANSPORT_PARAMETERS: None}, Alert.MISSING_EXTENSION),
    "no application protocols": (
        {E.APPLICATION_LAYER_PROTOCOL_NEGOTIATION: None},
        Alert.NO_APPLICATION_PROTOCOL,
    ),
    "no application protocol in common": (
        {E.APPLICATION_LAYER_PROTOCOL_NEGOTIATION: encode_protocols([b"h2", b"\x0a\x0a"])},
        Alert.NO_APPLICATION_PROTOCOL,
    ),
    "malformed application protocols": ({E.APPLICATION_LAYER_PROTOCOL_NEGOTIATION: b"\0\0"}, Alert.DECODE_ERROR),
    "malformed server name": ({E.SERVER_NAME: b""}, Alert.DECODE_ERROR),
    "a PSK without its modes": ({E.PSK_KEY_EXCHANGE_MODES: None, E.PRE_SHARED_KEY: b""}, Alert.MISSING_EXTENSION),
    "a PSK that is not the last": ({E.PRE_SHARED_KEY: b"", GREASE: b""}, Alert.ILLEGAL_PARAMETER),
    "malformed modes of PSKs": ({E.PSK_KEY_EXCHANGE_MODES: b"\0"}, Alert.DECODE_ERROR),
    "a malformed PSK": ({E.PRE_SHARED_KEY: b"\0"}, Alert.DECODE_ERROR),
    "early data without a PSK": ({E.EARLY_DATA: b""}, Alert.ILLEGAL_PARAMETER),
    "early data that is not empty": ({E.EARLY_DATA: b"\0", E.PRE_SHARED_KEY: UNKNOWN_PSK}, Alert.DECODE_ERROR),
    "an extension of another message": ({E.OID_FILTERS: b""}, Alert.ILLEGAL_PARAMETER),
}


@pytest.mark.parametrize(("changes", "alert"), EXTENSIONS.values(), ids=EXTENSIONS)
def test_the_extensions_of_client_hello(changes: dict[int, bytes | None], alert: Alert) -> None:
    hello = HELLO._replace(extensions=changed(HELLO.extensions, changes))
    assert alert_of(make_server().receive, INITIAL, hello.encode()) == alert


def test_what_is_not_known_is_passed_over() -> None:
    """GREASE (RFC 8701) in every list, unknown extensions, offers that this server does not take up."""
    grease = GREASE.to_bytes(2)
    hello = HELLO._replace(
        cipher_suites=(GREASE, *HELLO.cipher_suites),
        extensions={
            GREASE: b"",
            **HELLO.extensions,
            E.SUPPORTED_VERSIONS: b"\6" + grease + b"\3\4\3\3",
            E.SUPPORTED_GROUPS: b"\0\6" + grease + b"\0\x1d\0\x17",
            E.SIGNATURE_ALGORITHMS: b"\0\6" + grease + b"\2\1\4\3",
            E.KEY_SHARE: encode_client_shares([(GREASE, b"\0"), (29, SHARE)]),
            E.APPLICATION_LAYER_PROTOCOL_NEGOTIATION: encode_protocols([b"\x0a\x0a", b"h3"]),
            E.STATUS_REQUEST: b"\1\0\0\0\0",
            E.PADDING: bytes(500),
            E.EARLY_DATA: b"",
            E.COOKIE: b"\0\1x",
            E.PSK_KEY_EXCHANGE_MODES: b"\1\1",
            0x1A1A: b"\0",
            E.PRE_SHARED_KEY: UNKNOWN_PSK,
        },
    )
    server = make_server()
    server.receive(INITIAL, hello.encode())
    assert crypto_data(server.events(), HANDSHAKE)


def retried(groups: tuple[int, ...] = (23,)) -> tuple[bytes, bytes]:
    """The two ClientHellos of a client that was asked for P-256."""
    client, server = make_client(), make_server(server_context(groups=groups))
    first = started(client)
    server.receive(INITIAL, first)
    client.receive(INITIAL, crypto_data(server.events(), INITIAL))
    return first, crypto_data(client.events(), INITIAL)


def test_a_hello_retry_request_asks_for_the_group_and_nothing_else() -> None:
    server = make_server(server_context(groups=(23,)))
    server.receive(INITIAL, HELLO.encode())
    request = ServerHello.parse(crypto_data(server.events(), INITIAL)[4:])
    assert request.is_hello_retry_request
    assert request.extensions == {E.SUPPORTED_VERSIONS: b"\3\4", E.KEY_SHARE: b"\0\x17"}


SECOND_HELLOS: dict[str, tuple[Callable[[ClientHello], ClientHello], Alert]] = {
    "another random": (lambda hello: hello._replace(random=bytes(32)), Alert.ILLEGAL_PARAMETER),
    "other suites": (lambda hello: hello._replace(cipher_suites=(0x1301,)), Alert.ILLEGAL_PARAMETER),
    "other groups": (
        lambda hello: hello._replace(extensions={**hello.extensions, E.SUPPORTED_GROUPS: b"\0\2\0\x17"}),
        Alert.ILLEGAL_PARAMETER,
    ),
    "one extension less": (
        lambda hello: hello._replace(extensions=changed(hello.extensions, {E.SERVER_NAME: None})),
        Alert.ILLEGAL_PARAMETER,
    ),
    "no share again": (
        lambda hello: hello._replace(extensions={**hello.extensions, E.KEY_SHARE: encode_client_shares([])}),
        Alert.ILLEGAL_PARAMETER,
    ),
    "the first share again": (
        lambda hello: hello._replace(extensions={**hello.extensions, E.KEY_SHARE: HELLO.extensions[E.KEY_SHARE]}),
        Alert.ILLEGAL_PARAMETER,
    ),
}


@pytest.mark.parametrize(("change", "alert"), SECOND_HELLOS.values(), ids=SECOND_HELLOS)
def test_the_second_client_hello(change: Callable[[ClientHello], ClientHello], alert: Alert) -> None:
    first, second = retried()
    server = make_server(server_context(groups=(23,)))
    server.receive(INITIAL, first)
    hello = change(ClientHello.parse(second[4:]))
    assert alert_of(server.receive, INITIAL, hello.encode()) == alert


def test_padding_may_change_between_the_hellos() -> None:
    first, second = retried()
    server = make_server(server_context(groups=(23,)))
    server.receive(INITIAL, first)
    server.events()
    hello = ClientHello.parse(second[4:])
    hello = hello._replace(extensions={**hello.extensions, E.PADDING: bytes(100)})
    server.receive(INITIAL, hello.encode())
    assert crypto_data(server.events(), HANDSHAKE)


@pytest.mark.parametrize(
    ("finished", "alert"),
    [(bytes(32), Alert.DECRYPT_ERROR), (bytes(31), Alert.DECODE_ERROR), (bytes(48), Alert.DECODE_ERROR)],
)
def test_a_wrong_finished(finished: bytes, alert: Alert) -> None:
    server = make_server()
    server.receive(INITIAL, HELLO.encode())
    server.events()
    assert alert_of(server.receive, HANDSHAKE, Finished(finished).encode()) == alert
    assert not server.complete
    assert not any(isinstance(event, HandshakeComplete) for event in server.events())


def test_end_of_early_data_is_not_used() -> None:
    """RFC 9001 §8.3."""
    server = make_server()
    server.receive(INITIAL, HELLO.encode())
    assert alert_of(server.receive, HANDSHAKE, b"\5\0\0\0") == Alert.UNEXPECTED_MESSAGE


def test_errors_say_what_is_wrong() -> None:
    hello = HELLO._replace(extensions=changed(HELLO.extensions, {E.QUIC_TRANSPORT_PARAMETERS: None}))
    error = error_of(make_server().receive, INITIAL, hello.encode())
    assert (error.reason, error.frame_type) == ("ClientHello without quic_transport_parameters", 0x06)


def test_a_client_of_chacha_only() -> None:
    client = make_client(client_context(cipher_suites=(0x1303,)))
    server = make_server()
    server.receive(INITIAL, started(client))
    assert ServerHello.parse(crypto_data(server.events(), INITIAL)[4:]).cipher_suite == 0x1303
