"""How a connection ends: closing, draining, idle timeout (RFC 9000 §10). The only place that makes CONNECTION_CLOSE."""

from __future__ import annotations

from quicmini.connection.state import ConnectionState
from quicmini.errors import (
    ApplicationError,
    ConnectionClosed,
    ConnectionClosedOK,
    HandshakeError,
    TransportError,
    TransportErrorCode,
)
from quicmini.wire.frames import ConnectionClose

__all__ = ["MAX_REASON_LENGTH", "Lifecycle", "error_of"]

# Bytes of the reason phrase that are sent: three such frames must fit one datagram of 1200 bytes (RFC 9000 §19.19).
MAX_REASON_LENGTH = 256


class Lifecycle:
    """The state of a connection and the reason of its end.

    alive: neither closing nor draining nor terminated. An attribute beside `state`, as each packet asks several times.
    """

    __slots__ = ("_answer_after", "_answer_from", "_unanswered", "alive", "close_pending", "deadline", "error", "state")

    def __init__(self) -> None:
        self.state = ConnectionState.HANDSHAKING
        self.alive = True
        self.error: ConnectionClosed | None = None
        self.close_pending = False  # a CONNECTION_CLOSE is to be sent
        self.deadline: float | None = None  # when closing or draining ends
        self._answer_from = 0.0
        self._answer_after = 1
        self._unanswered = 0

    def close(self, error: ConnectionClosed, now: float, pto: float) -> None:
        """This side closes: CONNECTION_CLOSE is sent, and again to whoever still sends (RFC 9000 §10.2.1)."""
        if self.alive:
            self._end(ConnectionState.CLOSING, error)
            self.close_pending = True
            self.deadline = now + 3 * pto
            self._answer_from = now + pto

    def drain(self, error: ConnectionClosed, now: float, pto: float) -> None:
        """The peer closed: nothing is sent any more (RFC 9000 §10.2.2)."""
        if self.alive or self.state is ConnectionState.CLOSING:
            self.deadline = self.deadline or now + 3 * pto
            self._end(ConnectionState.DRAINING, error)

    def terminate(self, error: ConnectionClosed | None = None) -> None:
        """Nothing more is sent or answered."""
        if self.state is not ConnectionState.TERMINATED:
            self._end(ConnectionState.TERMINATED, error)
            self.deadline = None

    def _end(self, state: ConnectionState, error: ConnectionClosed | None) -> None:
        self.state = state
        self.alive = False
        self.close_pending = False
        self.error = self.error or error

    def on_datagram(self, now: float) -> None:
        """A datagram came while closing: answer the 1st, 2nd, 4th, 8th … (RFC 9000 §10.2.1).

        What comes within the probe timeout was sent before the CONNECTION_CLOSE could arrive, most likely; a peer that
        did not get it will speak again.
        """
        if self.state is ConnectionState.CLOSING and now >= self._answer_from:
            self._unanswered += 1
            if self._unanswered >= self._answer_after:
                self._unanswered = 0
                self._answer_after *= 2
                self.close_pending = True

    def close_frame(self, *, application_data: bool) -> ConnectionClose:
        """The frame that says why. `application_data`: it goes into a 1-RTT packet.

        An application's code and reason are not shown in Initial and Handshake packets (RFC 9000 §10.2.3).
        """
        error = self.error or ConnectionClosedOK()
        reason = error.reason.encode(errors="replace")[:MAX_REASON_LENGTH].decode(errors="ignore")
        if isinstance(error, TransportError):
            return ConnectionClose(error.error_code, error.frame_type, reason)
        if application_data:
            return ConnectionClose(error.error_code, None, reason)
        return ConnectionClose(TransportErrorCode.APPLICATION_ERROR, 0, "")


def error_of(frame: ConnectionClose) -> ConnectionClosed:
    """The exception for a CONNECTION_CLOSE of the peer (RFC 9000 §19.19)."""
    if frame.frame_type is None:
        kind: type[ConnectionClosed] = ApplicationError if frame.error_code else ConnectionClosedOK
        return kind(frame.error_code, frame.reason, remote=True)
    if frame.error_code == TransportErrorCode.NO_ERROR:
        return ConnectionClosedOK(0, frame.reason, frame.frame_type, remote=True)
    is_alert = 0x0100 <= frame.error_code < 0x0200
    return (HandshakeError if is_alert else TransportError)(
        frame.error_code, frame.reason, frame.frame_type, remote=True
    )
