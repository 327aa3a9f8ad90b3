"""The benchmark's work done with aioquic, as its own examples do it: events handled in the protocol, no stream objects.

`python -m tests.bench.aioquic_side ROLE OPTIONS`: started by the runner.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from time import perf_counter
from typing import Any, ClassVar

from aioquic.asyncio.client import connect
from aioquic.asyncio.protocol import QuicConnectionProtocol
from aioquic.asyncio.server import serve
from aioquic.quic.configuration import QuicConfiguration
from aioquic.quic.events import ConnectionTerminated, QuicEvent, StreamDataReceived
from aioquic.tls import CipherSuite

from chat.message import Message
from tests.bench.work import ALPN, NICKNAME, WINDOW, Options, decoded, message, report
from tests.transfer import Requester, Responder


class Protocol(QuicConnectionProtocol):
    """Gathers each stream and hands it over when it is complete."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._gathered: dict[int, list[bytes]] = {}

    def quic_event_received(self, event: QuicEvent) -> None:
        if isinstance(event, StreamDataReceived):
            self.data_received(event.stream_id, event.data, event.end_stream)
        elif isinstance(event, ConnectionTerminated):
            self.terminated()

    def data_received(self, stream_id: int, data: bytes, end: bool) -> None:
        if end:
            before = self._gathered.pop(stream_id, None)
            self.complete(stream_id, data if before is None else b"".join([*before, data]))
        else:
            self._gathered.setdefault(stream_id, []).append(data)

    def complete(self, stream_id: int, data: bytes) -> None:
        """All of a stream has arrived."""

    def terminated(self) -> None:
        """The connection is over."""

    def send(self, stream_id: int, data: bytes, *, end: bool = True) -> None:
        self._quic.send_stream_data(stream_id, data, end_stream=end)

    def open(self) -> int:
        return self._quic.get_next_available_stream_id()


# Servers


class BulkServer(Protocol):
    """Runs `tests.transfer` on each stream."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._responders: dict[int, Responder] = {}

    def data_received(self, stream_id: int, data: bytes, end: bool) -> None:
        responder = self._responders.setdefault(stream_id, Responder())
        for piece in responder.feed(data):
            self.send(stream_id, piece, end=False)
        if end:
            self.send(stream_id, self._responders.pop(stream_id).finish())


class EchoServer(Protocol):
    """Sends each message back on its stream."""

    def complete(self, stream_id: int, data: bytes) -> None:
        self.send(stream_id, data)


class ChatServer(Protocol):
    """Relays every message to every client."""

    clients: ClassVar[set[ChatServer]] = set()

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.clients.add(self)

    def complete(self, stream_id: int, data: bytes) -> None:
        if stream_id % 4 != 0:
            return  # a client closes its side of a stream that the server opened
        self.send(stream_id, b"")
        relayed = decoded(data).encode()
        for client in self.clients:
            client.send(client.open(), relayed)
            client.transmit()

    def terminated(self) -> None:
        self.clients.discard(self)


SERVERS: dict[str, type[Protocol]] = {
    "download": BulkServer,
    "upload": BulkServer,
    "echo": EchoServer,
    "echo-100": EchoServer,
    "handshake": Protocol,
    "chat": ChatServer,
}


# Clients


class BulkClient(Protocol):
    """One transfer at a time."""

    requester: Requester
    finished: asyncio.Event

    async def run(self, requester: Requester) -> None:
        self.requester, self.finished = requester, asyncio.Event()
        stream_id = self.open()
        for piece in requester.request():
            self.send(stream_id, piece, end=False)
        self.send(stream_id, b"")
        self.transmit()
        await self.finished.wait()
        requester.finish()

    def data_received(self, stream_id: int, data: bytes, end: bool) -> None:
        self.requester.feed(data)
        if end:
            self.finished.set()


class EchoClient(Protocol):
    """Sends messages, `at_once` at a time, each on a stream of its own."""

    expected: dict[int, bytes]
    all_back: asyncio.Event

    async def run(self, numbers: range) -> None:
        self.all_back = asyncio.Event()
        self.expected = {}
        for number in numbers:
            stream_id = self.open()
            self.expected[stream_id] = message(number)
            self.send(stream_id, message(number))
        self.transmit()
        await self.all_back.wait()

    def complete(self, stream_id: int, data: bytes) -> None:
        if data != self.expected.pop(stream_id):
            raise ValueError(f"stream {stream_id}: the echo is wrong")
        if not self.expected:
            self.all_back.set()


class ChatClient(Protocol):
    """Counts down the messages that are to come."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.waiting: set[str] = set()
        self.all_here = asyncio.Event()

    def complete(self, stream_id: int, data: bytes) -> None:
        if stream_id % 4 == 0:
            return  # the server closes its side of our own message's stream
        self.send(stream_id, b"")
        known = decoded(data)
        if known.nickname == NICKNAME:  # not what the server says itself
            self.waiting.remove(known.text)
        if not self.waiting:
            self.all_here.set()


def configuration(options: Options, *, is_client: bool) -> QuicConfiguration:
    """The settings that both implementations share."""
    settings = QuicConfiguration(
        is_client=is_client,
        alpn_protocols=[ALPN],
        server_name="localhost",
        max_data=WINDOW,
        max_stream_data=WINDOW,
        max_datagram_size=1200,
        cipher_suites=[CipherSuite.AES_128_GCM_SHA256],
    )
    if is_client:
        settings.load_verify_locations(options.cafile)
    else:
        settings.load_cert_chain(options.certfile, options.keyfile)
    return settings


def connecting(options: Options, protocol: type[Protocol]) -> AbstractAsyncContextManager[Any]:
    """A client connection, not yet begun."""
    settings = configuration(options, is_client=True)
    return connect("127.0.0.1", options.port, configuration=settings, create_protocol=protocol)


async def bulk(options: Options) -> float:
    """One stream, one direction."""
    download = options.case == "download"
    requester = Requester(0, options.count) if download else Requester(options.count, 0)
    async with connecting(options, BulkClient) as client:
        await client.run(Requester(1, 1))
        start = perf_counter()
        await client.run(requester)
        return perf_counter() - start


async def echo(options: Options) -> float:
    """A stream for each message."""
    at_once = 100 if options.case == "echo-100" else 1
    async with connecting(options, EchoClient) as client:
        await client.run(range(1))
        start = perf_counter()
        for first in range(0, options.count, at_once):
            await client.run(range(first, first + at_once))
        return perf_counter() - start


async def handshakes(options: Options) -> float:
    """From the call to the connection, one after the other; closing is not counted."""
    seconds = 0.0
    async with AsyncExitStack() as to_close:
        for _ in range(options.count):
            start = perf_counter()
            client = await to_close.enter_async_context(connecting(options, Protocol))
            seconds += perf_counter() - start
            client.close()
    return seconds


async def chat(options: Options) -> float:
    """One client sends; all of them wait until they have everything."""
    texts = [f"message {number}" for number in range(options.count)]
    async with AsyncExitStack() as to_close:
        clients: list[ChatClient] = []
        for _ in range(options.clients):
            clients.append(await to_close.enter_async_context(connecting(options, ChatClient)))
            clients[-1].waiting = set(texts)
        start = perf_counter()
        for text in texts:
            clients[0].send(clients[0].open(), Message(NICKNAME, text).encode())
        clients[0].transmit()
        for client in clients:
            await client.all_here.wait()
        seconds = perf_counter() - start
        for client in clients:
            client.close()  # all of them now: each would wait for its own closing period otherwise
        return seconds


CLIENTS: dict[str, Callable[[Options], Awaitable[float]]] = {
    "download": bulk,
    "upload": bulk,
    "echo": echo,
    "echo-100": echo,
    "handshake": handshakes,
    "chat": chat,
}


async def run_server(options: Options) -> None:
    """Serve until standard input ends."""
    settings = configuration(options, is_client=False)
    server = await serve("127.0.0.1", 0, configuration=settings, create_protocol=SERVERS[options.case])
    transport = server._transport
    assert transport is not None
    report(port=transport.get_extra_info("sockname")[1])
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
    server.close()


async def run_client(options: Options) -> None:
    """Do the work and report how long it took."""
    report(seconds=await CLIENTS[options.case](options))


def main() -> None:
    """The command line."""
    role, options = Options.from_command_line()
    asyncio.run((run_server if role == "server" else run_client)(options))


if __name__ == "__main__":
    main()
