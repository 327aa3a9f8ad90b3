"""Tickets as the server seals them."""

from __future__ import annotations

from dataclasses import replace

import pytest

from quicmini.crypto.keys import CIPHER_SUITES
from quicmini.tls.codes import ExtensionType
from quicmini.tls.messages import MAX_EARLY_DATA_SIZE, NewSessionTicket
from quicmini.tls.psk import PskIdentity
from quicmini.tls.session import MAX_TICKET_LIFETIME
from quicmini.tls.tickets import MAX_CHAIN_SIZE, TICKET_LIFETIME, Ticket, acceptable_ticket, issue
from tests.tls.peers import now, ticket_context

TICKET = Ticket(
    issued_at=now().timestamp(),
    authenticated_at=now().timestamp(),
    cipher_suite=0x1301,
    age_add=2**32 - 1,
    version=1,
    early_data=True,
    psk=bytes(range(32)),
    alpn_protocol="chat",
    server_name="localhost",
    transport_data=b"limits",
    client_chain=(b"a certificate", b"its issuer's"),
)
SUITE = CIPHER_SUITES[0x1301]


def issued(ticket: Ticket) -> NewSessionTicket:
    message = issue(ticket_context(), ticket, b"\0\0")
    assert message is not None
    return NewSessionTicket.parse(message[4:])


def test_a_ticket_comes_back() -> None:
    assert Ticket.decode(TICKET.encode()) == TICKET
    bare = TICKET._replace(client_chain=(), server_name="", transport_data=b"", early_data=False)
    assert Ticket.decode(bare.encode()) == bare


def test_nothing_of_it_can_be_read() -> None:
    sealed = issued(TICKET).ticket
    for secret in (TICKET.psk, b"localhost", b"chat", b"a certificate"):
        assert secret not in sealed


def test_what_the_client_is_told() -> None:
    message = issued(TICKET)
    assert (message.lifetime, message.age_add, message.nonce) == (TICKET_LIFETIME, 2**32 - 1, b"\0\0")
    assert message.extensions == {ExtensionType.EARLY_DATA: MAX_EARLY_DATA_SIZE.to_bytes(4)}  # RFC 9001 §4.6.1
    assert issued(TICKET._replace(early_data=False)).extensions == {}


def test_a_changed_ticket_is_none() -> None:
    context = ticket_context()
    message = issue(context, TICKET, b"")
    assert message is not None
    sealed = NewSessionTicket.parse(message[4:]).ticket
    for place in range(len(sealed)):
        changed = bytearray(sealed)
        changed[place] ^= 1
        offered = (PskIdentity(bytes(changed), 0),)
        assert acceptable_ticket(context, offered, SUITE, "localhost", 1) is None
    assert acceptable_ticket(context, (PskIdentity(sealed, 0),), SUITE, "localhost", 1) == (0, TICKET)


@pytest.mark.parametrize("size", [0, 1, 27, 28, 65535])
def test_a_ticket_of_any_length(size: int) -> None:
    assert acceptable_ticket(ticket_context(), (PskIdentity(bytes(size), 0),), SUITE, "localhost", 1) is None


def test_certificates_that_would_make_every_hello_too_long() -> None:
    issued(TICKET._replace(client_chain=(bytes(MAX_CHAIN_SIZE),)))
    assert issue(ticket_context(), TICKET._replace(client_chain=(bytes(MAX_CHAIN_SIZE), b"\0")), b"") is None


@pytest.mark.parametrize(
    ("age", "lifetime"),
    [
        (0, TICKET_LIFETIME),
        (MAX_TICKET_LIFETIME - 60, 60),
        (MAX_TICKET_LIFETIME, None),
        (2 * MAX_TICKET_LIFETIME, None),
    ],
)
def test_no_ticket_outlives_a_week_after_the_certificates(age: int, lifetime: int | None) -> None:
    ticket = TICKET._replace(authenticated_at=TICKET.issued_at - age)
    if lifetime is None:
        assert issue(ticket_context(), ticket, b"") is None
    else:
        assert abs(issued(ticket).lifetime - lifetime) <= 1


def test_when_the_client_says_that_it_sent_its_hello() -> None:
    assert TICKET.sent_at(PskIdentity(b"", 1499)) == pytest.approx(TICKET.issued_at + 1.5)


def test_a_context_without_keys_has_no_tickets() -> None:
    context = replace(ticket_context(), ticket_keys=None)
    assert issue(context, TICKET, b"") is None
    assert acceptable_ticket(context, (PskIdentity(b"ticket", 0),), SUITE, "localhost", 1) is None
