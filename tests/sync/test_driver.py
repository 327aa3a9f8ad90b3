"""What a connection does for the loop; what it does for the application is in the tests of Stream and Connection."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from quicmini import ConnectionClosed, ConnectionClosedOK
from quicmini.connection.connection import Connection as Core
from quicmini.connection.state import Address, ConnectionState, Transmit
from quicmini.sync.udp import UdpSocket
from tests.sync.helpers import PATIENCE, Pair, drain, in_thread, until


def test_an_unexpected_error_ends_one_connection(
    make_pair: Callable[..., Pair], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    pair = make_pair()
    receive = Core.receive_datagrams

    def receive_or_break(self: Core, datagrams: list[bytes], source: Address, now: float) -> None:
        if self is pair.server._driver.core:
            raise RuntimeError("a bug")
        receive(self, datagrams, source, now)

    monkeypatch.setattr(Core, "receive_datagrams", receive_or_break)
    waiting = in_thread(pair.server.accept_stream)
    pair.client.open_stream().sendall(b"x")
    error = waiting.exception(PATIENCE)
    assert isinstance(error, ConnectionClosed)
    assert "INTERNAL_ERROR" in str(error)
    with pytest.raises(ConnectionClosed, match="the peer closed the connection: INTERNAL_ERROR"):
        pair.client.accept_stream(PATIENCE)
    assert "a bug" in caplog.text
    assert pair.listener._loop.thread.is_alive()


def test_a_bug_while_saying_goodbye_does_no_harm(
    pair: Pair, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*args: object, **kwargs: object) -> None:
        raise RuntimeError("another bug")

    driver = pair.server._driver
    monkeypatch.setattr(Core, "abort", broken)
    driver.fail()
    assert driver.finished
    assert "another bug" in caplog.text
    with pytest.raises(ConnectionClosed, match="INTERNAL_ERROR"):
        pair.server.open_stream()


def test_icmp_is_not_believed_once_the_peer_was_heard(pair: Pair) -> None:
    """Anybody can send it (RFC 9000 §14.2.1)."""
    driver = pair.client._driver
    driver.unreachable(ConnectionRefusedError())
    assert driver.network_error is None
    mine, theirs = pair.streams()
    mine.sendall(b"still here", end_stream=True)
    assert drain(theirs) == b"still here"


def test_who_closed_lingers_and_who_was_told_does_not(pair: Pair) -> None:
    client, server = pair.client._driver, pair.server._driver
    assert client.lingers
    assert server.lingers
    pair.client.close()
    assert client.lingers
    until(lambda: server.core.state is ConnectionState.DRAINING)
    until(lambda: not server.lingers)
    until(lambda: not client.lingers)


def test_each_raise_has_an_exception_of_its_own(pair: Pair) -> None:
    driver = pair.client._driver
    driver.check()
    driver.close(0, "")
    with pytest.raises(ConnectionClosedOK) as first:
        driver.check()
    with pytest.raises(ConnectionClosedOK) as second:
        driver.check()
    assert first.value is not second.value


def test_data_waits_in_the_connection_while_the_socket_is_full(pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    """A queue of packets behind a full socket would only make them old."""
    mine, theirs = pair.streams()
    loop = pair.client._driver.loop
    send = UdpSocket.send
    full = True

    def send_unless_full(udp: UdpSocket, transmit: Transmit) -> Transmit | None:
        return transmit if full and udp is loop.udp else send(udp, transmit)

    monkeypatch.setattr(UdpSocket, "send", send_unless_full)
    mine.sendall(b"x" * 100_000, end_stream=True)
    waiting = len(loop._backlog)
    assert waiting
    mine.stop_sending(0)
    assert len(loop._backlog) == waiting
    full = False
    loop.wake()
    assert drain(theirs) == b"x" * 100_000
