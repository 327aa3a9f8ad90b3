"""The sending part: each arrow of RFC 9000 §3.1, Figure 2, and what it puts on the wire."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from quicmini.errors import StreamStopped
from quicmini.streams.events import StreamWritable
from quicmini.streams.send import SendState, SendStream
from quicmini.wire.frames import ResetStream, Stream, StreamDataBlocked
from tests.streams.pair import Exact
from tests.streams.sender import ID, Bench

READY, SEND, DATA_SENT = SendState.READY, SendState.SEND, SendState.DATA_SENT
DATA_RECVD, RESET_SENT, RESET_RECVD = SendState.DATA_RECVD, SendState.RESET_SENT, SendState.RESET_RECVD


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
