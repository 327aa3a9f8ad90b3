"""A capture of one's own: a file that Wireshark opens decrypted, made without its capturing tools and their rights.

    config = Config(capture=PcapNg("talk.pcapng"))

The secrets stand in the file, too, before the datagrams that need them: a reader opens them in one pass. Whoever has
the file reads everything.
"""

from __future__ import annotations

import logging
import os
import stat
from bisect import bisect_right
from collections.abc import Sequence
from contextlib import suppress
from types import TracebackType
from typing import NamedTuple, Self

from quicmini.config import Keylog
from quicmini.observe.pcapng_blocks import Address, interface_block, packet_block, secrets_block, section_block
from quicmini.observe.problems import why
from quicmini.sync.background import EXIT_PATIENCE, Background
from quicmini.sync.clock import stamp

__all__ = ["MAX_WAITING", "PcapNg"]

logger = logging.getLogger("quicmini")

_SECOND = 1_000_000_000  # nanoseconds
_PAUSE = 0.25  # seconds between two writes

# Nanoseconds that a datagram waits to be written: the secret that opens it may come after it, with an Initial that was
# lost and is sent again after a probe timeout (RFC 9002 §6.2.1: a second), …
_HOLD = 3 * _SECOND // 2
# … or after several, while a client's handshake is under way; but not for ever.
_LONGEST_HOLD = 10 * _SECOND
# Bytes that wait so; with more of them, the handshake is long over.
_MAX_HELD = 16 * 1024 * 1024
# Bytes that wait for a disk or a pipe that is too slow; more are left out.
MAX_WAITING = 64 * 1024 * 1024

_OVERHEAD = 256  # bytes that a datagram takes beyond its own
_LAST_SECRET = "CLIENT_TRAFFIC_SECRET_0"  # a client has all others by then


class _Datagram(NamedTuple):
    time: int  # nanoseconds since 1970
    payload: bytes
    source: Address
    destination: Address
    ecn: int
    is_sent: bool


class _Secret(NamedTuple):
    """A line of a key log; `handshake` is over with it, if there is one."""

    line: str
    handshake: object = None


class _Begun(NamedTuple):
    """A client's handshake."""

    handshake: object
    time: int


class PcapNg:
    """Writes what it is told to the file at `path`, which is replaced, and which only its owner may read.

    For `Config.capture`; any number of connections, listeners and threads share one. The file is written a second or
    two late, the rest when it is closed, or when the program ends; a program that is killed leaves that out. Raises
    OSError if the file cannot be opened. A later error, such as a full disk, ends the file, with one warning; no
    connection waits for the disk, or fails for want of a witness.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self._file = _File(path)
        self._held: list[_Datagram] = []
        self._held_bytes = 0
        self._handshakes: dict[object, int] = {}  # those under way -> when they began
        self._warned = False
        self._process = os.getpid()
        self._background = Background(self._work, name=f"quicmini capture {path}", capacity=MAX_WAITING)

    def keylog(self, *, is_client: bool) -> Keylog:
        """Whom to tell the secrets of what one call of `connect` or `listen` makes."""
        # A server has all secrets as soon as it has read the ClientHello.
        handshake = object() if is_client else None
        if handshake is not None:
            self._background.put(_Begun(handshake, stamp()), _OVERHEAD)

        def tell(label: str, client_random: bytes, secret: bytes) -> None:
            line = f"{label} {client_random.hex()} {secret.hex()}\n"
            self._background.put(_Secret(line, handshake if label == _LAST_SECRET else None), _OVERHEAD)

        return tell

    def add(
        self,
        time: int,
        datagrams: Sequence[bytes],
        source: Address,
        destination: Address,
        ecn: int,
        *,
        is_sent: bool,
    ) -> None:
        """Datagrams that left together, or arrived together; time: nanoseconds since 1970. Does not block."""
        put = self._background.put
        for payload in datagrams:
            datagram = _Datagram(time, payload, source, destination, ecn, is_sent)
            if not put(datagram, len(payload) + _OVERHEAD) and not self._background.closed:
                self._warn("has gaps: it cannot be written as fast as it grows")

    def close(self) -> None:
        """Write what is waiting, and close the file. Blocks for that, a few seconds at most. May be repeated."""
        if not self._background.close(EXIT_PATIENCE):
            self._warn("is not complete: the disk does not answer")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def _warn(self, what: str) -> None:
        """Once: the first trouble says it all."""
        if not self._warned:
            self._warned = True
            logger.warning("the capture %r %s; the connections go on", self._file.path, what)

    # In the background.

    def _work(self, items: list[_Datagram | _Secret | _Begun], last: bool) -> float | None:
        """Take in what has come and write what has waited long enough, the secrets first."""
        if os.getpid() != self._process:
            return None  # a child of the process whose file it is
        lines = []
        for item in items:
            match item:
                case _Datagram(payload=payload):
                    self._held.append(item)
                    self._held_bytes += len(payload) + _OVERHEAD
                case _Secret(line, handshake):
                    lines.append(line)
                    self._handshakes.pop(handshake, None)
                case _Begun(handshake, time):
                    self._handshakes[handshake] = time
        # Threads hand over what they have sent after having sent it: the answer may have come first.
        self._held.sort(key=_time)
        count = len(self._held) if last else bisect_right(self._held, self._due(), key=_time)
        due, self._held = self._held[:count], self._held[count:]
        self._held_bytes -= sum(len(datagram.payload) + _OVERHEAD for datagram in due)
        try:
            self._file.write([secrets_block("".join(lines))] * bool(lines) + [packet_block(*each) for each in due])
        except OSError as error:
            self._warn(f"cannot be written: {why(error)}")
            last = True
            self._background.stop()
            self._held.clear()
        if last:
            self._file.close()
        return _PAUSE if self._held else None

    def _due(self) -> int:
        """Datagrams up to this time are written now."""
        now = stamp()
        if self._held_bytes > _MAX_HELD:
            return now
        self._handshakes = {each: time for each, time in self._handshakes.items() if time > now - _LONGEST_HOLD}
        return min([now - _HOLD, *self._handshakes.values()])


class _File:
    """The file; it ends with a whole block."""

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = os.fspath(path)
        # Without waiting, if it is a pipe, until somebody reads it.
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NONBLOCK
        fd = os.open(path, flags, 0o600)
        self._fd = fd
        self._size = 0  # bytes written
        self._is_regular = stat.S_ISREG(os.fstat(fd).st_mode)
        if self._is_regular:
            os.fchmod(fd, 0o600)  # it may have been there before, for everyone to read
        os.set_blocking(fd, True)
        self._head = section_block() + interface_block()

    def write(self, blocks: list[bytes]) -> None:
        """Append them, all or none if that can be. Raises OSError."""
        data = self._head + b"".join(blocks)
        rest = memoryview(data)
        try:
            while rest:
                rest = rest[os.write(self._fd, rest) :]
        except OSError:
            if self._is_regular:
                with suppress(OSError):
                    os.ftruncate(self._fd, self._size)  # readers complain of a block without its end
            raise
        self._size += len(data)
        self._head = b""

    def close(self) -> None:
        os.close(self._fd)


def _time(datagram: _Datagram) -> int:
    return datagram.time
