"""What happens to clients that have closed their connections."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest

from quicmini.connection.state import ConnectionState, Transmit
from quicmini.sync import closing as module
from quicmini.sync.closing import Closing
from quicmini.sync.udp import UdpSocket
from tests.sync.helpers import PATIENCE, Pair, until


class FakeLoop:
    """Has to be looked at a few times, or until its socket is free."""

    def __init__(self, looks: int) -> None:
        self.looks = looks
        self.threads: set[threading.Thread] = set()

    def look(self) -> bool:
        self.threads.add(threading.current_thread())
        self.looks -= 1
        return self.looks > 0


def test_one_thread_looks_after_all_until_they_are_done(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LOOK_INTERVAL", 0.001)
    closing = Closing()
    first = [FakeLoop(looks) for looks in (1, 2, 3)]
    for loop in first:
        closing.take_over(loop)
    until(lambda: not closing._loops)
    second = FakeLoop(2)
    closing.take_over(second)
    until(lambda: not closing._loops)
    assert [loop.looks for loop in (*first, second)] == [0, 0, 0, 0]
    assert len(set.union(second.threads, *(loop.threads for loop in first))) == 1


def test_a_closed_client_gives_back_its_thread_at_once_and_its_socket_later(pair: Pair) -> None:
    loop = pair.client._driver.loop
    pair.client.close()
    loop.thread.join(PATIENCE)
    assert not loop.thread.is_alive()
    until(lambda: loop.udp.fileno() == -1)
    assert pair.client._driver.core.state is ConnectionState.TERMINATED


def test_a_lost_connection_close_is_said_again(make_pair: Callable[..., Pair], monkeypatch: pytest.MonkeyPatch) -> None:
    pair = make_pair()
    send = UdpSocket.send
    udp, core = pair.client._driver.loop.udp, pair.client._driver.core
    lost = threading.Event()

    def lose_one(socket: UdpSocket, transmit: Transmit) -> Transmit | None:
        if socket is udp and core.state is ConnectionState.CLOSING and not lost.is_set():
            lost.set()
            return None
        return send(socket, transmit)

    monkeypatch.setattr(UdpSocket, "send", lose_one)
    pair.client.close()
    assert lost.is_set()
    stream = pair.server.open_stream()
    stream.sendall(b"are you still there?")
    until(lambda: pair.server._driver.error is not None)
    assert pair.server._driver.core.state is ConnectionState.DRAINING


def test_a_full_socket_is_not_given_away(pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    """What waits for room goes before the CONNECTION_CLOSE, and needs somebody who is there when there is room."""
    loop = pair.client._driver.loop
    full = True
    send = UdpSocket.send

    def send_unless_full(udp: UdpSocket, transmit: Transmit) -> Transmit | None:
        return transmit if full and udp is loop.udp else send(udp, transmit)

    monkeypatch.setattr(UdpSocket, "send", send_unless_full)
    pair.client.open_stream().sendall(b"x")
    pair.client.close(timeout=0)
    assert not loop._left
    full = False
    loop.wake()
    until(lambda: pair.server._driver.error is not None)
