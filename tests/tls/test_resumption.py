"""Resuming a session: what both sides agree on, and what they refuse."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from quicmini.crypto.keys import CIPHER_SUITES
from quicmini.crypto.tokens import TicketKeys
from quicmini.tls.certificates import TrustStore
from quicmini.tls.codes import Alert, ExtensionType, NamedGroup
from quicmini.tls.context import ServerContext
from quicmini.tls.events import HandshakeComplete
from quicmini.tls.key_schedule import KeySchedule
from quicmini.tls.messages import ClientHello, ServerHello
from quicmini.tls.psk import OfferedPsks, PskIdentity
from quicmini.tls.resumption import encode_with_psk
from quicmini.tls.session import MAX_TICKET_LIFETIME, Session
from quicmini.tls.tickets import MAX_TICKETS_TRIED, TICKET_LIFETIME
from quicmini.wire.packet import VERSION_2
from tests.tls.certs import make
from tests.tls.peers import (
    HANDSHAKE,
    INITIAL,
    ScriptedServer,
    alert_of,
    assert_agreed,
    client_context,
    completion,
    counting_random,
    credential,
    crypto_data,
    first_session,
    make_client,
    make_server,
    now,
    sessions,
    shake_hands,
    split_messages,
    started,
    ticket_context,
)
from tests.tls.resuming import connect_again, decided, hello_with, resumed

E = ExtensionType
CERTIFICATE, CERTIFICATE_VERIFY, CERTIFICATE_REQUEST = 11, 15, 13


class Clock:
    """A clock that stands until it is told to move."""

    def __init__(self) -> None:
        self.time = now()

    def __call__(self) -> datetime:
        return self.time

    def move(self, seconds: float) -> None:
        self.time += timedelta(seconds=seconds)


@pytest.mark.parametrize("suite", CIPHER_SUITES)
def test_a_session_is_resumed(suite: int) -> None:
    context = ticket_context()
    session = first_session(context, client_context(cipher_suites=(suite,)))
    client_events, server_events = connect_again(context, session, cipher_suites=(suite,))
    assert_agreed(client_events, server_events)
    assert completion(client_events) == HandshakeComplete(
        "h3", CIPHER_SUITES[suite], NamedGroup.X25519, credential("ecdsa").chain[0], "localhost", resumed=True
    )
    assert completion(server_events) == HandshakeComplete(
        "h3", CIPHER_SUITES[suite], NamedGroup.X25519, None, "localhost", resumed=True
    )
    flight = split_messages(crypto_data(server_events, HANDSHAKE))
    assert not {message[0] for message in flight} & {CERTIFICATE, CERTIFICATE_VERIFY}
    assert decided(client_events) == decided(server_events) == []


def test_a_first_connection_is_not_resumed() -> None:
    client_events, server_events = shake_hands(make_client(), make_server(ticket_context()))
    assert not resumed(client_events)
    assert not resumed(server_events)


def test_a_session_survives_in_a_file() -> None:
    context = ticket_context()
    session = Session.from_bytes(first_session(context).to_bytes())
    assert resumed(connect_again(context, session)[0])


@pytest.mark.parametrize("count", [0, 1, 3])
def test_as_many_tickets_as_the_server_wants(count: int) -> None:
    events, _ = shake_hands(make_client(), make_server(ticket_context(session_tickets=count)))
    assert len({session.ticket for session in sessions(events)}) == count
    assert len({session.psk for session in sessions(events)}) == count
    assert len({session.age_add for session in sessions(events)}) == count


def test_a_client_that_cannot_resume_gets_no_ticket() -> None:
    context = client_context()
    del context.hello_extensions[E.PSK_KEY_EXCHANGE_MODES]
    events, _ = shake_hands(make_client(context), make_server(ticket_context()))
    assert sessions(events) == []


def test_tickets_follow_tickets_until_the_certificates_are_a_week_old() -> None:
    clock = Clock()
    start = clock.time
    context, client = ticket_context(clock=clock), client_context(clock=clock)
    session = first_session(context, client)
    while True:
        clock.move(TICKET_LIFETIME / 2)
        events, _ = shake_hands(make_client(client, session=session), make_server(context))
        if not resumed(events):
            break
        session = (sessions(events) or [session])[-1]
    passed = (clock.time - start).total_seconds()
    assert MAX_TICKET_LIFETIME < passed <= MAX_TICKET_LIFETIME + TICKET_LIFETIME / 2


IGNORED: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {  # what changes in the session, and in the client
    "another server": ({"server_name": "other.example"}, {}),
    "no server name": ({"server_name": None}, {}),
    "another application": ({"alpn_protocol": "h2"}, {}),
    "another version": ({"version": VERSION_2}, {}),
    "another client": ({"identity": b"of somebody else"}, {}),
    "no suite with the hash": ({}, {"cipher_suites": (0x1302,)}),
    "too old": ({"issued_at": now().timestamp() - TICKET_LIFETIME - 1}, {}),
    "of the future": ({"issued_at": now().timestamp() + 3600}, {}),
    "another authority": ({}, {"trust_store": TrustStore([make("stranger").certificate])}),
}


@pytest.mark.parametrize(("session_changes", "client_changes"), IGNORED.values(), ids=IGNORED)
def test_a_client_ignores_a_session_that_does_not_fit(
    session_changes: dict[str, Any], client_changes: dict[str, Any]
) -> None:
    session = replace(first_session(ticket_context()), **session_changes)
    client = make_client(client_context(**client_changes), session=session, early_data=True)
    assert E.PRE_SHARED_KEY not in ClientHello.parse(started(client)[4:]).extensions


def test_a_session_is_verified_as_the_connection_wants_it() -> None:
    """What was learnt without verification is worth nothing to a client that verifies, unless it would have passed."""
    own = make("localhost", "localhost")
    context = ticket_context()
    context = replace(context, credential=type(context.credential)((own.der,), own.key))
    session = first_session(context)
    events, _ = connect_again(context, session, trust_store=TrustStore([own.certificate]))
    assert resumed(events)


def test_a_client_offers_the_same_hash_with_another_suite() -> None:
    context = ticket_context()
    session = first_session(context)
    events, _ = connect_again(context, session, cipher_suites=(0x1303,))
    assert resumed(events)
    assert completion(events).cipher_suite.code == 0x1303


DECLINED: dict[str, Callable[[ServerContext], ServerContext]] = {
    "other keys": lambda context: replace(context, ticket_keys=TicketKeys(counting_random("other"))),
    "no keys": lambda context: replace(context, ticket_keys=None),
    "another hash": lambda context: replace(context, cipher_suites=(0x1302,)),
    "too old": lambda context: replace(context, clock=lambda: now() + timedelta(seconds=TICKET_LIFETIME + 10)),
    "clients need a certificate": lambda context: replace(
        context, client_trust_store=TrustStore([make("authority").certificate])
    ),
}


@pytest.mark.parametrize("change", DECLINED.values(), ids=DECLINED)
def test_a_server_declines_a_ticket(change: Callable[[ServerContext], ServerContext]) -> None:
    """It goes on as if there had been no ticket: what it sends is a certificate."""
    context = ticket_context()
    client = make_client(session=first_session(context))
    server = make_server(change(context))
    server.receive(INITIAL, started(client))
    flight = split_messages(crypto_data(server.events(), HANDSHAKE))
    assert CERTIFICATE in {message[0] for message in flight}


def test_a_ticket_of_another_quic_version() -> None:
    """RFC 9369 §5: a client does not use it, and a server does not accept it."""
    context = ticket_context()
    session = first_session(context)
    client = make_client(session=replace(session, version=VERSION_2), version=VERSION_2)
    client_events, _ = shake_hands(client, make_server(context, version=VERSION_2))
    assert not resumed(client_events)
    version_2 = sessions(client_events)[0]
    assert version_2.version == VERSION_2
    assert resumed(connect_again(context, version_2, version=VERSION_2)[0])


def test_a_ticket_for_another_name() -> None:
    context = ticket_context()
    session = replace(first_session(context), server_name="other.example")
    client = make_client(server_name="other.example", session=session)
    assert not resumed(shake_hands(client, make_server(context))[0])


def test_a_client_without_the_key_of_its_ticket() -> None:
    """RFC 9846 §4.3.11: the binder is wrong, and that is the end."""
    context = ticket_context()
    client = make_client(session=replace(first_session(context), psk=bytes(32)))
    assert alert_of(make_server(context).receive, INITIAL, started(client)) == Alert.DECRYPT_ERROR


def test_a_binder_for_another_hello() -> None:
    context = ticket_context()
    hello = bytearray(started(make_client(session=first_session(context))))
    hello[-1] ^= 1
    assert alert_of(make_server(context).receive, INITIAL, bytes(hello)) == Alert.DECRYPT_ERROR


def test_only_the_mode_with_key_shares_is_used() -> None:
    """A client that wants psk_ke, or nothing that is known, gets a full handshake."""
    context = ticket_context()
    client = client_context()
    session = first_session(context)
    client.hello_extensions[E.PSK_KEY_EXCHANGE_MODES] = b"\2\0\x0a"
    events, _ = shake_hands(make_client(client, session=session), make_server(context))
    assert not resumed(events)
    assert sessions(events) == []


@pytest.mark.parametrize("place", [0, 1, MAX_TICKETS_TRIED - 1, MAX_TICKETS_TRIED, 200])
def test_the_first_good_ticket_of_the_first_few(place: int) -> None:
    context = ticket_context()
    server = make_server(context)
    server.receive(INITIAL, hello_with(first_session(context), *(PskIdentity(b"?", n) for n in range(place))))
    hello = ServerHello.parse(crypto_data(server.events(), INITIAL)[4:])
    selected = place.to_bytes(2) if place < MAX_TICKETS_TRIED else None
    assert hello.extensions.get(E.PRE_SHARED_KEY) == selected


# HelloRetryRequest


def test_resumption_after_a_retry() -> None:
    context = ticket_context(groups=(NamedGroup.SECP256R1,))
    session = first_session(context)
    client_events, server_events = connect_again(context, session)
    assert_agreed(client_events, server_events)
    assert resumed(client_events)
    assert [message[0] for message in split_messages(crypto_data(client_events, INITIAL))] == [1, 1]


def test_a_retry_with_a_suite_of_another_hash_ends_the_offer() -> None:
    session = first_session(ticket_context())
    client = make_client(session=session)
    server = ScriptedServer(0x1302)
    request = server.retry(started(client), {E.KEY_SHARE: b"\0\x17"})
    client.receive(INITIAL, request)
    hello = ClientHello.parse(crypto_data(client.events(), INITIAL)[4:])
    assert E.PRE_SHARED_KEY not in hello.extensions


def test_a_wrong_binder_after_a_retry() -> None:
    context = ticket_context(groups=(NamedGroup.SECP256R1,))
    client, server = make_client(session=first_session(context)), make_server(context)
    server.receive(INITIAL, started(client))
    client.receive(INITIAL, crypto_data(server.events(), INITIAL))
    hello = bytearray(crypto_data(client.events(), INITIAL))
    hello[-1] ^= 1
    assert alert_of(server.receive, INITIAL, bytes(hello)) == Alert.DECRYPT_ERROR


def test_a_pre_shared_key_stays_the_last_extension_beside_a_cookie() -> None:
    client = make_client(session=first_session(ticket_context()))
    client.receive(INITIAL, ScriptedServer().retry(started(client), {E.COOKIE: b"\0\1x"}))
    hello = ClientHello.parse(crypto_data(client.events(), INITIAL)[4:])
    assert list(hello.extensions)[-2:] == [E.COOKIE, E.PRE_SHARED_KEY]


# What a client refuses

SERVER_HELLOS: dict[str, tuple[Callable[[ServerHello], ServerHello], Alert]] = {
    "another identity": (
        lambda hello: hello._replace(extensions={**hello.extensions, E.PRE_SHARED_KEY: b"\0\1"}),
        Alert.ILLEGAL_PARAMETER,
    ),
    "no number": (
        lambda hello: hello._replace(extensions={**hello.extensions, E.PRE_SHARED_KEY: b"\0"}),
        Alert.DECODE_ERROR,
    ),
    "a suite of another hash": (lambda hello: hello._replace(cipher_suite=0x1302), Alert.ILLEGAL_PARAMETER),
    "no key share": (
        lambda hello: hello._replace(
            extensions={code: data for code, data in hello.extensions.items() if code != E.KEY_SHARE}
        ),
        Alert.ILLEGAL_PARAMETER,
    ),
}


@pytest.mark.parametrize(("change", "alert"), SERVER_HELLOS.values(), ids=SERVER_HELLOS)
def test_the_server_hello(change: Callable[[ServerHello], ServerHello], alert: Alert) -> None:
    context = ticket_context()
    client, server = make_client(session=first_session(context)), make_server(context)
    server.receive(INITIAL, started(client))
    hello = ServerHello.parse(crypto_data(server.events(), INITIAL)[4:])
    assert alert_of(client.receive, INITIAL, change(hello).encode()) == alert


@pytest.mark.parametrize("message", [b"\x0b\0\0\4\0\0\0\0", b"\x0d\0\0\3\0\0\0"], ids=["certificate", "request"])
def test_a_resumed_server_shows_no_certificate_and_asks_for_none(message: bytes) -> None:
    context = ticket_context()
    client, server = make_client(session=first_session(context)), make_server(context)
    server.receive(INITIAL, started(client))
    events = server.events()
    client.receive(INITIAL, crypto_data(events, INITIAL))
    extensions = split_messages(crypto_data(events, HANDSHAKE))[0]
    client.receive(HANDSHAKE, extensions)
    assert alert_of(client.receive, HANDSHAKE, message) == Alert.UNEXPECTED_MESSAGE


def test_the_age_of_a_ticket_is_hidden() -> None:
    session = first_session(ticket_context())
    hello = ClientHello.parse(started(make_client())[4:])
    schedule = KeySchedule(CIPHER_SUITES[0x1301], session.psk)
    encoded = encode_with_psk(hello, session, session.issued_at + 1.5, schedule)
    offered = OfferedPsks.parse(ClientHello.parse(encoded[4:]).extensions[E.PRE_SHARED_KEY])
    assert offered.identities == (PskIdentity(session.ticket, (session.age_add + 1500) % 2**32),)
