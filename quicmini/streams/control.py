"""Small frames that wait for a packet: limits, resets, what is blocked, and the connection's own (RFC 9000 §13.3)."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from quicmini.wire.builder import PacketBuilder, Record

__all__ = ["ControlFrames", "MakeFrame"]

MakeFrame = Callable[[], bytes | None]
"""Makes the frame when it is about to be sent, with the values of that moment; None: it is no longer needed."""

_MAX_FRAME_SIZE = 64
"""Bytes that every frame here fits: NEW_CONNECTION_ID has 54 at most (RFC 9000 §19.15), our NEW_TOKEN as many."""


class ControlFrames:
    """A queue of functions that make frames. A frame that was lost is made anew: with the newest limit, or not at all.

    Each function waits in the queue once at most: the streams' are bounded by the number of streams that are open, and
    whoever else adds some bounds them by himself.
    """

    __slots__ = ("_closed", "_waiting", "queue")

    def __init__(self) -> None:
        self.queue: deque[tuple[MakeFrame, Callable[[], None] | None]] = deque()
        self._waiting: set[MakeFrame] = set()
        self._closed = False

    def request(self, make: MakeFrame, acked: Callable[[], None] | None = None) -> None:
        """Send the frame that `make` returns, and again when it is lost; call `acked` when it has arrived."""
        if make not in self._waiting and not self._closed:
            self._waiting.add(make)
            self.queue.append((make, acked))

    def write(self, builder: PacketBuilder) -> None:
        """Write what fits."""
        queue = self.queue
        while queue and builder.room >= _MAX_FRAME_SIZE:
            make, acked = queue.popleft()
            self._waiting.discard(make)
            frame = make()
            if frame is not None:
                builder.add(frame, (self, make, acked))

    def on_acked(self, record: Record) -> None:
        acked = record[2]
        if acked is not None:
            acked()

    def on_lost(self, record: Record) -> None:
        _, make, acked = record
        self.request(make, acked)

    def close(self) -> None:
        """Forget everything, for good."""
        self._closed = True
        self.queue.clear()
        self._waiting.clear()
