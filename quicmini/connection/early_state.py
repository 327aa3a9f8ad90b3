"""The state of 0-RTT on one connection (RFC 9001 §4.6); `early_data` has what becomes of it."""

from __future__ import annotations

from math import inf

from quicmini.crypto.protection import Opener
from quicmini.errors import TransportError, TransportErrorCode
from quicmini.streams.limits import is_unidirectional
from quicmini.wire.transport_parameters import TransportParameters

__all__ = ["EarlyData"]

_ACK = 0x02  # frame type that a TransportError names


class EarlyData:
    """What either side has to know of early data; a connection that will have none has no such object.

    remembered: the server's limits of the earlier connection. accepted: None: not decided, or not offered.
    Client: offered: there are keys for it; rejected_below: packets below this number were rejected.
    Server: opener: of 0-RTT packets, used until `read_until`; streams: those whose data came before the handshake was
    complete.
    """

    __slots__ = ("accepted", "offered", "opener", "read_until", "rejected_below", "remembered", "streams")

    def __init__(self, remembered: TransportParameters | None = None) -> None:
        self.remembered = remembered
        self.accepted: bool | None = None
        self.offered = False
        self.rejected_below = 0
        self.opener: Opener | None = None
        self.read_until = inf
        self.streams: set[int] = set()  # bounded by the number of streams that was remembered

    def check_limits(self, stream_id: int, end: int, frame_type: int) -> None:
        """A client's early data stays within the remembered limits, even if today's are higher (RFC 9000 §17.2.3)."""
        limits = self.remembered
        if limits is None:
            return
        if is_unidirectional(stream_id):
            count, size = limits.initial_max_streams_uni, limits.initial_max_stream_data_uni
        else:
            count, size = limits.initial_max_streams_bidi, limits.initial_max_stream_data_bidi_remote
        if stream_id >> 2 >= count:
            reason = f"early data on stream {stream_id}, when {count} of its type were allowed"
            raise TransportError(TransportErrorCode.STREAM_LIMIT_ERROR, reason, frame_type)
        if end > size:
            reason = f"early data beyond the {size} bytes that were allowed on a stream"
            raise TransportError(TransportErrorCode.FLOW_CONTROL_ERROR, reason, frame_type)

    def check_total(self, received: int, frame_type: int) -> None:
        """The same for all streams together."""
        if self.remembered is not None and received > self.remembered.initial_max_data:
            reason = f"early data beyond the {self.remembered.initial_max_data} bytes that were allowed in all"
            raise TransportError(TransportErrorCode.FLOW_CONTROL_ERROR, reason, frame_type)

    def check_ack(self, smallest: int) -> None:
        """Nobody can have read 0-RTT packets that were rejected (RFC 9001 §4.6.2)."""
        if smallest < self.rejected_below:
            raise TransportError(TransportErrorCode.PROTOCOL_VIOLATION, "rejected early data was acknowledged", _ACK)
