from __future__ import annotations

import errno
import re
import socket
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from quicmini import Config, Connection, HandshakeError, Listener, TransportError, connect, key_fingerprint
from quicmini.connection.state import Address
from quicmini.errors import TransportErrorCode
from tests.certificates import Authority
from tests.sync.helpers import ALPN, PATIENCE, drain, in_thread, until


@pytest.fixture
def silent() -> Iterator[socket.socket]:
    """A socket that never answers."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", 0))
        yield sock


@pytest.fixture
def closed_port() -> Address:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", 0))
        address: Address = sock.getsockname()
    return address


def client_threads() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name.startswith("quicmini client")]


def resolve_to(monkeypatch: pytest.MonkeyPatch, *addresses: Address) -> None:
    infos = [(socket.AF_INET, socket.SOCK_DGRAM, 0, "", address) for address in addresses]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *args, **kwargs: infos)


def test_it_knows_the_connection(listener: Listener, authority: Authority) -> None:
    with connect(listener.address, alpn_protocols=["other", ALPN], cafile=authority.cafile) as connection:
        assert connection.selected_alpn_protocol() == ALPN
        assert connection.remote_address == listener.address
        assert connection.getpeercert()
        assert connection.stats().handshake_time
        server = listener.accept(PATIENCE)
        assert server.remote_address == connection.local_address
        assert server.getpeercert() is None
        assert server.selected_alpn_protocol() == ALPN


def test_an_untrusted_certificate(listener: Listener) -> None:
    with pytest.raises(HandshakeError) as caught:
        connect(listener.address, alpn_protocols=[ALPN])
    assert caught.value.alert == 48  # unknown_ca
    assert not caught.value.remote


def test_without_verification_any_certificate_will_do(listener: Listener) -> None:
    with connect(listener.address, alpn_protocols=[ALPN], verify=False) as connection:
        assert connection.getpeercert()


def test_the_key_of_the_certificate_is_enough(listener: Listener) -> None:
    with connect(listener.address, alpn_protocols=[ALPN], verify=False) as connection:
        pinned_key = key_fingerprint(connection.getpeercert() or b"")
    with connect(listener.address, alpn_protocols=[ALPN], pinned_key=pinned_key, server_hostname="x.example") as again:
        assert again.getpeercert() == connection.getpeercert()
    other = "SHA256:" + "A" * 43
    with pytest.raises(HandshakeError, match=re.escape(f"{pinned_key}, and not {other}")):
        connect(listener.address, alpn_protocols=[ALPN], pinned_key=other)


def test_the_name_must_be_the_certificates(listener: Listener, authority: Authority) -> None:
    with pytest.raises(HandshakeError, match=r"example\.org"):
        connect(listener.address, alpn_protocols=[ALPN], cafile=authority.cafile, server_hostname="example.org")


def test_no_common_protocol(listener: Listener, authority: Authority) -> None:
    with pytest.raises(HandshakeError) as caught:
        connect(listener.address, alpn_protocols=["unheard-of"], cafile=authority.cafile)
    assert caught.value.alert == 120  # no_application_protocol
    assert caught.value.remote


def test_a_closed_port_is_refused_at_once(closed_port: Address) -> None:
    with pytest.raises(ConnectionRefusedError):
        connect(closed_port[:2], alpn_protocols=[ALPN], open_timeout=1000)


def test_nobody_answers(silent: socket.socket) -> None:
    with pytest.raises(TimeoutError, match="handshake"):
        connect(silent.getsockname(), alpn_protocols=[ALPN], open_timeout=0.05)


def test_a_firewall_on_this_host_is_noticed_at_once(silent: socket.socket, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*args: object) -> None:
        raise PermissionError(errno.EPERM, "the firewall says no")

    monkeypatch.setattr("quicmini.sync.udp.UdpSocket._sendmsg", refuse)
    with pytest.raises(PermissionError):
        connect(silent.getsockname(), alpn_protocols=[ALPN], open_timeout=1000)


def test_an_unknown_host() -> None:
    with pytest.raises(socket.gaierror):
        connect(("host.invalid", 4433), alpn_protocols=[ALPN])


def test_the_next_address_is_tried(
    monkeypatch: pytest.MonkeyPatch, listener: Listener, authority: Authority, closed_port: Address
) -> None:
    """As when localhost is ::1 first, and the server listens on 127.0.0.1."""
    resolve_to(monkeypatch, closed_port, listener.address)
    with connect(("localhost", 1), alpn_protocols=[ALPN], cafile=authority.cafile) as connection:
        assert connection.remote_address == listener.address


def test_a_silent_address_does_not_use_up_the_time(
    monkeypatch: pytest.MonkeyPatch, silent: socket.socket, listener: Listener, authority: Authority
) -> None:
    resolve_to(monkeypatch, silent.getsockname(), listener.address)
    with connect(("localhost", 1), alpn_protocols=[ALPN], cafile=authority.cafile, open_timeout=2) as connection:
        assert connection.remote_address == listener.address


def test_the_first_addresss_error_is_raised(
    monkeypatch: pytest.MonkeyPatch, silent: socket.socket, closed_port: Address
) -> None:
    resolve_to(monkeypatch, silent.getsockname(), closed_port)
    with pytest.raises(TimeoutError):
        connect(("localhost", 1), alpn_protocols=[ALPN], open_timeout=0.1)
    resolve_to(monkeypatch)
    with pytest.raises(OSError, match="no address"):
        connect(("localhost", 1), alpn_protocols=[ALPN])


@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "localhost"])
def test_both_ip_versions(make_listener: Callable[..., Listener], authority: Authority, host: str) -> None:
    listener = make_listener(host="::")
    with connect((host, listener.address[1]), alpn_protocols=[ALPN], cafile=authority.cafile) as connection:
        server = listener.accept(PATIENCE)
        with connection.open_stream() as stream:
            stream.sendall(b"hello", end_stream=True)
            assert drain(server.accept_stream(PATIENCE)) == b"hello"


def test_no_more_connections_than_may_be_pending(make_listener: Callable[..., Listener], authority: Authority) -> None:
    listener = make_listener(max_pending=2)
    connections = [connect(listener.address, alpn_protocols=[ALPN], cafile=authority.cafile) for _ in range(2)]
    with pytest.raises(TransportError) as caught:
        connect(listener.address, alpn_protocols=[ALPN], cafile=authority.cafile)
    assert caught.value.error_code == TransportErrorCode.CONNECTION_REFUSED
    assert caught.value.remote
    listener.accept(PATIENCE)
    connections.append(connect(listener.address, alpn_protocols=[ALPN], cafile=authority.cafile))
    for connection in connections:
        connection.close()


def test_socket_and_thread_disappear(listener: Listener, authority: Authority, silent: socket.socket) -> None:
    def outcome(address: Any, **arguments: Any) -> Connection | None:
        try:
            return connect(address, alpn_protocols=[ALPN], **arguments)
        except OSError:
            return None

    outcome(silent.getsockname(), open_timeout=0.01)
    outcome(listener.address)  # untrusted
    connection = outcome(listener.address, cafile=authority.cafile)
    assert connection is not None
    sock = connection._driver.loop.udp
    assert client_threads()
    connection.close()
    until(lambda: not client_threads())
    until(lambda: sock.fileno() == -1)


@pytest.mark.parametrize(
    "arguments",
    [
        {"alpn_protocols": []},
        {"alpn_protocols": [""]},
        {"alpn_protocols": [ALPN], "server_hostname": "not a name!"},
        {"alpn_protocols": [ALPN], "pinned_key": "AB:CD"},
        {"alpn_protocols": [ALPN], "pinned_key": "SHA256:" + "A" * 43, "cafile": "/etc/hosts"},
        {"alpn_protocols": [ALPN], "open_timeout": -1},
        {"alpn_protocols": [ALPN], "close_timeout": -1},
        {"alpn_protocols": [ALPN], "config": Config(cipher_suites=(0x9999,))},
    ],
)
def test_arguments_that_cannot_work(arguments: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"."):
        connect(("127.0.0.1", 4433), **arguments)
    assert not client_threads()


def test_a_keyboard_interrupt_leaves_nothing_behind(silent: socket.socket, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(*args: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("quicmini.sync.driver.Driver.wait_changed", interrupt)
    with pytest.raises(KeyboardInterrupt):
        connect(silent.getsockname(), alpn_protocols=[ALPN])
    until(lambda: not client_threads())


def test_many_at_once(make_listener: Callable[..., Listener], authority: Authority) -> None:
    listener = make_listener(max_pending=20)
    futures = [in_thread(connect, listener.address, alpn_protocols=[ALPN], cafile=authority.cafile) for _ in range(20)]
    accepted = [listener.accept(PATIENCE) for _ in futures]
    connections = [future.result(PATIENCE) for future in futures]
    assert {connection.local_address for connection in connections} == {server.remote_address for server in accepted}
    for connection in connections:
        connection.close()
