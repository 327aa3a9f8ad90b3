"""How many streams of each type there are, were and may be (RFC 9000 §2.1, §4.6)."""

from __future__ import annotations

from abc import ABC, abstractmethod

from quicmini.errors import TransportError, TransportErrorCode
from quicmini.wire.frames import MAX_STREAM_COUNT, MaxStreams, StreamsBlocked
from quicmini.wire.ranges import RangeSet

__all__ = ["MAX_OWN_STREAMS", "LocalStreams", "PeerStreams", "StreamCount", "is_unidirectional"]


# Streams of one type that this side has open at once: a peer may allow any number (RFC 9000 §4.6), acknowledge nothing
# on them, and each holds some data whatever the others do.
MAX_OWN_STREAMS = 1024


def is_unidirectional(stream_id: int) -> bool:
    """The second lowest bit of a stream ID, or of a stream type, tells (RFC 9000 §2.1)."""
    return bool(stream_id & 2)


class StreamCount(ABC):
    """The streams of one type, counted from 0: number n has the ID 4n + type.

    opened: how many there have been, without a gap; limit: how many there may be; finished: the numbers of those that
    left nothing behind but this range.
    """

    __slots__ = ("bidirectional", "finished", "limit", "opened", "type")

    def __init__(self, stream_type: int, limit: int) -> None:
        self.type = stream_type
        self.bidirectional = not is_unidirectional(stream_type)
        self.limit = limit
        self.opened = 0
        self.finished = RangeSet()

    def is_live(self, stream_id: int) -> bool:
        """Whether the stream has been opened and is not finished."""
        return 0 <= stream_id >> 2 < self.opened and stream_id >> 2 not in self.finished

    @abstractmethod
    def claim(self, stream_id: int, frame_type: int) -> range:
        """The peer names a stream: return the IDs that this opens. Raises TransportError where it must not."""

    def finish(self, stream_id: int) -> None:
        """Nothing more is to be known of this stream."""
        number = stream_id >> 2
        self.finished.add(number, number + 1)


class LocalStreams(StreamCount):
    """The streams that this side opens, within the peer's limit and its own."""

    __slots__ = ("_live", "_told", "full", "refused")

    def __init__(self, stream_type: int) -> None:
        super().__init__(stream_type, 0)
        self.refused = False  # an open waits for a higher limit
        self.full = False  # an open waits for another stream to finish
        self._live = 0
        self._told = -1  # the limit for which STREAMS_BLOCKED was sent

    def open(self) -> int | None:
        """The ID of a new stream; None at a limit."""
        if self.opened >= self.limit:
            self.refused = True
            return None
        if self._live == MAX_OWN_STREAMS:
            self.full = True
            return None
        self.opened += 1
        self._live += 1
        return 4 * (self.opened - 1) + self.type

    def finish(self, stream_id: int) -> None:
        super().finish(stream_id)
        self._live -= 1

    def claim(self, stream_id: int, frame_type: int) -> range:
        """Only this side opens them: STREAM_STATE_ERROR if it has not (RFC 9000 §19.5, §19.8, §19.10)."""
        if stream_id >> 2 >= self.opened:
            reason = f"stream {stream_id} has not been opened"
            raise TransportError(TransportErrorCode.STREAM_STATE_ERROR, reason, frame_type)
        return range(0)

    def raise_limit(self, limit: int) -> bool:
        """MAX_STREAMS; ignored unless it grew (RFC 9000 §4.6). Returns whether an open waited for it."""
        if limit <= self.limit:
            return False
        self.limit = limit
        refused, self.refused = self.refused, False
        return refused

    @property
    def should_tell(self) -> bool:
        """Whether an open was refused, and STREAMS_BLOCKED not sent for this limit."""
        return self.refused and self._told < self.limit

    def streams_blocked_frame(self) -> bytes | None:
        """STREAMS_BLOCKED, if that is still so (RFC 9000 §19.14)."""
        self._told = self.limit
        return StreamsBlocked(self.limit, self.bidirectional).encode() if self.refused else None


class PeerStreams(StreamCount):
    """The streams that the peer opens: `size` at a time."""

    __slots__ = ("_done", "_size")

    def __init__(self, stream_type: int, size: int) -> None:
        super().__init__(stream_type, size)
        self._size = size
        self._done = 0

    def claim(self, stream_id: int, frame_type: int) -> range:
        """A stream opens with all below it (RFC 9000 §3.2); STREAM_LIMIT_ERROR beyond the limit (RFC 9000 §4.6)."""
        if stream_id >> 2 >= self.limit:
            reason = f"stream {stream_id}, when {self.limit} of its type are allowed"
            raise TransportError(TransportErrorCode.STREAM_LIMIT_ERROR, reason, frame_type)
        new = range(4 * self.opened + self.type, stream_id + 1, 4)
        self.opened += len(new)
        return new

    def finish(self, stream_id: int) -> None:
        super().finish(stream_id)
        self._done += 1

    @property
    def growth(self) -> int:
        """By how much the limit would grow if it were announced now."""
        return self._done + self._size - self.limit

    @property
    def should_announce(self) -> bool:
        """When as many streams have finished as the peer can still open: never too late, and seldom."""
        return self.growth >= self.limit - self.opened

    def max_streams_frame(self) -> bytes:
        """MAX_STREAMS with the newest limit; the peer is held to it from now on (RFC 9000 §4.6)."""
        self.limit = min(self._done + self._size, MAX_STREAM_COUNT)
        return MaxStreams(self.limit, self.bidirectional).encode()
