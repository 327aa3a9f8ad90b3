"""What a connection does for the loop; what it does for the application is in the tests of Stream and Connection."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest

from quicmini import ConnectionClosed, ConnectionClosedOK
from quicmini.connection.connection import Connection as Core
from quicmini.connection.state import ConnectionState, Transmit
from quicmini.sync import driver as module
from quicmini.sync.deadline import Deadline
from quicmini.sync.driver import HOLD_SIZE, Driver
from quicmini.sync.udp import UdpSocket
from tests.sync.helpers import PATIENCE, Pair, drain, in_thread, until, waiting_threads


def test_an_unexpected_error_ends_one_connection(
    make_pair: Callable[..., Pair], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    pair = make_pair()
    receive = Core.receive_datagrams

    def receive_or_break(self: Core, *arrival: Any) -> None:
        if self is pair.server._driver.core:
            raise RuntimeError("a bug")
        receive(self, *arrival)

    monkeypatch.setattr(Core, "receive_datagrams", receive_or_break)
    waiting = in_thread(pair.server.accept_stream)
    with suppress(ConnectionClosed):  # another packet of the client's may have come before
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


# Small writes that wait for company. The loop may send them any time, with an ACK say, but not while the lock is held.


@pytest.fixture
def holding(monkeypatch: pytest.MonkeyPatch) -> None:
    """The peer always has something to acknowledge, and nothing that waits for company is sent because it is late."""
    monkeypatch.setattr(Core, "bytes_in_flight", 1)
    monkeypatch.setattr(module, "HOLD_TIME", 100 * PATIENCE)


def write(driver: Driver, stream_id: int, data: bytes) -> int:
    """Like `Stream.sendall`, for whoever has the lock. Returns how many packets that sent."""
    before = driver.core.stats().packets_sent
    assert driver.core.write_stream(stream_id, data) == len(data)
    driver.written(len(data))
    return driver.core.stats().packets_sent - before


@pytest.mark.usefixtures("holding")
def test_small_writes_share_a_packet(pair: Pair) -> None:
    mine, theirs = pair.streams()
    driver = pair.client._driver
    with driver.lock:
        driver.flush()
        sent = [write(driver, mine.stream_id, b"x" * 92) for _ in range(HOLD_SIZE // 100)]
        assert driver._held == 0
    assert sent == [0] * (len(sent) - 1) + [1]
    assert theirs.recv(10_000) == b"x" * 920


@pytest.mark.usefixtures("holding")
def test_a_large_write_takes_along_what_waits(pair: Pair) -> None:
    mine, theirs = pair.streams()
    driver = pair.client._driver
    with driver.lock:
        assert write(driver, mine.stream_id, b"small") == 0
        assert write(driver, mine.stream_id, b"x" * HOLD_SIZE) == 1
    assert theirs.recv(10_000) == b"small" + b"x" * HOLD_SIZE


def test_nothing_waits_if_the_peer_has_nothing_to_acknowledge(pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    mine, _theirs = pair.streams()
    driver = pair.client._driver
    monkeypatch.setattr(Core, "bytes_in_flight", 0)
    with driver.lock:
        assert write(driver, mine.stream_id, b"x") == 1


def test_what_was_held_goes_when_it_has_waited_long_enough(pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    """Although no thread waits for anything of this connection."""
    mine, theirs = pair.streams()
    monkeypatch.setattr(Core, "bytes_in_flight", 1)
    mine.sendall(b"held")
    assert theirs.recv(10) == b"held"


@pytest.mark.usefixtures("holding")
@pytest.mark.parametrize("what", ["readable", "writable", "arrived", "changed"])
def test_what_was_held_goes_before_the_thread_waits(pair: Pair, monkeypatch: pytest.MonkeyPatch, what: str) -> None:
    mine, theirs = pair.streams()
    driver = pair.client._driver
    held = []

    def run_turn(driver: Driver, timeout: float | None) -> bool:
        held.append(driver._held)
        return True

    monkeypatch.setattr(driver.loop, "run_turn", run_turn)
    waits: dict[str, Callable[[], None]] = {
        "readable": lambda: driver.wait_readable(mine.stream_id, Deadline(None)),
        "writable": lambda: driver.wait_writable(mine.stream_id, Deadline(None)),
        "arrived": lambda: driver.wait_arrived("a stream", Deadline(None)),
        "changed": lambda: driver.wait_changed("something", Deadline(None)),
    }
    with driver.lock:
        assert write(driver, mine.stream_id, b"held") == 0
        waits[what]()
    assert held == [0]
    assert theirs.recv(10) == b"held"


@pytest.mark.usefixtures("holding")
def test_reading_does_not_send_what_is_held(pair: Pair) -> None:
    """Not even if it grants credit: the credit shares the packet."""
    mine, _theirs = pair.streams()
    driver = pair.client._driver
    with driver.lock:
        assert write(driver, mine.stream_id, b"held") == 0
        assert driver.core.has_frames
        before = driver.core.stats().packets_sent
        driver.after_read(mine.stream_id)
        assert driver.core.stats().packets_sent == before
        driver.flush()
        assert driver.core.stats().packets_sent == before + 1


@pytest.mark.usefixtures("holding")
def test_stopping_a_stream_does_not_send_what_is_held(pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    """STOP_SENDING shares its packet: whoever has done with a stream after each message would send twice as many."""
    mine, _theirs = pair.streams()
    senders = []
    send = Core.datagrams_to_send

    def recorded(core: Core, now: float) -> list[Transmit]:
        senders.append(threading.current_thread())
        return send(core, now)

    monkeypatch.setattr(Core, "datagrams_to_send", recorded)
    mine.sendall(b"held")
    mine.stop_sending(0)
    assert threading.current_thread() not in senders


@pytest.mark.usefixtures("holding")
def test_what_was_held_goes_before_the_end_of_the_connection(pair: Pair) -> None:
    """Closing at once gives up what has not arrived, but not what was written and not even sent."""
    mine, theirs = pair.streams()
    until(lambda: pair.client._driver.core.all_acknowledged)
    mine.sendall(b"held")
    pair.client.close(timeout=0)
    assert theirs.recv(10) == b"held"
    with pytest.raises(ConnectionClosedOK):
        theirs.recv(10)


# Who is told


def test_who_waits_to_close_need_not_wait_for_what_is_given_up(pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    mine, _theirs = pair.streams()
    driver = pair.client._driver
    monkeypatch.setattr(UdpSocket, "send", lambda udp, transmit: None)  # nothing arrives any more
    monkeypatch.setattr(Driver, "_follow_up", lambda self: None)  # and the loop has no part in it
    mine.sendall(b"x" * HOLD_SIZE)

    def wait() -> None:
        with driver.lock:
            driver.wait_acknowledged(Deadline(PATIENCE))

    waiting = in_thread(wait)
    until(lambda: waiting_threads(driver, driver.changed))
    mine.reset()
    assert waiting.exception(PATIENCE / 2) is None


def test_what_is_left_of_a_stream_wakes_who_runs_the_loop(pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    """One thread reads a part; another one, which has taken a turn of the loop meanwhile, wants the rest."""
    pair.client.open_stream().sendall(b"12")
    stream = pair.server.next_readable(PATIENCE)
    driver = pair.server._driver
    rung: list[bool] = []
    monkeypatch.setattr(driver.loop, "ring", lambda: rung.append(True))
    monkeypatch.setattr(driver.loop.turns, "purpose", driver)
    assert stream.recv(1) == b"1"
    assert rung
