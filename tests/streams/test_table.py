"""Which streams a peer may name in which frame, and what is left of a stream: errors by table."""

from __future__ import annotations

import pytest

from quicmini.errors import TransportError, TransportErrorCode
from quicmini.streams.events import StreamFinished, StreamOpened, StreamReadable, StreamsAvailable
from quicmini.streams.limits import MAX_OWN_STREAMS
from quicmini.streams.manager import StreamManager
from quicmini.wire.frames import (
    Frame,
    MaxStreamData,
    MaxStreams,
    ResetStream,
    StopSending,
    Stream,
    StreamDataBlocked,
    StreamsBlocked,
)
from tests.streams.pair import deliver, events, exchange, frames, limits, manager, pair

STATE = TransportErrorCode.STREAM_STATE_ERROR
LIMIT = TransportErrorCode.STREAM_LIMIT_ERROR

# Streams as a client sees them: its own are 0, 4 … (bidirectional) and 2, 6 …, the server's 1, 5 … and 3, 7 …
OWN_BIDI, PEER_BIDI, OWN_UNI, PEER_UNI = 0, 1, 2, 3
ALLOWED = 4  # streams of each type


@pytest.mark.parametrize(
    ("frame", "code", "frame_type"),
    [
        (ResetStream(OWN_UNI, 0, 0), STATE, 0x04),  # E47
        (ResetStream(OWN_BIDI + 4, 0, 0), STATE, 0x04),
        (StopSending(OWN_BIDI + 4, 0), STATE, 0x05),  # E48
        (StopSending(OWN_UNI + 4, 0), STATE, 0x05),
        (StopSending(PEER_UNI, 0), STATE, 0x05),  # E49
        (Stream(OWN_BIDI + 4, 0, b"x"), STATE, 0x08),  # E53
        (Stream(OWN_UNI, 0, b"x"), STATE, 0x08),  # E54
        (Stream(OWN_UNI + 4, 0, b"x"), STATE, 0x08),
        (MaxStreamData(OWN_BIDI + 4, 1), STATE, 0x11),  # E56
        (MaxStreamData(OWN_UNI + 4, 1), STATE, 0x11),
        (MaxStreamData(PEER_UNI, 1), STATE, 0x11),  # E57
        (StreamDataBlocked(OWN_UNI, 1), STATE, 0x15),  # E58
        (StreamDataBlocked(OWN_BIDI + 4, 1), STATE, 0x15),
        # E08: the first stream that is not allowed, and the last that can be named
        (Stream(4 * ALLOWED + PEER_BIDI, 0, b"x"), LIMIT, 0x08),
        (Stream(4 * ALLOWED + PEER_UNI, 0, b"x"), LIMIT, 0x08),
        (Stream(2**62 - 1, 0, b"x"), LIMIT, 0x08),
        (ResetStream(4 * ALLOWED + PEER_UNI, 0, 0), LIMIT, 0x04),
        (StopSending(4 * ALLOWED + PEER_BIDI, 0), LIMIT, 0x05),
        (MaxStreamData(4 * ALLOWED + PEER_BIDI, 1), LIMIT, 0x11),
        (StreamDataBlocked(4 * ALLOWED + PEER_UNI, 1), LIMIT, 0x15),
    ],
)
def test_frames_that_close_the_connection(frame: Frame, code: TransportErrorCode, frame_type: int) -> None:
    client = manager(local=limits(streams=ALLOWED))
    assert (client.open(False), client.open(True)) == (OWN_BIDI, OWN_UNI)
    with pytest.raises(TransportError) as caught:
        deliver(client, [frame])
    assert (caught.value.error_code, caught.value.frame_type) == (code, frame_type)


@pytest.mark.parametrize(
    "frame",
    [
        Stream(4 * (ALLOWED - 1) + PEER_BIDI, 0, b""),
        StreamDataBlocked(4 * (ALLOWED - 1) + PEER_BIDI, 0),
        MaxStreamData(4 * (ALLOWED - 1) + PEER_BIDI, 1),
        StopSending(4 * (ALLOWED - 1) + PEER_BIDI, 0),
        ResetStream(4 * (ALLOWED - 1) + PEER_BIDI, 0, 0),
    ],
)
def test_each_frame_that_opens_streams(frame: Frame) -> None:
    """RFC 9000 §3.2: the last allowed stream, and with it all that are lower, in order."""
    client = manager(local=limits(streams=ALLOWED))
    deliver(client, [frame])
    opened = [event for event in events(client) if isinstance(event, StreamOpened)]
    assert opened == [StreamOpened(4 * number + PEER_BIDI) for number in range(ALLOWED)]


def test_opened_by_a_higher_one_is_a_stream() -> None:
    client, server = pair()
    deliver(client, [Stream(4 + PEER_BIDI, 0, b"x")])
    events(client)
    assert client.read(PEER_BIDI, 10) is None
    assert client.write(PEER_BIDI, b"hello") == 5
    deliver(client, [Stream(PEER_BIDI, 0, b"late")])
    assert client.read(PEER_BIDI, 10) == b"late"
    assert events(client) == [StreamReadable(PEER_BIDI)]
    assert server.open(False) == PEER_BIDI
    server.open(False)
    deliver(server, [frame for frame in frames(client) if isinstance(frame, Stream)])
    assert server.read(PEER_BIDI, 10) == b"hello"


def test_no_object_before_it_is_needed() -> None:
    client = manager(local=limits(streams=1000))
    deliver(client, [Stream(4 * 999 + PEER_UNI, 0, b"x")])
    assert len(client._table._receiving) == 1


def test_a_finished_stream_leaves_a_range() -> None:
    client, server = pair(streams=4)
    for _ in range(100):
        stream_id = client.open(True)
        assert stream_id is not None
        client.write(stream_id, b"message", True)
        exchange(client, server)
        assert (server.read(stream_id, 100), server.read(stream_id, 100)) == (b"message", b"")
        exchange(client, server)
    for side in (client, server):
        table = side._table
        assert not table._sending
        assert not table._receiving
        assert list(table._by_type[OWN_UNI].finished) == [(0, 100)]
        finished = [event for event in events(side) if isinstance(event, StreamFinished)]
        assert finished == [StreamFinished(4 * number + OWN_UNI) for number in range(100)]


def test_frames_for_a_finished_stream_are_ignored() -> None:
    client, server = pair()
    stream_id = client.open(False)
    assert stream_id == 0
    client.write(0, b"ping", True)
    exchange(client, server)
    server.read(0, 10), server.read(0, 10)
    server.write(0, b"pong", True)
    exchange(client, server)
    client.read(0, 10), client.read(0, 10)
    exchange(client, server)
    events(client), events(server)
    late: list[Frame] = [
        Stream(0, 0, b"ping", True),
        ResetStream(0, 5, 4),
        StopSending(0, 5),
        MaxStreamData(0, 10_000),
        StreamDataBlocked(0, 1),
    ]
    for side in (client, server):
        deliver(side, late)
        assert events(side) == []
        assert not side.has_frames
        assert not side.readable(0)


def test_calls_for_a_stream_that_is_over_or_never_was() -> None:
    client, server = pair()
    client.open(True)
    client.write(OWN_UNI, b"x", True)
    exchange(client, server)
    for stream_id in (OWN_UNI, OWN_UNI + 4, PEER_BIDI, -4):
        with pytest.raises(ValueError, match="over, or not one to write"):
            client.write(stream_id, b"x")
        with pytest.raises(ValueError, match="over, or not one to read"):
            client.read(stream_id, 1)
        client.reset(stream_id, 1)
        client.stop_sending(stream_id, 1)
    assert not client.has_frames


def test_calls_for_the_wrong_direction() -> None:
    client, server = pair()
    client.open(True)
    client.write(OWN_UNI, b"x")
    exchange(client, server)
    with pytest.raises(ValueError, match="read"):
        client.read(OWN_UNI, 1)
    with pytest.raises(ValueError, match="write"):
        server.write(OWN_UNI, b"x")


def test_both_parts_must_end() -> None:
    client, server = pair()
    client.open(False)
    client.write(0, b"x", True)
    exchange(client, server)
    assert events(client) == []
    server.stop_sending(0, 1)
    server.reset(0, 2)
    exchange(client, server)
    assert events(server)[-1:] == [StreamFinished(0)]
    assert events(client) == [StreamReadable(0)]
    client.stop_sending(0, 3)
    assert events(client) == [StreamFinished(0)]


def end(stream_id: int, opener: StreamManager, other: StreamManager, unidirectional: bool) -> None:
    """A stream on which all was sent that there is: over in both directions, on both sides."""
    other.stop_sending(stream_id, 0)
    if not unidirectional:
        other.write(stream_id, b"", True)
        exchange(opener, other)
        opener.stop_sending(stream_id, 0)
    exchange(opener, other)


@pytest.mark.parametrize("unidirectional", [False, True])
def test_stream_limits_in_both_roles(unidirectional: bool) -> None:
    """2 at a time: refused, told once, allowed again when one is over."""
    client, server = pair(streams=2)
    for opener, other in ((client, server), (server, client)):
        first, second = opener.open(unidirectional), opener.open(unidirectional)
        assert first is not None
        assert second == first + 4
        assert (opener.open(unidirectional), opener.open(unidirectional)) == (None, None)
        assert frames(opener) == [StreamsBlocked(2, not unidirectional)]
        assert frames(opener) == []
        opener.write(first, b"x", True)
        exchange(opener, other)
        end(first, opener, other, unidirectional)
        assert any(isinstance(event, StreamsAvailable) and event[0] is unidirectional for event in events(opener))
        assert opener.open(unidirectional) == first + 8
        assert opener.open(unidirectional) is None


@pytest.mark.parametrize("unidirectional", [False, True])
def test_own_streams_have_a_limit_too(unidirectional: bool) -> None:
    client, server = pair(streams=2 * MAX_OWN_STREAMS)
    first, *_ = ids = [client.open(unidirectional) for _ in range(MAX_OWN_STREAMS)]
    assert first is not None
    assert None not in ids
    assert client.open(unidirectional) is None
    assert frames(client) == []
    client.write(first, b"x", True)
    exchange(client, server)
    end(first, client, server, unidirectional)
    assert StreamsAvailable(unidirectional) in events(client)
    assert [client.open(unidirectional) is None for _ in range(2)] == [False, True]


def test_max_streams_is_announced_on_request() -> None:
    server = manager(is_client=False, local=limits(streams=8))
    deliver(server, [StreamsBlocked(8, True)])
    assert frames(server) == []
    deliver(server, [Stream(2, 0, b"", True)])
    assert server.read(2, 1) == b""
    deliver(server, [StreamsBlocked(8, False)])
    assert frames(server) == [MaxStreams(9, False)]


def test_max_streams_is_not_announced_for_each_stream() -> None:
    server = manager(is_client=False, local=limits(streams=4))
    announced: list[Frame] = []
    for number in range(4):
        deliver(server, [Stream(4 * number + 2, 0, b"", True)])
        server.read(4 * number + 2, 1)
        announced += frames(server)
    assert announced == [MaxStreams(6, False), MaxStreams(8, False)]


def test_max_streams_that_does_not_grow_is_ignored() -> None:
    client = manager(remote=limits(streams=1))
    client.open(False), client.open(False)
    deliver(client, [MaxStreams(0, True), MaxStreams(1, True), MaxStreams(9, False)])
    assert events(client) == []
    deliver(client, [MaxStreams(2, True)])
    assert events(client) == [StreamsAvailable(False)]


def test_streams_beyond_a_new_lower_limit_wait() -> None:
    """RFC 9001 §4.6.2: early data was refused, and the server allows fewer streams than it did."""
    client = manager(is_client=True)
    client.set_remote(limits())
    streams = [client.open(unidirectional=False) for _ in range(3)]
    for stream_id in streams:
        assert stream_id is not None
        client.write(stream_id, b"x", True)
    assert len(frames(client)) == 3
    client.start_over(limits(streams=1))
    assert frames(client) == [Stream(0, 0, b"x", True)]
    assert client.open(unidirectional=False) is None
    client.on_max_streams(MaxStreams(2, True))
    assert Stream(4, 0, b"x", True) in frames(client)
    client.on_max_streams(MaxStreams(9, True))
    assert frames(client) == [Stream(8, 0, b"x", True)]
    assert client.open(unidirectional=False) == 12
