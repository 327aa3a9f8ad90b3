"""The turn to send, and the connection's credit."""

from __future__ import annotations

from quicmini.streams.context import StreamContext
from quicmini.streams.send import SendStream
from quicmini.wire.builder import PacketBuilder
from quicmini.wire.frames import DataBlocked, Frame, MaxData, Stream, parse_frames
from tests.streams.pair import Exact, lose


def context(credit: int = 10_000) -> StreamContext:
    made = StreamContext(100, 10_000)
    made.raise_credit(credit)
    return made


def streams(of: StreamContext, count: int, size: int) -> list[SendStream]:
    ended: list[int] = []
    made = [SendStream(4 * number, 10_000, of, ended.append) for number in range(count)]
    for stream in made:
        stream.write(bytes(size), False)
    return made


def frames(of: StreamContext, room: int = 1000) -> Exact[Frame]:
    builder = PacketBuilder(room)
    of.write_frames(builder)
    return Exact(parse_frames(builder.payload()))


def test_streams_take_turns() -> None:
    shared = context()
    streams(shared, 3, 1500)
    order = [frame.stream_id for _ in range(6) for frame in frames(shared) if isinstance(frame, Stream)]
    assert order[:6] == [0, 4, 8, 0, 4, 8]
    assert not shared.ready


def test_short_streams_share_a_packet() -> None:
    shared = context()
    streams(shared, 3, 100)
    assert [frame.stream_id for frame in frames(shared) if isinstance(frame, Stream)] == [0, 4, 8]


def test_idle_streams_are_not_asked() -> None:
    shared = context()
    made = streams(shared, 50, 10)
    frames(shared)
    assert len(shared.ready) == 0
    made[17].write(b"x", False)
    assert list(shared.ready) == [made[17]]


def test_all_who_wait_for_the_connection_are_woken() -> None:
    shared = context(credit=0)
    streams(shared, 2, 10)
    assert frames(shared) == [DataBlocked(0)]
    assert not shared.ready
    shared.raise_credit(15)
    assert frames(shared) == [Stream(0, 0, bytes(10)), Stream(4, 0, bytes(5)), DataBlocked(15)]


def test_lost_data_blocked_is_repeated_only_while_true() -> None:
    shared = context(credit=0)
    streams(shared, 1, 10)
    builder = PacketBuilder(1000)
    shared.write_frames(builder)
    lose(builder.records)
    assert frames(shared) == [DataBlocked(0)]
    lose(builder.records)
    shared.raise_credit(100)
    assert frames(shared) == [Stream(0, 0, bytes(10))]


def test_credit_of_the_connection() -> None:
    """A window of 100: announced after 50."""
    shared = context()
    shared.window.receive(100, 0x08)
    shared.consume(49, drained=False)
    assert frames(shared) == []
    shared.consume(1, drained=False)
    shared.consume(10, drained=False)
    assert frames(shared) == [MaxData(160)]


def test_blocked_peer_gets_what_there_is() -> None:
    shared = context()
    shared.on_data_blocked()
    assert frames(shared) == []
    shared.window.receive(1, 0x08)
    shared.consume(1, drained=False)
    shared.on_data_blocked()
    assert frames(shared) == [MaxData(101)]


def test_close() -> None:
    shared = context()
    (stream,) = streams(shared, 1, 10)
    shared.control.request(shared.max_data_frame)
    shared.close()
    stream.write(b"more", False)
    shared.control.request(shared.max_data_frame)
    assert frames(shared) == []
    assert not shared.ready
