"""A listener with the keys of the one before it: what that one began goes on, what it took is not taken again."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from quicmini import Connection, Listener, Session, connect
from quicmini.tls import replay
from tests.certificates import Authority
from tests.sync.helpers import ALPN, PATIENCE, drain, until

OLD, NEW, NEWER = (bytes((number,)) * 32 for number in range(3))

MakeListener = Callable[..., Listener]


def visit(
    listener: Listener, authority: Authority, session: Session | None = None
) -> tuple[Session, Connection, Connection]:
    """Connect, with early data if there is a session; what is asked arrives once in any case."""
    with connect(
        listener.address,
        alpn_protocols=[ALPN],
        cafile=authority.cafile,
        session=session,
        early_data=session is not None,
    ) as client:
        client.open_stream().sendall(b"question", end_stream=True)
        server = listener.accept(PATIENCE)
        theirs = server.accept_stream(PATIENCE)
        theirs.settimeout(PATIENCE)
        assert drain(theirs) == b"question"
        client.handshake(PATIENCE)
        until(lambda: client.session not in (None, session))
        assert client.session is not None
        return client.session, client, server


def test_the_next_one_resumes(
    make_listener: MakeListener, authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    """RFC 9846 §8.2: early data that came with an older ticket may be a replay, for as long as it looks fresh."""
    monkeypatch.setattr(replay, "FRESHNESS", 3600.0)  # however slow the machine is
    first = make_listener(early_data=True, ticket_keys=(OLD,))
    session, *_ = visit(first, authority)
    used, client, _ = visit(first, authority, session)
    assert client.early_data_accepted is True
    second = make_listener(early_data=True, ticket_keys=(NEW, OLD))
    for ticket in (session, used):  # one that the first has taken early data with, and one that it may have
        newest, client, server = visit(second, authority, ticket)
        assert client.session_resumed
        assert client.early_data_accepted is False
        assert server.early_data_accepted is not True
    _, client, _ = visit(second, authority, newest)
    assert client.early_data_accepted is True


def test_keys_are_replaced(make_listener: MakeListener, authority: Authority) -> None:
    listener = make_listener(ticket_keys=(OLD,))
    first, *_ = visit(listener, authority)
    listener.replace_ticket_keys((NEW, OLD))
    second, client, _ = visit(listener, authority, first)
    assert client.session_resumed
    listener.replace_ticket_keys((NEWER, NEW))
    _, client, _ = visit(listener, authority, first)
    assert not client.session_resumed
    _, client, _ = visit(listener, authority, second)
    assert client.session_resumed


def test_own_keys_are_replaced(make_listener: MakeListener, authority: Authority) -> None:
    """A listener that has made its own makes no more."""
    listener = make_listener()
    session, *_ = visit(listener, authority)
    listener.replace_ticket_keys((NEW,))
    _, client, _ = visit(listener, authority, session)
    assert not client.session_resumed


@pytest.mark.parametrize("keys", [(), (bytes(16),), (OLD, b"")])
def test_what_is_no_key(make_listener: MakeListener, authority: Authority, keys: tuple[bytes, ...]) -> None:
    listener = make_listener(ticket_keys=(OLD,))
    session, *_ = visit(listener, authority)
    with pytest.raises(ValueError, match="key"):
        listener.replace_ticket_keys(keys)
    _, client, _ = visit(listener, authority, session)
    assert client.session_resumed
