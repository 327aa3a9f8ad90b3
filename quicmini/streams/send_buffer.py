"""The data of one stream on its way out: unsent, in flight, lost, until it is acknowledged (RFC 9000 §2.2, §13.3)."""

from __future__ import annotations

from bisect import bisect_right

from quicmini.wire.ranges import RangeSet

__all__ = ["SendBuffer"]

_JOIN_BELOW = 8192
"""Neighbouring chunks are joined up to this size, in bytes: a packet's data should come from one or two of them."""


class SendBuffer:
    """Holds what was written, as immutable chunks, and gives it out by offset.

    start: everything below is acknowledged and forgotten; sent: everything below was taken at least once;
    end: how much was written. All of it is O(1) amortised, but a lost range, which is O(log n).
    """

    __slots__ = ("_acked", "_chunks", "_current", "_freed", "_position", "_starts", "end", "lost", "sent", "start")

    def __init__(self) -> None:
        self.start = 0
        self.sent = 0
        self.end = 0
        self.lost: RangeSet | None = None  # to be sent again
        self._acked: RangeSet | None = None  # beyond start
        self._chunks: list[bytes] = []
        self._starts: list[int] = []  # the offset of each chunk
        self._freed = 0  # chunks at the front that are acknowledged as a whole
        self._current = b""  # the chunk that `sent` lies in …
        self._position = 0  # … and where in it

    @property
    def has_data(self) -> bool:
        """Whether there is something to take."""
        return self.sent < self.end or bool(self.lost)

    def write(self, data: bytes) -> None:
        """Append data."""
        if not data:
            return
        chunks = self._chunks
        if chunks and len(chunks[-1]) + len(data) <= _JOIN_BELOW:
            chunks[-1] += data  # `_current` may be older and shorter now: `take_new` looks again
        else:
            chunks.append(data)
            self._starts.append(self.end)
            if self.sent == self.end:  # saves `take_new` the search
                self._current = data
                self._position = 0
        self.end += len(data)

    def take(self, limit: int) -> tuple[int, bytes]:
        """(offset, data) to send now, at most `limit` bytes, lost data first; b"" if there is nothing."""
        return self.take_lost(limit) if self.lost else self.take_new(limit)

    def take_lost(self, limit: int) -> tuple[int, bytes]:
        """The first data that was lost."""
        if not self.lost or limit <= 0:
            return self.sent, b""
        start, stop = self.lost[0]
        stop = min(stop, start + limit)
        self._not_lost(start, stop)
        return start, self._slice(start, stop)

    def _not_lost(self, start: int, stop: int) -> None:
        if self.lost:
            self.lost.subtract(start, stop)
            if not self.lost:
                self.lost = None  # cheaper to ask for than an empty set

    def take_new(self, limit: int) -> tuple[int, bytes]:
        """The next data that was never sent."""
        offset, position = self.sent, self._position
        if limit <= 0:
            return offset, b""
        current = self._current
        data = current[position : position + limit]
        size = len(data)
        if size == limit or offset + size == self.end:  # the usual case: one slice of one chunk
            self.sent = offset + size
            self._position = position + size
            return offset, data
        stop = min(offset + limit, self.end)
        data = self._slice(offset, stop)
        self.sent = stop
        index = bisect_right(self._starts, stop) - 1
        self._current = self._chunks[index]
        self._position = stop - self._starts[index]
        return offset, data

    def _slice(self, start: int, stop: int) -> bytes:
        chunks, starts = self._chunks, self._starts
        index = bisect_right(starts, start) - 1
        position = start - starts[index]
        data = chunks[index][position : position + stop - start]
        parts = [data]
        start += len(data)
        while start < stop:
            index += 1
            data = chunks[index][: stop - start]
            parts.append(data)
            start += len(data)
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def on_acked(self, offset: int, length: int) -> None:
        """The peer has these bytes: forget them, in order."""
        stop = offset + length
        start = self.start
        if stop <= start:
            return
        self._not_lost(offset, stop)
        acked = self._acked
        if offset > start:
            if acked is None:
                acked = self._acked = RangeSet()
            acked.add(offset, stop)
            return
        while acked and acked[0][0] <= stop:
            stop = max(stop, acked.pop_first()[1])
        self.start = stop
        if stop == self.end:
            self.clear()
        else:
            self._free(stop)

    def _free(self, stop: int) -> None:
        """Release the chunks below `stop`; the lists are cut when half is free, which makes it O(1) amortised."""
        chunks, starts, freed = self._chunks, self._starts, self._freed
        while freed + 1 < len(starts) and starts[freed + 1] <= stop:
            chunks[freed] = b""
            freed += 1
        if 2 * freed > len(chunks):
            del chunks[:freed], starts[:freed]
            freed = 0
        self._freed = freed

    def on_lost(self, offset: int, length: int) -> None:
        """These bytes must be sent again, but for those that another packet brought to the peer."""
        start, stop = max(offset, self.start), offset + length
        if start >= stop or (self._acked and self._acked.covers(start, stop)):
            return
        if self.lost is None:
            self.lost = RangeSet()
        self.lost.add(start, stop)

    def rewind(self) -> None:
        """Nothing of it was sent; nothing may have been acknowledged, either."""
        self.lost = self._acked = None
        self._position = 0
        if self._chunks:
            self.sent = self.start
            self._current = self._chunks[self._freed]
        else:
            self.start = self.sent = self.end = 0  # it was cleared

    def clear(self) -> None:
        """Forget all data, as if it were acknowledged; what was not sent counts as never written."""
        self.end = self.start = self.sent
        self._chunks.clear()
        self._starts.clear()
        self._freed = self._position = 0
        self._current = b""
        self.lost = self._acked = None
