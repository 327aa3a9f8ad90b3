"""CRYPTO frames put back in order, across packets, and cut into TLS messages (RFC 9000 §7.5, RFC 9846 §4)."""

from __future__ import annotations

from quicmini.errors import TransportError
from quicmini.streams.reassembly import Reassembly
from quicmini.study.fields import Field
from quicmini.study.tls_fields import dissect_message

__all__ = ["MAX_CRYPTO_AHEAD", "CryptoStream"]

MAX_CRYPTO_AHEAD = 1 << 20
"""Bytes of handshake data that are held for one encryption level and direction: far more than any handshake has."""

_HEADER_SIZE = 4  # type and 24-bit length

_CLIENT_RANDOM = slice(6, 38)  # in a ClientHello: type, length and legacy version come before it


class CryptoStream:
    """The handshake data of one encryption level in one direction."""

    def __init__(self) -> None:
        self._reassembly = Reassembly()
        self._waiting = bytearray()
        self._offset = 0  # of what waits, in the stream
        self._client_random = b""
        self.broken = ""  # why no more messages come

    def insert(self, offset: int, data: bytes) -> list[tuple[bytes, Field]]:
        """Take a frame's data; the messages that are complete with it: their bytes, and taken apart."""
        if self.broken:
            return []
        if offset + len(data) - self._offset > MAX_CRYPTO_AHEAD:
            self.broken = f"more than {MAX_CRYPTO_AHEAD} bytes of handshake data wait to be put together"
            return []
        try:
            self._reassembly.insert(offset, data)
        except TransportError as error:
            self.broken = error.reason
            return []
        self._waiting += self._reassembly.read(self._reassembly.readable)
        if self._offset == 0 and not self._client_random and len(self._waiting) >= _CLIENT_RANDOM.stop:
            self._client_random = bytes(self._waiting[_CLIENT_RANDOM])
        return self._complete()

    @property
    def client_random(self) -> bytes:
        """That of the ClientHello that the stream begins with, even if no more of it is here; b"" if it is not yet."""
        return self._client_random

    @property
    def progress(self) -> str:
        """What the message that is not complete waits for; "" if none is begun."""
        if self.broken:
            return self.broken
        if not self._waiting and not self._reassembly.has_gap:
            return ""
        waiting = len(self._waiting)
        size = f" of {_message_size(self._waiting)}" if waiting >= _HEADER_SIZE else ""
        return f"a TLS message is not complete: {waiting}{size} bytes of it are here, from its start on"

    def _complete(self) -> list[tuple[bytes, Field]]:
        messages = []
        start = 0
        waiting = self._waiting
        while len(waiting) - start >= _HEADER_SIZE:
            end = start + _message_size(waiting[start : start + _HEADER_SIZE])
            if end > len(waiting):
                break
            message = bytes(waiting[start:end])
            messages.append((message, dissect_message(message, self._offset + start)))
            start = end
        del waiting[:start]
        self._offset += start
        return messages


def _message_size(header: bytes | bytearray) -> int:
    return _HEADER_SIZE + int.from_bytes(header[1:_HEADER_SIZE])
