"""The payload of one packet while frames are put into it, and the records that go back to the frames' owners.

Whoever writes a frame leaves a small record with the packet. When the packet is acknowledged or lost, each record
returns to its owner, which alone knows what to send again (RFC 9000 §13.3).
"""

from __future__ import annotations

from typing import Any, Protocol

__all__ = ["FrameOwner", "PacketBuilder", "Record"]

Record = tuple[Any, ...]
"""(owner, …): what a sent frame was. The first item is a `FrameOwner`, the rest is that owner's business."""


class FrameOwner(Protocol):
    """Takes back the records of the frames that it wrote; each record comes back once at most."""

    def on_acked(self, record: Record) -> None:
        """The peer has the frame."""

    def on_lost(self, record: Record) -> None:
        """The frame did not arrive, as far as is known (RFC 9002 §6)."""


class PacketBuilder:
    """Collects the frames of one packet.

    room: bytes left for frames. The caller of `add` has looked at it: a frame that does not fit is a bug here,
    not something that a peer can cause.
    """

    __slots__ = ("ack_eliciting", "parts", "records", "room")

    def __init__(self, room: int) -> None:
        self.parts: list[bytes] = []
        self.records: list[Record] = []
        self.room = room
        self.ack_eliciting = False

    def add(self, frame: bytes, record: Record | None = None) -> None:
        """Append an ack-eliciting frame (RFC 9000 §13.2)."""
        self.ack_eliciting = True
        self.add_non_eliciting(frame, record)

    def add_non_eliciting(self, frame: bytes, record: Record | None = None) -> None:
        """Append an ACK, PADDING or CONNECTION_CLOSE frame: these ask for no acknowledgment (RFC 9000 §13.2)."""
        self.room -= len(frame)
        if self.room < 0:
            raise ValueError(f"the frame is {-self.room} bytes too long for the packet")
        self.parts.append(frame)
        if record is not None:
            self.records.append(record)

    def payload(self) -> bytes:
        """All frames so far, in order."""
        return b"".join(self.parts)

    @property
    def empty(self) -> bool:
        """Whether no frame has been added; such a packet must not be sent (RFC 9000 §12.4)."""
        return not self.parts
