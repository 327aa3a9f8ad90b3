"""A tiny application protocol for moving checked bytes both ways on one bidirectional stream.

The client sends how many bytes it wants (8 bytes, big endian), then its own bytes, then FIN; the server answers with
that many bytes, and after the client's FIN with the SHA-256 of what it received. Both directions flow at once, and
each side notices a single byte that is wrong, missing or in the wrong place. No QUIC in here: interoperability tests
and benchmarks run it over any implementation.
"""

from __future__ import annotations

import functools
import hashlib
import random
import struct
from collections.abc import Iterator

__all__ = ["ALPN", "Requester", "Responder", "digest_of", "pieces"]

ALPN = "transfer"

_WANTED = struct.Struct("!Q")
_DIGEST_SIZE = hashlib.sha256().digest_size
# Of prime length, so that no packet, window or buffer size divides the repetition: moved bytes never look right.
_BLOCK = random.Random(0).randbytes(65521)


def pieces(size: int) -> Iterator[bytes]:
    """The `size` bytes of the pattern, in pieces of about 64 kB."""
    whole, rest = divmod(size, len(_BLOCK))
    for _ in range(whole):
        yield _BLOCK
    if rest:
        yield _BLOCK[:rest]


@functools.cache
def digest_of(size: int) -> bytes:
    """The SHA-256 of the first `size` bytes of the pattern."""
    digest = hashlib.sha256()
    for piece in pieces(size):
        digest.update(piece)
    return digest.digest()


class Requester:
    """The client's side of one stream: `upload` bytes go out, `download` bytes come back."""

    def __init__(self, upload: int, download: int) -> None:
        self.upload = upload
        self.download = download
        self._digest = hashlib.sha256()
        self._body_left = download
        self._trailer = b""

    def request(self) -> Iterator[bytes]:
        """What to send; FIN comes after the last piece."""
        yield _WANTED.pack(self.download)
        yield from pieces(self.upload)

    def feed(self, data: bytes) -> None:
        """Take bytes of the answer."""
        body = data if len(data) <= self._body_left else data[: self._body_left]
        self._digest.update(body)
        self._body_left -= len(body)
        self._trailer += data[len(body) :]

    def finish(self) -> None:
        """The answer has ended: raises ValueError if either direction delivered anything but the pattern."""
        if self._body_left:
            raise ValueError(f"the answer ended {self._body_left} bytes early")
        if self._digest.digest() != digest_of(self.download):
            raise ValueError("the answer's bytes are wrong")
        if self._trailer != digest_of(self.upload):
            raise ValueError(f"the peer received other bytes than were sent, or sent too many: {self._trailer[:64]!r}")


class Responder:
    """The server's side of one stream."""

    def __init__(self) -> None:
        self._head = b""
        self._started = False
        self._digest = hashlib.sha256()

    def feed(self, data: bytes) -> Iterator[bytes]:
        """Take bytes of the request; yields what to send now."""
        if self._started:
            self._digest.update(data)
            return
        self._head += data
        if len(self._head) >= _WANTED.size:
            self._started = True
            self._digest.update(self._head[_WANTED.size :])
            yield from pieces(_WANTED.unpack_from(self._head)[0])

    def finish(self) -> bytes:
        """The request has ended: the last bytes to send, FIN comes after them."""
        return self._digest.digest()
