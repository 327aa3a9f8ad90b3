"""DATAGRAM frames: messages that are sent once, in no order, and not again when they are lost (RFC 9221)."""

from __future__ import annotations

from collections import deque

from quicmini.connection.events import DatagramReceived, Event
from quicmini.errors import TransportError, TransportErrorCode
from quicmini.wire.builder import PacketBuilder, Record
from quicmini.wire.frames import Datagram
from quicmini.wire.varint import varint_size

__all__ = ["MAX_QUEUED_DATAGRAMS", "MAX_RECEIVED_BYTES", "MAX_RECEIVED_DATAGRAMS", "Datagrams"]

# Messages that wait for a packet, and messages (and bytes of them) that wait for the application. What is older than
# these is dropped: nobody promises to deliver, or to keep, a datagram (RFC 9221 §5.2, §5.3).
MAX_QUEUED_DATAGRAMS = 128
MAX_RECEIVED_DATAGRAMS = 128
MAX_RECEIVED_BYTES = 512 * 1024

_DATAGRAM = 0x31  # frame type that a TransportError names


class Datagrams:
    """What was received and not read yet, what was written and not sent yet. Sizes in bytes.

    local_limit: the largest frame that this side takes; 0: none. remote_limit: the peer's, 0 until it is known
    (max_datagram_frame_size, RFC 9221 §3). queue: what waits for a packet.
    sent, received, lost: messages. dropped: messages that had to give way to newer ones, in either direction.
    """

    __slots__ = (
        "_arrived",
        "_events",
        "_received_bytes",
        "dropped",
        "local_limit",
        "lost",
        "queue",
        "received",
        "remote_limit",
        "sent",
    )

    def __init__(self, local_limit: int, events: deque[Event]) -> None:
        self.local_limit = local_limit
        self.remote_limit = 0
        self.queue: deque[bytes] = deque()
        self.sent = self.received = self.lost = self.dropped = 0
        self._arrived: deque[bytes] = deque()
        self._received_bytes = 0
        self._events = events

    def largest(self, room: int) -> int:
        """Bytes of the largest message that may be sent in a packet with `room` for frames; 0: none at all."""
        limit = min(room, self.remote_limit)
        return max(0, limit - 1 - varint_size(limit))

    def send(self, data: bytes, room: int) -> None:
        """Queue a message; the oldest one is dropped if there are too many. Raises ValueError for one too large."""
        if not self.remote_limit:
            raise ValueError("the peer takes no datagrams")
        if len(data) > self.largest(room):
            raise ValueError(f"a datagram holds at most {self.largest(room)} bytes here (got {len(data)})")
        if len(self.queue) >= MAX_QUEUED_DATAGRAMS:
            self.queue.popleft()
            self.dropped += 1
        self.queue.append(data)

    def write_frames(self, builder: PacketBuilder, room: int) -> None:
        """Write what fits. room: bytes for frames in a packet of its own; what exceeds even that is dropped, since the
        path has shrunk in the meantime."""
        queue = self.queue
        while queue:
            frame = Datagram(queue[0]).encode()
            if len(frame) <= builder.room:
                builder.add(frame, (self,))
                self.sent += 1
            elif len(frame) > room:
                self.dropped += 1
            else:
                return
            queue.popleft()

    def on_datagram(self, frame: Datagram) -> None:
        """RFC 9221 §3: nobody may send more than was announced."""
        if frame.size > self.local_limit:
            reason = "a DATAGRAM frame is larger than was allowed"
            raise TransportError(TransportErrorCode.PROTOCOL_VIOLATION, reason, _DATAGRAM)
        arrived = self._arrived
        if not arrived:
            self._events.append(DatagramReceived())
        self.received += 1
        arrived.append(frame.data)
        self._received_bytes += len(frame.data)
        while len(arrived) > MAX_RECEIVED_DATAGRAMS or self._received_bytes > MAX_RECEIVED_BYTES:
            self._received_bytes -= len(arrived.popleft())
            self.dropped += 1

    def receive(self) -> bytes | None:
        """The oldest message that was not read yet, None if there is none."""
        if not self._arrived:
            return None
        data = self._arrived.popleft()
        self._received_bytes -= len(data)
        return data

    def on_acked(self, record: Record) -> None:
        """The peer's QUIC has it; whether its application reads it is another matter (RFC 9221 §5.2)."""

    def on_lost(self, record: Record) -> None:
        """Counted, and not sent again (RFC 9221 §5.2)."""
        self.lost += 1
