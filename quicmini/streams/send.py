"""The sending part of a stream (RFC 9000 §3.1)."""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum
from struct import Struct

from quicmini.errors import StreamStopped
from quicmini.streams.context import StreamContext
from quicmini.streams.events import StreamWritable
from quicmini.streams.send_buffer import SendBuffer
from quicmini.wire.builder import PacketBuilder, Record
from quicmini.wire.frames import ResetStream, StreamDataBlocked
from quicmini.wire.varint import encode_varint

__all__ = ["SendState", "SendStream"]


class SendState(Enum):
    """The states of RFC 9000 §3.1; DATA_RECVD and RESET_RECVD are terminal."""

    READY = "Ready"
    SEND = "Send"
    DATA_SENT = "Data Sent"
    DATA_RECVD = "Data Recvd"
    RESET_SENT = "Reset Sent"
    RESET_RECVD = "Reset Recvd"


_READY = SendState.READY
_OPEN = (SendState.READY, SendState.SEND, SendState.DATA_SENT)

# A STREAM frame's header with its offset in four bytes and its length in two, packed in one call: half the time of
# three variable-length integers. RFC 9000 §16 lets any integer but a frame type be longer than needed.
_pack_offset_length = Struct(">IH").pack
_pack_long_offset_length = Struct(">QH").pack
_pack_length = Struct(">H").pack
_MAX_OFFSET_4 = 0x3FFFFFFF
_MAX_FRAME_DATA = 0x3FFF
_TYPE = [bytes((frame_type,)) for frame_type in range(0x10)]
_LEN, _OFF_LEN = 0x0A, 0x0E  # STREAM with a length; with an offset, too; plus 1 with FIN (RFC 9000 §19.8)


class SendStream:
    """Buffers what the application writes, sends it within the peer's limits, and sends again what was lost.

    It owns the STREAM frames that it wrote; their records are (self, offset, length, fin). on_end: told the stream's ID
    when this part reaches a terminal state.
    """

    __slots__ = (
        "_blocked_at",
        "_context",
        "_error_code",
        "_fin",
        "_fin_acked",
        "_fin_due",
        "_id",
        "_on_end",
        "_outstanding",
        "_parked",
        "_refused",
        "_stop_code",
        "_stop_told",
        "buffer",
        "limit",
        "queued",
        "state",
        "stream_id",
    )

    def __init__(self, stream_id: int, limit: int, context: StreamContext, on_end: Callable[[int], None]) -> None:
        self.stream_id = stream_id
        self._on_end = on_end
        self.limit = limit  # the peer's MAX_STREAM_DATA
        self.state = _READY
        self.buffer = SendBuffer()
        self.queued = False  # in the queue of those who have something to send
        self._context = context
        self._id = encode_varint(stream_id)
        self._fin = False  # the application wrote the end …
        self._fin_due = False  # … which must be sent, for the first time or again
        self._fin_acked = False
        self._outstanding = False  # counted in context.unacknowledged
        self._parked = False  # beyond the limit of streams, which was higher when the stream was opened
        self._refused = False  # the last write found the buffer full
        self._blocked_at = -1  # the limit that STREAM_DATA_BLOCKED has told
        self._error_code: int | None = None  # of this side's RESET_STREAM
        self._stop_code: int | None = None  # of the peer's STOP_SENDING
        self._stop_told = True  # the application knows of it, or need not

    @property
    def ended(self) -> bool:
        """In a terminal state, and there is nothing that the application must still learn."""
        if self.state is SendState.RESET_RECVD:
            return self._stop_told
        return self.state is SendState.DATA_RECVD

    def write(self, data: bytes | bytearray | memoryview, fin: bool) -> int:
        """Buffer data and, after all of it, the end of the stream. Returns how many bytes found room.

        Raises StreamStopped after the peer's STOP_SENDING, ValueError for data after the end or a reset.
        """
        if self._stop_code is not None:
            self._hear_of_stop()
            raise StreamStopped(self._stop_code)
        if self._fin or self._error_code is not None:
            if data:
                raise ValueError(f"stream {self.stream_id} has been finished or reset by this side")
            return 0
        buffer, context = self.buffer, self._context
        size = len(data)
        room = context.room_to_write(buffer.end - buffer.start)
        self._refused = size > room
        if self._refused:
            size, fin = max(room, 0), False
            data = data[:size]
        buffer.write(data if isinstance(data, bytes) else bytes(data))
        context.buffered += size
        if fin:
            self._fin = self._fin_due = True
        if size or fin:
            if not self._outstanding:
                self._outstanding = True
                context.unacknowledged += 1
            context.wake(self)
        return size

    def write_frame(self, builder: PacketBuilder) -> bool:
        """Write one STREAM frame, what was lost first; return whether there is more to send now."""
        buffer, context = self.buffer, self._context
        room = builder.room - len(self._id) - 7
        if buffer.end > _MAX_OFFSET_4:
            room -= 4
        if room > _MAX_FRAME_DATA:
            room = _MAX_FRAME_DATA
        if buffer.lost:
            offset, data = buffer.take_lost(room)
            size = len(data)
            context.retransmitted_bytes += size
        else:
            credit = context.credit
            allowed = credit.limit - credit.used
            if self.limit - buffer.sent < allowed:
                allowed = self.limit - buffer.sent
            offset, data = buffer.take_new(room if room < allowed else allowed)
            size = len(data)
            credit.used += size
            if not size and (offset < buffer.end or not self._fin_due):
                self._on_blocked()
                return False
        stop = offset + size
        fin = self._fin and stop == buffer.end
        if not offset:
            header = _TYPE[_LEN | fin] + self._id + _pack_length(0x4000 | size)
        elif offset <= _MAX_OFFSET_4:
            header = _TYPE[_OFF_LEN | fin] + self._id + _pack_offset_length(0x80000000 | offset, 0x4000 | size)
        else:
            header = _TYPE[_OFF_LEN | fin] + self._id + _pack_long_offset_length(0xC0 << 56 | offset, 0x4000 | size)
        builder.add(header + data, (self, offset, size, fin))
        if fin:
            self._fin_due = False
            self.state = SendState.DATA_SENT
        elif self.state is _READY:
            self.state = SendState.SEND
        return buffer.sent < buffer.end or self._fin_due or buffer.lost is not None

    def _on_blocked(self) -> None:
        """Nothing to send, or no credit for it: say so once for each limit (RFC 9000 §4.1)."""
        buffer = self.buffer
        if buffer.sent == buffer.end:
            return
        if buffer.sent < self.limit:
            self._context.starve(self)
        elif self._blocked_at < self.limit:
            self._blocked_at = self.limit
            self._context.control.request(self.stream_data_blocked_frame)

    def stream_data_blocked_frame(self) -> bytes | None:
        """STREAM_DATA_BLOCKED, if that is still so (RFC 9000 §19.13)."""
        if not self.limit <= self.buffer.sent < self.buffer.end:
            return None
        if self.state is _READY:
            self.state = SendState.SEND
        return StreamDataBlocked(self.stream_id, self.limit).encode()

    def on_max_stream_data(self, maximum: int) -> None:
        """The peer's limit; it is ignored unless it grew (RFC 9000 §4.1)."""
        if maximum > self.limit:
            self.limit = maximum
            if self.buffer.has_data:
                self._context.wake(self)

    def start_over(self, limit: int, *, parked: bool) -> None:
        """Send everything from the beginning, under this limit; parked: not before `unpark`."""
        self.limit = limit
        self._blocked_at = -1
        self.buffer.rewind()
        if self.state in _OPEN:
            self.state = _READY
            self._fin_due = self._fin
        self._parked = self.queued = parked  # whoever counts as queued is not woken
        self._wake_if_due()

    def unpark(self) -> None:
        """The peer allows the stream, which it did not after `start_over`."""
        if self._parked:
            self._parked = self.queued = False
            self._wake_if_due()

    def _wake_if_due(self) -> None:
        if self.state is SendState.RESET_SENT:
            self._context.control.request(self.reset_stream_frame, self._on_reset_acked)
        elif self.buffer.has_data or self._fin_due:
            self._context.wake(self)

    def on_acked(self, record: Record) -> None:
        if self._error_code is not None:
            return
        _, offset, length, fin = record
        buffer = self.buffer
        start = buffer.start
        buffer.on_acked(offset, length)
        self._context.buffered -= buffer.start - start
        if fin:
            self._fin_acked = True
        if buffer.start == buffer.end and self._outstanding and self._fin_acked == self._fin:
            self._settle()
            if fin or self._fin:
                self.state = SendState.DATA_RECVD
                self._on_end(self.stream_id)
        if self._refused and 2 * (buffer.end - buffer.start) <= self._context.send_buffer_size:
            self._refused = False
            self._context.events.append(StreamWritable(self.stream_id))

    def on_lost(self, record: Record) -> None:
        if self._error_code is not None:
            return
        _, offset, length, fin = record
        self.buffer.on_lost(offset, length)
        if fin and not self._fin_acked:
            self._fin_due = True
        if self._fin_due or self.buffer.lost:
            self._context.wake(self)

    def _settle(self) -> None:
        """Nothing of the stream is unacknowledged any more."""
        if self._outstanding:
            self._outstanding = False
            self._context.unacknowledged -= 1

    def reset(self, error_code: int) -> None:
        """Give the rest of the data up and tell the peer (RFC 9000 §3.1); nothing once all data has arrived."""
        self._hear_of_stop()
        if self.state in _OPEN:
            self._send_reset(error_code)

    def on_stop_sending(self, error_code: int) -> None:
        """The peer reads no further: answer with RESET_STREAM and the same code (RFC 9000 §3.5).

        An application that has not written the end must learn of it by its next write or reset: until then the
        stream is kept.
        """
        if self.state in _OPEN:
            self._stop_code = error_code
            self._stop_told = self._fin
            if not self._stop_told:
                self._context.events.append(StreamWritable(self.stream_id))
            self._send_reset(error_code)

    def _hear_of_stop(self) -> None:
        if not self._stop_told:
            self._stop_told = True
            if self.ended:
                self._on_end(self.stream_id)

    def _send_reset(self, error_code: int) -> None:
        self.state = SendState.RESET_SENT
        self._error_code = error_code
        self._fin_due = False
        self._context.buffered -= self.buffer.end - self.buffer.start
        self.buffer.clear()
        self._settle()
        self._context.control.request(self.reset_stream_frame, self._on_reset_acked)

    def reset_stream_frame(self) -> bytes | None:
        """RESET_STREAM; its final size is what the stream took of the flow control credit (RFC 9000 §4.5)."""
        if self._parked:
            return None
        return ResetStream(self.stream_id, self._error_code or 0, self.buffer.sent).encode()

    def _on_reset_acked(self) -> None:
        if self.state is SendState.RESET_SENT:
            self.state = SendState.RESET_RECVD
            if self.ended:
                self._on_end(self.stream_id)
