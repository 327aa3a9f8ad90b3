"""aioquic, a QUIC implementation that nobody here wrote, as a process of its own.

    python -m tests.interop.aioquic_peer serve --cert FILE --key FILE [--chat]
    python -m tests.interop.aioquic_peer fetch HOST PORT --ca FILE --streams 4 --upload 1000000 --download 1000000
    python -m tests.interop.aioquic_peer talk HOST PORT --ca FILE --expect 3 --say HEX…

`serve` and `fetch` run `tests.transfer`. `serve --chat` and `talk` are the chat's two sides, and know nothing of what
is said: streams are relayed, and sent and reported in hexadecimal, as they are. All print one JSON object a line: the
server its port and then how each connection ended, a client what it saw. The server runs until its standard input ends.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from typing import Any, ClassVar
from unittest import mock

from aioquic import tls
from aioquic.asyncio.client import connect
from aioquic.asyncio.protocol import QuicConnectionProtocol
from aioquic.asyncio.server import serve
from aioquic.quic.configuration import QuicConfiguration
from aioquic.quic.events import ConnectionTerminated, HandshakeCompleted, QuicEvent, StreamDataReceived

from tests.transfer import ALPN, Requester, Responder

WINDOW = 16 * 1024 * 1024  # bytes


def report(**values: Any) -> None:
    """One line of JSON for the process that started this one."""
    print(json.dumps(values), flush=True)


class Peer(QuicConnectionProtocol):
    """Remembers how the connection began and ended."""

    alpn: str | None = None
    end: ConnectionTerminated | None = None

    def quic_event_received(self, event: QuicEvent) -> None:
        if isinstance(event, HandshakeCompleted):
            self.alpn = event.alpn_protocol
        elif isinstance(event, ConnectionTerminated):
            self.end = event
        elif isinstance(event, StreamDataReceived):
            self.stream_data_received(event)

    def stream_data_received(self, event: StreamDataReceived) -> None:
        """Bytes of a stream, in order."""

    def description(self) -> dict[str, Any]:
        """What a test wants to know about the connection."""
        schedule = self._quic.tls.key_schedule
        end = self.end
        return {
            "alpn": self.alpn,
            "cipher_suite": schedule.cipher_suite.name if schedule is not None else None,
            "error_code": end.error_code if end else None,
            "frame_type": end.frame_type if end else None,
            "reason": end.reason_phrase if end else None,
        }


class Server(Peer):
    """Answers each stream as `tests.transfer` says."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.responders: dict[int, Responder] = {}

    def quic_event_received(self, event: QuicEvent) -> None:
        super().quic_event_received(event)
        if self.end is event:
            report(event="closed", unfinished_streams=len(self.responders), **self.description())

    def stream_data_received(self, event: StreamDataReceived) -> None:
        responder = self.responders.setdefault(event.stream_id, Responder())
        for piece in responder.feed(event.data):
            self._quic.send_stream_data(event.stream_id, piece)
        if event.end_stream:
            self._quic.send_stream_data(event.stream_id, responder.finish(), end_stream=True)
            del self.responders[event.stream_id]


class ChatServer(Peer):
    """Relays what a client says on a stream to all clients, each time on a new stream."""

    clients: ClassVar[set[ChatServer]] = set()

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.clients.add(self)
        self.said: dict[int, bytes] = {}

    def quic_event_received(self, event: QuicEvent) -> None:
        super().quic_event_received(event)
        if self.end is event:
            self.clients.discard(self)
            report(event="closed", **self.description())

    def stream_data_received(self, event: StreamDataReceived) -> None:
        if event.stream_id % 4:
            return  # a client ends its direction of a stream that this server opened
        self.said[event.stream_id] = self.said.get(event.stream_id, b"") + event.data
        if event.end_stream:
            self._quic.send_stream_data(event.stream_id, b"", end_stream=True)
            said = self.said.pop(event.stream_id)
            for client in self.clients:
                client.say(said)
                client.transmit()

    def say(self, data: bytes) -> None:
        """Open a stream that carries these bytes and nothing else."""
        self._quic.send_stream_data(self._quic.get_next_available_stream_id(), data, end_stream=True)


class ChatClient(Peer):
    """Says what it is told to, and gathers what is said until it has heard `expected` messages."""

    expected = 0

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.incoming: dict[int, bytes] = {}
        self.heard: list[bytes] = []
        self.heard_all = asyncio.Event()

    def quic_event_received(self, event: QuicEvent) -> None:
        super().quic_event_received(event)
        if self.end is event:
            self.heard_all.set()

    def stream_data_received(self, event: StreamDataReceived) -> None:
        if event.stream_id % 4 == 0:
            return  # the server ends its direction of a stream that this client opened
        self.incoming[event.stream_id] = self.incoming.get(event.stream_id, b"") + event.data
        if event.end_stream:
            self._quic.send_stream_data(event.stream_id, b"", end_stream=True)
            self.heard.append(self.incoming.pop(event.stream_id))
            report(event="heard", message=self.heard[-1].hex())
            if len(self.heard) == self.expected:
                self.heard_all.set()


class Client(Peer):
    """Runs several transfers at once and waits for all of them."""

    latest: ClassVar[Client]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        Client.latest = self
        self.requesters: dict[int, Requester] = {}
        self.failure: str | None = None
        self.idle = asyncio.Event()

    def start(self, requester: Requester) -> None:
        """Open a stream and hand over the whole request (aioquic buffers what it may not send yet)."""
        stream_id = self._quic.get_next_available_stream_id()
        self.requesters[stream_id] = requester
        for piece in requester.request():
            self._quic.send_stream_data(stream_id, piece)
        self._quic.send_stream_data(stream_id, b"", end_stream=True)

    def quic_event_received(self, event: QuicEvent) -> None:
        super().quic_event_received(event)
        if self.end is event:
            self.idle.set()

    def stream_data_received(self, event: StreamDataReceived) -> None:
        requester = self.requesters[event.stream_id]
        requester.feed(event.data)
        if not event.end_stream:
            return
        del self.requesters[event.stream_id]
        try:
            requester.finish()
        except ValueError as error:
            self.failure = str(error)
        if not self.requesters:
            self.idle.set()


def configuration(options: argparse.Namespace, *, is_client: bool) -> QuicConfiguration:
    """What the options ask for, with windows that do not slow it down."""
    settings = QuicConfiguration(
        is_client=is_client,
        alpn_protocols=[options.alpn],
        server_name="localhost",
        max_data=WINDOW,
        max_stream_data=WINDOW,
    )
    if options.suite:
        settings.cipher_suites = [tls.CipherSuite[options.suite]]
    if options.group:
        _restrict_groups(tls.Group[options.group])
    return settings


def _restrict_groups(group: tls.Group) -> None:
    """Let this process know one key exchange group only: aioquic has no setting for it."""
    original = tls.Context.__init__

    def restricted(self: tls.Context, *args: Any, **kwargs: Any) -> None:
        original(self, *args, **kwargs)
        self._supported_groups = [group]

    mock.patch.object(tls.Context, "__init__", restricted).start()


async def run_server(options: argparse.Namespace) -> None:
    """Serve until standard input ends."""
    settings = configuration(options, is_client=False)
    settings.load_cert_chain(options.cert, options.key)
    protocol = ChatServer if options.chat else Server
    server = await serve("127.0.0.1", 0, configuration=settings, create_protocol=protocol)
    transport = server._transport
    assert transport is not None
    report(event="listening", port=transport.get_extra_info("sockname")[1])
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
    server.close()


async def run_client(options: argparse.Namespace) -> None:
    """Transfer, close with the code that was asked for, report."""
    settings = configuration(options, is_client=True)
    settings.load_verify_locations(options.ca)
    try:
        async with connect(options.host, options.port, configuration=settings, create_protocol=Client) as protocol:
            assert isinstance(protocol, Client)
            for _ in range(options.streams):
                protocol.start(Requester(options.upload, options.download))
            protocol.transmit()
            if options.streams:
                await protocol.idle.wait()
            unfinished = len(protocol.requesters)
            protocol.close(options.close_code, options.close_reason)
    except ConnectionError:
        report(event="failed", **Client.latest.description())
        return
    report(event="done", failure=protocol.failure, unfinished_streams=unfinished, **protocol.description())


async def run_chat_client(options: argparse.Namespace) -> None:
    """Say everything at once, hear what is expected, leave."""
    settings = configuration(options, is_client=True)
    settings.load_verify_locations(options.ca)
    async with connect(options.host, options.port, configuration=settings, create_protocol=ChatClient) as protocol:
        assert isinstance(protocol, ChatClient)
        protocol.expected = options.expect
        report(event="connected", **protocol.description())
        for message in options.say:
            stream_id = protocol._quic.get_next_available_stream_id()
            protocol._quic.send_stream_data(stream_id, bytes.fromhex(message), end_stream=True)
        protocol.transmit()
        await protocol.heard_all.wait()
    report(event="done", **protocol.description())


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.interop.aioquic_peer")
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument("--alpn", default=ALPN)
    common.add_argument("--suite", choices=[suite.name for suite in tls.CipherSuite])
    common.add_argument("--group", choices=[group.name for group in tls.Group])
    commands = parser.add_subparsers(required=True)
    server = commands.add_parser("serve", parents=[common])
    server.add_argument("--cert", required=True)
    server.add_argument("--key", required=True)
    server.add_argument("--chat", action="store_true")
    server.set_defaults(run=run_server)
    towards = argparse.ArgumentParser(add_help=False, parents=[common])
    towards.add_argument("host")
    towards.add_argument("port", type=int)
    towards.add_argument("--ca", required=True)
    client = commands.add_parser("fetch", parents=[towards])
    client.add_argument("--streams", type=int, default=1)
    client.add_argument("--upload", type=int, default=1000)
    client.add_argument("--download", type=int, default=1000)
    client.add_argument("--close-code", type=int, default=0)
    client.add_argument("--close-reason", default="")
    client.set_defaults(run=run_client)
    talker = commands.add_parser("talk", parents=[towards])
    talker.add_argument("--say", nargs="*", default=[], metavar="HEX")
    talker.add_argument("--expect", type=int, required=True)
    talker.set_defaults(run=run_chat_client)
    options = parser.parse_args()
    asyncio.run(options.run(options))


if __name__ == "__main__":
    main()
