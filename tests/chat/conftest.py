"""Connections over loopback for the tests that look at one side of the chat."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager

import pytest

from chat.exchange import chat_config
from chat.message import ALPN_PROTOCOL
from chat.server import Server
from quicmini import Config, Connection, Listener, connect, listen
from tests.certificates import CertificateFiles

Connector = Callable[..., Connection]


@contextmanager
def serving(server: Server) -> Iterator[Server]:
    """A server at work in a thread, until the end of the block."""
    thread = threading.Thread(target=server.serve)
    thread.start()
    try:
        yield server
    finally:
        server.close()
        thread.join()


@pytest.fixture
def listener(server_files: CertificateFiles) -> Iterator[Listener]:
    """A listener for the chat's protocol."""
    with listen(
        ("127.0.0.1", 0),
        alpn_protocols=[ALPN_PROTOCOL],
        certfile=server_files.certfile,
        keyfile=server_files.keyfile,
        config=chat_config(),
    ) as listener:
        yield listener


@pytest.fixture
def connector(listener: Listener, server_files: CertificateFiles) -> Iterator[Connector]:
    """Connects to `listener`; `config` says what kind of client it is."""
    with ExitStack() as stack:

        def connector(config: Config | None = None) -> Connection:
            connection = connect(
                listener.address,
                alpn_protocols=[ALPN_PROTOCOL],
                cafile=server_files.cafile,
                config=config or chat_config(),
            )
            return stack.enter_context(connection)

        yield connector


@pytest.fixture
def pair(listener: Listener, connector: Connector) -> tuple[Connection, Connection]:
    """The client's and the server's end of a connection."""
    client = connector()
    return client, listener.accept()


@pytest.fixture
def server(listener: Listener) -> Iterator[Server]:
    """A chat server that drops a client for which more than ten messages wait."""
    with serving(Server(listener, queue_limit=10)) as server:
        yield server
