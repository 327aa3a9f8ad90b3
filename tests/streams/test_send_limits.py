"""What holds the sending part back: the peer's limits, the buffer; and starting over under other limits."""

from __future__ import annotations

import pytest

from quicmini.streams.context import MIN_STREAM_BUFFER
from quicmini.streams.events import StreamWritable
from quicmini.streams.send import SendState, SendStream
from quicmini.wire.frames import DataBlocked, ResetStream, Stream, StreamDataBlocked
from tests.streams.pair import Exact
from tests.streams.sender import ID, Bench


def test_blocked_by_the_stream_limit_is_said_once() -> None:
    bench = Bench(limit=3)
    bench.write(b"hello")
    assert bench.send() == [Stream(ID, 0, b"hel", False), StreamDataBlocked(ID, 3)]
    bench.write(b"!")
    assert bench.send() == []
    bench.lose(0)
    assert bench.send() == [StreamDataBlocked(ID, 3), Stream(ID, 0, b"hel", False)]
    bench.stream.on_max_stream_data(3)
    bench.stream.on_max_stream_data(2)
    assert bench.send() == []
    bench.stream.on_max_stream_data(4)
    assert bench.send() == [Stream(ID, 3, b"l", False), StreamDataBlocked(ID, 4)]
    bench.stream.on_max_stream_data(100)
    bench.lose()
    assert bench.send() == [Stream(ID, 3, b"l", False), Stream(ID, 4, b"o!", False)]


def test_blocked_by_the_connection_limit_is_said_once() -> None:
    bench = Bench(credit=3)
    bench.write(b"hello")
    assert bench.send() == [Stream(ID, 0, b"hel", False), DataBlocked(3)]
    bench.write(b"!")
    assert bench.send() == []
    bench.context.raise_credit(2)
    assert bench.send() == []
    bench.context.raise_credit(5)
    assert bench.send() == [Stream(ID, 3, b"lo", False), DataBlocked(5)]


def test_lost_data_needs_no_connection_credit() -> None:
    bench = Bench(credit=3)
    bench.write(b"hello")
    bench.send()
    bench.packets[0].records.pop()  # DATA_BLOCKED
    bench.lose()
    assert bench.send() == [Stream(ID, 0, b"hel", False)]


def test_full_buffer_refuses_and_tells_when_half_is_free() -> None:
    bench = Bench(send_buffer_size=10)
    assert bench.stream.write(b"0123456789ab", True) == 10
    assert bench.stream.write(b"ab", True) == 0
    assert bench.send(room=16) == []  # a packet that has no room worth a frame
    assert bench.send(room=32) == [Stream(ID, 0, b"0123456789", False)]
    assert not bench.context.events
    bench.acknowledge()
    assert Exact(bench.context.events) == [StreamWritable(ID)]
    assert bench.stream.write(b"ab", True) == 2
    assert bench.send() == [Stream(ID, 10, b"ab", True)]


def test_half_of_the_buffer() -> None:
    """Two frames of 24 bytes in a buffer of 60: the second one frees the half."""
    bench = Bench(send_buffer_size=60)
    bench.stream.write(bytes(100), False)
    bench.send(room=32)
    bench.send(room=32)
    bench.acknowledge(0)
    assert not bench.context.events
    bench.acknowledge(0)
    assert Exact(bench.context.events) == [StreamWritable(ID)]


def test_nobody_is_told_who_was_not_refused() -> None:
    bench = Bench(send_buffer_size=10)
    bench.write(bytes(10))
    bench.send()
    bench.acknowledge()
    assert not bench.context.events


def test_all_streams_share_a_buffer() -> None:
    """What one holds the others cannot, but for a little that each has for itself."""
    size = MIN_STREAM_BUFFER
    bench = Bench(limit=10**6, credit=10**6, send_buffer_size=2 * size, send_buffer_total=3 * size)
    other, third = (SendStream(stream_id, 0, bench.context, bench.ended.append) for stream_id in (ID + 4, ID + 8))
    assert bench.stream.write(bytes(3 * size), False) == 2 * size
    assert other.write(bytes(3 * size), False) == size
    assert other.write(bytes(3 * size), False) == 0
    assert third.write(bytes(3 * size), False) == size
    assert bench.context.buffered == 4 * size
    while bench.context.buffered > 2 * size:
        bench.send()
        bench.acknowledge()
    assert Exact(bench.context.events) == [StreamWritable(ID)]
    assert third.write(bytes(3 * size), False) == size
    assert bench.stream.write(bytes(3 * size), False) == size


def test_what_is_given_up_is_held_no_more() -> None:
    bench = Bench(limit=10**6, credit=10**6)
    bench.write(bytes(500))
    bench.send(room=100)
    bench.send(room=100)
    bench.acknowledge()  # the second one: it is still needed for the order
    assert bench.context.buffered == 500
    bench.reset()
    bench.acknowledge()
    assert bench.context.buffered == 0


# Starting over, when 0-RTT data was refused (RFC 9001 §4.6.2)


def start_over(bench: Bench, *, limit: int = 1000, credit: int = 1000, parked: bool = False) -> None:
    bench.context.start_over(credit)
    bench.stream.start_over(limit, parked=parked)


def test_everything_goes_again() -> None:
    bench = Bench()
    bench.write(fin=True)
    assert bench.send() == [Stream(ID, 0, b"hello", True)]
    bench.lose()
    start_over(bench)
    assert bench.send() == [Stream(ID, 0, b"hello", True)]
    assert bench.context.credit.used == 5
    assert bench.context.retransmitted_bytes == 0
    bench.acknowledge()
    assert bench.stream.state is SendState.DATA_RECVD
    assert bench.ended == [ID]


def test_what_was_not_sent_yet_waits_for_nothing() -> None:
    bench = Bench(credit=0)
    bench.write()
    assert bench.send() == [DataBlocked(0)]
    start_over(bench)
    assert bench.send() == [Stream(ID, 0, b"hello", False)]


def test_the_new_limits_are_lower() -> None:
    bench = Bench()
    bench.write(b"0123456789", fin=True)
    bench.send()
    start_over(bench, limit=4)
    assert bench.send() == [Stream(ID, 0, b"0123", False), StreamDataBlocked(ID, 4)]
    bench.stream.on_max_stream_data(10)
    assert bench.send() == [Stream(ID, 4, b"456789", True)]
    start_over(bench, credit=3)
    assert bench.send() == [Stream(ID, 0, b"012", False), DataBlocked(3)]


def test_a_parked_stream_says_nothing() -> None:
    bench = Bench()
    bench.write()
    bench.send()
    start_over(bench, parked=True)
    bench.write(b" again", fin=True)
    bench.stream.on_max_stream_data(2000)
    assert bench.send() == []
    bench.stream.unpark()
    assert bench.send() == [Stream(ID, 0, b"hello again", True)]
    bench.stream.unpark()
    assert bench.send() == []


@pytest.mark.parametrize("earlier", [True, False])
def test_a_parked_stream_is_reset_when_it_may_be(earlier: bool) -> None:
    """Its final size is 0: nothing of it counts (RFC 9000 §4.5)."""
    bench = Bench()
    bench.write()
    bench.send()
    if earlier:
        bench.reset()
    start_over(bench, parked=True)
    bench.reset()
    assert bench.send() == []
    bench.stream.unpark()
    assert bench.send() == [ResetStream(ID, 7, 0)]
