"""Resuming a session, with early data and without: what both sides agree on, and what they refuse."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from quicmini.crypto.keys import CIPHER_SUITES, EncryptionLevel
from quicmini.crypto.tokens import TicketKeys
from quicmini.errors import TransportErrorCode
from quicmini.tls.certificates import TrustStore
from quicmini.tls.client import TlsClient
from quicmini.tls.codes import Alert, ExtensionType, NamedGroup
from quicmini.tls.context import ServerContext
from quicmini.tls.events import EarlyDataDecided, HandshakeComplete, KeysReady, TlsEvent
from quicmini.tls.key_schedule import KeySchedule
from quicmini.tls.messages import ClientHello, EncryptedExtensions, ServerHello
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
    client_context,
    counting_random,
    credential,
    crypto_data,
    error_of,
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
from tests.tls.test_handshake import assert_agreed, completion, keys

E = ExtensionType
ZERO_RTT = EncryptionLevel.ZERO_RTT
CERTIFICATE, CERTIFICATE_VERIFY, CERTIFICATE_REQUEST = 11, 15, 13


class Clock:
    """A clock that stands until it is told to move."""

    def __init__(self) -> None:
        self.time = now()

    def __call__(self) -> datetime:
        return self.time

    def move(self, seconds: float) -> None:
        self.time += timedelta(seconds=seconds)


def resumed(events: list[TlsEvent]) -> bool:
    return completion(events).resumed


def decided(events: list[TlsEvent]) -> list[bool]:
    """The decisions about early data: one at most."""
    return [event.accepted for event in events if isinstance(event, EarlyDataDecided)]


def connect_again(
    context: ServerContext, session: Session, *, early_data: bool = False, version: int = 1, **settings: Any
) -> tuple[list[TlsEvent], list[TlsEvent]]:
    """A second connection; the settings are the client's context's."""
    client = make_client(client_context(**settings), session=session, early_data=early_data, version=version)
    return shake_hands(client, make_server(context, version=version))


def without_early_keys(events: list[TlsEvent]) -> list[TlsEvent]:
    return [event for event in events if not (isinstance(event, KeysReady) and event.level == ZERO_RTT)]


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


def hello_with(session: Session, *others: PskIdentity) -> bytes:
    """A ClientHello that offers the session's ticket after others, whose binders are right as well."""
    client = make_client()
    hello = ClientHello.parse(started(client)[4:])
    identity = PskIdentity(session.ticket, session.age_add)
    offered = OfferedPsks((*others, identity), (bytes(32),) * (len(others) + 1))
    encoded = hello._replace(extensions={**hello.extensions, E.PRE_SHARED_KEY: offered.encode()}).encode()
    binder = KeySchedule(CIPHER_SUITES[0x1301], session.psk).binder(encoded[: -offered.binders_size])
    offered = offered._replace(binders=(binder,) * (len(others) + 1))
    return hello._replace(extensions={**hello.extensions, E.PRE_SHARED_KEY: offered.encode()}).encode()


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


# Early data


def early_context(**changes: Any) -> ServerContext:
    return ticket_context(early_data=True, **changes)


@pytest.mark.parametrize("suite", CIPHER_SUITES)
def test_early_data(suite: int) -> None:
    context = early_context()
    session = first_session(context, client_context(cipher_suites=(suite,)))
    assert session.early_data
    client_events, server_events = connect_again(context, session, early_data=True, cipher_suites=(suite,))
    assert decided(client_events) == decided(server_events) == [True]
    assert keys(client_events)[ZERO_RTT][0] == keys(server_events)[ZERO_RTT][1] is not None
    assert keys(client_events)[ZERO_RTT][1] is keys(server_events)[ZERO_RTT][0] is None
    assert_agreed(without_early_keys(client_events), without_early_keys(server_events))
    for events in (client_events, server_events):
        assert completion(events).resumed
        assert completion(events).early_data_accepted


def test_the_order_of_events_with_early_data() -> None:
    """The client's early keys come with the ClientHello, the server's with its flight, its 1-RTT ones not later."""
    context = early_context()
    client_events, server_events = connect_again(context, first_session(context), early_data=True)

    def order(events: list[TlsEvent]) -> list[str]:
        return [event.level.name if isinstance(event, KeysReady) else type(event).__name__ for event in events]

    assert order(client_events) == [
        "CryptoData",
        "ZERO_RTT",
        "HANDSHAKE",
        "EarlyDataDecided",
        "PeerTransportParameters",
        "CryptoData",
        "ONE_RTT",
        "HandshakeComplete",
        "SessionTicket",
    ]
    assert order(server_events) == [
        "PeerTransportParameters",
        "EarlyDataDecided",
        "ZERO_RTT",
        "CryptoData",
        "HANDSHAKE",
        "CryptoData",
        "ONE_RTT",
        "ONE_RTT",
        "HandshakeComplete",
        "CryptoData",
    ]
    early, late = (event for event in server_events if isinstance(event, KeysReady) and event.level.name == "ONE_RTT")
    assert (early.receive_secret, late.send_secret) == (None, None)


def test_a_server_that_wants_no_early_data_does_not_promise_it() -> None:
    session = first_session(ticket_context())
    assert not session.early_data
    events, _ = connect_again(ticket_context(), session, early_data=True)
    assert decided(events) == []


def test_early_data_is_offered_on_request_only() -> None:
    context = early_context()
    client_events, server_events = connect_again(context, first_session(context))
    assert decided(client_events) == decided(server_events) == []
    assert not completion(client_events).early_data_accepted


REJECTED: dict[str, Callable[[ServerContext], ServerContext]] = {
    "no longer": lambda context: replace(context, early_data=False),
    "another application": lambda context: replace(context, alpn_protocols=("chat",)),
    "another suite": lambda context: replace(context, cipher_suites=(0x1303,)),
    "another group": lambda context: replace(context, groups=(NamedGroup.SECP384R1,)),
    "other keys": lambda context: replace(context, ticket_keys=TicketKeys(counting_random("other"))),
    "late": lambda context: replace(context, clock=lambda: now() + timedelta(seconds=11)),
}


@pytest.mark.parametrize("change", REJECTED.values(), ids=REJECTED)
def test_early_data_is_rejected(change: Callable[[ServerContext], ServerContext]) -> None:
    context = early_context()
    client_events, server_events = connect_again(change(context), first_session(context), early_data=True)
    assert decided(client_events) == decided(server_events) == [False]
    assert ZERO_RTT not in keys(server_events)
    assert not completion(client_events).early_data_accepted
    assert_agreed(without_early_keys(client_events), without_early_keys(server_events))


@pytest.mark.parametrize(
    ("remembered", "today", "check", "accepted"),
    [
        (b"limits", b"limits", None, True),
        (b"limits", b"others", None, False),
        (b"limits", b"others", lambda data: data == b"limits", True),
        (b"limits", b"limits", lambda data: False, False),
    ],
)
def test_the_transport_has_a_say(
    remembered: bytes, today: bytes, check: Callable[[bytes], bool] | None, accepted: bool
) -> None:
    """RFC 9000 §7.4.1."""
    context = early_context()
    session = first_session(context, ticket_data=remembered)
    client = make_client(session=session, early_data=True)
    server = make_server(context, ticket_data=today, accepts_early_data=check)
    client_events, _ = shake_hands(client, server)
    assert decided(client_events) == [accepted]
    assert resumed(client_events)


def test_a_replayed_hello_gets_no_early_data() -> None:
    """RFC 9846 §8: at most once, though the handshake goes on."""
    context = early_context()
    hello = started(make_client(session=first_session(context), early_data=True))
    decisions = []
    for _ in range(3):
        server = make_server(context)
        server.receive(INITIAL, hello)
        decisions += decided(server.events())
    assert decisions == [True, False, False]


def test_early_data_is_for_the_first_ticket_only() -> None:
    context = early_context()
    session = first_session(context)
    hello = ClientHello.parse(hello_with(session, PskIdentity(b"?", 0))[4:])
    assert hello.extensions.pop(E.PRE_SHARED_KEY)
    hello.extensions[E.EARLY_DATA] = b""
    offered = OfferedPsks((PskIdentity(b"?", 0), PskIdentity(session.ticket, session.age_add)), (bytes(32),) * 2)
    encoded = hello._replace(extensions={**hello.extensions, E.PRE_SHARED_KEY: offered.encode()}).encode()
    binder = KeySchedule(CIPHER_SUITES[0x1301], session.psk).binder(encoded[: -offered.binders_size])
    server = make_server(context)
    server.receive(INITIAL, encoded[: -len(binder)] + binder)
    assert decided(server.events()) == [False]


def test_early_data_has_no_place_in_a_second_hello() -> None:
    context = early_context(groups=(NamedGroup.SECP256R1,))
    client, server = make_client(session=first_session(context), early_data=True), make_server(context)
    server.receive(INITIAL, started(client))
    client.receive(INITIAL, crypto_data(server.events(), INITIAL))
    events = client.events()
    assert decided(events) == [False]
    hello = ClientHello.parse(crypto_data(events, INITIAL)[4:])
    assert E.EARLY_DATA not in hello.extensions
    psk = hello.extensions.pop(E.PRE_SHARED_KEY)
    changed = hello._replace(extensions={**hello.extensions, E.EARLY_DATA: b"", E.PRE_SHARED_KEY: psk})
    assert alert_of(server.receive, INITIAL, changed.encode()) == Alert.ILLEGAL_PARAMETER


def after_server_hello(context: ServerContext, **settings: Any) -> tuple[TlsClient, EncryptedExtensions]:
    """A client with an offer of early data that waits for EncryptedExtensions, and what the server says there."""
    client, server = make_client(**settings), make_server(context)
    server.receive(INITIAL, started(client))
    events = server.events()
    client.receive(INITIAL, crypto_data(events, INITIAL))
    return client, EncryptedExtensions.parse(split_messages(crypto_data(events, HANDSHAKE))[0][4:])


def test_early_data_that_was_not_offered() -> None:
    context = early_context()
    client, answer = after_server_hello(context, session=first_session(context))
    answer.extensions[E.EARLY_DATA] = b""
    assert alert_of(client.receive, HANDSHAKE, answer.encode()) == Alert.UNSUPPORTED_EXTENSION


ACCEPTANCES: dict[str, tuple[Callable[[ServerContext], ServerContext], bytes, Alert]] = {
    "with contents": (lambda context: context, b"\0", Alert.DECODE_ERROR),
    "without the session": (REJECTED["other keys"], b"", Alert.ILLEGAL_PARAMETER),
    "for another application": (REJECTED["another application"], b"", Alert.ILLEGAL_PARAMETER),
    "for another suite": (REJECTED["another suite"], b"", Alert.ILLEGAL_PARAMETER),
}


@pytest.mark.parametrize(("change", "content", "alert"), ACCEPTANCES.values(), ids=ACCEPTANCES)
def test_a_wrong_acceptance_of_early_data(
    change: Callable[[ServerContext], ServerContext], content: bytes, alert: Alert
) -> None:
    context = early_context()
    client, answer = after_server_hello(change(context), session=first_session(context), early_data=True)
    answer.extensions[E.EARLY_DATA] = content
    assert alert_of(client.receive, HANDSHAKE, answer.encode()) == alert


def test_the_age_of_a_ticket_is_hidden() -> None:
    session = first_session(ticket_context())
    hello = ClientHello.parse(started(make_client())[4:])
    schedule = KeySchedule(CIPHER_SUITES[0x1301], session.psk)
    encoded = encode_with_psk(hello, session, session.issued_at + 1.5, schedule)
    offered = OfferedPsks.parse(ClientHello.parse(encoded[4:]).extensions[E.PRE_SHARED_KEY])
    assert offered.identities == (PskIdentity(session.ticket, (session.age_add + 1500) % 2**32),)


@pytest.mark.parametrize("level", [ZERO_RTT, HANDSHAKE])
def test_end_of_early_data_is_not_used_even_where_there_was_some(level: EncryptionLevel) -> None:
    """RFC 9001 §8.3."""
    context = early_context()
    server = make_server(context)
    server.receive(INITIAL, started(make_client(session=first_session(context), early_data=True)))
    assert decided(server.events()) == [True]
    error = error_of(server.receive, level, b"\5\0\0\0")
    expected = 0x100 + Alert.UNEXPECTED_MESSAGE if level is HANDSHAKE else TransportErrorCode.PROTOCOL_VIOLATION
    assert error.error_code == expected
