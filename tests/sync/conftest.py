"""Fixtures of the blocking API's tests: everything runs over real sockets on 127.0.0.1."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from quicmini import Config, Listener, connect, listen
from tests.certificates import Authority, CertificateFiles
from tests.sync.helpers import ALPN, PATIENCE, Pair


@pytest.fixture
def make_listener(server_files: CertificateFiles) -> Iterator[Callable[..., Listener]]:
    """make_listener(**config) listens on 127.0.0.1, or on `host`, and is closed after the test."""
    with ExitStack() as stack:

        def make(host: str = "127.0.0.1", **settings: Any) -> Listener:
            listener = listen(
                (host, 0),
                alpn_protocols=[ALPN],
                certfile=server_files.certfile,
                keyfile=server_files.keyfile,
                config=Config(**settings),
            )
            return stack.enter_context(listener)

        yield make


@pytest.fixture
def listener(make_listener: Callable[..., Listener]) -> Listener:
    return make_listener()


@pytest.fixture
def make_pair(make_listener: Callable[..., Listener], authority: Authority) -> Iterator[Callable[..., Pair]]:
    """make_pair(**config) makes a listener, a connection to it and its other end; the config is the server's."""
    clients = []

    def make(client_config: Config | None = None, **settings: Any) -> Pair:
        listener = make_listener(**settings)
        client = connect(
            listener.address, alpn_protocols=[ALPN], cafile=authority.cafile, config=client_config or Config()
        )
        clients.append(client)
        return Pair(client, listener.accept(PATIENCE), listener)

    yield make
    for client in clients:
        client._driver.close(0, "")


@pytest.fixture
def pair(make_pair: Callable[..., Pair]) -> Pair:
    return make_pair()
