"""aioquic as an endpoint of the public interop runner: `python -m tests.interop.aioquic_endpoint`.

`tests.interop.convention` describes the environment that it reads.
"""

from __future__ import annotations

import asyncio
import os
import ssl
import sys
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from aioquic.asyncio.client import connect
from aioquic.asyncio.protocol import QuicConnectionProtocol
from aioquic.asyncio.server import serve
from aioquic.quic.configuration import QuicConfiguration
from aioquic.quic.events import ConnectionTerminated, QuicEvent, StreamDataReceived, StreamReset
from aioquic.quic.logger import QuicFileLogger
from aioquic.quic.packet import QuicProtocolVersion
from aioquic.tls import CipherSuite, SessionTicket

from tests.interop.convention import ALPN, UNSUPPORTED, Environment, Request, file_asked_for, request_line

__all__ = ["main"]

_KEEP_ALIVE = 1  # seconds


def _configuration(environment: Environment) -> QuicConfiguration:
    settings = QuicConfiguration(
        is_client=environment.is_client,
        alpn_protocols=[ALPN],
        supported_versions=[QuicProtocolVersion.VERSION_1],
    )
    if environment.key_log:
        log = os.open(environment.key_log, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        settings.secrets_log_file = os.fdopen(log, "w", buffering=1)
    if environment.qlog:
        settings.quic_logger = QuicFileLogger(environment.qlog)
    if environment.test_case == "v2":
        settings.original_version = QuicProtocolVersion.VERSION_1
        settings.supported_versions = [QuicProtocolVersion.VERSION_2, QuicProtocolVersion.VERSION_1]
    if environment.test_case == "chacha20":
        settings.cipher_suites = [CipherSuite.CHACHA20_POLY1305_SHA256]
    return settings


# The client


class Fetcher(QuicConnectionProtocol):
    """Asks for files, and writes what comes."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._received: dict[int, list[bytes]] = {}
        self._waiting: dict[int, asyncio.Future[bytes]] = {}

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The first socket, or another that the connection moves to, with another connection ID."""
        if self._transport is not None:
            self._quic.change_connection_id()
        super().connection_made(transport)

    async def fetch(self, request: Request, downloads: Path) -> None:
        stream_id = self._quic.get_next_available_stream_id()
        self._received[stream_id] = []
        waiting = self._waiting[stream_id] = self._loop.create_future()
        self._quic.send_stream_data(stream_id, request_line(request), end_stream=True)
        self._transmit_soon()
        content = await waiting
        (downloads / request.file_name).write_bytes(content)

    async def keep_alive(self) -> None:
        """Say something every second: a NAT that has forgotten us would never let the server know."""
        while True:
            await asyncio.sleep(_KEEP_ALIVE)
            self._quic.send_ping(0)
            self.transmit()

    def quic_event_received(self, event: QuicEvent) -> None:
        if isinstance(event, StreamDataReceived):
            received = self._received[event.stream_id]
            received.append(event.data)
            if event.end_stream:
                self._waiting.pop(event.stream_id).set_result(b"".join(received))
        elif isinstance(event, StreamReset):
            self._waiting.pop(event.stream_id).set_exception(ConnectionError("the stream was reset"))
        elif isinstance(event, ConnectionTerminated):
            for waiting in self._waiting.values():
                waiting.set_exception(ConnectionError(event.reason_phrase))


class Client:
    """Fetches the files, in the way that the test case wants."""

    def __init__(self, environment: Environment) -> None:
        self._environment = environment
        self._settings = _configuration(environment)
        if environment.authority_file is None:
            self._settings.verify_mode = ssl.CERT_NONE
        else:
            self._settings.load_verify_locations(environment.authority_file)

    async def transfer(self) -> None:
        async with self._connect() as connection:
            await self._fetch_all(connection, self._environment.requests)

    async def multiconnect(self) -> None:
        for request in self._environment.requests:
            async with self._connect() as connection:
                await self._fetch_all(connection, [request])

    async def keyupdate(self) -> None:
        async with self._connect() as connection:
            await connection.ping()
            connection.request_key_update()
            await self._fetch_all(connection, self._environment.requests)

    async def resumption(self) -> None:
        await self._resume(early_data=False)

    async def zerortt(self) -> None:
        await self._resume(early_data=True)

    async def connectionmigration(self) -> None:
        """Go on from another port with another connection ID."""
        async with self._connect() as connection:
            fetching = asyncio.create_task(self._fetch_all(connection, self._environment.requests))
            await connection.ping()
            old = connection._transport
            loop = asyncio.get_running_loop()
            await loop.create_datagram_endpoint(lambda: connection, local_addr=("::", 0))
            await fetching
            if old is not None:
                old.close()

    async def _resume(self, *, early_data: bool) -> None:
        """The first file over one connection, the others over another that continues its session."""
        first, *others = self._environment.requests
        loop = asyncio.get_running_loop()
        ticket: asyncio.Future[SessionTicket] = loop.create_future()

        def keep(issued: SessionTicket) -> None:
            if not ticket.done():
                ticket.set_result(issued)

        async with self._connect(session_ticket_handler=keep) as connection:
            await self._fetch_all(connection, [first])
            self._settings.session_ticket = await ticket
        async with self._connect(wait_connected=not early_data) as connection:
            await self._fetch_all(connection, others)

    @asynccontextmanager
    async def _connect(self, **options: Any) -> AsyncIterator[Fetcher]:
        first = self._environment.requests[0]
        async with connect(
            first.host, first.port, configuration=self._settings, create_protocol=Fetcher, **options
        ) as connection:
            assert isinstance(connection, Fetcher)
            keeping_alive = asyncio.create_task(connection.keep_alive())
            yield connection
            keeping_alive.cancel()

    async def _fetch_all(self, connection: Fetcher, requests: Sequence[Request]) -> None:
        await asyncio.gather(*(connection.fetch(request, self._environment.downloads) for request in requests))


CLIENT_CASES: dict[str, Callable[[Client], Coroutine[Any, Any, None]]] = {
    "handshake": Client.transfer,
    "transfer": Client.transfer,
    "chacha20": Client.transfer,
    "ecn": Client.transfer,
    "v2": Client.transfer,
    "retry": Client.transfer,
    "multiconnect": Client.multiconnect,
    "keyupdate": Client.keyupdate,
    "resumption": Client.resumption,
    "zerortt": Client.zerortt,
    "connectionmigration": Client.connectionmigration,
}


# The server


class FileServer(QuicConnectionProtocol):
    """Answers requests with files."""

    def __init__(self, www: Path, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._www = www
        self._requests: dict[int, bytes] = {}

    def quic_event_received(self, event: QuicEvent) -> None:
        if not isinstance(event, StreamDataReceived):
            return
        self._requests[event.stream_id] = self._requests.get(event.stream_id, b"") + event.data
        if event.end_stream:
            path = file_asked_for(self._requests.pop(event.stream_id), self._www)
            if path is None:
                self._quic.reset_stream(event.stream_id, 0)
            else:
                self._quic.send_stream_data(event.stream_id, path.read_bytes(), end_stream=True)
            self.transmit()


async def _serve(environment: Environment) -> None:
    settings = _configuration(environment)
    settings.load_cert_chain(environment.certificate_file, environment.key_file)
    tickets: dict[bytes, SessionTicket] = {}

    def keep(ticket: SessionTicket) -> None:
        tickets[ticket.ticket] = ticket

    server = await serve(
        *environment.listen,
        configuration=settings,
        create_protocol=lambda *args, **kwargs: FileServer(environment.www, *args, **kwargs),
        session_ticket_handler=keep,
        session_ticket_fetcher=lambda label: tickets.pop(label, None),
        retry=environment.test_case == "retry",
    )
    transport = server._transport
    assert transport is not None
    print(f"listening on {transport.get_extra_info('sockname')[1]}", flush=True)
    await asyncio.get_running_loop().create_future()


SERVER_CASES = frozenset(CLIENT_CASES)


def main() -> int:
    """Do what the environment says; the exit status."""
    environment = Environment.parse(os.environ)
    if environment.test_case not in (CLIENT_CASES if environment.is_client else SERVER_CASES):
        return UNSUPPORTED
    if environment.is_client:
        asyncio.run(CLIENT_CASES[environment.test_case](Client(environment)))
    else:
        asyncio.run(_serve(environment))
    return 0


if __name__ == "__main__":
    sys.exit(main())
