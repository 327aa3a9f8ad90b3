"""Every error of the project, and the codes that QUIC endpoints send to each other (RFC 9000 §20).

QuicError > ConnectionClosed > ConnectionClosedOK, ApplicationError, TransportError > HandshakeError;
            IdleTimeoutError, StatelessResetError, VersionNegotiationError
QuicError > StreamReset, StreamStopped
QuicError > MigrationError
DecodeError  bytes that are no packet: the caller drops them (never seen by an application)
"""

from __future__ import annotations

from enum import IntEnum

__all__ = [
    "ApplicationError",
    "ConnectionClosed",
    "ConnectionClosedOK",
    "DecodeError",
    "HandshakeError",
    "IdleTimeoutError",
    "MigrationError",
    "QuicError",
    "StatelessResetError",
    "StreamReset",
    "StreamStopped",
    "TransportError",
    "TransportErrorCode",
    "VersionNegotiationError",
    "crypto_error",
    "error_name",
]


class TransportErrorCode(IntEnum):
    """The transport error codes of RFC 9000 §20.1."""

    NO_ERROR = 0x00
    INTERNAL_ERROR = 0x01
    CONNECTION_REFUSED = 0x02
    FLOW_CONTROL_ERROR = 0x03
    STREAM_LIMIT_ERROR = 0x04
    STREAM_STATE_ERROR = 0x05
    FINAL_SIZE_ERROR = 0x06
    FRAME_ENCODING_ERROR = 0x07
    TRANSPORT_PARAMETER_ERROR = 0x08
    CONNECTION_ID_LIMIT_ERROR = 0x09
    PROTOCOL_VIOLATION = 0x0A
    INVALID_TOKEN = 0x0B
    APPLICATION_ERROR = 0x0C
    CRYPTO_BUFFER_EXCEEDED = 0x0D
    KEY_UPDATE_ERROR = 0x0E
    AEAD_LIMIT_REACHED = 0x0F
    NO_VIABLE_PATH = 0x10
    VERSION_NEGOTIATION_ERROR = 0x11  # RFC 9368 §8


_CRYPTO_ERRORS = range(0x0100, 0x0200)

# TLS alert descriptions (RFC 9846 §6), by number.
ALERTS = {
    0: "close_notify",
    10: "unexpected_message",
    20: "bad_record_mac",
    40: "handshake_failure",
    42: "bad_certificate",
    43: "unsupported_certificate",
    44: "certificate_revoked",
    45: "certificate_expired",
    46: "certificate_unknown",
    47: "illegal_parameter",
    48: "unknown_ca",
    49: "access_denied",
    50: "decode_error",
    51: "decrypt_error",
    70: "protocol_version",
    71: "insufficient_security",
    80: "internal_error",
    86: "inappropriate_fallback",
    90: "user_canceled",
    109: "missing_extension",
    110: "unsupported_extension",
    112: "unrecognized_name",
    113: "bad_certificate_status_response",
    115: "unknown_psk_identity",
    116: "certificate_required",
    120: "no_application_protocol",
}


def error_name(error_code: int) -> str:
    """The RFC's name of a transport error code, TLS alerts included (RFC 9000 §20.1)."""
    if error_code in _CRYPTO_ERRORS:
        return f"CRYPTO_ERROR {ALERTS.get(error_code & 0xFF, error_code & 0xFF)}"
    try:
        return TransportErrorCode(error_code).name
    except ValueError:
        return f"{error_code:#x}"


class DecodeError(ValueError):
    """The bytes are not what they should be; whoever reads them drops the packet (RFC 9000 §5.2)."""


class QuicError(Exception):
    """The base of everything this library raises, besides `TimeoutError`, `OSError`, `ValueError` and `TypeError`."""


class ConnectionClosed(QuicError, ConnectionError):
    """The connection is over.

    error_code: the code of the CONNECTION_CLOSE frame (RFC 9000 §20), `reason` its text, `frame_type` the frame
    that caused a transport error (0: not known), `remote` True if the peer closed, False if this side did.
    """

    def __init__(self, error_code: int = 0, reason: str = "", frame_type: int = 0, *, remote: bool = False) -> None:
        super().__init__(self._sentence(error_code, reason, remote))
        self.error_code = error_code
        self.reason = reason
        self.frame_type = frame_type
        self.remote = remote

    def _sentence(self, error_code: int, reason: str, remote: bool) -> str:
        who = "the peer" if remote else "this side"
        return f"{who} closed the connection: {self._code_text(error_code)}" + (f" ({reason})" if reason else "")

    def _code_text(self, error_code: int) -> str:
        return f"application error {error_code:#x}"

    def fresh(self) -> ConnectionClosed:
        """A new exception of the same content: each raise in each thread has a traceback of its own."""
        return type(self)(self.error_code, self.reason, self.frame_type, remote=self.remote)


class ConnectionClosedOK(ConnectionClosed):
    """The connection was closed with application error code 0: nothing went wrong."""

    def _code_text(self, error_code: int) -> str:
        return "no error"


class ApplicationError(ConnectionClosed):
    """The connection was closed with an application error code (RFC 9000 §20.2)."""


class TransportError(ConnectionClosed):
    """QUIC itself failed (RFC 9000 §20.1). Inside the core: raised where a peer breaks a rule, caught in one place."""

    def _code_text(self, error_code: int) -> str:
        return error_name(error_code)


class HandshakeError(TransportError):
    """The TLS handshake failed: `error_code` is 0x0100 plus the TLS alert (RFC 9001 §4.8)."""

    @property
    def alert(self) -> int:
        """The TLS alert number (RFC 9846 §6)."""
        return self.error_code & 0xFF


class IdleTimeoutError(ConnectionClosed):
    """Nothing was heard of the peer for the negotiated idle timeout (RFC 9000 §10.1). It is no `TimeoutError`."""

    def _sentence(self, error_code: int, reason: str, remote: bool) -> str:
        return reason or "nothing was heard of the peer for the idle timeout"


class StatelessResetError(ConnectionClosed):
    """The peer lost the connection's state and said so (RFC 9000 §10.3)."""

    def _sentence(self, error_code: int, reason: str, remote: bool) -> str:
        return "the peer no longer knows this connection (stateless reset)"


class VersionNegotiationError(ConnectionClosed):
    """The server speaks none of the versions that this side offers (RFC 9000 §6.2)."""

    def _sentence(self, error_code: int, reason: str, remote: bool) -> str:
        return reason or "the server speaks none of the QUIC versions that were offered"


class MigrationError(QuicError, OSError):
    """The connection cannot move to another address; it goes on where it is (RFC 9000 §9)."""


class StreamReset(QuicError, ConnectionResetError):
    """The peer reset its sending side of the stream (RFC 9000 §3.5); `error_code` is the application's."""

    def __init__(self, error_code: int) -> None:
        super().__init__(f"the peer reset the stream with application error {error_code:#x}")
        self.error_code = error_code


class StreamStopped(QuicError, BrokenPipeError):
    """The peer asked this side to stop sending (RFC 9000 §3.5); `error_code` is the application's."""

    def __init__(self, error_code: int) -> None:
        super().__init__(f"the peer stopped reading the stream with application error {error_code:#x}")
        self.error_code = error_code


def crypto_error(alert: int, reason: str) -> HandshakeError:
    """The transport error for a TLS alert (RFC 9001 §4.8)."""
    return HandshakeError(0x0100 + alert, reason, 0x06)
