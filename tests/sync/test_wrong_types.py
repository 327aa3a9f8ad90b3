"""Arguments of a wrong type are named at once, by every call: none waits, and none leaves a connection that limps."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from quicmini import ApplicationError, Connection, Listener, connect
from tests.sync.helpers import ALPN, PATIENCE, Pair, in_thread

NOT_A_TIMEOUT: Any = "5"
NOT_A_CODE: Any = 1.0
NOT_A_REASON: Any = b"bye"

WAITING: dict[str, Callable[[Connection], object]] = {
    "open_stream": lambda connection: connection.open_stream(timeout=NOT_A_TIMEOUT),
    "accept_stream": lambda connection: connection.accept_stream(NOT_A_TIMEOUT),
    "next_readable": lambda connection: connection.next_readable(NOT_A_TIMEOUT),
    "recv_datagram": lambda connection: connection.recv_datagram(NOT_A_TIMEOUT),
    "handshake": lambda connection: connection.handshake(NOT_A_TIMEOUT),
    "settimeout": lambda connection: connection.open_stream().settimeout(NOT_A_TIMEOUT),
    "close": lambda connection: connection.close(timeout=NOT_A_TIMEOUT),
}


@pytest.mark.parametrize("call", WAITING.values(), ids=WAITING)
def test_a_timeout_is_a_number(pair: Pair, call: Callable[[Connection], object]) -> None:
    with pytest.raises(TypeError, match="a timeout must be a number of seconds, or None"):
        call(pair.client)


def test_a_timeout_is_looked_at_where_nothing_has_to_be_waited_for(pair: Pair) -> None:
    pair.client.open_stream().sendall(b"!")
    pair.client.send_datagram(b"!")
    with pytest.raises(ValueError, match="0 or more"):
        pair.client.open_stream(timeout=-1)
    stream = pair.server.accept_stream(PATIENCE)
    assert stream.recv(1) == b"!"
    pair.client.open_stream().sendall(b"!", end_stream=True)
    with pytest.raises(ValueError, match="0 or more"):
        pair.server.accept_stream(-1)
    with pytest.raises(ValueError, match="0 or more"):
        pair.server.recv_datagram(-1)
    with pytest.raises(ValueError, match="0 or more"):
        pair.listener.accept(-1)


@pytest.mark.parametrize("size", [1.5, "1", None])
def test_a_size_is_an_integer(pair: Pair, size: Any) -> None:
    mine, theirs = pair.streams()
    with pytest.raises(TypeError, match="integer"):
        in_thread(mine.recv, size).result(PATIENCE)
    theirs.sendall(b"whole")
    assert mine.recv(10) == b"whole"


def test_an_error_code_is_an_integer(pair: Pair) -> None:
    mine, _ = pair.streams()
    for call in (mine.reset, mine.stop_sending, pair.client.close):
        with pytest.raises(TypeError, match=r"an error code must be an integer \(got 1\.0\)"):
            call(NOT_A_CODE)


def test_what_cannot_be_a_reason_does_not_close_anything(pair: Pair) -> None:
    with pytest.raises(TypeError, match="the reason must be a string"):
        pair.client.close(3, NOT_A_REASON)
    pair.client.close(3, "bye")
    with pytest.raises(ApplicationError, match="bye"):
        pair.server.accept_stream(PATIENCE)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("alpn_protocols", None),
        ("alpn_protocols", 7),
        ("server_hostname", b"localhost"),
        ("pinned_key", 4),
        ("config", {}),
        ("config", None),
    ],
)
def test_connect_names_the_argument_that_is_wrong(listener: Listener, name: str, value: Any) -> None:
    arguments = {"alpn_protocols": [ALPN], name: value}
    with pytest.raises(TypeError, match=name):
        connect(listener.address, **arguments)


@pytest.mark.parametrize(("address", "error"), [("localhost", TypeError), (("127.0.0.1", 70_000), ValueError)])
def test_another_address_to_listen_on(listener: Listener, address: Any, error: type[Exception]) -> None:
    with pytest.raises(error, match=r"an address must be|a port must be"):
        listener.listen_too(address)


@pytest.mark.parametrize("keys", [b"x" * 32, ["x" * 32]])
def test_ticket_keys_are_bytes(listener: Listener, keys: Any) -> None:
    with pytest.raises(TypeError, match="list of bytes"):
        listener.replace_ticket_keys(keys)
