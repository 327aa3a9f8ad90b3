"""A stream, with the verbs of a socket and what RFC 9000 §2.4 adds to them."""

from __future__ import annotations

import errno
import io
import socket
from operator import index
from types import TracebackType
from typing import IO, TYPE_CHECKING, Any, Self

from quicmini.errors import StreamReset, StreamStopped
from quicmini.sync.deadline import Deadline
from quicmini.sync.driver import Driver
from quicmini.sync.files import open_file

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer, WriteableBuffer

__all__ = ["Stream", "check_error_code"]

# Bytes handed to the core at once: the lock is not held for much longer than it takes to send them.
_PIECE = 256 * 1024

_MAX_ERROR_CODE = 2**62 - 1  # RFC 9000 §20.2


class Stream:
    """A stream of bytes in one direction or both. Any thread may use it, several at once.

    stream_id: its number (RFC 9000 §2.1).

    The methods raise `StreamReset` or `StreamStopped` for what the peer did to this stream, a `ConnectionClosed` once
    the connection is over, TimeoutError at this stream's timeout (the call may be repeated), and
    io.UnsupportedOperation in the direction that a unidirectional stream does not have.
    As a context manager it closes itself, or resets itself if the block ends with an exception.
    """

    __slots__ = ("_can_receive", "_can_send", "_driver", "_received_all", "_reset", "_sent_all", "_stopped",
                 "_timeout", "stream_id")  # fmt: skip

    def __init__(self, driver: Driver, stream_id: int) -> None:
        self.stream_id = stream_id
        self._driver = driver
        self._timeout: float | None = None
        # RFC 9000 §2.1: bit 0 tells who opened it (0: the client), bit 1 that it is unidirectional.
        is_mine = driver.core.is_client == (stream_id & 1 == 0)
        self._can_send = is_mine or not stream_id & 2
        self._can_receive = not is_mine or not stream_id & 2
        # How each direction ended, which the core forgets along with the stream.
        self._sent_all = not self._can_send
        self._received_all = not self._can_receive
        self._reset: StreamReset | None = None
        self._stopped: StreamStopped | None = None

    def __repr__(self) -> str:
        return f"<Stream {self.stream_id} of the connection with {self._driver.core.remote_address[:2]}>"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if error is not None and self._can_send:
            self.reset()
        self.close()

    @property
    def early_data(self) -> bool:
        """Server: whether some of what the client sent here came before the handshake was complete. It may be a replay
        of an earlier connection's data, unless `Connection.handshake` has returned since (RFC 9001 §9.2)."""
        return self._driver.core.came_early(self.stream_id)

    def settimeout(self, timeout: float | None) -> None:
        """Seconds that each call may block; None: for ever; 0: not at all (TimeoutError if it would have to)."""
        Deadline(timeout)  # ValueError if negative
        self._timeout = timeout

    def gettimeout(self) -> float | None:
        """What `settimeout` has set; None at first."""
        return self._timeout

    def makefile(
        self,
        mode: str = "r",
        buffering: int | None = None,
        *,
        encoding: str | None = None,
        errors: str | None = None,
        newline: str | None = None,
    ) -> IO[Any]:
        """A file over this stream, as `socket.makefile` makes it: "r", "w" or "rw", with "b" for bytes.

        Closing the file flushes it, and does not close the stream. It cannot be read after a TimeoutError.
        """
        return open_file(self, mode, buffering, encoding=encoding, errors=errors, newline=newline)

    # Receiving

    def recv(self, size: int, /) -> bytes:
        """Up to `size` bytes; b"" at the end of the stream. Blocks until there is something to return."""
        if index(size) < 0:
            raise ValueError(f"the size must not be negative (got {size})")
        if not self._can_receive:
            raise io.UnsupportedOperation(f"stream {self.stream_id} only sends")
        if not size:
            return b""
        driver = self._driver
        with driver.lock:
            data = self._read(size)
            if data is None:
                deadline = Deadline(self._timeout)
                while data is None:
                    # Only now: what has arrived is read even when the connection is over.
                    driver.check()
                    driver.wait_readable(self.stream_id, deadline)
                    data = self._read(size)
            driver.after_read(self.stream_id)
        return data

    def _read(self, size: int) -> bytes | None:
        if self._reset is not None:
            raise StreamReset(self._reset.error_code)
        if self._received_all:
            return b""
        try:
            data = self._driver.core.read_stream(self.stream_id, size)
        except StreamReset as error:
            self._reset = error
            self._driver.after_read(self.stream_id)
            raise
        if data == b"":
            self._received_all = True
        return data

    @property
    def readable(self) -> bool:
        """Whether `recv` has something to return or raise that it has not yet. Only true while the connection's lock is
        held: programs use `Connection.next_readable`."""
        return not self._received_all and self._reset is None and self._driver.core.stream_readable(self.stream_id)

    def recv_into(self, buffer: WriteableBuffer, size: int = 0, /) -> int:
        """Like `recv`, into a writable buffer: at most `size` bytes (0: what it holds). Returns how many came."""
        with memoryview(buffer).cast("B") as view:
            data = self.recv(min(size, len(view)) if size else len(view))
            view[: len(data)] = data
        return len(data)

    def stop_sending(self, error_code: int) -> None:
        """Ask the peer to stop sending; nothing more can be received: `recv` returns b"" from now on, in a thread that
        waits there, too. Does not block (RFC 9000 §3.5)."""
        check_error_code(error_code)
        if not self._can_receive:
            raise io.UnsupportedOperation(f"stream {self.stream_id} only sends")
        driver = self._driver
        with driver.lock:
            if not self._received_all and self._reset is None:
                self._received_all = True
                if driver.error is None:
                    driver.core.stop_sending(self.stream_id, error_code)
                    driver.flush_with_held()
                driver.wake_readers(self.stream_id)

    # Sending

    def send(self, data: ReadableBuffer, /) -> int:
        """Hand over as much as there is room for, at least one byte; returns how many. Blocks until there is room."""
        with memoryview(data).cast("B") as view:
            piece = bytes(view[:_PIECE])
        deadline = Deadline(self._timeout)
        with self._driver.lock:
            taken = self._write(piece, False)
            while not taken and piece:
                self._driver.wait_writable(self.stream_id, deadline)
                taken = self._write(piece, False)
        return taken

    def sendall(self, data: ReadableBuffer, /, *, end_stream: bool = False) -> None:
        """Hand over all of `data`, and with `end_stream` the end of the stream together with it.

        Blocks while the send buffer is full: until the peer has received, and its application has read, enough.
        The data may be changed as soon as the call has returned. A TimeoutError leaves open how much of it was taken,
        as with a socket; `send` tells.
        """
        deadline = Deadline(self._timeout)
        if type(data) is bytes and len(data) <= _PIECE:
            self._send_piece(data, end_stream, deadline)
            return
        with memoryview(data).cast("B") as view:
            # Copied piece by piece, never as a whole.
            last = max(0, len(view) - 1) // _PIECE * _PIECE
            for start in range(0, last + 1, _PIECE):
                piece = bytes(view[start : start + _PIECE])
                self._send_piece(piece, end_stream and start == last, deadline)

    def _send_piece(self, piece: bytes, end_stream: bool, deadline: Deadline) -> None:
        driver = self._driver
        with driver.lock:
            taken = self._write(piece, end_stream)
            while taken < len(piece):
                driver.wait_writable(self.stream_id, deadline)
                taken += self._write(piece[taken:], end_stream)

    def _write(self, data: bytes, end_stream: bool) -> int:
        """Hand what there is room for to the core, and send what may be sent."""
        driver = self._driver
        driver.check()
        if self._stopped is not None:
            raise StreamStopped(self._stopped.error_code)
        if not self._can_send:
            raise io.UnsupportedOperation(f"stream {self.stream_id} only receives")
        if self._sent_all:
            raise BrokenPipeError(errno.EPIPE, f"stream {self.stream_id} was ended or reset by this side")
        try:
            taken = driver.core.write_stream(self.stream_id, data, end_stream)
        except StreamStopped as error:
            self._stopped = error
            raise
        if end_stream and taken == len(data):
            self._sent_all = True
        driver.written(taken)
        return taken

    def reset(self, error_code: int = 0) -> None:
        """End the sending direction at once; what was not yet delivered may be lost. Does not block (RFC 9000 §3.1)."""
        check_error_code(error_code)
        if not self._can_send:
            raise io.UnsupportedOperation(f"stream {self.stream_id} only receives")
        driver = self._driver
        with driver.lock:
            self._sent_all = True
            if driver.error is None:
                driver.core.reset_stream(self.stream_id, error_code)
                driver.flush()
            driver.wake_writers(self.stream_id)

    # Ending

    def shutdown(self, how: int) -> None:
        """socket.SHUT_WR: end the stream after what was sent; socket.SHUT_RD: ask the peer to stop sending;
        socket.SHUT_RDWR: both. Does not block."""
        if how not in (socket.SHUT_RD, socket.SHUT_WR, socket.SHUT_RDWR):
            raise ValueError(f"how must be SHUT_RD, SHUT_WR or SHUT_RDWR (got {how!r})")
        if how != socket.SHUT_RD:
            self._end()
        if how != socket.SHUT_WR:
            self.stop_sending(0)

    def close(self) -> None:
        """Have done with both directions: ends the stream if that was not done, and asks a peer that has not ended
        its side to stop sending (code 0), after which `recv` returns b"". Does not block, and does nothing once the
        connection is over."""
        if self._can_send:
            self._end()
        if self._can_receive:
            self.stop_sending(0)

    def _end(self) -> None:
        """FIN, if it was not sent; whatever made it needless is no error."""
        driver = self._driver
        with driver.lock:
            if self._can_send and not self._sent_all and self._stopped is None and driver.error is None:
                try:
                    self._write(b"", True)
                except StreamStopped:
                    pass
                driver.wake_writers(self.stream_id)


def check_error_code(error_code: int) -> None:
    """Raises TypeError and ValueError for what no frame can carry as an error code of the application."""
    if not isinstance(error_code, int):
        raise TypeError(f"an error code must be an integer (got {error_code!r})")
    if not 0 <= error_code <= _MAX_ERROR_CODE:
        raise ValueError(f"an error code is 0 to 2**62-1 (got {error_code!r})")
