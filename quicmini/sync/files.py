"""File objects over a stream, as `socket.makefile` makes them over a socket."""

from __future__ import annotations

import io
from typing import IO, TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer, WriteableBuffer

__all__ = ["Reading", "open_file"]

_MODES = frozenset("rwb")


class Reading(Protocol):
    """What a file needs of a stream."""

    stream_id: int

    def recv_into(self, buffer: WriteableBuffer, /) -> int: ...
    def send(self, data: ReadableBuffer, /) -> int: ...


def open_file(
    stream: Reading,
    mode: str = "r",
    buffering: int | None = None,
    *,
    encoding: str | None = None,
    errors: str | None = None,
    newline: str | None = None,
) -> IO[Any]:
    """A file over the stream; the arguments mean what they mean for `open`. Closing it flushes, no more."""
    if not set(mode) <= _MODES or not {"r", "w"} & set(mode):
        raise ValueError(f"invalid mode {mode!r} (only r, w, rw, and b are allowed)")
    binary = "b" in mode
    raw = _StreamFile(stream, mode)
    if buffering == 0 and not binary:
        raise ValueError("unbuffered streams must be binary")
    file: Any = raw
    if buffering != 0:
        file = _buffered(raw, io.DEFAULT_BUFFER_SIZE if buffering is None or buffering < 2 else buffering)
    if not binary:
        file = io.TextIOWrapper(file, encoding, errors, newline, line_buffering=buffering == 1)
        file.mode = mode
    opened: IO[Any] = file
    return opened


def _buffered(raw: _StreamFile, size: int) -> io.BufferedIOBase:
    if raw.readable() and raw.writable():
        return io.BufferedRWPair(raw, raw, size)
    return io.BufferedReader(raw, size) if raw.readable() else io.BufferedWriter(raw, size)


class _StreamFile(io.RawIOBase):
    """The unbuffered file. After a TimeoutError a reader is of no more use: bytes may be lost inside a buffer."""

    def __init__(self, stream: Reading, mode: str) -> None:
        self._stream = stream
        self._mode = mode
        self._timed_out = False

    @property
    def name(self) -> int:
        return self._stream.stream_id

    @property
    def mode(self) -> str:
        return self._mode

    def readable(self) -> bool:
        return "r" in self._mode

    def writable(self) -> bool:
        return "w" in self._mode

    def readinto(self, buffer: WriteableBuffer, /) -> int:
        self._check("r")
        if self._timed_out:
            raise OSError("cannot read from a timed out file")
        try:
            return self._stream.recv_into(buffer)
        except TimeoutError:
            self._timed_out = True
            raise

    def write(self, data: ReadableBuffer, /) -> int:
        self._check("w")
        return self._stream.send(data)

    def _check(self, mode: str) -> None:
        if self.closed:
            raise ValueError("I/O operation on a closed file")
        if mode not in self._mode:
            raise io.UnsupportedOperation(f"the file was opened with mode {self._mode!r}")
