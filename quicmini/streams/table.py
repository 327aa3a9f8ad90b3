"""The streams of one connection by their IDs: how they come to be, are found, and are forgotten (RFC 9000 §2.1, §3)."""

from __future__ import annotations

from quicmini.errors import TransportError, TransportErrorCode
from quicmini.streams.context import StreamContext
from quicmini.streams.events import StreamFinished, StreamOpened, StreamsAvailable
from quicmini.streams.limits import LocalStreams, PeerStreams, StreamCount, is_unidirectional
from quicmini.streams.recv import RecvStream
from quicmini.streams.send import SendStream
from quicmini.wire.transport_parameters import TransportParameters

__all__ = ["StreamTable"]

_CLIENT_BIDI, _SERVER_BIDI, _CLIENT_UNI, _SERVER_UNI = range(4)  # RFC 9000 §2.1, Table 1


class StreamTable:
    """Two dictionaries: the sending and the receiving parts of the streams that are live.

    A stream stays as long as one of its parts is not in a terminal state; then its ID goes into a range. A stream
    that the peer opened by opening a higher one becomes an object when it is first needed.
    """

    __slots__ = ("_by_type", "_credits", "_own", "_peers", "_receiving", "_sending", "_windows", "context")

    def __init__(
        self, *, is_client: bool, local: TransportParameters, send_buffer_size: int, send_buffer_total: int
    ) -> None:
        self.context = StreamContext(local.initial_max_data, send_buffer_size, send_buffer_total)
        self._sending: dict[int, SendStream] = {}
        self._receiving: dict[int, RecvStream] = {}
        bidi, uni = (_CLIENT_BIDI, _CLIENT_UNI) if is_client else (_SERVER_BIDI, _SERVER_UNI)
        peer_bidi, peer_uni = bidi ^ 1, uni ^ 1
        # By whether they are unidirectional: the second lowest bit of a type.
        self._own = own = (LocalStreams(bidi), LocalStreams(uni))
        self._peers = peers = (
            PeerStreams(peer_bidi, local.initial_max_streams_bidi),
            PeerStreams(peer_uni, local.initial_max_streams_uni),
        )
        clients, servers = (own, peers) if is_client else (peers, own)
        self._by_type: tuple[StreamCount, ...] = (clients[0], servers[0], clients[1], servers[1])
        # The flow control limits that new streams start with, for each type that has a receiving or sending part;
        # "local" and "remote" are seen from the sender of the parameter (RFC 9000 §18.2).
        self._windows = {
            bidi: local.initial_max_stream_data_bidi_local,
            peer_bidi: local.initial_max_stream_data_bidi_remote,
            peer_uni: local.initial_max_stream_data_uni,
        }
        self._credits = {bidi: 0, uni: 0, peer_bidi: 0}

    def set_remote(self, params: TransportParameters) -> None:
        """The limits that the peer's transport parameters grant; where they are not higher than before, nothing."""
        self._set_credits(params)
        for stream_id, stream in self._sending.items():
            stream.on_max_stream_data(self._credits[stream_id & 3])
        self.context.raise_credit(params.initial_max_data)
        self.raise_stream_limit(params.initial_max_streams_bidi, unidirectional=False)
        self.raise_stream_limit(params.initial_max_streams_uni, unidirectional=True)

    def start_over(self, params: TransportParameters) -> None:
        """As if nothing had been sent, and these were the first limits: they may be lower than those before.

        A stream beyond the new limit of streams waits until the peer raises it.
        """
        self._set_credits(params)
        self.context.start_over(params.initial_max_data)
        self._own[False].limit, self._own[True].limit = params.initial_max_streams_bidi, params.initial_max_streams_uni
        for stream_id, stream in self._sending.items():
            stream.start_over(self._credits[stream_id & 3], parked=not self._is_allowed(stream_id))

    def _is_allowed(self, stream_id: int) -> bool:
        return stream_id >> 2 < self._own[is_unidirectional(stream_id)].limit

    def _set_credits(self, params: TransportParameters) -> None:
        bidi, uni = self._own[False].type, self._own[True].type
        self._credits = {
            bidi: params.initial_max_stream_data_bidi_remote,
            uni: params.initial_max_stream_data_uni,
            bidi ^ 1: params.initial_max_stream_data_bidi_local,
        }

    def open(self, unidirectional: bool) -> int | None:
        """A new stream of this side; None at the peer's limit, or at MAX_OWN_STREAMS."""
        streams = self._own[unidirectional]
        stream_id = streams.open()
        if stream_id is not None:
            self._create(stream_id)
        elif streams.limit and streams.should_tell:
            self.context.control.request(streams.streams_blocked_frame)
        return stream_id

    def raise_stream_limit(self, limit: int, *, unidirectional: bool) -> None:
        """The peer allows `limit` streams in all (RFC 9000 §4.6)."""
        streams = self._own[unidirectional]
        before = streams.limit
        if streams.raise_limit(limit):
            self.context.events.append(StreamsAvailable(unidirectional))
        if before < streams.opened:  # some have waited since `start_over`
            for number in range(before, min(streams.limit, streams.opened)):
                if (stream := self._sending.get(4 * number + streams.type)) is not None:
                    stream.unpark()

    def on_streams_blocked(self, *, unidirectional: bool) -> None:
        """The peer wants to open a stream: announce those that have finished (RFC 9000 §19.14)."""
        streams = self._peers[unidirectional]
        if streams.growth > 0:
            self.context.control.request(streams.max_streams_frame)

    def is_live(self, stream_id: int) -> bool:
        """Whether the stream has been opened, by either side, and is not finished."""
        return self._by_type[stream_id & 3].is_live(stream_id)

    def sender(self, stream_id: int) -> SendStream:
        """The sending part, for the application. Raises ValueError if there is none."""
        stream = self._sending.get(stream_id)
        if stream is None:
            self._materialize(stream_id)
            stream = self._sending.get(stream_id)
            if stream is None:
                raise ValueError(f"stream {stream_id} is over, or not one to write to")
        return stream

    def receiver(self, stream_id: int) -> RecvStream:
        """The receiving part, for the application. Raises ValueError if there is none."""
        stream = self._receiving.get(stream_id)
        if stream is None:
            self._materialize(stream_id)
            stream = self._receiving.get(stream_id)
            if stream is None:
                raise ValueError(f"stream {stream_id} is over, or not one to read from")
        return stream

    def find_sender(self, stream_id: int, frame_type: int) -> SendStream | None:
        """The part that a frame of the peer's receiving part is for; None: it is over, the frame comes late.

        Raises TransportError STREAM_STATE_ERROR or STREAM_LIMIT_ERROR for a stream that the frame must not name.
        """
        stream = self._sending.get(stream_id)
        if stream is None:
            if stream_id & 3 not in self._credits:
                reason = f"stream {stream_id}: only the peer sends on it"
                raise TransportError(TransportErrorCode.STREAM_STATE_ERROR, reason, frame_type)
            self._let_peer_open(stream_id, frame_type)
            stream = self._sending.get(stream_id)
        return stream

    def find_receiver(self, stream_id: int, frame_type: int) -> RecvStream | None:
        """The part that a frame of the peer's sending part is for; None and errors as in `find_sender`."""
        stream = self._receiving.get(stream_id)
        if stream is None:
            if stream_id & 3 not in self._windows:
                reason = f"stream {stream_id}: only this side sends on it"
                raise TransportError(TransportErrorCode.STREAM_STATE_ERROR, reason, frame_type)
            self._let_peer_open(stream_id, frame_type)
            stream = self._receiving.get(stream_id)
        return stream

    def _let_peer_open(self, stream_id: int, frame_type: int) -> None:
        for opened in self._by_type[stream_id & 3].claim(stream_id, frame_type):
            self.context.events.append(StreamOpened(opened))
        self._materialize(stream_id)

    def _materialize(self, stream_id: int) -> None:
        if stream_id not in self._receiving and stream_id not in self._sending and self.is_live(stream_id):
            self._create(stream_id)

    def _create(self, stream_id: int) -> None:
        """Both parts, or the one that a unidirectional stream has on this side."""
        stream_type, ended = stream_id & 3, self._on_part_ended
        if stream_type in self._credits:
            self._sending[stream_id] = SendStream(stream_id, self._credits[stream_type], self.context, ended)
        if stream_type in self._windows:
            self._receiving[stream_id] = RecvStream(stream_id, self._windows[stream_type], self.context, ended)

    def _on_part_ended(self, stream_id: int) -> None:
        """One part is in a terminal state; if the other one is, too, the stream is finished."""
        sending = self._sending.get(stream_id)
        if sending is not None and not sending.ended:
            return
        receiving = self._receiving.get(stream_id)
        if receiving is not None and not receiving.ended:
            return
        self._sending.pop(stream_id, None)
        self._receiving.pop(stream_id, None)
        self.context.events.append(StreamFinished(stream_id))
        streams = self._by_type[stream_id & 3]
        streams.finish(stream_id)
        if isinstance(streams, PeerStreams):
            if streams.should_announce:
                self.context.control.request(streams.max_streams_frame)
        elif isinstance(streams, LocalStreams) and streams.full:
            streams.full = False
            self.context.events.append(StreamsAvailable(not streams.bidirectional))
