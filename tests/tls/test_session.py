"""Sessions: how long they are good for, and how they survive in a file."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quicmini.tls.session import MAX_TICKET_LIFETIME, Session, identity_of

SESSION = Session(
    ticket=b"the ticket",
    psk=bytes(range(32)),
    cipher_suite=0x1301,
    issued_at=1_700_000_000.25,
    lifetime=3600,
    age_add=0xFFFF_FFFF,
    server_name="localhost",
    alpn_protocol="chat",
    early_data=True,
    transport_parameters=b"the server's transport parameters",
    version=1,
    peer_chain=(b"the server's certificate", b"its issuer's"),
    identity=identity_of(b"the client's certificate"),
)


@pytest.mark.parametrize(
    "session",
    [
        SESSION,
        replace(SESSION, server_name=None, early_data=False, identity=b"", version=0x6B3343CF),
        replace(SESSION, cipher_suite=0x1302, psk=bytes(48), ticket=bytes(65535), transport_parameters=b""),
    ],
)
def test_a_session_comes_back_from_its_bytes(session: Session) -> None:
    assert Session.from_bytes(session.to_bytes()) == session


def test_the_secret_is_not_printed() -> None:
    assert "psk" not in repr(SESSION)
    assert repr(SESSION.psk) not in repr(SESSION)


@pytest.mark.parametrize("data", [b"", b"no session at all", SESSION.to_bytes()[1:]])
def test_bytes_of_something_else(data: bytes) -> None:
    with pytest.raises(ValueError, match="no session"):
        Session.from_bytes(data)


@pytest.mark.parametrize(
    "session",
    [
        replace(SESSION, cipher_suite=0x1305),
        replace(SESSION, psk=bytes(31)),
        replace(SESSION, ticket=b""),
        replace(SESSION, peer_chain=()),
        replace(SESSION, issued_at=float("nan")),
    ],
)
def test_a_session_that_cannot_work_is_damaged(session: Session) -> None:
    with pytest.raises(ValueError, match="damaged"):
        Session.from_bytes(session.to_bytes())


@settings(deadline=None, max_examples=100)
@given(st.integers(0, 1000), st.integers(0, 255))
def test_damage_raises_nothing_but_value_error(place: int, value: int) -> None:
    data = bytearray(SESSION.to_bytes())
    data[place % len(data)] = value
    for damaged in (bytes(data), bytes(data[: place % len(data)])):
        try:
            Session.from_bytes(damaged)
        except ValueError:
            continue


@pytest.mark.parametrize(
    ("lifetime", "passed", "age"),
    [
        (3600, 0.0, 0.0),
        (3600, 3600.0, 3600.0),
        (3600, 3600.5, None),
        (3600, -0.5, None),  # the clock was put back: its age is not known
        (2**32 - 1, MAX_TICKET_LIFETIME, MAX_TICKET_LIFETIME),
        (2**32 - 1, MAX_TICKET_LIFETIME + 1, None),
    ],
)
def test_the_age_of_a_ticket(lifetime: int, passed: float, age: float | None) -> None:
    assert replace(SESSION, lifetime=lifetime).age(SESSION.issued_at + passed) == age
