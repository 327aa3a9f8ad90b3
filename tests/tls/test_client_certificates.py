"""Clients that show a certificate because the server wants one (RFC 9846 §4.4.2, §4.5)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from quicmini.tls.certificates import Credential, TrustStore
from quicmini.tls.codes import Alert, ExtensionType
from quicmini.tls.context import ServerContext
from quicmini.tls.events import HandshakeComplete
from quicmini.tls.messages import (
    Certificate,
    CertificateEntry,
    CertificateRequest,
    CertificateVerify,
    Finished,
    NewSessionTicket,
)
from quicmini.tls.server import TlsServer
from quicmini.tls.session import identity_of
from tests.tls.certs import Made, make
from tests.tls.peers import (
    HANDSHAKE,
    INITIAL,
    KINDS,
    ONE_RTT,
    ScriptedServer,
    alert_of,
    assert_agreed,
    client_context,
    completion,
    crypto_data,
    first_session,
    make_client,
    make_server,
    now,
    server_context,
    sessions,
    shake_hands,
    split_messages,
    started,
    ticket_context,
)

AUTHORITY = make("clients' authority", ca=True)
TRUST = TrustStore([AUTHORITY.certificate])
ALICE = make("Alice", issuer=AUTHORITY)
CERTIFICATE, CERTIFICATE_VERIFY, FINISHED = 11, 15, 20


def credential_of(*chain: Made) -> Credential:
    return Credential(tuple(made.der for made in chain), chain[0].key)


def strict_context(**changes: Any) -> ServerContext:
    return server_context(client_trust_store=TRUST, clock=now, **changes)


def flight_of(client_settings: dict[str, Any], context: ServerContext) -> tuple[TlsServer, list[bytes]]:
    """A server that waits for the client's last flight, and the messages of that flight."""
    client, server = make_client(client_context(**client_settings)), make_server(context)
    server.receive(INITIAL, started(client))
    events = server.events()
    client.receive(INITIAL, crypto_data(events, INITIAL))
    client.receive(HANDSHAKE, crypto_data(events, HANDSHAKE))
    return server, split_messages(crypto_data(client.events(), HANDSHAKE))


@pytest.mark.parametrize("kind", KINDS)
def test_a_client_certificate_of_each_kind(kind: str) -> None:
    own = make("Alice", issuer=AUTHORITY, kind=kind)
    client = make_client(client_context(credential=credential_of(own)))
    client_events, server_events = shake_hands(client, make_server(strict_context()))
    assert_agreed(client_events, server_events)
    assert completion(server_events).peer_certificate == own.der
    messages = split_messages(crypto_data(client_events, HANDSHAKE))
    assert [message[0] for message in messages] == [CERTIFICATE, CERTIFICATE_VERIFY, FINISHED]


@pytest.mark.parametrize("piece", [1, 10, 100])
def test_in_small_pieces(piece: int) -> None:
    client = make_client(client_context(credential=credential_of(ALICE)))
    assert_agreed(*shake_hands(client, make_server(strict_context()), piece))


def test_a_client_without_a_certificate_says_so_and_is_refused() -> None:
    server, flight = flight_of({}, strict_context())
    assert [message[0] for message in flight] == [CERTIFICATE, FINISHED]
    assert Certificate.parse(flight[0][4:]).entries == ()
    assert alert_of(server.receive, HANDSHAKE, flight[0]) == Alert.CERTIFICATE_REQUIRED


def test_a_client_whose_key_the_server_cannot_use_says_so() -> None:
    client = make_client(client_context(credential=credential_of(ALICE)))
    scripted = ScriptedServer()
    client.receive(INITIAL, scripted.hello(started(client)))
    request = CertificateRequest(b"", {ExtensionType.SIGNATURE_ALGORITHMS: b"\0\2\x08\x04"}).encode()  # RSA only
    client.events()
    client.receive(HANDSHAKE, scripted.flight(request))
    flight = split_messages(crypto_data(client.events(), HANDSHAKE))
    assert [message[0] for message in flight] == [CERTIFICATE, FINISHED]


def test_nobody_asks() -> None:
    client = make_client(client_context(credential=credential_of(ALICE)))
    client_events, server_events = shake_hands(client, make_server())
    assert completion(server_events).peer_certificate is None
    assert [message[0] for message in split_messages(crypto_data(client_events, HANDSHAKE))] == [FINISHED]


def test_the_request() -> None:
    server = make_server(strict_context())
    server.receive(INITIAL, started(make_client()))
    request = split_messages(crypto_data(server.events(), HANDSHAKE))[1]
    parsed = CertificateRequest.parse(request[4:])
    assert parsed.request_context == b""
    assert list(parsed.extensions) == [ExtensionType.SIGNATURE_ALGORITHMS]


REFUSED: dict[str, tuple[Callable[[], Made], Alert]] = {
    "a stranger": (lambda: make("Alice"), Alert.UNKNOWN_CA),
    "a stranger's friend": (lambda: make("Alice", issuer=make("stranger", ca=True)), Alert.UNKNOWN_CA),
}


@pytest.mark.parametrize(("own", "alert"), REFUSED.values(), ids=REFUSED)
def test_who_is_not_believed(own: Callable[[], Made], alert: Alert) -> None:
    server, flight = flight_of({"credential": credential_of(own())}, strict_context())
    assert alert_of(server.receive, HANDSHAKE, b"".join(flight)) == alert
    assert not any(isinstance(event, HandshakeComplete) for event in server.events())


def wrong_signature(message: bytes) -> bytes:
    verify = CertificateVerify.parse(message[4:])
    return verify._replace(signature=verify.signature[:-1] + bytes((verify.signature[-1] ^ 1,))).encode()


def another_scheme(message: bytes) -> bytes:
    return CertificateVerify.parse(message[4:])._replace(algorithm=0x0804).encode()


@pytest.mark.parametrize(
    ("change", "alert"), [(wrong_signature, Alert.DECRYPT_ERROR), (another_scheme, Alert.ILLEGAL_PARAMETER)]
)
def test_a_certificate_of_somebody_else(change: Callable[[bytes], bytes], alert: Alert) -> None:
    """Who cannot sign with the certificate's key is not its owner."""
    server, (certificate, verify, _) = flight_of({"credential": credential_of(ALICE)}, strict_context())
    server.receive(HANDSHAKE, certificate)
    assert alert_of(server.receive, HANDSHAKE, change(verify)) == alert


@pytest.mark.parametrize("skipped", [0, 1])
def test_a_message_that_is_left_out(skipped: int) -> None:
    server, flight = flight_of({"credential": credential_of(ALICE)}, strict_context())
    del flight[skipped]
    assert alert_of(server.receive, HANDSHAKE, b"".join(flight)) == Alert.UNEXPECTED_MESSAGE


def test_a_certificate_that_nobody_asked_for() -> None:
    _, flight = flight_of({"credential": credential_of(ALICE)}, strict_context())
    server, _ = flight_of({}, server_context())
    assert alert_of(server.receive, HANDSHAKE, flight[0]) == Alert.UNEXPECTED_MESSAGE


@pytest.mark.parametrize(
    ("message", "alert"),
    [
        (Certificate(b"context", ()), Alert.ILLEGAL_PARAMETER),
        (
            Certificate(b"", (CertificateEntry(ALICE.der, {ExtensionType.STATUS_REQUEST: b""}),)),
            Alert.UNSUPPORTED_EXTENSION,
        ),
        (Certificate(b"", (CertificateEntry(b"no certificate", {}),)), Alert.BAD_CERTIFICATE),
    ],
)
def test_what_is_wrong_with_a_clients_certificate_message(message: Certificate, alert: Alert) -> None:
    server, _ = flight_of({}, strict_context())
    assert alert_of(server.receive, HANDSHAKE, message.encode()) == alert


def test_finished_is_checked_after_a_certificate_too() -> None:
    server, (certificate, verify, _) = flight_of({"credential": credential_of(ALICE)}, strict_context())
    server.receive(HANDSHAKE, certificate + verify)
    assert alert_of(server.receive, HANDSHAKE, Finished(bytes(32)).encode()) == Alert.DECRYPT_ERROR


# Resumption


def test_a_resumed_client_keeps_its_identity() -> None:
    context = ticket_context(client_trust_store=TRUST)
    client = client_context(credential=credential_of(ALICE))
    session = first_session(context, client)
    assert session.identity == identity_of(ALICE.der)
    client_events, server_events = shake_hands(make_client(client, session=session), make_server(context))
    assert completion(client_events).resumed
    assert completion(server_events).peer_certificate == ALICE.der


@pytest.mark.parametrize("other", [None, make("Bob", issuer=AUTHORITY)], ids=["nobody", "Bob"])
def test_a_client_does_not_resume_as_somebody_else(other: Made | None) -> None:
    context = ticket_context(client_trust_store=TRUST)
    session = first_session(context, client_context(credential=credential_of(ALICE)))
    credential = None if other is None else credential_of(other)
    hello = started(make_client(client_context(credential=credential), session=session))
    assert session.ticket not in hello


def test_a_client_that_had_nothing_to_show_does_not_resume_once_it_has() -> None:
    """A foreign server may have asked, and gone on without."""
    client = make_client()
    scripted = ScriptedServer()
    client.receive(INITIAL, scripted.hello(started(client)))
    request = CertificateRequest(b"", {ExtensionType.SIGNATURE_ALGORITHMS: b"\0\2\4\3"}).encode()
    client.receive(HANDSHAKE, scripted.flight(request))
    client.receive(ONE_RTT, NewSessionTicket(3600, 0, b"", b"a ticket", {}).encode())
    (session,) = sessions(client.events())
    assert session.identity == identity_of(None)
    assert b"a ticket" in started(make_client(session=session))
    alice = client_context(credential=credential_of(ALICE))
    assert b"a ticket" not in started(make_client(alice, session=session))


def test_whose_certificate_is_no_longer_good_shows_it_again() -> None:
    """The authorities may have changed since: then the ticket is worth nothing."""
    context = ticket_context(client_trust_store=TRUST)
    client = client_context(credential=credential_of(ALICE))
    session = first_session(context, client)
    stricter = ticket_context(
        ticket_keys=context.ticket_keys, client_trust_store=TrustStore([make("another authority", ca=True).certificate])
    )
    server = make_server(stricter)
    server.receive(INITIAL, started(make_client(client, session=session)))
    messages = split_messages(crypto_data(server.events(), HANDSHAKE))
    assert CERTIFICATE in {message[0] for message in messages}


def test_a_server_that_no_longer_asks_does_not_tell_who_it_was() -> None:
    context = ticket_context(client_trust_store=TRUST)
    client = client_context(credential=credential_of(ALICE))
    session = first_session(context, client)
    _, server_events = shake_hands(
        make_client(client, session=session), make_server(ticket_context(ticket_keys=context.ticket_keys))
    )
    assert completion(server_events).resumed
    assert completion(server_events).peer_certificate is None
