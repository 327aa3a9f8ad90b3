"""What all streams of one connection share: the connection's own flow control, and the turn to send."""

from __future__ import annotations

from collections import deque
from typing import Protocol

from quicmini.streams.control import ControlFrames
from quicmini.streams.events import StreamEvent
from quicmini.streams.flow import ReceiveWindow, SendCredit
from quicmini.streams.reassembly import FragmentCount
from quicmini.wire.builder import PacketBuilder
from quicmini.wire.frames import DataBlocked, MaxData
from quicmini.wire.varint import MAX_VARINT

__all__ = ["MIN_STREAM_BUFFER", "MIN_STREAM_ROOM", "Sender", "StreamContext"]

MIN_STREAM_BUFFER = 16 * 1024
"""Bytes that a stream may hold, unsent and unacknowledged, whatever the others do: a peer that reads one stream only
must not be kept waiting by those that it does not read (RFC 9000 §2.2, §4)."""

MIN_STREAM_ROOM = 32
"""Bytes of room below which no STREAM frame is begun: its header takes up to 19 (RFC 9000 §19.8)."""


class Sender(Protocol):
    """The sending part of a stream, as far as taking turns is concerned."""

    queued: bool

    def write_frame(self, builder: PacketBuilder) -> bool:
        """Write one STREAM frame, if there is one to write; return whether to ask again."""


class StreamContext:
    """Shared by the streams of a connection.

    credit, window: the connection's flow control in both directions. fragments: of all receive buffers. ready: the
    streams that have something to send, in turn. unacknowledged: how many streams have data or a FIN that was not
    acknowledged; buffered: how many bytes all of them hold.
    """

    __slots__ = (
        "_blocked_at",
        "_closed",
        "_starved",
        "buffered",
        "control",
        "credit",
        "events",
        "fragments",
        "ready",
        "retransmitted_bytes",
        "send_buffer_size",
        "send_buffer_total",
        "unacknowledged",
        "window",
    )

    def __init__(self, window_size: int, send_buffer_size: int, send_buffer_total: int = MAX_VARINT) -> None:
        self.control = ControlFrames()
        self.events: deque[StreamEvent] = deque()
        self.credit = SendCredit()
        self.window = ReceiveWindow(window_size)
        self.fragments = FragmentCount()
        self.ready: deque[Sender] = deque()
        self.send_buffer_size = send_buffer_size
        self.send_buffer_total = send_buffer_total
        self.buffered = 0
        self.unacknowledged = 0
        self.retransmitted_bytes = 0
        self._starved: dict[Sender, None] = {}  # they wait for the connection's credit, in order
        self._blocked_at = -1  # the limit that DATA_BLOCKED has told
        self._closed = False

    def room_to_write(self, held: int) -> int:
        """How many bytes a stream may take that holds so many: within its own buffer, and the connection's."""
        own, shared = self.send_buffer_size - held, self.send_buffer_total - self.buffered
        if own <= shared:
            return own
        return min(own, max(shared, MIN_STREAM_BUFFER - held))

    def consume(self, amount: int, drained: bool) -> None:
        """An application took bytes of a stream: give the credit back to the connection (RFC 9000 §4.2)."""
        if self.window.consume(amount, drained):
            self.control.request(self.max_data_frame)

    def max_data_frame(self) -> bytes:
        return MaxData(self.window.announce()).encode()

    def on_data_blocked(self) -> None:
        """The peer waits for credit: announce what there is, however little (RFC 9000 §19.12)."""
        if self.window.can_grow:
            self.control.request(self.max_data_frame)

    def starve(self, stream: Sender) -> None:
        """The stream has new data, and the connection no credit: it waits for MAX_DATA (RFC 9000 §4.1)."""
        self._starved[stream] = None
        if self._blocked_at < self.credit.limit:
            self._blocked_at = self.credit.limit
            self.control.request(self.data_blocked_frame)

    def data_blocked_frame(self) -> bytes | None:
        credit = self.credit
        return DataBlocked(credit.limit).encode() if self._starved and credit.used >= credit.limit else None

    def raise_credit(self, limit: int) -> None:
        """The connection's limit grew, perhaps: those who waited for it take their turns."""
        if self.credit.raise_limit(limit):
            starved, self._starved = self._starved, {}
            for stream in starved:
                self.wake(stream)

    def start_over(self, limit: int) -> None:
        """Nothing counts as sent any more; the streams take their turns anew."""
        self.credit.limit, self.credit.used = limit, 0
        self._blocked_at = -1
        self._starved.clear()
        for stream in self.ready:
            stream.queued = False
        self.ready.clear()

    def wake(self, stream: Sender) -> None:
        """The stream has something to send."""
        if not stream.queued and not self._closed:
            stream.queued = True
            self.ready.append(stream)

    def write_frames(self, builder: PacketBuilder) -> None:
        """Fill the packet: control frames, then STREAM frames, one stream after the other."""
        control, ready = self.control, self.ready
        if control.queue:
            control.write(builder)
        while ready and builder.room >= MIN_STREAM_ROOM:
            stream = ready[0]
            if not stream.write_frame(builder):
                ready.popleft()
                stream.queued = False
            elif len(ready) > 1:
                ready.rotate(-1)
        if control.queue:  # a stream found itself blocked
            control.write(builder)

    def close(self) -> None:
        """Nothing is sent any more."""
        self.control.close()
        self.ready.clear()
        self._starved.clear()
        self._closed = True
