"""How many streams of each type there are, were and may be (RFC 9000 §2.1, §4.6)."""

from __future__ import annotations

from quicmini.wire.frames import MaxStreams, StreamsBlocked
from quicmini.wire.ranges import RangeSet

__all__ = ["LocalStreams", "PeerStreams", "is_unidirectional"]


def is_unidirectional(stream_id: int) -> bool:
    """The second lowest bit of a stream ID tells (RFC 9000 §2.1)."""
    return bool(stream_id & 2)


class _Streams:
    """The streams of one type, counted; the n-th has the ID 4n + type, and is known by n here.

    opened: how many there have been, in order without a gap; limit: how many there may be; finished: those that left
    nothing behind but this range.
    """

    __slots__ = ("bidirectional", "finished", "limit", "opened", "type")

    def __init__(self, stream_type: int, limit: int = 0) -> None:
        self.type = stream_type
        self.bidirectional = not is_unidirectional(stream_type)
        self.limit = limit
        self.opened = 0
        self.finished = RangeSet()

    def is_live(self, ordinal: int) -> bool:
        """Whether the stream has been opened and is not finished."""
        return ordinal < self.opened and ordinal not in self.finished

    def finish(self, ordinal: int) -> None:
        """Nothing more is to be known of this stream."""
        self.finished.add(ordinal, ordinal + 1)


class LocalStreams(_Streams):
    """The streams that this side opens, within the peer's limit."""

    __slots__ = ("_blocked_at", "refused")

    def __init__(self, stream_type: int) -> None:
        super().__init__(stream_type)
        self.refused = False  # an open waits for a higher limit
        self._blocked_at = -1  # the limit that STREAMS_BLOCKED has told

    def open(self) -> int | None:
        """The ID of a new stream; None at the limit."""
        if self.opened >= self.limit:
            self.refused = True
            return None
        self.opened += 1
        return 4 * (self.opened - 1) + self.type

    def raise_limit(self, limit: int) -> bool:
        """MAX_STREAMS; ignored unless it grew (RFC 9000 §4.6). Returns whether an open waited for it."""
        if limit <= self.limit:
            return False
        self.limit = limit
        refused, self.refused = self.refused, False
        return refused

    def must_tell(self) -> bool:
        """Whether STREAMS_BLOCKED was not sent for this limit yet; it counts as sent then."""
        tell = self._blocked_at < self.limit
        self._blocked_at = self.limit
        return tell

    def streams_blocked_frame(self) -> bytes | None:
        """STREAMS_BLOCKED, if that is still so (RFC 9000 §19.14)."""
        return StreamsBlocked(self.limit, self.bidirectional).encode() if self.refused else None


class PeerStreams(_Streams):
    """The streams that the peer opens: `size` at a time."""

    __slots__ = ("_done", "_size")

    def __init__(self, stream_type: int, size: int) -> None:
        super().__init__(stream_type, size)
        self._size = size
        self._done = 0

    def finish(self, ordinal: int) -> None:
        super().finish(ordinal)
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
        self.limit = self._done + self._size
        return MaxStreams(self.limit, self.bidirectional).encode()
