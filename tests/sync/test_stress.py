"""Everything at once, in many threads that are switched all the time: whoever waits is woken, whatever was sent comes.

What is random comes from a seed; how the threads interleave does not. So this finds a mistake now and then, and none
where there is none.
"""

from __future__ import annotations

import random
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import suppress
from time import monotonic
from typing import Any

import pytest

from quicmini import Config, Connection, ConnectionClosed, Listener, Stream, StreamReset, StreamStopped, connect
from tests.certificates import Authority
from tests.sync.helpers import ALPN, PATIENCE, drain, in_thread

DURATION = 2.0  # seconds
CLIENTS = 4
THREADS = 4  # for each client
BULK = 300_000  # bytes


@pytest.fixture
def restless() -> Iterator[None]:
    """Threads are switched as often as can be."""
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(interval)


def serve(listener: Listener, threads: list[Future[Any]]) -> None:
    for connection in listener:
        threads.append(in_thread(serve_connection, connection, threads))


def serve_connection(connection: Connection, threads: list[Future[Any]]) -> None:
    """A thread for every other stream; the others are answered here, one after the other."""
    with suppress(ConnectionClosed):
        for number, stream in enumerate(connection):
            if number % 2:
                threads.append(in_thread(answer, stream))
            else:
                answer(stream)


def answer(stream: Stream) -> None:
    stream.settimeout(PATIENCE)
    with suppress(StreamReset, StreamStopped, ConnectionClosed):
        while data := stream.recv(1 << 16):
            stream.sendall(data)
        stream.close()


def echo(connection: Connection, chance: random.Random) -> None:
    """Messages that each wait for their answer, written in pieces."""
    with connection.open_stream(timeout=PATIENCE) as stream:
        stream.settimeout(PATIENCE)
        for _ in range(chance.randrange(1, 20)):
            message = chance.randbytes(chance.randrange(1, 50))
            for byte in range(0, len(message), 10):
                stream.sendall(message[byte : byte + 10])
            received = b""
            while len(received) < len(message):
                received += stream.recv(chance.choice((1, 100)))
            assert received == message


def bulk(connection: Connection, chance: random.Random) -> None:
    """More than there are buffers for, so that both directions block each other."""
    data = chance.randbytes(BULK)
    with connection.open_stream(timeout=PATIENCE) as stream:
        stream.settimeout(PATIENCE)
        sending = in_thread(stream.sendall, data, end_stream=True)
        assert drain(stream) == data
        sending.result(PATIENCE)


def reset(connection: Connection, chance: random.Random) -> None:
    stream = connection.open_stream(timeout=PATIENCE)
    stream.settimeout(PATIENCE)
    stream.sendall(chance.randbytes(chance.randrange(1, 5000)))
    waiting = in_thread(stream.recv, 1 << 16)
    if chance.random() < 0.5:
        stream.reset(1)
    stream.stop_sending(2)
    waiting.exception(PATIENCE)
    stream.close()


def impatient(connection: Connection, chance: random.Random) -> None:
    with connection.open_stream(timeout=PATIENCE) as stream:
        stream.settimeout(chance.random() / 100)
        with pytest.raises(TimeoutError):
            stream.recv(1)
        stream.settimeout(PATIENCE)
        stream.sendall(b"now", end_stream=True)
        assert drain(stream) == b"now"


def use(connection: Connection, seed: int, until: float) -> None:
    chance = random.Random(seed)
    actions: list[Callable[[Connection, random.Random], None]] = [echo, echo, bulk, reset, impatient]
    while monotonic() < until:
        chance.choice(actions)(connection, chance)


@pytest.mark.usefixtures("restless")
def test_many_threads(make_listener: Callable[..., Listener], authority: Authority) -> None:
    config: dict[str, Any] = {"max_stream_data": 1 << 16, "send_buffer_size": 1 << 16}
    listener = make_listener(**config)
    threads: list[Future[Any]] = []
    serving = in_thread(serve, listener, threads)
    until = monotonic() + DURATION
    clients = [
        connect(listener.address, alpn_protocols=[ALPN], cafile=authority.cafile, config=Config(**config))
        for _ in range(CLIENTS)
    ]
    using = [
        in_thread(use, client, number * THREADS + thread, until)
        for number, client in enumerate(clients)
        for thread in range(THREADS)
    ]
    for thread in using:
        thread.result(PATIENCE)
    for client in clients:
        client.close()
    for client in clients:
        client._driver.loop.thread.join(PATIENCE)
        assert not client._driver.loop.thread.is_alive()
        assert not client._driver.loop.turns.waiting
    listener.close()
    serving.result(PATIENCE)
    for thread in threads:
        assert thread.exception(PATIENCE) is None
    assert not listener._loop.turns.waiting
    assert not listener._loop.thread.is_alive()
