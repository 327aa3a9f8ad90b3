"""What a client says to a server that breaks a rule, one rule at a time."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable

import pytest

from quicmini.config import Config
from quicmini.crypto.hkdf import hkdf_expand_label
from quicmini.errors import TransportErrorCode
from quicmini.tls.certificates import Credential, TrustStore
from quicmini.tls.client import TlsClient
from quicmini.tls.codec import encode_vector
from quicmini.tls.codes import Alert, ExtensionType, NamedGroup
from quicmini.tls.events import HandshakeComplete, SessionTicket
from quicmini.tls.extensions import encode_protocols, encode_share, parse_client_shares
from quicmini.tls.messages import (
    Certificate,
    CertificateEntry,
    CertificateRequest,
    CertificateVerify,
    ClientHello,
    EncryptedExtensions,
    Finished,
    NewSessionTicket,
    ServerHello,
)
from quicmini.tls.session import MAX_TICKET_SIZE
from tests.tls.certs import make
from tests.tls.peers import (
    HANDSHAKE,
    INITIAL,
    ONE_RTT,
    SERVER_PARAMETERS,
    ScriptedServer,
    alert_of,
    client_context,
    credential,
    crypto_data,
    error_of,
    make_client,
    make_server,
    outcome,
    server_context,
    shake_hands,
    split_messages,
    started,
)

E = ExtensionType
GREASE = 0x5A5A
SIGNATURE_ALGORITHMS = bytes.fromhex("0002 0403")


def changed(extensions: dict[int, bytes], changes: dict[int, bytes | None]) -> dict[int, bytes]:
    """The extensions with some replaced or, where None, left out."""
    merged = {**extensions, **changes}
    return {code: content for code, content in merged.items() if content is not None}


def test_the_hello() -> None:
    hello = ClientHello.parse(started(make_client())[4:])
    assert hello.legacy_session_id == b""  # RFC 9001 §8.4
    assert hello.legacy_compression_methods == b"\0"
    assert hello.cipher_suites == (0x1301, 0x1302, 0x1303)
    assert set(hello.extensions) == {
        E.SUPPORTED_VERSIONS,
        E.SUPPORTED_GROUPS,
        E.SIGNATURE_ALGORITHMS,
        E.APPLICATION_LAYER_PROTOCOL_NEGOTIATION,
        E.PSK_KEY_EXCHANGE_MODES,
        E.KEY_SHARE,
        E.QUIC_TRANSPORT_PARAMETERS,
        E.SERVER_NAME,
    }
    assert list(parse_client_shares(hello.extensions[E.KEY_SHARE])) == [NamedGroup.X25519]


def test_a_second_share_spares_servers_that_lack_ml_kem_a_round_trip() -> None:
    client = make_client(client_context(groups=Config().groups))
    hello = ClientHello.parse(started(client)[4:])
    assert list(parse_client_shares(hello.extensions[E.KEY_SHARE])) == [NamedGroup.X25519MLKEM768, NamedGroup.X25519]
    server = make_server()
    server.receive(INITIAL, hello.encode())
    answer = ServerHello.parse(crypto_data(server.events(), INITIAL)[4:])
    assert not answer.is_hello_retry_request


SERVER_HELLOS: dict[str, tuple[Callable[[ServerHello], ServerHello], Alert]] = {
    "legacy version": (lambda hello: hello._replace(legacy_version=0x0304), Alert.PROTOCOL_VERSION),
    "session ID": (lambda hello: hello._replace(legacy_session_id_echo=b"id"), Alert.ILLEGAL_PARAMETER),
    "compression": (lambda hello: hello._replace(legacy_compression_method=1), Alert.ILLEGAL_PARAMETER),
    "suite of TLS 1.2": (lambda hello: hello._replace(cipher_suite=0xC02F), Alert.ILLEGAL_PARAMETER),
    "suite that is GREASE": (lambda hello: hello._replace(cipher_suite=GREASE), Alert.ILLEGAL_PARAMETER),
    "TLS 1.2": (lambda hello: hello._replace(extensions={}), Alert.PROTOCOL_VERSION),
    "downgrade to TLS 1.2": (
        lambda hello: hello._replace(extensions={}, random=bytes(24) + b"DOWNGRD\1"),
        Alert.ILLEGAL_PARAMETER,
    ),
    "downgrade to TLS 1.1": (
        lambda hello: hello._replace(extensions={}, random=bytes(24) + b"DOWNGRD\0"),
        Alert.ILLEGAL_PARAMETER,
    ),
}

SERVER_HELLO_EXTENSIONS: dict[str, tuple[dict[int, bytes | None], Alert]] = {
    "version not offered": ({E.SUPPORTED_VERSIONS: b"\x03\x05"}, Alert.ILLEGAL_PARAMETER),
    "version 1.2 by extension": ({E.SUPPORTED_VERSIONS: b"\x03\x03"}, Alert.ILLEGAL_PARAMETER),
    "malformed version": ({E.SUPPORTED_VERSIONS: b"\x03"}, Alert.DECODE_ERROR),
    "no key share": ({E.KEY_SHARE: None}, Alert.MISSING_EXTENSION),
    "a share of a group without one": ({E.KEY_SHARE: encode_share(23, b"\4" + bytes(64))}, Alert.ILLEGAL_PARAMETER),
    "a share of an unknown group": ({E.KEY_SHARE: encode_share(GREASE, b"\x09" + bytes(31))}, Alert.ILLEGAL_PARAMETER),
    "a short share": ({E.KEY_SHARE: encode_share(29, bytes(31))}, Alert.ILLEGAL_PARAMETER),
    "a share that gives zero": ({E.KEY_SHARE: encode_share(29, bytes(32))}, Alert.ILLEGAL_PARAMETER),
    "malformed share": ({E.KEY_SHARE: b"\0\x1d\0\0"}, Alert.DECODE_ERROR),
    "a PSK that was not offered": ({E.PRE_SHARED_KEY: b"\0\0"}, Alert.UNSUPPORTED_EXTENSION),
    "an unknown extension": ({GREASE: b""}, Alert.UNSUPPORTED_EXTENSION),
    "an extension of another message": (
        {E.APPLICATION_LAYER_PROTOCOL_NEGOTIATION: encode_protocols([b"h3"])},
        Alert.ILLEGAL_PARAMETER,
    ),
    "transport parameters in the clear": ({E.QUIC_TRANSPORT_PARAMETERS: b""}, Alert.ILLEGAL_PARAMETER),
}


@pytest.mark.parametrize(("change", "alert"), SERVER_HELLOS.values(), ids=SERVER_HELLOS)
def test_server_hello(change: Callable[[ServerHello], ServerHello], alert: Alert) -> None:
    client = make_client()
    hello = ServerHello.parse(ScriptedServer().hello(started(client))[4:])
    assert alert_of(client.receive, INITIAL, change(hello).encode()) == alert


@pytest.mark.parametrize(("changes", "alert"), SERVER_HELLO_EXTENSIONS.values(), ids=SERVER_HELLO_EXTENSIONS)
def test_the_extensions_of_server_hello(changes: dict[int, bytes | None], alert: Alert) -> None:
    client = make_client()
    hello = ServerHello.parse(ScriptedServer().hello(started(client))[4:])
    hello = hello._replace(extensions=changed(hello.extensions, changes))
    assert alert_of(client.receive, INITIAL, hello.encode()) == alert


def test_a_repeated_extension() -> None:
    client = make_client()
    message = ScriptedServer().hello(started(client))
    hello = ServerHello.parse(message[4:])
    version = b"\0\x2b\0\2\3\4"
    body = message[4:]
    length_at = len(body) - sum(4 + len(content) for content in hello.extensions.values()) - 2
    length = int.from_bytes(body[length_at : length_at + 2]) + len(version)
    body = body[:length_at] + length.to_bytes(2) + body[length_at + 2 :] + version
    assert alert_of(client.receive, INITIAL, b"\2" + len(body).to_bytes(3) + body) == Alert.ILLEGAL_PARAMETER


def test_hello_retry_request_with_a_cookie_and_a_group() -> None:
    """The cookie comes back, the share is the one asked for, the rest is as it was (RFC 9846 §4.2.2)."""
    client, server = make_client(), ScriptedServer()
    first = started(client)
    cookie = b"\0\x08" + b"a cookie"
    client.receive(INITIAL, server.retry(first, {E.KEY_SHARE: b"\0\x17", E.COOKIE: cookie}))
    second = crypto_data(client.events(), INITIAL)
    before, after = ClientHello.parse(first[4:]), ClientHello.parse(second[4:])
    assert after.extensions[E.COOKIE] == cookie
    assert list(parse_client_shares(after.extensions[E.KEY_SHARE])) == [NamedGroup.SECP256R1]
    same: dict[int, bytes | None] = {E.COOKIE: None, E.KEY_SHARE: None}
    assert changed(after.extensions, same) == changed(before.extensions, same)
    assert after._replace(extensions={}) == before._replace(extensions={})
    client.receive(INITIAL, server.hello(second))
    client.receive(HANDSHAKE, server.flight())
    assert client.complete


def test_hello_retry_request_with_a_cookie_alone() -> None:
    """The share stays: only what was asked for may change."""
    client, server = make_client(), ScriptedServer(suite=0x1302)
    first = started(client)
    client.receive(INITIAL, server.retry(first, {E.COOKIE: b"\0\1x"}))
    second = crypto_data(client.events(), INITIAL)
    key_shares = {ClientHello.parse(hello[4:]).extensions[E.KEY_SHARE] for hello in (first, second)}
    assert len(key_shares) == 1
    client.receive(INITIAL, server.hello(second))
    client.receive(HANDSHAKE, server.flight())
    assert client.complete


RETRIES: dict[str, tuple[dict[int, bytes], Alert]] = {
    "nothing would change": ({}, Alert.ILLEGAL_PARAMETER),
    "a group that has a share": ({E.KEY_SHARE: b"\0\x1d"}, Alert.ILLEGAL_PARAMETER),
    "a group that was not offered": ({E.KEY_SHARE: b"\0\x19"}, Alert.ILLEGAL_PARAMETER),
    "malformed group": ({E.KEY_SHARE: b"\0\x17\0"}, Alert.DECODE_ERROR),
    "an empty cookie": ({E.COOKIE: b"\0\0"}, Alert.DECODE_ERROR),
    "a cookie for which there is no room": ({E.COOKIE: encode_vector(2, bytes(65_450))}, Alert.ILLEGAL_PARAMETER),
    "an unknown extension": ({E.COOKIE: b"\0\1x", GREASE: b""}, Alert.UNSUPPORTED_EXTENSION),
    "an unsolicited extension": ({E.COOKIE: b"\0\1x", E.ENCRYPTED_CLIENT_HELLO: b""}, Alert.UNSUPPORTED_EXTENSION),
    "an extension of another message": ({E.COOKIE: b"\0\1x", E.SERVER_NAME: b""}, Alert.ILLEGAL_PARAMETER),
}


@pytest.mark.parametrize(("extensions", "alert"), RETRIES.values(), ids=RETRIES)
def test_hello_retry_request(extensions: dict[int, bytes], alert: Alert) -> None:
    client = make_client()
    request = ScriptedServer().retry(started(client), extensions)
    assert alert_of(client.receive, INITIAL, request) == alert


def test_a_second_hello_retry_request() -> None:
    client, server = make_client(), ScriptedServer()
    client.receive(INITIAL, server.retry(started(client), {E.KEY_SHARE: b"\0\x17"}))
    request = server.retry(b"", {E.KEY_SHARE: b"\0\x18"})
    assert alert_of(client.receive, INITIAL, request) == Alert.UNEXPECTED_MESSAGE


@pytest.mark.parametrize("suite", [0x1302, 0x1303])
def test_another_suite_after_a_hello_retry_request(suite: int) -> None:
    client = make_client()
    client.receive(INITIAL, ScriptedServer().retry(started(client), {E.KEY_SHARE: b"\0\x17"}))
    hello = ScriptedServer(suite).hello(crypto_data(client.events(), INITIAL))
    assert alert_of(client.receive, INITIAL, hello) == Alert.ILLEGAL_PARAMETER


def test_another_group_after_a_hello_retry_request() -> None:
    client = make_client()
    first = started(client)
    client.receive(INITIAL, ScriptedServer().retry(first, {E.KEY_SHARE: b"\0\x17"}))
    assert alert_of(client.receive, INITIAL, ScriptedServer().hello(first)) == Alert.ILLEGAL_PARAMETER


ENCRYPTED_EXTENSIONS: dict[str, tuple[dict[int, bytes | None], Alert]] = {
    "no transport parameters": ({E.QUIC_TRANSPORT_PARAMETERS: None}, Alert.MISSING_EXTENSION),
    "no application protocol": ({E.APPLICATION_LAYER_PROTOCOL_NEGOTIATION: None}, Alert.NO_APPLICATION_PROTOCOL),
    "a protocol that was not offered": (
        {E.APPLICATION_LAYER_PROTOCOL_NEGOTIATION: encode_protocols([b"h2"])},
        Alert.ILLEGAL_PARAMETER,
    ),
    "two protocols": (
        {E.APPLICATION_LAYER_PROTOCOL_NEGOTIATION: encode_protocols([b"h3", b"chat"])},
        Alert.ILLEGAL_PARAMETER,
    ),
    "malformed protocols": ({E.APPLICATION_LAYER_PROTOCOL_NEGOTIATION: b"\0\0"}, Alert.DECODE_ERROR),
    "a server name with contents": ({E.SERVER_NAME: b"x"}, Alert.DECODE_ERROR),
    "malformed groups": ({E.SUPPORTED_GROUPS: b"\0\1x"}, Alert.DECODE_ERROR),
    "early data that was not offered": ({E.EARLY_DATA: b""}, Alert.UNSUPPORTED_EXTENSION),
    "a key share": ({E.KEY_SHARE: b""}, Alert.ILLEGAL_PARAMETER),
    "an unknown extension": ({GREASE: b""}, Alert.UNSUPPORTED_EXTENSION),
    "a record size limit that was not offered": ({E.RECORD_SIZE_LIMIT: b"\x40\1"}, Alert.UNSUPPORTED_EXTENSION),
}


@pytest.mark.parametrize(("changes", "alert"), ENCRYPTED_EXTENSIONS.values(), ids=ENCRYPTED_EXTENSIONS)
def test_encrypted_extensions(changes: dict[int, bytes | None], alert: Alert) -> None:
    client, server = make_client(), ScriptedServer()
    client.receive(INITIAL, server.hello(started(client)))
    message = EncryptedExtensions.parse(split_messages(server.flight())[0][4:])
    message = EncryptedExtensions(changed(message.extensions, changes))
    assert alert_of(client.receive, HANDSHAKE, message.encode()) == alert


def test_answers_that_a_client_may_ignore() -> None:
    """An empty server_name, and the groups that the server would like better (RFC 9846 §4.3.7)."""
    client, server = make_client(), ScriptedServer()
    client.receive(INITIAL, server.hello(started(client)))
    client.receive(HANDSHAKE, server.flight(extensions={E.SERVER_NAME: b"", E.SUPPORTED_GROUPS: b"\0\4\0\x18\x5a\x5a"}))
    assert client.complete


def at_certificate() -> tuple[TlsClient, list[bytes]]:
    """A client that waits for Certificate or CertificateRequest, and what a server would send it now."""
    client, server = make_client(), make_server()
    server.receive(INITIAL, started(client))
    events = server.events()
    client.receive(INITIAL, crypto_data(events, INITIAL))
    first, *rest = split_messages(crypto_data(events, HANDSHAKE))
    client.receive(HANDSHAKE, first)
    return client, rest


LEAF = make("localhost").der
CERTIFICATES: dict[str, tuple[Certificate, Alert]] = {
    "no certificate": (Certificate(b"", ()), Alert.DECODE_ERROR),
    "a request context": (Certificate(b"x", (CertificateEntry(LEAF, {}),)), Alert.ILLEGAL_PARAMETER),
    "no DER": (Certificate(b"", (CertificateEntry(b"nonsense", {}),)), Alert.BAD_CERTIFICATE),
    "an unsolicited extension": (
        Certificate(b"", (CertificateEntry(LEAF, {E.STATUS_REQUEST: b""}),)),
        Alert.UNSUPPORTED_EXTENSION,
    ),
    "an unknown extension": (Certificate(b"", (CertificateEntry(LEAF, {GREASE: b""}),)), Alert.UNSUPPORTED_EXTENSION),
    "an extension of another message": (
        Certificate(b"", (CertificateEntry(LEAF, {E.KEY_SHARE: b""}),)),
        Alert.ILLEGAL_PARAMETER,
    ),
}


@pytest.mark.parametrize(("certificate", "alert"), CERTIFICATES.values(), ids=CERTIFICATES)
def test_certificate(certificate: Certificate, alert: Alert) -> None:
    client, _ = at_certificate()
    assert alert_of(client.receive, HANDSHAKE, certificate.encode()) == alert


def test_certificates_are_verified() -> None:
    stranger = client_context(TrustStore([make("localhost", "localhost", key_of="another").certificate]))
    assert alert_of(shake_hands, make_client(stranger), make_server()) == Alert.UNKNOWN_CA
    certificate = make("localhost", "localhost")
    server = server_context(credential=Credential((certificate.der,), certificate.key))
    trusting = client_context(TrustStore([certificate.certificate]))
    shake_hands(client := make_client(trusting), make_server(server))
    assert client.complete
    error = error_of(shake_hands, make_client(trusting, "example.com"), make_server(server))
    assert error.error_code == 0x100 + Alert.BAD_CERTIFICATE
    assert error.reason == "certificate verify failed: the certificate is for 'localhost', not for 'example.com'"


def test_verification_needs_a_name() -> None:
    with pytest.raises(ValueError, match="server name is needed"):
        make_client(client_context(TrustStore([make("localhost").certificate])), None)


def test_a_signature_is_verified_even_where_everybody_is_trusted() -> None:
    client, (certificate, verify, _) = at_certificate()
    client.receive(HANDSHAKE, certificate)
    message = CertificateVerify.parse(verify[4:])
    wrong = message._replace(signature=message.signature[:-1] + bytes((message.signature[-1] ^ 1,)))
    assert alert_of(client.receive, HANDSHAKE, wrong.encode()) == Alert.DECRYPT_ERROR


@pytest.mark.parametrize("algorithm", [0x0401, 0x0503, 0x0804, 0x0807, 0x0203, GREASE])
def test_a_signature_scheme_that_does_not_go_with_the_key(algorithm: int) -> None:
    client, (certificate, verify, _) = at_certificate()
    client.receive(HANDSHAKE, certificate)
    wrong = CertificateVerify.parse(verify[4:])._replace(algorithm=algorithm)
    assert alert_of(client.receive, HANDSHAKE, wrong.encode()) == Alert.ILLEGAL_PARAMETER


def test_a_certificate_of_somebody_else() -> None:
    """Whoever shows a certificate without having its key fails at CertificateVerify."""
    client, (_, verify, _) = at_certificate()
    client.receive(HANDSHAKE, Certificate(b"", (CertificateEntry(LEAF, {}),)).encode())
    assert alert_of(client.receive, HANDSHAKE, verify) == Alert.DECRYPT_ERROR


def test_a_certificate_with_a_key_that_cannot_sign_here() -> None:
    """P-521 is a valid key that no offered scheme goes with."""
    client, (_, verify, _) = at_certificate()
    client.receive(HANDSHAKE, Certificate(b"", (CertificateEntry(make("x", kind="p521").der, {}),)).encode())
    assert alert_of(client.receive, HANDSHAKE, verify) == Alert.ILLEGAL_PARAMETER


@pytest.mark.parametrize(
    ("change", "alert"),
    [
        (lambda data: data[:-1] + bytes((data[-1] ^ 1,)), Alert.DECRYPT_ERROR),
        (lambda data: bytes(len(data)), Alert.DECRYPT_ERROR),
        (lambda data: data[:-1], Alert.DECODE_ERROR),
        (lambda data: data + b"x", Alert.DECODE_ERROR),
        (lambda data: b"", Alert.DECODE_ERROR),
    ],
)
def test_finished(change: Callable[[bytes], bytes], alert: Alert) -> None:
    client, (certificate, verify, finished) = at_certificate()
    client.receive(HANDSHAKE, certificate + verify)
    assert alert_of(client.receive, HANDSHAKE, Finished(change(finished[4:])).encode()) == alert


def test_a_certificate_request_is_answered_with_no_certificate() -> None:
    """RFC 9846 §4.5.1: Certificate with an empty list, then Finished over it."""
    client, server = make_client(), ScriptedServer()
    client.receive(INITIAL, server.hello(started(client)))
    request = CertificateRequest(b"", {E.SIGNATURE_ALGORITHMS: SIGNATURE_ALGORITHMS, GREASE: b"", E.SERVER_NAME: b""})
    client.receive(HANDSHAKE, server.flight(request.encode()))
    certificate, finished = split_messages(crypto_data(client.events(), HANDSHAKE))
    assert certificate == Certificate(b"", ()).encode()
    server.schedule.update(certificate)
    assert finished == Finished(server.schedule.verify_data(server.secrets.client)).encode()


@pytest.mark.parametrize(
    ("request_", "alert"),
    [
        (CertificateRequest(b"context", {E.SIGNATURE_ALGORITHMS: SIGNATURE_ALGORITHMS}), Alert.ILLEGAL_PARAMETER),
        (CertificateRequest(b"", {}), Alert.MISSING_EXTENSION),
        (CertificateRequest(b"", {E.SIGNATURE_ALGORITHMS: b"\0\0"}), Alert.DECODE_ERROR),
        (CertificateRequest(b"", {E.KEY_SHARE: b""}), Alert.ILLEGAL_PARAMETER),
    ],
)
def test_certificate_request(request_: CertificateRequest, alert: Alert) -> None:
    client, _ = at_certificate()
    assert alert_of(client.receive, HANDSHAKE, request_.encode()) == alert


def connected() -> TlsClient:
    shake_hands(client := make_client(), make_server())
    return client


TICKET = NewSessionTicket(7200, 1, b"\0", b"ticket", {})


@pytest.mark.parametrize("extensions", [{}, {E.EARLY_DATA: b"\xff" * 4}, {GREASE: b"anything"}])
def test_a_ticket_makes_a_session(extensions: dict[int, bytes]) -> None:
    client = connected()
    client.receive(ONE_RTT, TICKET._replace(extensions=extensions).encode())
    (event,) = client.events()
    assert isinstance(event, SessionTicket)
    session = event.session
    assert (session.ticket, session.lifetime, session.age_add) == (b"ticket", 7200, 1)
    assert session.early_data == (E.EARLY_DATA in extensions)
    assert (session.server_name, session.alpn_protocol, session.version) == ("localhost", "h3", 1)
    assert (session.transport_parameters, session.peer_chain) == (SERVER_PARAMETERS, credential("ecdsa").chain)


def test_each_ticket_has_a_key_of_its_own() -> None:
    client = connected()
    for nonce in (b"\0", b"\1", b""):
        client.receive(ONE_RTT, TICKET._replace(nonce=nonce).encode())
    assert len({event.session.psk for event in client.events() if isinstance(event, SessionTicket)}) == 3


def test_a_ticket_without_a_lifetime_is_thrown_away() -> None:
    client = connected()
    client.receive(ONE_RTT, TICKET._replace(lifetime=0).encode())
    assert client.events() == []


def test_a_ticket_too_large_for_a_client_hello_is_not_kept() -> None:
    client = connected()
    client.receive(ONE_RTT, TICKET._replace(ticket=bytes(MAX_TICKET_SIZE + 1)).encode())
    assert client.events() == []
    client.receive(ONE_RTT, TICKET._replace(ticket=bytes(MAX_TICKET_SIZE)).encode())
    (event,) = client.events()
    assert isinstance(event, SessionTicket)
    started(make_client(session=event.session))


@pytest.mark.parametrize("size", [0, 1, 0xFFFFFFFE])
def test_a_ticket_for_a_limited_amount_of_early_data(size: int) -> None:
    """RFC 9001 §4.6.1."""
    ticket = TICKET._replace(extensions={E.EARLY_DATA: size.to_bytes(4)})
    assert outcome(connected().receive, ONE_RTT, ticket.encode()) == TransportErrorCode.PROTOCOL_VIOLATION


def test_malformed_tickets() -> None:
    ticket = TICKET._replace(extensions={E.EARLY_DATA: b"\xff" * 3})
    assert alert_of(connected().receive, ONE_RTT, ticket.encode()) == Alert.DECODE_ERROR
    assert alert_of(connected().receive, ONE_RTT, TICKET._replace(ticket=b"").encode()) == Alert.DECODE_ERROR


def test_a_certificate_request_after_the_handshake() -> None:
    """RFC 9001 §4.4."""
    request = CertificateRequest(b"x", {E.SIGNATURE_ALGORITHMS: SIGNATURE_ALGORITHMS}).encode()
    assert outcome(connected().receive, ONE_RTT, request) == TransportErrorCode.PROTOCOL_VIOLATION


def test_a_key_update() -> None:
    """RFC 9001 §6: 0x010a."""
    assert outcome(connected().receive, ONE_RTT, b"\x18\0\0\1\0") == 0x010A


def test_the_finished_that_the_client_sends() -> None:
    """Computed by hand from the secrets that were announced (RFC 9846 §4.5.3)."""
    client, server = make_client(), ScriptedServer()
    hello = started(client)
    answer = server.hello(hello)
    flight = server.flight()
    client.receive(INITIAL, answer)
    client.receive(HANDSHAKE, flight)
    transcript = hashlib.sha256(hello + answer + flight).digest()
    key = hkdf_expand_label("sha256", server.secrets.client, "finished", b"", 32)
    events = client.events()
    assert crypto_data(events, HANDSHAKE) == b"\x14\0\0\x20" + hmac.digest(key, transcript, "sha256")
    assert isinstance(events[-1], HandshakeComplete)
    assert events[-1].peer_certificate == credential("ecdsa").chain[0]


@pytest.mark.parametrize("name", ["", "a b", "-", "a..b", "a" * 64, "*.example.com", "\0", "a/b"])
def test_names_that_are_none(name: str) -> None:
    with pytest.raises(ValueError, match="neither a host name nor an IP address"):
        make_client(server_name=name)
