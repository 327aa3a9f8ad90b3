"""A client that goes on from another address, over real sockets (RFC 9000 §9)."""

from __future__ import annotations

import socket
from collections.abc import Callable

import pytest

from quicmini import Config, Listener, MigrationError
from quicmini.sync.udp import UdpSocket
from tests.sync.helpers import PATIENCE, Pair, drain, in_thread, until

SIZE = 3_000_000


def test_a_client_moves_and_nothing_is_lost(pair: Pair) -> None:
    mine, theirs = pair.streams()
    data = bytes(range(256)) * (SIZE // 256)
    received = in_thread(drain, theirs)
    sent = in_thread(mine.sendall, data)
    before = pair.client.local_address
    pair.client.migrate(("127.0.0.2", 0), timeout=PATIENCE)
    assert pair.client.local_address[0] == "127.0.0.2"
    assert pair.client.local_address != before
    sent.result(PATIENCE)
    mine.shutdown(1)
    assert received.result(PATIENCE) == data
    until(lambda: pair.server.remote_address == pair.client.local_address)
    assert pair.server.stats().largest_amplification <= 3


def test_a_client_moves_again_and_again_and_its_sockets_are_closed(pair: Pair) -> None:
    mine, theirs = pair.streams()
    loop = pair.client._driver.loop
    for number in range(3, 8):
        pair.client.migrate((f"127.0.0.{number}", 0), timeout=PATIENCE)
        mine.sendall(b"%d" % number)
        assert theirs.recv(10) == b"%d" % number
        theirs.sendall(b"%d" % number)
        assert mine.recv(10) == b"%d" % number
    assert pair.server.remote_address[0] == "127.0.0.7"
    pair.client.close()
    until(lambda: not loop._others and loop.udp.fileno() == -1)


def test_a_move_that_nobody_answers_leaves_the_connection_where_it_is(
    pair: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    send = UdpSocket.send
    monkeypatch.setattr(
        UdpSocket, "send", lambda udp, transmit: None if transmit.local is not None else send(udp, transmit)
    )
    mine, theirs = pair.streams()
    before = pair.client.local_address
    with pytest.raises(TimeoutError, match="new address"):
        pair.client.migrate(timeout=0.1)
    assert pair.client.local_address == before
    until(lambda: not pair.client._driver.loop._others)
    mine.sendall(b"still here")
    assert theirs.recv(10) == b"still here"


def test_what_cannot_be(pair: Pair, make_pair: Callable[..., Pair]) -> None:
    with pytest.raises(MigrationError, match="only a client"):
        pair.server.migrate()
    with pytest.raises(OSError, match="assign"):
        pair.client.migrate(("203.0.113.1", 0))
    until(lambda: not pair.server._driver.loop._others)
    until(lambda: not pair.client._driver.loop._others)
    pair = make_pair(disable_active_migration=True)
    with pytest.raises(MigrationError, match="does not support"):
        pair.client.migrate(timeout=PATIENCE)


def test_one_move_comes_after_another(make_pair: Callable[..., Pair]) -> None:
    """Threads that do not know of each other: neither spoils the other's."""
    pair = make_pair()
    pair.streams()
    addresses = ["127.0.0.2", "127.0.0.3"]
    moves = [in_thread(pair.client.migrate, (host, 0), timeout=PATIENCE) for host in addresses]
    for move in moves:
        move.result(2 * PATIENCE)
    assert pair.client.local_address[0] in addresses
    with pair.client._driver.moving, pytest.raises(TimeoutError, match="earlier move"):
        pair.client.migrate(timeout=0)


@pytest.mark.parametrize("host", ["127.0.0.9", "127.0.0.1"])
def test_a_client_goes_where_the_server_prefers(make_pair: Callable[..., Pair], host: str) -> None:
    with UdpSocket.bind(socket.AF_INET, (host, 0))._sock as free:
        port = free.getsockname()[1]
    pair = make_pair(preferred_address=(host, port))
    until(lambda: pair.client.remote_address == (host, port))
    mine, theirs = pair.streams()
    data = bytes(range(256)) * 4000
    received = in_thread(drain, theirs)
    mine.sendall(data)
    mine.shutdown(1)
    assert received.result(PATIENCE) == data
    until(lambda: pair.server.local_address == (host, port))


def test_a_client_may_stay_where_it_is(make_pair: Callable[..., Pair]) -> None:
    with UdpSocket.bind(socket.AF_INET, ("127.0.0.1", 0))._sock as free:
        port = free.getsockname()[1]
    pair = make_pair(Config(follow_preferred_address=False), preferred_address=("127.0.0.1", port))
    pair.streams()
    assert not pair.client._driver.core.migrating
    assert pair.client.remote_address == pair.listener.address


def test_a_server_answers_strangers_from_the_address_they_have_asked(make_listener: Callable[..., Listener]) -> None:
    """A packet for a connection that nobody knows gets a stateless reset (RFC 9000 §10.3)."""
    with UdpSocket.bind(socket.AF_INET, ("127.0.0.1", 0))._sock as free:
        port = free.getsockname()[1]
    listener = make_listener(preferred_address=("127.0.0.9", port))
    for address in listener.address, ("127.0.0.9", port):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger:
            stranger.settimeout(PATIENCE)
            stranger.connect(address)
            stranger.send(b"\x40" + bytes(100))
            assert 20 < len(stranger.recv(1000)) < 100
