"""All streams of one connection: the face that the connection talks to (RFC 9000 §2 to §4)."""

from __future__ import annotations

from collections import deque

from quicmini.streams.context import Sender
from quicmini.streams.events import StreamEvent
from quicmini.streams.table import StreamTable
from quicmini.wire.builder import PacketBuilder
from quicmini.wire.frames import (
    DataBlocked,
    FrameType,
    MaxData,
    MaxStreamData,
    MaxStreams,
    ResetStream,
    StopSending,
    Stream,
    StreamDataBlocked,
    StreamsBlocked,
)
from quicmini.wire.transport_parameters import TransportParameters
from quicmini.wire.varint import MAX_VARINT

__all__ = ["StreamManager"]


class StreamManager:
    """What the application does with streams, what the peer's frames do to them, and the frames to be sent.

    local: the transport parameters that this side announced. send_buffer_size: bytes that a stream holds, unsent and
    unacknowledged; send_buffer_total: that all streams hold together, but for a little for each. events: to be drained
    by the caller. control: the small frames that wait for a packet; the connection adds its own. ready: the streams
    that have something to send. Frames for a stream that is finished come late and are ignored. Nothing here blocks.
    """

    __slots__ = ("_context", "_table", "control", "events", "ready")

    def __init__(
        self,
        *,
        is_client: bool,
        local: TransportParameters,
        send_buffer_size: int,
        send_buffer_total: int = MAX_VARINT,
    ) -> None:
        self._table = StreamTable(
            is_client=is_client, local=local, send_buffer_size=send_buffer_size, send_buffer_total=send_buffer_total
        )
        self._context = self._table.context
        self.control = self._table.context.control
        self.ready: deque[Sender] = self._context.ready
        self.events: deque[StreamEvent] = self._context.events

    def set_remote(self, params: TransportParameters) -> None:
        """The peer's limits: before them nothing can be opened or sent. Called again, limits only grow."""
        self._table.set_remote(params)

    def start_over(self, params: TransportParameters) -> None:
        """The peer has taken nothing of what was sent: it all goes again, under these limits (RFC 9001 §4.6.2)."""
        self._table.start_over(params)

    # The application.

    def open(self, unidirectional: bool) -> int | None:
        """A new stream's ID; None: no more may be open now, StreamsAvailable will tell (RFC 9000 §4.6)."""
        return self._table.open(unidirectional)

    def write(self, stream_id: int, data: bytes | bytearray | memoryview, fin: bool = False) -> int:
        """Buffer data and, if all of it found room, the end of the stream. Returns the bytes taken.

        After less than all, StreamWritable tells when there is room again, half the buffer at best. Raises
        StreamStopped after the peer's STOP_SENDING, ValueError for a stream that this side cannot write to, or no
        longer.
        """
        return self._table.sender(stream_id).write(data, fin)

    def read(self, stream_id: int, limit: int) -> bytes | None:
        """Up to `limit` bytes (1 or more); None: nothing yet; b"": the end.

        Raises StreamReset after the peer's reset, ValueError for a stream that this side cannot read, or no longer:
        a stream may be finished once its end or its reset was delivered.
        """
        return self._table.receiver(stream_id).read(limit)

    def readable(self, stream_id: int) -> bool:
        """Whether `read` has something to say; False for a stream that is over."""
        return self._table.is_live(stream_id) and self._table.receiver(stream_id).readable

    def reset(self, stream_id: int, error_code: int) -> None:
        """Give up sending (RESET_STREAM, RFC 9000 §3.1); nothing for a stream that is over."""
        if self._table.is_live(stream_id):
            self._table.sender(stream_id).reset(error_code)

    def stop_sending(self, stream_id: int, error_code: int) -> None:
        """Give up reading (STOP_SENDING, RFC 9000 §3.5); nothing for a stream that is over."""
        if self._table.is_live(stream_id):
            self._table.receiver(stream_id).stop_sending(error_code)

    @property
    def all_acknowledged(self) -> bool:
        """Whether the peer has everything that was written and not reset, the ends of streams included."""
        return not self._context.unacknowledged

    @property
    def received(self) -> int:
        """Bytes that the peer has sent, as connection flow control counts them (RFC 9000 §4.1)."""
        return self._context.window.received

    @property
    def retransmitted_bytes(self) -> int:
        """Stream data that was sent again."""
        return self._context.retransmitted_bytes

    def close(self) -> None:
        """Send nothing any more; what has arrived can still be read."""
        self._context.close()

    # Sending.

    @property
    def has_frames(self) -> bool:
        """Whether `write_frames` may have something to write."""
        return bool(self.ready or self.control.queue)

    def write_frames(self, builder: PacketBuilder) -> None:
        """Fill the packet: control frames first, then the data of one stream after the other."""
        self._context.write_frames(builder)

    # The peer's frames. Each raises TransportError where the peer breaks a rule.

    def on_stream(self, frame: Stream) -> None:
        """RFC 9000 §19.8."""
        stream_id, offset, data, fin = frame
        stream = self._table.find_receiver(stream_id, FrameType.STREAM)
        if stream is not None:
            stream.on_stream(offset, data, fin)

    def on_reset_stream(self, frame: ResetStream) -> None:
        """RFC 9000 §19.4."""
        stream = self._table.find_receiver(frame.stream_id, FrameType.RESET_STREAM)
        if stream is not None:
            stream.on_reset(frame.error_code, frame.final_size)

    def on_stream_data_blocked(self, frame: StreamDataBlocked) -> None:
        """RFC 9000 §19.13."""
        stream = self._table.find_receiver(frame.stream_id, FrameType.STREAM_DATA_BLOCKED)
        if stream is not None:
            stream.on_stream_data_blocked()

    def on_stop_sending(self, frame: StopSending) -> None:
        """RFC 9000 §19.5."""
        stream = self._table.find_sender(frame.stream_id, FrameType.STOP_SENDING)
        if stream is not None:
            stream.on_stop_sending(frame.error_code)

    def on_max_stream_data(self, frame: MaxStreamData) -> None:
        """RFC 9000 §19.10."""
        stream = self._table.find_sender(frame.stream_id, FrameType.MAX_STREAM_DATA)
        if stream is not None:
            stream.on_max_stream_data(frame.maximum)

    def on_max_data(self, frame: MaxData) -> None:
        """RFC 9000 §19.9."""
        self._context.raise_credit(frame.maximum)

    def on_max_streams(self, frame: MaxStreams) -> None:
        """RFC 9000 §19.11."""
        self._table.raise_stream_limit(frame.maximum, unidirectional=not frame.bidirectional)

    def on_data_blocked(self, frame: DataBlocked) -> None:
        """RFC 9000 §19.12."""
        self._context.on_data_blocked()

    def on_streams_blocked(self, frame: StreamsBlocked) -> None:
        """RFC 9000 §19.14."""
        self._table.on_streams_blocked(unidirectional=not frame.bidirectional)
