"""The receiving part of a stream (RFC 9000 §3.2)."""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum

from quicmini.errors import StreamReset, TransportError, TransportErrorCode
from quicmini.streams.context import StreamContext
from quicmini.streams.events import StreamReadable
from quicmini.streams.flow import ReceiveWindow
from quicmini.streams.reassembly import Reassembly
from quicmini.wire.frames import FrameType, MaxStreamData, StopSending

__all__ = ["RecvState", "RecvStream"]


class RecvState(Enum):
    """The states of RFC 9000 §3.2; DATA_READ and RESET_READ are terminal."""

    RECV = "Recv"
    SIZE_KNOWN = "Size Known"
    DATA_RECVD = "Data Recvd"
    DATA_READ = "Data Read"
    RESET_RECVD = "Reset Recvd"
    RESET_READ = "Reset Read"


_RECV, _SIZE_KNOWN = RecvState.RECV, RecvState.SIZE_KNOWN


class RecvStream:
    """Takes the peer's frames in, gives the application bytes in order, and the peer credit as they are read.

    on_end: told the stream's ID when this part reaches a terminal state.
    """

    __slots__ = (
        "_context",
        "_error_code",
        "_notified",
        "_on_end",
        "_stop_code",
        "_window",
        "buffer",
        "final_size",
        "state",
        "stream_id",
    )

    def __init__(self, stream_id: int, window_size: int, context: StreamContext, on_end: Callable[[int], None]) -> None:
        self.stream_id = stream_id
        self._on_end = on_end
        self.state = _RECV
        self.buffer = Reassembly(context.fragments)
        self.final_size: int | None = None
        self._context = context
        self._window = ReceiveWindow(window_size)
        self._notified = False  # StreamReadable was posted, and no read has found the stream empty since
        self._error_code = 0  # of the peer's RESET_STREAM
        self._stop_code: int | None = None  # of this side's STOP_SENDING

    @property
    def ended(self) -> bool:
        """In a terminal state."""
        return self.state is RecvState.DATA_READ or self.state is RecvState.RESET_READ

    @property
    def readable(self) -> bool:
        """Whether a read has something to say: data, the end, or a reset."""
        return self.buffer.readable > 0 or (self.state is not _RECV and self.state is not _SIZE_KNOWN)

    def on_stream(self, offset: int, data: bytes, fin: bool) -> None:
        """A STREAM frame (RFC 9000 §19.8). Raises TransportError FLOW_CONTROL_ERROR or FINAL_SIZE_ERROR."""
        stop = offset + len(data)
        if stop > self._window.received:
            self._receive(stop, FrameType.STREAM)
        if fin or self.final_size is not None:
            self._check_final_size(stop, fin)
        if self.state is not _RECV and self.state is not _SIZE_KNOWN:
            return  # late: everything has come, or the peer has reset the stream
        buffer = self.buffer
        buffer.insert(offset, data)
        if buffer.end == self.final_size:
            self.state = RecvState.DATA_RECVD
        if self._stop_code is not None:
            self._discard()
        elif not self._notified and self.readable:
            self._notify()

    def _receive(self, stop: int, frame_type: int) -> None:
        """Count what is new on both levels of flow control."""
        amount = stop - self._window.received
        self._window.receive(amount, frame_type)
        self._context.window.receive(amount, frame_type)

    def _check_final_size(self, stop: int, fin: bool) -> None:
        if self.final_size is None:
            self._set_final_size(stop, FrameType.STREAM)
            if self.state is _RECV:
                self.state = _SIZE_KNOWN
        elif stop > self.final_size or (fin and stop < self.final_size):
            raise TransportError(TransportErrorCode.FINAL_SIZE_ERROR, "data beyond the end", FrameType.STREAM)

    def _set_final_size(self, final_size: int, frame_type: int) -> None:
        """The final size never changes, nor lies below data that was seen (RFC 9000 §4.5)."""
        if final_size < self._window.received or self.final_size not in (None, final_size):
            reason = f"the final size {final_size} contradicts what came before"
            raise TransportError(TransportErrorCode.FINAL_SIZE_ERROR, reason, frame_type)
        self.final_size = final_size

    def on_reset(self, error_code: int, final_size: int) -> None:
        """RESET_STREAM (RFC 9000 §19.4): unread data is given up, and its credit goes back to the connection.

        Data that is complete is still delivered (RFC 9000 §3.2 leaves the choice).
        """
        self._set_final_size(final_size, FrameType.RESET_STREAM)
        if final_size > self._window.received:
            self._receive(final_size, FrameType.RESET_STREAM)
        if self.state is not _RECV and self.state is not _SIZE_KNOWN:
            return
        self.state = RecvState.RESET_RECVD
        self._error_code = error_code
        self.buffer.clear()
        self._context.consume(final_size - self._window.consumed, drained=True)
        if self._stop_code is not None:
            self._end(RecvState.RESET_READ)
        elif not self._notified:
            self._notify()

    def _notify(self) -> None:
        self._notified = True
        self._context.events.append(StreamReadable(self.stream_id))

    def read(self, limit: int) -> bytes | None:
        """Up to `limit` bytes; None: nothing yet; b"": the end, which was thereby delivered.

        Raises StreamReset after the peer's reset, ValueError after this side's `stop_sending`.
        """
        if self._stop_code is not None:
            raise ValueError(f"stream {self.stream_id}: this side has stopped reading")
        buffer = self.buffer
        if buffer.readable:
            data = buffer.read(limit)
            self._consume(len(data))
            return data
        self._notified = False
        if self.state is _RECV or self.state is _SIZE_KNOWN:
            return None
        if self.state is RecvState.DATA_RECVD:
            self._end(RecvState.DATA_READ)
        elif self.state is not RecvState.DATA_READ:
            if self.state is RecvState.RESET_RECVD:
                self._end(RecvState.RESET_READ)
            raise StreamReset(self._error_code)
        return b""

    def _consume(self, amount: int) -> None:
        drained = not self.buffer.readable
        if drained and (self.state is _RECV or self.state is _SIZE_KNOWN):
            self._notified = False
        if self._window.consume(amount, drained) and self.state is _RECV:
            self._context.control.request(self.max_stream_data_frame)
        self._context.consume(amount, drained)

    def max_stream_data_frame(self) -> bytes | None:
        """MAX_STREAM_DATA; once the final size is known it is of no use (RFC 9000 §3.2)."""
        if self.state is not _RECV or self._stop_code is not None:
            return None
        return MaxStreamData(self.stream_id, self._window.announce()).encode()

    def on_stream_data_blocked(self) -> None:
        """The peer waits for credit: announce what there is, however little (RFC 9000 §19.13)."""
        if self._window.can_grow and self.state is _RECV:
            self._context.control.request(self.max_stream_data_frame)

    def stop_sending(self, error_code: int) -> None:
        """Read no further and ask the peer to stop; what still comes is thrown away (RFC 9000 §3.5)."""
        if self._stop_code is not None or self.ended:
            return
        self._stop_code = error_code
        if self.state is RecvState.RESET_RECVD:
            self._end(RecvState.RESET_READ)
            return
        if self.state is not RecvState.DATA_RECVD:
            self._context.control.request(self.stop_sending_frame)
        self._discard()

    def stop_sending_frame(self) -> bytes | None:
        """STOP_SENDING; unnecessary once all data or a reset has come (RFC 9000 §3.5)."""
        if self._stop_code is None or (self.state is not _RECV and self.state is not _SIZE_KNOWN):
            return None
        return StopSending(self.stream_id, self._stop_code).encode()

    def _discard(self) -> None:
        """Nobody reads: what is in order counts as read."""
        amount = self.buffer.readable
        if amount:
            self.buffer.read(amount)
            self._consume(amount)
        if self.state is RecvState.DATA_RECVD:
            self._end(RecvState.DATA_READ)

    def _end(self, state: RecvState) -> None:
        self.state = state
        self._on_end(self.stream_id)
