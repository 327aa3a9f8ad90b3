"""The sending part: each arrow of RFC 9000 §3.1, Figure 2, and what it puts on the wire."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from quicmini.errors import StreamStopped
from quicmini.streams.context import MIN_STREAM_BUFFER, StreamContext
from quicmini.streams.events import StreamWritable
from quicmini.streams.send import SendState, SendStream
from quicmini.wire.builder import PacketBuilder
from quicmini.wire.frames import DataBlocked, Frame, ResetStream, Stream, StreamDataBlocked, parse_frames
from tests.streams.pair import Exact, acknowledge, lose

READY, SEND, DATA_SENT = SendState.READY, SendState.SEND, SendState.DATA_SENT
DATA_RECVD, RESET_SENT, RESET_RECVD = SendState.DATA_RECVD, SendState.RESET_SENT, SendState.RESET_RECVD

ID = 8


class Bench:
    """One stream, the connection around it, and the packets that were sent."""

    def __init__(
        self, limit: int = 1000, credit: int = 1000, send_buffer_size: int = 1000, send_buffer_total: int = 10**6
    ) -> None:
        self.ended: list[int] = []
        self.context = StreamContext(1000, send_buffer_size, send_buffer_total)
        self.context.raise_credit(credit)
        self.stream = SendStream(ID, limit, self.context, self.ended.append)
        self.packets: list[PacketBuilder] = []

    def send(self, room: int = 1170) -> Exact[Frame]:
        """The frames of the next packet."""
        builder = PacketBuilder(room)
        self.context.write_frames(builder)
        self.packets.append(builder)
        return Exact(parse_frames(builder.payload()))

    def acknowledge(self, index: int = -1) -> None:
        acknowledge(self.packets.pop(index).records)

    def lose(self, index: int = -1) -> None:
        lose(self.packets.pop(index).records)

    def write(self, data: bytes = b"hello", fin: bool = False) -> None:
        self.stream.write(data, fin)

    def finish(self) -> None:
        self.stream.write(b"", True)

    def reset(self) -> None:
        self.stream.reset(7)

    def stop(self) -> None:
        self.stream.on_stop_sending(9)

    def send_all(self) -> None:
        self.send()

    def lose_all(self) -> None:
        while self.packets:
            self.lose(0)

    def acknowledge_all(self) -> None:
        while self.packets:
            self.acknowledge(0)


Action = Callable[[Bench], None]

ACTIONS: dict[str, Action] = {
    "write": Bench.write,
    "finish": Bench.finish,
    "send": Bench.send_all,
    "acked": Bench.acknowledge_all,
    "lost": Bench.lose_all,
    "reset": Bench.reset,
    "stopped": Bench.stop,
}


@pytest.mark.parametrize(
    ("path", "state"),
    [
        ("", READY),
        ("write", READY),
        ("write send", SEND),
        ("write send acked", SEND),
        ("write send lost", SEND),
        ("write finish", READY),
        ("write finish send", DATA_SENT),
        ("write send finish", SEND),
        ("write send finish send", DATA_SENT),
        ("finish send", DATA_SENT),
        ("finish send acked", DATA_RECVD),
        ("write finish send lost", DATA_SENT),
        ("write finish send lost send acked", DATA_RECVD),
        ("write finish send acked", DATA_RECVD),
        ("reset", RESET_SENT),
        ("write send reset", RESET_SENT),
        ("write finish send reset", RESET_SENT),
        ("write send reset acked", RESET_SENT),  # only the data was acknowledged
        ("write send reset send acked", RESET_RECVD),
        ("write reset send lost", RESET_SENT),
        ("write reset send lost send acked", RESET_RECVD),
        ("stopped", RESET_SENT),
        ("write send stopped", RESET_SENT),
        ("write finish send stopped", RESET_SENT),
        ("stopped send acked", RESET_RECVD),
        # Terminal states are left no more, nor is a reset taken back.
        ("write finish send acked reset", DATA_RECVD),
        ("write finish send acked stopped", DATA_RECVD),
        ("reset send acked stopped", RESET_RECVD),
        ("reset stopped", RESET_SENT),
        ("reset finish", RESET_SENT),
    ],
)
def test_states(path: str, state: SendState) -> None:
    bench = Bench()
    for action in path.split():
        ACTIONS[action](bench)
    assert bench.stream.state is state


def test_stream_data_blocked_is_a_first_frame_too() -> None:
    bench = Bench(limit=0)
    bench.write()
    assert bench.send() == [StreamDataBlocked(ID, 0)]
    assert bench.stream.state is SEND


def test_end_comes_with_the_last_data() -> None:
    bench = Bench()
    bench.write(b"hello", fin=True)
    assert bench.send() == [Stream(ID, 0, b"hello", True)]
    assert bench.send() == []


def test_end_alone() -> None:
    bench = Bench()
    bench.write(b"hello")
    assert bench.send() == [Stream(ID, 0, b"hello", False)]
    bench.finish()
    assert bench.send() == [Stream(ID, 5, b"", True)]


def test_empty_stream() -> None:
    bench = Bench(limit=0, credit=0)
    bench.finish()
    assert bench.send() == [Stream(ID, 0, b"", True)]
    bench.acknowledge()
    assert bench.ended == [ID]


def test_lost_end_is_sent_with_the_lost_data() -> None:
    bench = Bench()
    bench.write(b"hello", fin=True)
    bench.send()
    bench.lose()
    assert bench.send() == [Stream(ID, 0, b"hello", True)]
    assert bench.context.retransmitted_bytes == 5


def test_lost_data_before_the_end() -> None:
    bench = Bench()
    bench.write(b"hello")
    bench.send()
    bench.write(b"world", fin=True)
    bench.send()
    bench.lose(0)
    assert bench.send() == [Stream(ID, 0, b"hello", False)]
    bench.acknowledge_all()
    assert bench.stream.state is DATA_RECVD


def test_end_that_arrived_after_all_is_not_sent_again() -> None:
    """The end flies twice: alone, and with the data that was lost before it."""
    bench = Bench()
    bench.write(b"hello")
    bench.send()
    bench.finish()
    bench.send()
    bench.lose(0)
    assert bench.send() == [Stream(ID, 0, b"hello", True)]
    bench.acknowledge()
    assert bench.ended == [ID]
    bench.lose()
    assert bench.send() == []


def test_data_without_the_end_is_not_all() -> None:
    bench = Bench()
    bench.write(b"hello")
    bench.send()
    bench.finish()
    bench.acknowledge()
    assert bench.context.unacknowledged == 1
    bench.send()
    assert bench.stream.state is DATA_SENT
    bench.acknowledge()
    assert bench.stream.state is DATA_RECVD


def test_retransmission_takes_no_credit() -> None:
    bench = Bench(limit=5, credit=5)
    bench.write(b"hello")
    bench.send()
    bench.lose()
    assert bench.send() == [Stream(ID, 0, b"hello", False)]
    assert bench.context.credit.used == 5


@pytest.mark.parametrize("offset", [0, 1, 2**30 - 1, 2**30, 2**32, 2**61])
def test_offsets_of_any_size(offset: int) -> None:
    """The header is packed by hand: the parser must read it as what it is, and it must not burst the packet."""
    bench = Bench(limit=2**62 - 1, credit=2**62 - 1)
    buffer = bench.stream.buffer
    buffer.start = buffer.sent = buffer.end = offset
    bench.write(b"x" * 500, fin=True)
    (first,) = bench.send(room=100)
    assert isinstance(first, Stream)
    assert first == Stream(ID, offset, b"x" * len(first.data), False)
    assert bench.packets[0].room <= 4
    (rest,) = bench.send(room=1000)
    assert rest == Stream(ID, offset + len(first.data), b"x" * (500 - len(first.data)), True)


@pytest.mark.parametrize("stream_id", [0, 63, 64, 16383, 16384, 2**30, 2**62 - 1])
def test_stream_ids_of_any_size(stream_id: int) -> None:
    bench = Bench()
    bench.stream = SendStream(stream_id, 1000, bench.context, bench.ended.append)
    bench.write(b"x" * 100)
    (frame,) = bench.send(room=60)
    assert isinstance(frame, Stream)
    assert frame == Stream(stream_id, 0, b"x" * len(frame.data), False)


def test_large_packets_hold_several_frames() -> None:
    bench = Bench(limit=10**6, credit=10**6, send_buffer_size=10**6)
    bench.write(bytes(60_000))
    sent = bench.send(room=65_000)
    assert [(frame.offset, len(frame.data)) for frame in sent if isinstance(frame, Stream)] == [
        (0, 16383),
        (16383, 16383),
        (32766, 16383),
        (49149, 10851),
    ]


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


@pytest.mark.parametrize("data", [bytearray(b"abc"), memoryview(b"abc")])
def test_buffers_are_copied(data: bytearray | memoryview) -> None:
    bench = Bench()
    bench.stream.write(data, False)
    if isinstance(data, bytearray):
        data[:] = b"xyz"
    assert bench.send() == [Stream(ID, 0, b"abc", False)]


def test_reset_tells_the_final_size() -> None:
    """RFC 9000 §4.5: what was sent, not what was written."""
    bench = Bench(limit=3)
    bench.write(b"hello")
    bench.send()
    bench.reset()
    assert bench.send() == [ResetStream(ID, 7, 3)]
    assert bench.context.unacknowledged == 0
    bench.acknowledge()
    assert bench.ended == [ID]
    bench.lose()  # the data: too late
    assert bench.send() == []


def test_no_frames_but_reset_after_a_reset() -> None:
    """RFC 9000 §3.3."""
    bench = Bench(limit=3)
    bench.write(b"hello")
    bench.reset()
    assert bench.send() == [ResetStream(ID, 7, 0)]
    bench.stream.on_max_stream_data(100)
    assert bench.send() == []


def test_stop_sending_is_answered_with_its_code() -> None:
    """RFC 9000 §3.5. The application learns of it by its next write; until then the stream is kept."""
    bench = Bench()
    bench.write(b"hello")
    bench.send()
    bench.stop()
    assert Exact(bench.context.events) == [StreamWritable(ID)]
    assert bench.send() == [ResetStream(ID, 9, 5)]
    bench.acknowledge_all()
    assert bench.ended == []
    for _ in range(2):
        with pytest.raises(StreamStopped) as caught:
            bench.write(b"more")
        assert caught.value.error_code == 9
    assert bench.ended == [ID]


def test_application_resets_what_was_stopped() -> None:
    bench = Bench()
    bench.stop()
    bench.reset()
    assert bench.send() == [ResetStream(ID, 9, 0)]
    bench.acknowledge()
    assert bench.ended == [ID]


def test_stop_after_the_end_was_written_needs_no_telling() -> None:
    bench = Bench()
    bench.write(b"hello", fin=True)
    bench.send()
    bench.stop()
    assert not bench.context.events
    bench.send()
    bench.acknowledge_all()
    assert bench.ended == [ID]


def test_data_after_the_end() -> None:
    bench = Bench()
    bench.write(b"hello", fin=True)
    with pytest.raises(ValueError, match="stream 8 has been finished"):
        bench.write(b"more")
    bench.finish()
    assert bench.send() == [Stream(ID, 0, b"hello", True)]


def test_data_after_a_reset() -> None:
    bench = Bench()
    bench.reset()
    with pytest.raises(ValueError, match="reset"):
        bench.write(b"more")


def test_unacknowledged_is_counted_once() -> None:
    bench = Bench()
    counts = [bench.context.unacknowledged]
    for action in (Bench.write, Bench.write, Bench.send_all, Bench.acknowledge_all, Bench.finish, Bench.send_all):
        action(bench)
        counts.append(bench.context.unacknowledged)
    bench.acknowledge_all()
    counts.append(bench.context.unacknowledged)
    assert counts == [0, 1, 1, 1, 0, 1, 1, 0]


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
    assert bench.stream.state is DATA_RECVD
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
