"""All streams of one connection: the face that the connection talks to (RFC 9000 §2 to §4)."""

from __future__ import annotations

from collections import deque

from quicmini.errors import TransportError, TransportErrorCode
from quicmini.streams.context import StreamContext
from quicmini.streams.events import StreamEvent, StreamFinished, StreamOpened, StreamsAvailable
from quicmini.streams.limits import LocalStreams, PeerStreams, is_unidirectional
from quicmini.streams.recv import RecvStream
from quicmini.streams.send import SendStream
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

__all__ = ["StreamManager"]

_CLIENT_BIDI, _SERVER_BIDI, _CLIENT_UNI, _SERVER_UNI = range(4)  # RFC 9000 §2.1, Table 1


class StreamManager:
    """Opens, finds and forgets streams; hands each frame to the part of the stream that it is for.

    local: the transport parameters that this side announced. send_buffer_size: bytes that a stream holds, unsent and
    unacknowledged. A stream exists as long as one of its parts is not in a terminal state; then its ID goes into a
    range, and frames that come late are ignored. Nothing here blocks.
    """

    def __init__(self, *, is_client: bool, local: TransportParameters, send_buffer_size: int) -> None:
        self._context = StreamContext(local.initial_max_data, send_buffer_size, self._on_part_ended)
        self.events: deque[StreamEvent] = self._context.events
        self._sending: dict[int, SendStream] = {}
        self._receiving: dict[int, RecvStream] = {}
        own_bidi, own_uni, peer_bidi, peer_uni = (
            (_CLIENT_BIDI, _CLIENT_UNI, _SERVER_BIDI, _SERVER_UNI)
            if is_client
            else (_SERVER_BIDI, _SERVER_UNI, _CLIENT_BIDI, _CLIENT_UNI)
        )
        self._own_bit = own_bidi
        self._own = {False: LocalStreams(own_bidi), True: LocalStreams(own_uni)}  # by "unidirectional"
        self._peers = {
            False: PeerStreams(peer_bidi, local.initial_max_streams_bidi),
            True: PeerStreams(peer_uni, local.initial_max_streams_uni),
        }
        # Initial limits for each stream, by the type of stream (RFC 9000 §18.2: "local" is who sent the parameter).
        self._windows = {
            own_bidi: local.initial_max_stream_data_bidi_local,
            peer_bidi: local.initial_max_stream_data_bidi_remote,
            peer_uni: local.initial_max_stream_data_uni,
        }
        self._credits = {own_bidi: 0, own_uni: 0, peer_bidi: 0}

    def set_remote(self, params: TransportParameters) -> None:
        """The peer's limits: before them nothing can be opened or sent. Again: only what grew counts (0-RTT)."""
        own_bidi, own_uni, peer_bidi = self._credits
        self._credits = {
            own_bidi: params.initial_max_stream_data_bidi_remote,
            own_uni: params.initial_max_stream_data_uni,
            peer_bidi: params.initial_max_stream_data_bidi_local,
        }
        for stream_id, stream in self._sending.items():
            stream.on_max_stream_data(self._credits[stream_id & 3])
        self._context.raise_credit(params.initial_max_data)
        self._raise_stream_limit(params.initial_max_streams_bidi, unidirectional=False)
        self._raise_stream_limit(params.initial_max_streams_uni, unidirectional=True)

    # What the application does.

    def open(self, unidirectional: bool) -> int | None:
        """A new stream's ID; None: the peer allows no more now, StreamsAvailable will tell (RFC 9000 §4.6)."""
        streams = self._own[unidirectional]
        stream_id = streams.open()
        if stream_id is None:
            if streams.limit and streams.must_tell():
                self._context.control.request(streams.streams_blocked_frame)
            return None
        self._create(stream_id)
        return stream_id

    def write(self, stream_id: int, data: bytes | bytearray | memoryview, fin: bool = False) -> int:
        """Buffer data and, if all of it found room, the end of the stream. Returns the bytes taken.

        After less than all, StreamWritable tells when half the buffer is free. Raises StreamStopped after the peer's
        STOP_SENDING, ValueError for a stream that this side cannot write to (any more).
        """
        return self._sender(stream_id).write(data, fin)

    def read(self, stream_id: int, limit: int) -> bytes | None:
        """Up to `limit` bytes (1 or more); None: nothing yet; b"": the end.

        Raises StreamReset after the peer's reset, ValueError for a stream that this side cannot read (any more).
        """
        return self._receiver(stream_id).read(limit)

    def readable(self, stream_id: int) -> bool:
        """Whether `read` has something to say. Raises ValueError as `read` does for a stream that is not there."""
        return self._receiver(stream_id).readable

    def reset(self, stream_id: int, error_code: int) -> None:
        """Give up sending (RESET_STREAM, RFC 9000 §3.1); nothing for a stream that is over."""
        if self._is_live(stream_id):
            self._sender(stream_id).reset(error_code)

    def stop_sending(self, stream_id: int, error_code: int) -> None:
        """Give up reading (STOP_SENDING, RFC 9000 §3.5); nothing for a stream that is over."""
        if self._is_live(stream_id):
            self._receiver(stream_id).stop_sending(error_code)

    @property
    def all_acknowledged(self) -> bool:
        """Whether the peer has everything that was written, and every end of a stream."""
        return not self._context.unacknowledged

    @property
    def retransmitted_bytes(self) -> int:
        """Stream data that was sent more than once."""
        return self._context.retransmitted_bytes

    def close(self) -> None:
        """Send nothing any more, announce nothing; what has arrived can still be read."""
        self._context.close()

    # What is sent.

    @property
    def has_frames(self) -> bool:
        """Whether `write_frames` may have something to write."""
        return bool(self._context.ready or self._context.control.queue)

    def write_frames(self, builder: PacketBuilder) -> None:
        """Fill the packet: control frames first, then the data of one stream after the other."""
        self._context.write_frames(builder)

    # What the peer sends. Each raises TransportError where the peer breaks a rule.

    def on_stream(self, frame: Stream) -> None:
        """RFC 9000 §19.8."""
        stream_id, offset, data, fin = frame
        stream = self._receiving.get(stream_id) or self._find_receiver(stream_id, FrameType.STREAM)
        if stream is not None:
            stream.on_stream(offset, data, fin)

    def on_reset_stream(self, frame: ResetStream) -> None:
        """RFC 9000 §19.4."""
        stream = self._find_receiver(frame.stream_id, FrameType.RESET_STREAM)
        if stream is not None:
            stream.on_reset(frame.error_code, frame.final_size)

    def on_stream_data_blocked(self, frame: StreamDataBlocked) -> None:
        """RFC 9000 §19.13."""
        stream = self._find_receiver(frame.stream_id, FrameType.STREAM_DATA_BLOCKED)
        if stream is not None:
            stream.on_stream_data_blocked()

    def on_stop_sending(self, frame: StopSending) -> None:
        """RFC 9000 §19.5."""
        stream = self._find_sender(frame.stream_id, FrameType.STOP_SENDING)
        if stream is not None:
            stream.on_stop_sending(frame.error_code)

    def on_max_stream_data(self, frame: MaxStreamData) -> None:
        """RFC 9000 §19.10."""
        stream = self._find_sender(frame.stream_id, FrameType.MAX_STREAM_DATA)
        if stream is not None:
            stream.on_max_stream_data(frame.maximum)

    def on_max_data(self, frame: MaxData) -> None:
        """RFC 9000 §19.9."""
        self._context.raise_credit(frame.maximum)

    def on_max_streams(self, frame: MaxStreams) -> None:
        """RFC 9000 §19.11."""
        self._raise_stream_limit(frame.maximum, unidirectional=not frame.bidirectional)

    def on_data_blocked(self, frame: DataBlocked) -> None:
        """RFC 9000 §19.12: announce what credit there is."""
        if self._context.window.can_grow:
            self._context.control.request(self._context.max_data_frame)

    def on_streams_blocked(self, frame: StreamsBlocked) -> None:
        """RFC 9000 §19.14: announce what streams have finished."""
        streams = self._peers[not frame.bidirectional]
        if streams.growth > 0:
            self._context.control.request(streams.max_streams_frame)

    # Which stream.

    def _raise_stream_limit(self, limit: int, *, unidirectional: bool) -> None:
        if self._own[unidirectional].raise_limit(limit):
            self.events.append(StreamsAvailable(unidirectional))

    def _is_own(self, stream_id: int) -> bool:
        return stream_id & 1 == self._own_bit

    def _create(self, stream_id: int) -> None:
        """Both parts, or the one that a unidirectional stream has."""
        stream_type = stream_id & 3
        if stream_type in self._credits:
            self._sending[stream_id] = SendStream(stream_id, self._credits[stream_type], self._context)
        if stream_type in self._windows:
            self._receiving[stream_id] = RecvStream(stream_id, self._windows[stream_type], self._context)

    def _is_live(self, stream_id: int) -> bool:
        streams = self._own if self._is_own(stream_id) else self._peers
        return streams[is_unidirectional(stream_id)].is_live(stream_id >> 2)

    def _sender(self, stream_id: int) -> SendStream:
        """For the application."""
        self._materialize(stream_id)
        if stream_id not in self._sending:
            raise ValueError(f"stream {stream_id} is over, or not one to write to")
        return self._sending[stream_id]

    def _receiver(self, stream_id: int) -> RecvStream:
        """For the application."""
        self._materialize(stream_id)
        if stream_id not in self._receiving:
            raise ValueError(f"stream {stream_id} is over, or not one to read from")
        return self._receiving[stream_id]

    def _materialize(self, stream_id: int) -> None:
        """A stream that the peer opened by a higher one becomes an object when it is first needed."""
        if stream_id not in self._receiving and not self._is_own(stream_id) and self._is_live(stream_id):
            self._create(stream_id)

    def _find_receiver(self, stream_id: int, frame_type: int) -> RecvStream | None:
        """The part that a frame of the peer's sending part is for; None: it is over."""
        stream = self._receiving.get(stream_id)
        if stream is None:
            if self._is_own(stream_id) and is_unidirectional(stream_id):
                raise _state_error(stream_id, "the peer cannot send on it", frame_type)
            self._let_peer_open(stream_id, frame_type)
            stream = self._receiving.get(stream_id)
        return stream

    def _find_sender(self, stream_id: int, frame_type: int) -> SendStream | None:
        """The part that a frame of the peer's receiving part is for; None: it is over."""
        stream = self._sending.get(stream_id)
        if stream is None:
            if not self._is_own(stream_id) and is_unidirectional(stream_id):
                raise _state_error(stream_id, "the peer does not receive on it", frame_type)
            self._let_peer_open(stream_id, frame_type)
            stream = self._sending.get(stream_id)
        return stream

    def _let_peer_open(self, stream_id: int, frame_type: int) -> None:
        """A frame came for a stream that is no object: it is new, with all below it (RFC 9000 §3.2), or over."""
        ordinal, unidirectional = stream_id >> 2, is_unidirectional(stream_id)
        if self._is_own(stream_id):
            if ordinal >= self._own[unidirectional].opened:
                raise _state_error(stream_id, "it has not been opened", frame_type)
            return
        streams = self._peers[unidirectional]
        if ordinal >= streams.limit:
            reason = f"stream {stream_id}, when {streams.limit} of its type are allowed"
            raise TransportError(TransportErrorCode.STREAM_LIMIT_ERROR, reason, frame_type)
        for opened in range(streams.opened, ordinal + 1):  # no more than the limit, which is this side's choice
            self.events.append(StreamOpened(4 * opened + streams.type))
        streams.opened = max(streams.opened, ordinal + 1)
        self._materialize(stream_id)

    def _on_part_ended(self, stream_id: int) -> None:
        """One part is in a terminal state; with the other one the stream is finished."""
        sending, receiving = self._sending.get(stream_id), self._receiving.get(stream_id)
        if (sending and not sending.ended) or (receiving and not receiving.ended):
            return
        self._sending.pop(stream_id, None)
        self._receiving.pop(stream_id, None)
        self.events.append(StreamFinished(stream_id))
        unidirectional = is_unidirectional(stream_id)
        if self._is_own(stream_id):
            self._own[unidirectional].finish(stream_id >> 2)
            return
        streams = self._peers[unidirectional]
        streams.finish(stream_id >> 2)
        if streams.should_announce:
            self._context.control.request(streams.max_streams_frame)


def _state_error(stream_id: int, reason: str, frame_type: int) -> TransportError:
    return TransportError(TransportErrorCode.STREAM_STATE_ERROR, f"stream {stream_id}: {reason}", frame_type)
