"""The CRYPTO frames of one encryption level: an ordered byte stream without flow control (RFC 9000 §7.5, §19.6)."""

from __future__ import annotations

from quicmini.errors import TransportError
from quicmini.errors import TransportErrorCode as Code
from quicmini.streams.reassembly import Reassembly
from quicmini.streams.send_buffer import SendBuffer
from quicmini.wire.builder import PacketBuilder, Record
from quicmini.wire.frames import Crypto

__all__ = ["CRYPTO_BUFFER_SIZE", "CryptoStream"]

# How far ahead of what TLS has read a peer may write, in bytes. RFC 9000 §7.5 wants 4096 at least; a certificate
# chain that arrives out of order needs more.
CRYPTO_BUFFER_SIZE = 64 * 1024

# Type, offset and length of a CRYPTO frame: 1 + 4 + 2 bytes for any offset below 2^30.
_HEADER_SIZE = 7
_MIN_ROOM = _HEADER_SIZE + 16


class CryptoStream:
    """Both directions of one level's handshake bytes. It owns the CRYPTO frames it sent.

    has_frames: there is something to send. An attribute, as every packet asks, long after the last change.
    """

    __slots__ = ("_finished", "_incoming", "_outgoing", "has_frames", "received")

    def __init__(self) -> None:
        self._incoming = Reassembly()
        self._outgoing = SendBuffer()
        self._finished = False
        self.has_frames = False
        self.received = 0  # bytes handed to TLS

    def receive(self, frame: Crypto) -> bytes:
        """Take a frame in; return the bytes that are now in order (b"" while there is a gap).

        Raises TransportError CRYPTO_BUFFER_EXCEEDED for what lies too far ahead or in too many pieces (RFC 9000 §7.5),
        PROTOCOL_VIOLATION for new data after the end of the level, or other data than before.
        """
        end = frame.offset + len(frame.data)
        if self._finished and end > self.received:
            raise _error(Code.PROTOCOL_VIOLATION, "CRYPTO data after TLS went on to the next level")
        if end > self.received + CRYPTO_BUFFER_SIZE:
            raise _error(Code.CRYPTO_BUFFER_EXCEEDED, "CRYPTO data too far ahead")
        try:
            self._incoming.insert(frame.offset, frame.data)
        except TransportError as error:
            code = error.error_code
            raise _error(Code.CRYPTO_BUFFER_EXCEEDED if code == Code.INTERNAL_ERROR else code, error.reason) from None
        data = self._incoming.read(CRYPTO_BUFFER_SIZE)
        self.received += len(data)
        return data

    def finish(self) -> None:
        """TLS goes on at the next level: nothing more may come here, nor wait behind a gap (RFC 9001 §4.1.3)."""
        if self._incoming.has_gap:
            reason = "the next keys are ready, and TLS has not read all of the last level"
            raise _error(Code.PROTOCOL_VIOLATION, reason)
        self._finished = True

    def send(self, data: bytes) -> None:
        self._outgoing.write(data)
        self.has_frames = self._outgoing.has_data

    def repeat(self) -> None:
        """Send all again that is not acknowledged: each probe may be the one that arrives (RFC 9002 §6.2.4)."""
        outgoing = self._outgoing
        outgoing.on_lost(outgoing.start, outgoing.sent - outgoing.start)
        self.has_frames = outgoing.has_data

    def write_frames(self, builder: PacketBuilder) -> None:
        """Fill the packet with CRYPTO frames as far as there is data and room."""
        while self._outgoing.has_data and builder.room >= _MIN_ROOM:
            offset, data = self._outgoing.take(builder.room - _HEADER_SIZE)
            builder.add(Crypto(offset, data).encode(), (self, offset, len(data)))
        self.has_frames = self._outgoing.has_data

    def on_acked(self, record: Record) -> None:
        _, offset, length = record
        self._outgoing.on_acked(offset, length)
        self.has_frames = self._outgoing.has_data

    def on_lost(self, record: Record) -> None:
        _, offset, length = record
        self._outgoing.on_lost(offset, length)
        self.has_frames = self._outgoing.has_data


def _error(code: int, reason: str) -> TransportError:
    return TransportError(code, reason, 0x06)
