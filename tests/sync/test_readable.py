from __future__ import annotations

from collections.abc import Callable

import pytest

from quicmini import Config, ConnectionClosedOK, StreamReset
from tests.sync.helpers import PATIENCE, Pair, in_thread, until, waiting_threads


def test_whichever_stream_is_complete_first(pair: Pair) -> None:
    slow, fast = (pair.client.open_stream(unidirectional=True) for _ in range(2))
    slow.sendall(b"half of ")
    assert pair.server.next_readable(PATIENCE).recv(100) == b"half of "
    fast.sendall(b"all of it", end_stream=True)
    stream = pair.server.next_readable(PATIENCE)
    assert stream.stream_id == fast.stream_id
    assert stream.recv(100) == b"all of it"
    # The end is news of its own, and it is the same object that has it.
    assert pair.server.next_readable(PATIENCE) is stream
    assert stream.recv(100) == b""
    with pytest.raises(TimeoutError, match="a readable stream"):
        pair.server.next_readable(0.01)
    slow.sendall(b"it", end_stream=True)
    stream = pair.server.next_readable(PATIENCE)
    assert stream.stream_id == slow.stream_id
    assert stream.recv(100) == b"it"


def test_a_stream_comes_again_while_not_everything_was_read(pair: Pair) -> None:
    mine = pair.client.open_stream()
    mine.sendall(b"123456", end_stream=True)
    pieces = []
    for _ in range(4):
        stream = pair.server.next_readable(PATIENCE)
        pieces.append(stream.recv(2))
    assert pieces == [b"12", b"34", b"56", b""]
    with pytest.raises(TimeoutError):
        pair.server.next_readable(0)


def test_streams_take_turns(pair: Pair) -> None:
    for name in (b"a", b"b"):
        pair.client.open_stream(unidirectional=True).sendall(name * 3, end_stream=True)
    until(lambda: len(pair.server._driver.incoming) == 2)
    assert [pair.server.next_readable(PATIENCE).recv(1) for _ in range(6)] == [b"a", b"b"] * 3


def test_a_reset_is_news(pair: Pair) -> None:
    mine = pair.client.open_stream()
    mine.sendall(b"x")
    stream = pair.server.next_readable(PATIENCE)
    assert stream.recv(1) == b"x"
    mine.reset(9)
    assert pair.server.next_readable(PATIENCE) is stream
    with pytest.raises(StreamReset):
        stream.recv(1)
    with pytest.raises(TimeoutError):
        pair.server.next_readable(0.01)


def test_answers_on_streams_of_ones_own_are_not_news(pair: Pair) -> None:
    with pytest.raises(TimeoutError):
        pair.client.next_readable(0)
    mine, theirs = pair.streams()
    theirs.sendall(b"answer")
    assert mine.recv(10) == b"answer"
    with pytest.raises(TimeoutError):
        pair.client.next_readable(0.01)


def test_what_has_arrived_comes_before_the_end(pair: Pair) -> None:
    pair.client.open_stream(unidirectional=True).sendall(b"last", end_stream=True)
    pair.client.close()
    until(lambda: pair.server._driver.error)
    stream = pair.server.next_readable(PATIENCE)
    assert stream.recv(10) == b"last"
    assert pair.server.next_readable(PATIENCE).recv(10) == b""
    with pytest.raises(ConnectionClosedOK):
        pair.server.next_readable()


def test_the_end_wakes_who_waits(pair: Pair) -> None:
    waiting = in_thread(pair.server.next_readable)
    until(lambda: waiting_threads(pair.server._driver, pair.server._driver.arrived))
    pair.client.close()
    assert isinstance(waiting.exception(PATIENCE), ConnectionClosedOK)


def test_nothing_is_left_of_finished_streams(make_pair: Callable[..., Pair]) -> None:
    pair = make_pair(Config(), max_streams_uni=8)

    def send() -> None:
        for number in range(200):
            pair.client.open_stream(unidirectional=True).sendall(b"%d" % number, end_stream=True)

    sending = in_thread(send)
    messages: dict[int, bytes] = {}
    ended = 0
    while ended < 200:
        stream = pair.server.next_readable(PATIENCE)
        data = stream.recv(10)
        messages[stream.stream_id] = messages.get(stream.stream_id, b"") + data
        ended += not data
    sending.result(PATIENCE)
    assert sorted(messages.values(), key=int) == [b"%d" % number for number in range(200)]
    readable = pair.server._readable
    assert readable is not None
    assert not readable._streams
    assert not readable._ready
    assert not pair.server._driver.incoming
