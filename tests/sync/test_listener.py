from __future__ import annotations

import errno
import socket
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import load_pem_x509_certificate

from quicmini import Connection, ConnectionClosedOK, Listener, Session, connect, listen
from tests.certificates import Authority, CertificateFiles
from tests.sync.helpers import ALPN, PATIENCE, Pair, in_thread, until, waiters, waiting_threads


def test_accept_times_out_and_may_be_repeated(listener: Listener, authority: Authority) -> None:
    for timeout in (0, 0.01):
        with pytest.raises(TimeoutError, match="a connection"):
            listener.accept(timeout)
    client = connect(listener.address, alpn_protocols=[ALPN], cafile=authority.cafile)
    assert listener.accept(PATIENCE).remote_address == client.local_address


def test_an_address_in_use(listener: Listener, server_files: CertificateFiles) -> None:
    with pytest.raises(OSError, match="in use") as caught:
        listen(listener.address, alpn_protocols=[ALPN], certfile=server_files.certfile, keyfile=server_files.keyfile)
    assert caught.value.errno == errno.EADDRINUSE


def test_missing_files() -> None:
    with pytest.raises(FileNotFoundError):
        listen(("127.0.0.1", 0), alpn_protocols=[ALPN], certfile="/nowhere.pem", keyfile="/nowhere.key")


def test_close_ends_its_connections_its_thread_and_its_socket(pair: Pair) -> None:
    waiting = in_thread(pair.server.accept_stream)
    until(lambda: waiting_threads(pair.server._driver, pair.server._driver.arrived))
    pair.listener.close()
    assert isinstance(waiting.exception(PATIENCE), ConnectionClosedOK)
    assert not pair.listener._loop.thread.is_alive()
    with pytest.raises(ConnectionClosedOK) as caught:
        pair.client.accept_stream(PATIENCE)
    assert caught.value.remote
    with pytest.raises(ConnectionClosedOK) as caught:
        pair.server.open_stream()
    assert not caught.value.remote
    pair.listener.close()
    # The port is free again.
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(pair.listener.address)


def test_close_wakes_who_accepts(listener: Listener) -> None:
    accepting = in_thread(listener.accept)
    iterating = in_thread(list, listener)
    until(lambda: waiters(listener._changed) == 2)
    listener.close()
    error = accepting.exception(PATIENCE)
    assert isinstance(error, OSError)
    assert error.errno == errno.EBADF
    assert iterating.result(PATIENCE) == []
    with pytest.raises(OSError, match="closed"):
        listener.accept()


def test_iteration_yields_connections(listener: Listener, authority: Authority) -> None:
    iterating = in_thread(lambda: [connection.remote_address for connection in listener])
    clients = [connect(listener.address, alpn_protocols=[ALPN], cafile=authority.cafile) for _ in range(3)]
    until(lambda: listener._pending == 0 and not listener._complete)
    listener.close()
    assert iterating.result(PATIENCE) == [client.local_address for client in clients]


def test_a_connection_that_ended_before_it_was_accepted_can_be_read(listener: Listener, authority: Authority) -> None:
    with connect(listener.address, alpn_protocols=[ALPN], cafile=authority.cafile) as client:
        client.open_stream().sendall(b"gone", end_stream=True)
    server = listener.accept(PATIENCE)
    until(lambda: server._driver.error)
    stream = server.accept_stream(PATIENCE)
    assert stream.recv(100) == b"gone"
    assert stream.recv(100) == b""
    with pytest.raises(ConnectionClosedOK):
        server.accept_stream()


def test_a_handshake_that_fails_makes_room(make_listener: Callable[..., Listener], authority: Authority) -> None:
    listener = make_listener(max_pending=1)
    for _ in range(3):
        with pytest.raises(ConnectionError, match="unknown_ca"):
            connect(listener.address, alpn_protocols=[ALPN])
        until(lambda: listener._pending == 0)
    connect(listener.address, alpn_protocols=[ALPN], cafile=authority.cafile).close()


def test_noise_disturbs_nobody(pair: Pair) -> None:
    """Datagrams that are no QUIC, or QUIC that nobody can open, while a transfer runs."""
    mine, theirs = pair.streams()
    noise = (b"", b"\x00", b"\xff" * 1200, b"\x40" + bytes(1199), b"\xc0\0\0\0\1\x08" + bytes(1300))
    data = bytes(range(256)) * 8192
    sending = in_thread(mine.sendall, data, end_stream=True)
    received = bytearray()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        while piece := theirs.recv(1 << 16):
            received += piece
            for datagram in noise:
                sock.sendto(datagram, pair.listener.address)
                # Only what comes from the server's address gets through to the client.
                pair.listener._loop.udp._sock.sendto(datagram, pair.client.local_address)
    sending.result(PATIENCE)
    assert received == data
    assert pair.listener._endpoint.dropped
    assert pair.client._driver.loop.endpoint.dropped


def test_its_text_tells_where(listener: Listener) -> None:
    assert str(listener.address[1]) in repr(listener)
    listener.close()
    assert "closed" in repr(listener)


def test_a_signal_handler_may_close_it_while_its_thread_runs_the_loop(
    pair: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It must not wait for the end of the turn that it has interrupted."""
    loop = pair.listener._loop
    mine, theirs = pair.streams()
    mine.sendall(b"x")
    poll = loop._wait

    def interrupted(longest: float) -> list[int]:
        if loop.turns.mine:
            pair.server.close()
            pair.listener.close()
        return poll(longest)

    monkeypatch.setattr(loop, "_wait", interrupted)

    def serve() -> None:
        while True:
            theirs.recv(10)
            theirs.sendall(b"x")

    def ask() -> None:
        while mine.recv(10):
            mine.sendall(b"x")

    asking = in_thread(ask)
    assert isinstance(in_thread(serve).exception(PATIENCE), ConnectionClosedOK)
    assert isinstance(asking.exception(PATIENCE), ConnectionClosedOK)
    loop.thread.join(PATIENCE)
    assert not loop.thread.is_alive()


def shown(listener: Listener, cafile: str, session: Session | None = None) -> tuple[bytes | None, Connection]:
    """The certificate that a new client is shown, and its connection."""
    client = connect(listener.address, alpn_protocols=[ALPN], cafile=cafile, session=session)
    return client.getpeercert(), client


def encoded(certfile: str) -> bytes:
    return load_pem_x509_certificate(Path(certfile).read_bytes()).public_bytes(Encoding.DER)


def test_another_certificate_for_new_connections_only(
    pair: Pair, authority: Authority, server_files: CertificateFiles, rsa_files: CertificateFiles
) -> None:
    mine, theirs = pair.streams()
    until(lambda: pair.client.session)
    pair.listener.reload_certificate(rsa_files.certfile, rsa_files.keyfile)
    certificate, _ = shown(pair.listener, authority.cafile)
    assert certificate == encoded(rsa_files.certfile) != encoded(server_files.certfile)
    mine.sendall(b"still here", end_stream=True)
    assert theirs.recv(100) == b"still here"
    certificate, resumed = shown(pair.listener, authority.cafile, pair.client.session)
    assert resumed.session_resumed
    assert certificate == encoded(server_files.certfile)


@pytest.mark.parametrize("broken", ["missing", "no certificate", "another's key"])
def test_a_broken_certificate_leaves_the_old_one(
    listener: Listener, tmp_path: Path, server_files: CertificateFiles, rsa_files: CertificateFiles, broken: str
) -> None:
    certfile, keyfile = tmp_path / "cert.pem", rsa_files.keyfile
    match broken:
        case "no certificate":
            certfile.write_text("nothing")
        case "another's key":
            certfile.write_bytes(Path(server_files.certfile).read_bytes())
    with pytest.raises((OSError, ValueError), match=r"cert\.pem"):
        listener.reload_certificate(str(certfile), keyfile)
    assert shown(listener, server_files.cafile)[0] == encoded(server_files.certfile)
