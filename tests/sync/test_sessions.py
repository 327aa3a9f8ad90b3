"""Resumption and client certificates through the blocking API, over real sockets."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from socket import SHUT_WR
from ssl import PEM_cert_to_DER_cert
from typing import Any

import pytest

from quicmini import Connection, HandshakeError, Listener, Session, connect, listen
from tests.certificates import Authority, CertificateFiles
from tests.sync.helpers import ALPN, PATIENCE, drain, in_thread, until


@pytest.fixture
def client_authority(tmp_path: Path) -> Authority:
    """Who makes the clients' certificates: somebody else than who makes the servers'."""
    return Authority.create(tmp_path / "clients")


@pytest.fixture
def strict(server_files: CertificateFiles, client_authority: Authority) -> Iterator[Listener]:
    """A listener that wants a certificate of each client."""
    with listen(
        ("127.0.0.1", 0),
        alpn_protocols=[ALPN],
        certfile=server_files.certfile,
        keyfile=server_files.keyfile,
        client_cafile=client_authority.cafile,
    ) as listener:
        yield listener


def open_connection(listener: Listener, authority: Authority, **settings: Any) -> Connection:
    return connect(listener.address, alpn_protocols=[ALPN], cafile=authority.cafile, **settings)


def session_of(connection: Connection) -> Session:
    """The session of the connection, once its ticket has come."""
    until(lambda: connection.session)
    assert connection.session is not None
    return connection.session


def echoes(client: Connection, server: Connection) -> bool:
    """Whether the connection works in both directions."""

    def echo() -> None:
        stream = server.accept_stream(PATIENCE)
        stream.sendall(drain(stream))
        stream.shutdown(SHUT_WR)

    answered = in_thread(echo)
    stream = client.open_stream()
    stream.settimeout(PATIENCE)
    stream.sendall(b"is anybody there?")
    stream.shutdown(SHUT_WR)
    received = drain(stream)
    answered.result(PATIENCE)
    return received == b"is anybody there?"


def der(certfile: str) -> bytes:
    return PEM_cert_to_DER_cert(Path(certfile).read_text())


def test_a_session_is_resumed(listener: Listener, authority: Authority, server_files: CertificateFiles) -> None:
    with open_connection(listener, authority) as first:
        session = Session.from_bytes(session_of(first).to_bytes())
        assert not first.session_resumed
    listener.accept(PATIENCE)
    with open_connection(listener, authority, session=session) as second:
        server = listener.accept(PATIENCE)
        assert second.session_resumed
        assert server.session_resumed
        assert second.getpeercert() == der(server_files.certfile)
        assert server.session is None
        assert echoes(second, server)
        assert session_of(second) != session


def test_a_session_of_another_server(
    listener: Listener, authority: Authority, server_files: CertificateFiles, make_listener: Any
) -> None:
    """The other server cannot read the ticket; the connection is a full one."""
    with open_connection(listener, authority) as first:
        session = session_of(first)
    other = make_listener()
    with open_connection(other, authority, session=session) as second:
        assert not second.session_resumed
        assert echoes(second, other.accept(PATIENCE))


def test_a_session_is_of_no_use_to_who_trusts_somebody_else(
    listener: Listener, authority: Authority, tmp_path: Path
) -> None:
    with open_connection(listener, authority) as first:
        session = session_of(first)
    with pytest.raises(HandshakeError) as caught:
        open_connection(listener, Authority.create(tmp_path / "stranger"), session=session)
    assert caught.value.alert == 48  # unknown_ca


def test_no_tickets(make_listener: Any, authority: Authority) -> None:
    listener = make_listener(session_tickets=0)
    with open_connection(listener, authority) as connection:
        assert echoes(connection, listener.accept(PATIENCE))
        assert connection.session is None


@pytest.mark.parametrize("kind", ["ecdsa", "rsa", "ed25519"])
def test_a_client_certificate(strict: Listener, authority: Authority, client_authority: Authority, kind: str) -> None:
    own = client_authority.issue("Alice", kind=kind, client=True)
    with open_connection(strict, authority, certfile=own.certfile, keyfile=own.keyfile) as client:
        server = strict.accept(PATIENCE)
        assert server.getpeercert() == der(own.certfile)
        assert echoes(client, server)


def test_a_resumed_client_is_still_known(strict: Listener, authority: Authority, client_authority: Authority) -> None:
    own = client_authority.issue("Alice", client=True)
    files = {"certfile": own.certfile, "keyfile": own.keyfile}
    with open_connection(strict, authority, **files) as first:
        session = session_of(first)
    strict.accept(PATIENCE)
    with open_connection(strict, authority, session=session, **files) as second:
        server = strict.accept(PATIENCE)
        assert server.session_resumed
        assert server.getpeercert() == der(own.certfile)
        assert echoes(second, server)


def test_a_session_is_not_used_with_another_certificate(
    strict: Listener, authority: Authority, client_authority: Authority
) -> None:
    alice, bob = (client_authority.issue(name, client=True) for name in ("Alice", "Bob"))
    with open_connection(strict, authority, certfile=alice.certfile, keyfile=alice.keyfile) as first:
        session = session_of(first)
    strict.accept(PATIENCE)
    with open_connection(strict, authority, certfile=bob.certfile, keyfile=bob.keyfile, session=session) as second:
        assert not second.session_resumed
        assert strict.accept(PATIENCE).getpeercert() == der(bob.certfile)


def test_a_client_without_a_certificate(strict: Listener, authority: Authority) -> None:
    """The client has done its part when the server sees what is missing."""
    with open_connection(strict, authority) as connection, pytest.raises(HandshakeError) as caught:
        connection.accept_stream(PATIENCE)
    assert caught.value.alert == 116  # certificate_required
    assert caught.value.remote


def test_a_client_that_somebody_else_vouches_for(strict: Listener, authority: Authority, tmp_path: Path) -> None:
    own = Authority.create(tmp_path / "stranger").issue("Mallory", client=True)
    with (
        open_connection(strict, authority, certfile=own.certfile, keyfile=own.keyfile) as connection,
        pytest.raises(HandshakeError) as caught,
    ):
        connection.accept_stream(PATIENCE)
    assert caught.value.alert == 48  # unknown_ca


def test_a_certificate_that_nobody_asks_for_stays_here(
    listener: Listener, authority: Authority, client_authority: Authority
) -> None:
    own = client_authority.issue("Alice", client=True)
    with open_connection(listener, authority, certfile=own.certfile, keyfile=own.keyfile):
        assert listener.accept(PATIENCE).getpeercert() is None


def test_the_bytes_of_a_session_are_no_session(listener: Listener, authority: Authority) -> None:
    with open_connection(listener, authority) as first:
        kept: Any = session_of(first).to_bytes()
    with pytest.raises(TypeError, match="from_bytes"):
        open_connection(listener, authority, session=kept)


def test_a_key_without_a_certificate(listener: Listener, authority: Authority) -> None:
    with pytest.raises(ValueError, match="without a certfile"):
        open_connection(listener, authority, keyfile="key.pem")
