"""Puts the pieces of a byte stream back in order (RFC 9000 §2.2): they come late, twice, overlapping, in any order."""

from __future__ import annotations

from collections import deque

from quicmini.errors import TransportError, TransportErrorCode
from quicmini.wire.ranges import RangeSet

__all__ = ["MAX_FRAGMENTS", "MAX_FRAGMENTS_TOGETHER", "FragmentCount", "Reassembly"]

MAX_FRAGMENTS = 1024
"""Separate pieces of a stream that wait for a gap to be filled (RFC 9000 §21.7). The peer's packets were acknowledged,
so its data cannot be dropped: beyond this the connection is closed."""

MAX_FRAGMENTS_TOGETHER = 8192
"""The same for all streams of a connection together (RFC 9000 §21.7): what a window of small packets could need."""

_JOIN_BELOW = 1024
"""Neighbouring pieces are joined up to this size: bytes that come one by one must not cost an object each."""


class FragmentCount:
    """How many pieces wait behind gaps, in all buffers that share this."""

    __slots__ = ("total",)

    def __init__(self) -> None:
        self.total = 0


class Reassembly:
    """The receive buffer of one stream. fragments: shared with the other streams of its connection.

    What is in order waits in a queue of pieces; what is ahead of a gap lies in one bytearray that starts where the
    order ends, with the ranges that have been filled. Its length is bounded by flow control, which counts offsets.
    """

    __slots__ = ("_ahead", "_filled", "_fragments", "_head", "_pieces", "end", "readable")

    def __init__(self, fragments: FragmentCount | None = None) -> None:
        self.end = 0  # everything below this offset has arrived
        self.readable = 0  # bytes in order that nobody has read
        self._pieces: deque[bytes] = deque()
        self._head = 0  # how much of the first piece has been read
        self._ahead: bytearray | None = None
        self._filled: RangeSet | None = None
        self._fragments = fragments or FragmentCount()

    @property
    def has_gap(self) -> bool:
        """Whether data waits behind a gap."""
        return self._ahead is not None

    def insert(self, offset: int, data: bytes) -> None:
        """Take what arrived.

        Raises TransportError INTERNAL_ERROR for too many pieces, and PROTOCOL_VIOLATION for data that
        contradicts what waits behind a gap; what is in order already is not compared (RFC 9000 §2.2 asks for neither).
        """
        if offset != self.end or self._ahead is not None:
            self._insert_out_of_order(offset, data)
        elif data:
            self._append(data)

    def _append(self, data: bytes) -> None:
        size = len(data)
        pieces = self._pieces
        if size < _JOIN_BELOW and pieces and len(pieces[-1]) + size <= _JOIN_BELOW:
            pieces[-1] += data
        else:
            pieces.append(data)
        self.end += size
        self.readable += size

    def _insert_out_of_order(self, offset: int, data: bytes) -> None:
        if offset < self.end:
            data = data[self.end - offset :]
            offset = self.end
        if not data:
            return
        if self._ahead is None or self._filled is None:
            if offset == self.end:
                self._append(data)
                return
            self._ahead = bytearray()
            self._filled = RangeSet()
        ahead, start = self._ahead, offset - self.end
        if start > len(ahead):
            ahead.extend(bytes(start - len(ahead)))
        elif start < len(ahead):
            self._compare(ahead, self._filled, offset, data)
        ahead[start : start + len(data)] = data
        filled = self._filled
        before = len(filled)
        filled.add(offset, offset + len(data))
        self._fragments.total += len(filled) - before
        if offset == self.end:
            self._close_gap(ahead, filled)
        elif len(filled) > MAX_FRAGMENTS or self._fragments.total > MAX_FRAGMENTS_TOGETHER:
            reason = f"a stream in more than {MAX_FRAGMENTS} pieces, or all of them in {MAX_FRAGMENTS_TOGETHER}"
            raise TransportError(TransportErrorCode.INTERNAL_ERROR, reason, 0x08)

    def _compare(self, ahead: bytearray, filled: RangeSet, offset: int, data: bytes) -> None:
        end = self.end
        for low, high in filled.overlap(offset, offset + len(data)):
            if ahead[low - end : high - end] != data[low - offset : high - offset]:
                reason = f"other data at offset {low} than before"
                raise TransportError(TransportErrorCode.PROTOCOL_VIOLATION, reason, 0x08)

    def _close_gap(self, ahead: bytearray, filled: RangeSet) -> None:
        """The first gap is filled: move what is in order now to the pieces."""
        _, stop = filled.pop_first()
        self._fragments.total -= 1
        size = stop - self.end
        self._append(bytes(ahead[:size]))
        if filled:
            del ahead[:size]  # moves no bytes: a bytearray can start late
        else:
            self._ahead = self._filled = None

    def read(self, limit: int) -> bytes:
        """Up to `limit` bytes in order; b"" if there are none."""
        pieces = self._pieces
        if limit >= self.readable:
            if self._head:
                pieces[0] = pieces[0][self._head :]
                self._head = 0
            data = pieces[0] if len(pieces) == 1 else b"".join(pieces)
            pieces.clear()
        else:
            data = self._read_part(limit)
        self.readable -= len(data)
        return data

    def _read_part(self, limit: int) -> bytes:
        """Less than there is. The head index saves copying a piece's rest for each read."""
        pieces = self._pieces
        taken = []
        while limit > 0:
            piece, head = pieces[0], self._head
            part = piece[head : head + limit]
            limit -= len(part)
            taken.append(part)
            if head + len(part) == len(piece):
                pieces.popleft()
                self._head = 0
            else:
                self._head = head + len(part)
        return b"".join(taken)

    def clear(self) -> None:
        """Forget all data; `end` stays."""
        self._pieces.clear()
        self._head = self.readable = 0
        self._fragments.total -= len(self._filled or ())
        self._ahead = self._filled = None
