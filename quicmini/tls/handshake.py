"""What client and server have in common: bytes to messages, messages to handlers, events out (RFC 9001 §4.1.3)."""

from __future__ import annotations

import hmac
from collections.abc import Callable, Mapping
from enum import Enum
from typing import Any, ClassVar

from quicmini.crypto.keys import EncryptionLevel
from quicmini.errors import TransportError, TransportErrorCode, crypto_error
from quicmini.tls.codes import Alert, HandshakeType
from quicmini.tls.events import CryptoData, TlsEvent
from quicmini.tls.key_schedule import KeySchedule
from quicmini.tls.messages import HEADER_SIZE, Finished

__all__ = ["MAX_MESSAGE_SIZE", "Handler", "Handshake", "State", "protocol_violation"]

# The longest handshake message that is taken, in bytes: long chains and post-quantum key shares fit well
# (RFC 9000 §7.5 lets an endpoint set a limit).
MAX_MESSAGE_SIZE = 64 * 1024

_CRYPTO_FRAME = 0x06

Handler = Callable[[Any, bytes], None]


class State(Enum):
    """The states of RFC 9846 §A.1 and §A.2 in which this side waits for the peer."""

    START = "START"
    WAIT_SH = "WAIT_SH"
    WAIT_EE = "WAIT_EE"
    WAIT_CERT_CR = "WAIT_CERT_CR"
    WAIT_CERT = "WAIT_CERT"
    WAIT_CV = "WAIT_CV"
    WAIT_FINISHED = "WAIT_FINISHED"
    CONNECTED = "CONNECTED"
    WAIT_RETRIED_CH = "WAIT_RETRIED_CH"  # a server that sent a HelloRetryRequest: START in RFC 9846 §A.2


class Handshake:
    """The receiving machinery of a TLS endpoint. A subclass brings the table: (state, message type) -> handler.

    A handler gets the whole message, header included, as the transcript wants it.
    """

    TABLE: ClassVar[Mapping[State, Mapping[int, Handler]]]

    def __init__(self, state: State) -> None:
        self._state = state
        self._level = EncryptionLevel.INITIAL  # the level that TLS reads at the moment
        self._buffer = bytearray()
        self._events: list[TlsEvent] = []

    @property
    def complete(self) -> bool:
        """Whether both sides' Finished messages are through (RFC 9001 §4.1.1)."""
        return self._state is State.CONNECTED

    def events(self) -> list[TlsEvent]:
        """What happened since the last call."""
        events, self._events = self._events, []
        return events

    def unconsumed(self, level: EncryptionLevel) -> bool:
        """Whether part of a message waits for the rest at this level."""
        return level == self._level and bool(self._buffer)

    def receive(self, level: EncryptionLevel, data: bytes) -> None:
        """Take the next bytes of a level's CRYPTO stream, in order, in pieces of any size.

        Raises TransportError: HandshakeError with the alert of RFC 9846, PROTOCOL_VIOLATION for data at a level that
        TLS does not read now (RFC 9001 §4.1.3), CRYPTO_BUFFER_EXCEEDED for a message above MAX_MESSAGE_SIZE.
        """
        if not data:
            return
        if level != self._level:
            raise protocol_violation(f"TLS data at level {level.name} while {self._level.name} is expected")
        buffer = self._buffer
        buffer += data
        while len(buffer) >= HEADER_SIZE:
            handler = self.TABLE[self._state].get(buffer[0])
            if handler is None:
                raise crypto_error(Alert.UNEXPECTED_MESSAGE, f"{_message_name(buffer[0])} in state {self._state.value}")
            end = HEADER_SIZE + int.from_bytes(buffer[1:HEADER_SIZE])
            if end > MAX_MESSAGE_SIZE:
                raise TransportError(
                    TransportErrorCode.CRYPTO_BUFFER_EXCEEDED,
                    f"a TLS message of {end} bytes (at most {MAX_MESSAGE_SIZE})",
                    _CRYPTO_FRAME,
                )
            if len(buffer) < end:
                return
            message = bytes(buffer[:end])
            del buffer[:end]
            handler(self, message)

    def _send(self, level: EncryptionLevel, data: bytes) -> None:
        self._events.append(CryptoData(level, data))

    def _read_from(self, level: EncryptionLevel) -> None:
        """Go on reading at the next level; the old one must have been read to its end (RFC 9001 §4.1.3)."""
        if self._buffer:
            raise protocol_violation(f"TLS data left over at level {self._level.name} after a key change")
        self._level = level

    @staticmethod
    def _check_finished(message: bytes, schedule: KeySchedule, base_key: bytes) -> None:
        """Verify the peer's Finished against the transcript before it (RFC 9846 §4.5.3)."""
        verify_data = Finished.parse(message[HEADER_SIZE:]).verify_data
        if len(verify_data) != schedule.suite.hash_length:
            raise crypto_error(Alert.DECODE_ERROR, "Finished has the wrong length")
        if not hmac.compare_digest(verify_data, schedule.verify_data(base_key)):
            raise crypto_error(Alert.DECRYPT_ERROR, "Finished does not match the handshake")


def protocol_violation(reason: str) -> TransportError:
    return TransportError(TransportErrorCode.PROTOCOL_VIOLATION, reason, _CRYPTO_FRAME)


def _message_name(message_type: int) -> str:
    try:
        return HandshakeType(message_type).name
    except ValueError:
        return f"message type {message_type}"
