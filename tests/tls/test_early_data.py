"""Early data as TLS sees it: offered, accepted, rejected, and what both sides refuse (RFC 9846 §4.3.10, §8)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from quicmini.crypto.keys import CIPHER_SUITES, EncryptionLevel
from quicmini.crypto.tokens import TicketKeys
from quicmini.errors import TransportErrorCode
from quicmini.tls.client import TlsClient
from quicmini.tls.codes import Alert, ExtensionType, NamedGroup
from quicmini.tls.context import ServerContext
from quicmini.tls.events import KeysReady, TlsEvent
from quicmini.tls.key_schedule import KeySchedule
from quicmini.tls.messages import ClientHello, EncryptedExtensions
from quicmini.tls.psk import OfferedPsks, PskIdentity
from tests.tls.peers import (
    HANDSHAKE,
    INITIAL,
    alert_of,
    assert_agreed,
    client_context,
    completion,
    counting_random,
    crypto_data,
    error_of,
    first_session,
    keys,
    make_client,
    make_server,
    now,
    shake_hands,
    split_messages,
    started,
    ticket_context,
)
from tests.tls.resuming import connect_again, decided, hello_with, resumed

E = ExtensionType
ZERO_RTT = EncryptionLevel.ZERO_RTT


def without_early_keys(events: list[TlsEvent]) -> list[TlsEvent]:
    return [event for event in events if not (isinstance(event, KeysReady) and event.level == ZERO_RTT)]


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
