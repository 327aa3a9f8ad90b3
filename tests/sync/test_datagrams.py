"""Messages of RFC 9221 over real sockets."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from quicmini import ConnectionClosedOK
from tests.sync.helpers import PATIENCE, Pair, in_thread, until, waiting_threads


def test_messages_go_both_ways(pair: Pair) -> None:
    for mine, theirs in ((pair.client, pair.server), (pair.server, pair.client)):
        mine.send_datagram(b"hello")
        assert theirs.recv_datagram(PATIENCE) == b"hello"
        mine.send_datagram(bytes(mine.max_datagram_payload))
        assert theirs.recv_datagram(PATIENCE) == bytes(mine.max_datagram_payload)


def test_waiting_for_a_message(pair: Pair) -> None:
    for timeout in (0, 0.01):
        with pytest.raises(TimeoutError, match="a datagram"):
            pair.server.recv_datagram(timeout)
    waiting = in_thread(pair.server.recv_datagram)
    until(lambda: waiting_threads(pair.server._driver, pair.server._driver.message))
    pair.client.send_datagram(b"at last")
    assert waiting.result(PATIENCE) == b"at last"


def test_a_message_too_large(make_pair: Callable[..., Pair]) -> None:
    pair = make_pair(max_datagram_frame_size=100)
    assert pair.client.max_datagram_payload == 97
    with pytest.raises(ValueError, match="at most 97"):
        pair.client.send_datagram(bytes(98))


def test_the_end_wakes_who_waits_for_a_message_and_leaves_what_has_come(pair: Pair) -> None:
    waiting = in_thread(pair.client.recv_datagram)
    until(lambda: waiting_threads(pair.client._driver, pair.client._driver.message))
    pair.client.send_datagram(b"last words")
    pair.client.close()
    assert isinstance(waiting.exception(PATIENCE), ConnectionClosedOK)
    assert pair.server.recv_datagram(PATIENCE) == b"last words"
    with pytest.raises(ConnectionClosedOK):
        pair.server.recv_datagram(PATIENCE)


def test_what_is_a_message(pair: Pair) -> None:
    for data in (bytearray(b"bytes"), memoryview(b"bytes")):
        pair.client.send_datagram(data)
        assert pair.server.recv_datagram(PATIENCE) == b"bytes"
    wrong: Any
    for wrong in (5, "text"):
        with pytest.raises(TypeError, match="bytes-like"):
            pair.client.send_datagram(wrong)
