"""Flow control, the same on a stream and on the whole connection: bytes counted against a limit (RFC 9000 §4)."""

from __future__ import annotations

from quicmini.errors import TransportError, TransportErrorCode
from quicmini.wire.varint import MAX_VARINT

__all__ = ["ReceiveWindow", "SendCredit"]


class SendCredit:
    """How much the peer lets this side send.

    limit: the highest sum of offsets allowed; used: how much of it new data has taken (retransmissions take none).
    """

    __slots__ = ("limit", "used")

    def __init__(self, limit: int = 0) -> None:
        self.limit = limit
        self.used = 0

    def raise_limit(self, limit: int) -> bool:
        """Take a new limit; a limit that is not higher is ignored (RFC 9000 §4.1). Returns whether it was higher."""
        if limit <= self.limit:
            return False
        self.limit = limit
        return True


class ReceiveWindow:
    """How much this side lets the peer send: always `size` bytes beyond what the application has consumed.

    maximum: the limit that was announced; received: the highest offset seen (on the connection: their sum);
    consumed: what the application has read or what was thrown away.
    """

    __slots__ = ("consumed", "maximum", "received", "size")

    def __init__(self, size: int) -> None:
        self.size = size
        self.maximum = size
        self.received = 0
        self.consumed = 0

    def receive(self, amount: int, frame_type: int) -> None:
        """Count `amount` more bytes. Raises TransportError FLOW_CONTROL_ERROR beyond the limit (RFC 9000 §4.1)."""
        self.received += amount
        if self.received > self.maximum:
            reason = f"{self.received - self.maximum} bytes beyond the flow control limit"
            raise TransportError(TransportErrorCode.FLOW_CONTROL_ERROR, reason, frame_type)

    def consume(self, amount: int, drained: bool) -> bool:
        """The application took `amount` bytes; returns whether a higher limit should be announced (RFC 9000 §4.2).

        That is when it would grow by half a window. Data that others leave unread may make that unreachable, so a
        reader that has drained its stream also announces as soon as the peer's rest is smaller than the growth.
        """
        self.consumed += amount
        growth = self.consumed + self.size - self.maximum
        return 2 * growth >= self.size or (drained and growth >= self.maximum - self.received)

    @property
    def can_grow(self) -> bool:
        """Whether there is any credit that has not been announced."""
        return self.consumed + self.size > self.maximum

    def announce(self) -> int:
        """The newest limit, for MAX_DATA or MAX_STREAM_DATA; the peer is held to it from now on."""
        self.maximum = min(self.consumed + self.size, MAX_VARINT)
        return self.maximum
