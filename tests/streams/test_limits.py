"""Stream counts and their limits."""

from __future__ import annotations

import pytest

from quicmini.errors import TransportError, TransportErrorCode
from quicmini.streams.limits import MAX_OWN_STREAMS, LocalStreams, PeerStreams, is_unidirectional
from quicmini.wire.frames import MAX_STREAM_COUNT, MaxStreams, StreamsBlocked, parse_frames


@pytest.mark.parametrize(("stream_type", "unidirectional"), [(0, False), (1, False), (2, True), (3, True)])
def test_types(stream_type: int, unidirectional: bool) -> None:
    """RFC 9000 §2.1, Table 1."""
    assert is_unidirectional(stream_type) is unidirectional
    assert is_unidirectional(stream_type + 400) is unidirectional
    assert LocalStreams(stream_type).bidirectional is not unidirectional


def test_local_ids() -> None:
    streams = LocalStreams(3)
    assert streams.open() is None
    assert streams.raise_limit(2)
    assert [streams.open(), streams.open(), streams.open()] == [3, 7, None]
    assert not streams.raise_limit(2)
    assert not streams.raise_limit(1)
    assert streams.raise_limit(3)
    assert streams.open() == 11


def test_limit_that_nobody_waited_for() -> None:
    assert not LocalStreams(0).raise_limit(5)


def test_blocked_is_told_once_for_each_limit() -> None:
    streams = LocalStreams(2)
    streams.raise_limit(1)
    should_tell = []
    for _ in range(2):
        streams.open()
        should_tell.append(streams.should_tell)
    frame = streams.streams_blocked_frame()
    assert frame is not None
    assert parse_frames(frame) == [StreamsBlocked(1, bidirectional=False)]
    should_tell.append(streams.should_tell)
    assert should_tell == [False, True, False]
    streams.raise_limit(2)
    assert streams.streams_blocked_frame() is None


def test_own_streams_have_a_limit_whatever_the_peer_allows() -> None:
    streams = LocalStreams(1)
    streams.raise_limit(1 << 60)
    ids = [streams.open() for _ in range(MAX_OWN_STREAMS)]
    assert None not in ids
    assert (streams.open(), streams.full, streams.should_tell) == (None, True, False)
    streams.finish(5)
    assert [streams.open(), streams.open()] == [4 * MAX_OWN_STREAMS + 1, None]


def test_peer_opens_all_below() -> None:
    streams = PeerStreams(1, 10)
    assert list(streams.claim(9, 0x08)) == [1, 5, 9]
    assert list(streams.claim(5, 0x08)) == []
    assert list(streams.claim(13, 0x08)) == [13]
    assert streams.is_live(13)
    assert not streams.is_live(17)
    assert not streams.is_live(-3)


def test_peer_beyond_the_limit() -> None:
    streams = PeerStreams(2, 3)
    streams.claim(4 * 2 + 2, 0x08)
    for stream_id in (4 * 3 + 2, 4 * (2**60 - 1) + 2):
        with pytest.raises(TransportError) as caught:
            streams.claim(stream_id, 0x04)
        assert caught.value.error_code == TransportErrorCode.STREAM_LIMIT_ERROR
        assert caught.value.frame_type == 0x04
    assert streams.opened == 3


def test_local_stream_that_was_not_opened() -> None:
    streams = LocalStreams(0)
    streams.raise_limit(5)
    streams.open()
    assert list(streams.claim(0, 0x05)) == []
    with pytest.raises(TransportError) as caught:
        streams.claim(4, 0x05)
    assert caught.value.error_code == TransportErrorCode.STREAM_STATE_ERROR


def test_peer_limit_grows_with_finished_streams() -> None:
    """8 at a time: after 4 have come and gone, 4 are left, so 4 more are announced."""
    streams = PeerStreams(0, 8)
    announced = []
    for stream_id in range(0, 4 * 12, 4):
        streams.claim(stream_id, 0x08)
        streams.finish(stream_id)
        if streams.should_announce:
            (frame,) = parse_frames(streams.max_streams_frame())
            assert isinstance(frame, MaxStreams)
            announced.append((streams.opened, frame.maximum))
    assert announced == [(4, 12), (8, 16), (12, 20)]
    assert list(streams.finished) == [(0, 12)]


def test_streams_that_stay_do_not_stop_the_others() -> None:
    """7 of 8 stay open for ever: the last place is announced each time."""
    streams = PeerStreams(0, 8)
    streams.claim(4 * 6, 0x08)
    for number in range(7, 20):
        streams.claim(4 * number, 0x08)
        streams.finish(4 * number)
        assert streams.should_announce
        streams.max_streams_frame()
    assert streams.limit == 8 + 13


def test_limit_never_exceeds_what_ids_can_say() -> None:
    streams = PeerStreams(0, MAX_STREAM_COUNT)
    streams.claim(0, 0x08)
    streams.finish(0)
    assert parse_frames(streams.max_streams_frame()) == [MaxStreams(MAX_STREAM_COUNT, bidirectional=True)]
