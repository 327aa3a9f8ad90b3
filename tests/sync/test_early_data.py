"""0-RTT as a program uses it: `connect(early_data=True)`, `Config.early_data`, `Connection.handshake`."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from quicmini import Config, Connection, HandshakeError, Listener, Stream, connect, key_fingerprint
from quicmini.connection.state import Address
from quicmini.sync import driver
from quicmini.tls.session import Session
from tests.certificates import Authority, CertificateFiles
from tests.sync.helpers import ALPN, PATIENCE, drain, in_thread, until

MakeListener = Callable[..., Listener]


@pytest.fixture(autouse=True)
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """However slow the machine is, what a test writes first goes with the first flight."""
    monkeypatch.setattr(driver, "HOLD_TIME", PATIENCE)


@pytest.fixture
def early_connect(authority: Authority) -> Iterator[Callable[[tuple[str, int], Session], Connection]]:
    """Connect with early data; closed after the test."""
    clients: list[Connection] = []

    def make(address: tuple[str, int], session: Session) -> Connection:
        clients.append(
            connect(address, alpn_protocols=[ALPN], cafile=authority.cafile, session=session, early_data=True)
        )
        return clients[-1]

    yield make
    for client in clients:
        client._driver.close(0, "")
        client._driver.loop.stop()


def session_with(listener: Listener, authority: Authority) -> Session:
    """A session of a connection to the listener."""
    with connect(listener.address, alpn_protocols=[ALPN], cafile=authority.cafile) as client:
        server = listener.accept(PATIENCE)
        until(lambda: client.session)
        session = client.session
        assert session is not None
        server.close(timeout=0)
    return session


def ask(client: Connection, data: bytes) -> Stream:
    stream = client.open_stream()
    stream.settimeout(PATIENCE)
    stream.sendall(data, end_stream=True)
    return stream


def test_a_request_and_its_answer_in_one_round_trip(
    make_listener: MakeListener, authority: Authority, early_connect: Callable[..., Connection]
) -> None:
    listener = make_listener(early_data=True)
    client = early_connect(listener.address, session_with(listener, authority))
    asking = ask(client, b"question")
    server = listener.accept(PATIENCE)
    answering = server.accept_stream(PATIENCE)
    answering.settimeout(PATIENCE)
    assert drain(answering) == b"question"
    answering.sendall(b"answer", end_stream=True)
    assert drain(asking) == b"answer"
    client.handshake(PATIENCE)
    server.handshake(PATIENCE)
    assert client.early_data_accepted is server.early_data_accepted is True
    assert client.session_resumed


def test_the_server_is_told_which_data_may_be_a_replay(
    make_listener: MakeListener, authority: Authority, early_connect: Callable[..., Connection]
) -> None:
    listener = make_listener(early_data=True)
    session = session_with(listener, authority)
    client = early_connect(listener.address, session)
    ask(client, b"early")
    server = listener.accept(PATIENCE)
    assert server.accept_stream(PATIENCE).early_data
    client.handshake(PATIENCE)
    server.handshake(PATIENCE)
    ask(client, b"late")
    assert not server.accept_stream(PATIENCE).early_data


def test_a_message_alone_is_early_data_too(
    make_listener: MakeListener, authority: Authority, early_connect: Callable[..., Connection]
) -> None:
    """RFC 9221 §5: DATAGRAM frames may stand in 0-RTT packets."""
    listener = make_listener(early_data=True)
    client = early_connect(listener.address, session_with(listener, authority))
    client.send_datagram(b"message")
    server = listener.accept(PATIENCE)
    assert server.recv_datagram(PATIENCE) == b"message"


def test_refused_early_data_arrives_all_the_same(
    make_listener: MakeListener, authority: Authority, early_connect: Callable[..., Connection]
) -> None:
    """A server that has forgotten its ticket keys."""
    session = session_with(make_listener(early_data=True), authority)
    listener = make_listener(early_data=True)
    client = early_connect(listener.address, session)
    ask(client, b"question")
    server = listener.accept(PATIENCE)
    theirs = server.accept_stream(PATIENCE)
    assert drain(theirs) == b"question"
    assert not theirs.early_data
    client.handshake(PATIENCE)
    assert client.early_data_accepted is False
    assert not client.session_resumed


def test_early_data_is_for_the_pinned_key_only(
    make_listener: MakeListener, authority: Authority, rsa_files: CertificateFiles
) -> None:
    """Somebody else who answers at the same address, refuses the early data and waits for it to be sent again."""
    session = session_with(make_listener(early_data=True), authority)
    stranger = make_listener(early_data=True)
    stranger.reload_certificate(rsa_files.certfile, rsa_files.keyfile)
    client = connect(
        stranger.address,
        alpn_protocols=[ALPN],
        pinned_key=key_fingerprint(session.peer_certificate),
        session=session,
        early_data=True,
    )
    ask(client, b"secret")
    with pytest.raises(HandshakeError, match="the server's key is SHA256:"):
        client.handshake(PATIENCE)
    assert not client.early_data_accepted
    with pytest.raises(TimeoutError):
        stranger.accept(0)


def test_a_session_without_early_data_waits_for_the_handshake(
    make_listener: MakeListener, authority: Authority, early_connect: Callable[..., Connection]
) -> None:
    listener = make_listener()
    client = early_connect(listener.address, session_with(listener, authority))
    assert client.selected_alpn_protocol() == ALPN
    assert client.session_resumed
    assert client.early_data_accepted is None


def test_nobody_is_there(
    make_listener: MakeListener, authority: Authority, early_connect: Callable[..., Connection]
) -> None:
    """`connect` has returned: whoever waits for something hears of it."""
    listener = make_listener(early_data=True)
    address: Address = listener.address
    session = session_with(listener, authority)
    listener.close()
    client = early_connect(address, session)
    stream = client.open_stream()
    stream.settimeout(PATIENCE)
    reading = in_thread(drain, stream)
    with pytest.raises(ConnectionRefusedError):
        client.handshake(PATIENCE)
    with pytest.raises(ConnectionRefusedError):
        reading.result(PATIENCE)
    client.close(timeout=None)  # nobody will ever acknowledge what was written


def test_the_handshake_begins_without_early_data_too(
    make_listener: MakeListener, authority: Authority, early_connect: Callable[..., Connection]
) -> None:
    """Whoever only waits need not write first."""
    listener = make_listener(early_data=True)
    client = early_connect(listener.address, session_with(listener, authority))
    client.handshake(PATIENCE)
    assert client.session_resumed
    assert client.early_data_accepted is True


def test_the_handshake_begins_after_a_moment(
    make_listener: MakeListener,
    authority: Authority,
    early_connect: Callable[..., Connection],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(driver, "HOLD_TIME", 0.001)
    listener = make_listener(early_data=True)
    client = early_connect(listener.address, session_with(listener, authority))
    listener.accept(PATIENCE).handshake(PATIENCE)
    client.handshake(PATIENCE)


def test_handshake_returns_at_once_when_it_is_complete(make_listener: MakeListener, authority: Authority) -> None:
    listener = make_listener()
    with connect(listener.address, alpn_protocols=[ALPN], cafile=authority.cafile, config=Config()) as client:
        client.handshake(0)
        listener.accept(PATIENCE).handshake(0)
