"""The receiving part: each arrow of RFC 9000 §3.2, Figure 3, and what it makes of wrong frames."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from functools import partial

import pytest

from quicmini.errors import StreamReset, TransportError, TransportErrorCode
from quicmini.streams.context import StreamContext
from quicmini.streams.events import StreamReadable
from quicmini.streams.recv import RecvState, RecvStream
from quicmini.wire.builder import PacketBuilder
from quicmini.wire.frames import Frame, MaxData, MaxStreamData, StopSending, parse_frames
from tests.streams.pair import Exact, lose

RECV, SIZE_KNOWN, DATA_RECVD = RecvState.RECV, RecvState.SIZE_KNOWN, RecvState.DATA_RECVD
DATA_READ, RESET_RECVD, RESET_READ = RecvState.DATA_READ, RecvState.RESET_RECVD, RecvState.RESET_READ

ID = 8


class Bench:
    """One stream and the connection around it. The peer's stream is 10 bytes long."""

    def __init__(self, window: int = 1000, connection_window: int = 1000) -> None:
        self.ended: list[int] = []
        self.context = StreamContext(connection_window, 1000)
        self.stream = RecvStream(ID, window, self.context, self.ended.append)
        self.records: list[tuple[object, ...]] = []

    def send(self) -> Exact[Frame]:
        """The frames of the next packet."""
        builder = PacketBuilder(1170)
        self.context.write_frames(builder)
        self.records = builder.records
        return Exact(parse_frames(builder.payload()))

    def head(self) -> None:
        self.stream.on_stream(0, b"01234", False)

    def tail(self) -> None:
        self.stream.on_stream(5, b"56789", True)

    def fin(self) -> None:
        self.stream.on_stream(10, b"", True)

    def reset(self) -> None:
        self.stream.on_reset(7, 10)

    def read(self) -> None:
        with suppress(StreamReset):
            self.stream.read(100)

    def stop(self) -> None:
        self.stream.stop_sending(9)


ACTIONS: dict[str, Callable[[Bench], None]] = {
    "head": Bench.head,
    "tail": Bench.tail,
    "fin": Bench.fin,
    "reset": Bench.reset,
    "read": Bench.read,
    "stop": Bench.stop,
}


@pytest.mark.parametrize(
    ("path", "state"),
    [
        ("", RECV),
        ("head", RECV),
        ("head read read", RECV),
        ("tail", SIZE_KNOWN),
        ("fin", SIZE_KNOWN),
        ("head fin", SIZE_KNOWN),
        ("head tail", DATA_RECVD),
        ("tail head", DATA_RECVD),
        ("head tail read", DATA_RECVD),  # the end itself was not delivered
        ("head tail read read", DATA_READ),
        ("head read tail read read", DATA_READ),
        ("reset", RESET_RECVD),
        ("head reset", RESET_RECVD),
        ("tail reset", RESET_RECVD),
        ("reset read", RESET_READ),
        ("head reset read", RESET_READ),
        ("reset head tail", RESET_RECVD),
        ("reset reset", RESET_RECVD),
        ("head tail reset", DATA_RECVD),  # complete data is delivered all the same
        ("head tail read read reset", DATA_READ),
        ("reset read reset head tail fin", RESET_READ),
        # After stop_sending the application learns of nothing any more: what ends, ends at once.
        ("stop", RECV),
        ("stop head", RECV),
        ("stop tail", SIZE_KNOWN),
        ("stop head tail", DATA_READ),
        ("head tail stop", DATA_READ),
        ("stop reset", RESET_READ),
        ("reset stop", RESET_READ),
    ],
)
def test_states(path: str, state: RecvState) -> None:
    bench = Bench()
    for action in path.split():
        ACTIONS[action](bench)
    assert bench.stream.state is state
    assert bench.ended == ([ID] if state in (DATA_READ, RESET_READ) else [])
    assert bench.stream.ended is bool(bench.ended)


def test_what_read_says() -> None:
    bench = Bench()
    assert bench.stream.read(100) is None
    bench.head()
    assert bench.stream.read(3) == b"012"
    assert bench.stream.read(100) == b"34"
    assert bench.stream.read(100) is None
    bench.tail()
    assert [bench.stream.read(100) for _ in range(3)] == [b"56789", b"", b""]


def test_reset_interrupts() -> None:
    bench = Bench()
    bench.head()
    bench.reset()
    for _ in range(2):
        with pytest.raises(StreamReset) as caught:
            bench.stream.read(100)
        assert caught.value.error_code == 7


def test_reading_after_stopping() -> None:
    bench = Bench()
    bench.stop()
    with pytest.raises(ValueError, match="stopped reading"):
        bench.stream.read(1)


@pytest.mark.parametrize(
    ("path", "posts"),
    [
        ("tail", 0),
        ("tail head", 1),
        ("head head tail", 1),  # not told again before a read
        ("head read tail", 2),
        ("head read read tail", 2),
        ("fin head", 1),
        ("head read reset", 2),
        ("head reset", 1),
        ("reset", 1),
        ("stop head tail", 0),
        ("head tail read", 1),  # the end is still there, and the reader has been told
    ],
)
def test_readable_is_posted_once_for_each_read(path: str, posts: int) -> None:
    bench = Bench()
    for action in path.split():
        ACTIONS[action](bench)
    assert Exact(bench.context.events) == [StreamReadable(ID)] * posts


@pytest.mark.parametrize(
    ("path", "readable"),
    [("", False), ("tail", False), ("head", True), ("head read", False), ("head tail read", True), ("reset", True)],
)
def test_readable(path: str, readable: bool) -> None:
    bench = Bench()
    for action in path.split():
        ACTIONS[action](bench)
    assert bench.stream.readable is readable


def wrong(action: Callable[[], None]) -> tuple[TransportErrorCode, int]:
    with pytest.raises(TransportError) as caught:
        action()
    return TransportErrorCode(caught.value.error_code), caught.value.frame_type


@pytest.mark.parametrize(
    ("path", "offset", "data", "fin"),
    [
        ("tail", 10, b"x", False),  # beyond the end
        ("tail", 9, b"9x", False),
        ("tail", 0, b"01234", True),  # an earlier end
        ("tail", 10, b"x", True),  # a later one
        ("head", 0, b"0123", True),  # an end before what has come
        ("head tail", 10, b"x", False),
        ("head tail read read", 10, b"x", False),
        ("reset", 10, b"x", False),
        ("reset", 9, b"", True),
    ],
)
def test_final_size_of_stream_frames(path: str, offset: int, data: bytes, fin: bool) -> None:
    """RFC 9000 §4.5 (E04, E05)."""
    bench = Bench()
    for action in path.split():
        ACTIONS[action](bench)
    code = TransportErrorCode.FINAL_SIZE_ERROR
    assert wrong(lambda: bench.stream.on_stream(offset, data, fin)) == (code, 0x08)


@pytest.mark.parametrize(
    ("path", "final_size"),
    [("head", 4), ("tail", 9), ("tail", 11), ("reset", 9), ("reset", 11), ("head tail", 11), ("reset read", 9)],
)
def test_final_size_of_resets(path: str, final_size: int) -> None:
    """RFC 9000 §4.5 (E04)."""
    bench = Bench()
    for action in path.split():
        ACTIONS[action](bench)
    assert wrong(lambda: bench.stream.on_reset(7, final_size)) == (TransportErrorCode.FINAL_SIZE_ERROR, 0x04)


@pytest.mark.parametrize(("offset", "size"), [(0, 10), (9, 1), (10, 0)])
def test_up_to_the_stream_limit(offset: int, size: int) -> None:
    bench = Bench(window=10)
    bench.stream.on_stream(offset, bytes(size), False)
    assert bench.context.window.received == 10


@pytest.mark.parametrize(("offset", "size"), [(0, 11), (10, 1), (11, 0), (2**62 - 2, 1)])
def test_beyond_the_limits(offset: int, size: int) -> None:
    """RFC 9000 §4.1 (E02, E03)."""
    code = TransportErrorCode.FLOW_CONTROL_ERROR
    for bench in (Bench(window=10), Bench(connection_window=10)):
        assert wrong(partial(bench.stream.on_stream, offset, bytes(size), False)) == (code, 0x08)


def test_reset_beyond_the_limits() -> None:
    code = TransportErrorCode.FLOW_CONTROL_ERROR
    assert wrong(lambda: Bench(window=9).stream.on_reset(7, 10)) == (code, 0x04)
    assert wrong(lambda: Bench(connection_window=9).stream.on_reset(7, 10)) == (code, 0x04)
    Bench(window=10, connection_window=10).stream.on_reset(7, 10)


def test_connection_counts_each_byte_once() -> None:
    bench = Bench()
    bench.tail()
    assert bench.context.window.received == 10  # up to the highest offset
    bench.head()
    bench.head()
    assert bench.context.window.received == 10
    RecvStream(ID + 4, 1000, bench.context, bench.ended.append).on_stream(0, bytes(5), False)
    assert bench.context.window.received == 15


def test_credit_as_the_application_reads() -> None:
    """Half of a window of 10."""
    bench = Bench(window=10, connection_window=100)
    bench.head()
    bench.stream.on_stream(5, b"56789", False)
    assert bench.send() == []  # receiving grants nothing
    bench.stream.read(4)
    assert bench.send() == []
    bench.stream.read(1)
    assert bench.send() == [MaxStreamData(ID, 15)]
    bench.stream.read(5)
    assert bench.send() == [MaxStreamData(ID, 20)]


def test_lost_credit_is_sent_with_the_newest_value() -> None:
    bench = Bench(window=10, connection_window=100)
    bench.stream.on_stream(0, bytes(10), False)
    bench.stream.read(5)
    bench.send()
    lost = bench.records
    bench.stream.read(1)
    lose(lost)
    assert bench.send() == [MaxStreamData(ID, 16)]


def test_no_stream_credit_once_the_size_is_known() -> None:
    bench = Bench(window=10, connection_window=100)
    bench.head()
    bench.stream.read(5)
    bench.tail()  # between the request and the packet
    assert bench.send() == []


def test_blocked_peer_gets_what_there_is() -> None:
    bench = Bench(window=10, connection_window=100)
    bench.stream.on_stream(0, b"x", False)
    bench.stream.on_stream_data_blocked()
    assert bench.send() == []
    bench.stream.read(1)
    bench.stream.on_stream_data_blocked()
    assert bench.send() == [MaxStreamData(ID, 11)]


def test_reset_gives_the_connection_its_credit_back() -> None:
    """10 bytes were sent, says the reset; 5 have come, 2 were read: 8 are given back."""
    bench = Bench(connection_window=20)
    bench.head()
    bench.stream.read(2)
    bench.reset()
    window = bench.context.window
    assert (window.received, window.consumed) == (10, 10)
    assert bench.send() == [MaxData(30)]


def test_stopped_stream_still_counts() -> None:
    """RFC 9000 §3.5: data after STOP_SENDING counts, and is thrown away."""
    bench = Bench(window=10, connection_window=20)
    bench.head()
    bench.stop()
    assert bench.send() == [StopSending(ID, 9)]
    bench.stream.on_stream(5, b"56789", False)
    window = bench.context.window
    assert (window.received, window.consumed, bench.stream.buffer.readable) == (10, 10, 0)
    assert bench.send() == [MaxData(30)]
    assert wrong(lambda: bench.stream.on_stream(10, b"x", False))[0] == TransportErrorCode.FLOW_CONTROL_ERROR


def test_stop_sending_is_repeated_when_lost_but_not_in_vain() -> None:
    bench = Bench()
    bench.stop()
    bench.stop()
    assert bench.send() == [StopSending(ID, 9)]
    lose(bench.records)
    assert bench.send() == [StopSending(ID, 9)]
    bench.reset()
    lose(bench.records)
    assert bench.send() == []


def test_nothing_to_stop() -> None:
    bench = Bench()
    bench.head()
    bench.tail()
    bench.stop()
    assert bench.send() == []
