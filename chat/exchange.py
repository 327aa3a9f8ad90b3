"""Messages over a connection, each on a stream of its own: what client and server have in common."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from enum import IntEnum
from typing import NamedTuple

from chat.address import format_address
from chat.gob import GobError, count_messages
from chat.logs import connection_log
from chat.message import MAX_SIZES, Dialect, Message
from quicmini import Config, Connection, Stream, StreamReset, StreamStopped
from quicmini.config import Capture

__all__ = ["ErrorCode", "Inbox", "Outbox", "chat_config", "dialect_of"]

IDLE_TIMEOUT = 20.0  # seconds; with a PING at half of it, a peer that has died is noticed within 30
MAX_STREAM_DATA = 128 * 1024  # bytes that a peer may send ahead on a stream: more than any message has
MAX_DATA = 512 * 1024  # bytes that it may send ahead in all: what comes of it that is no message costs the others time
MAX_HALF_OPEN = 16  # streams whose other direction waits to be ended by the peer
DIRECT_SIZE = 16 * 1024  # bytes for which a new stream always has room (`Config.send_buffer_total`)
MAX_LOOKS = 16  # at an incomplete message: one for each part of it that describes a type
MAX_REFUSED = 8  # messages that are none before a peer is told to go


class ErrorCode(IntEnum):
    """The chat's application error codes (RFC 9000 §20.2), for connections and for streams; 0 is a proper end."""

    NO_MESSAGE = 1  # what came is no message
    TOO_SLOW = 2  # the client does not take the messages in as fast as they come
    FULL = 3  # the server has as many clients as it can serve, or as many from one address
    REPLACED = 4  # the session goes on over another connection
    OUT_OF_ORDER = 5  # too much was said while something before it was missing
    NOT_KEPT = 6  # the server cannot keep messages just now: come back later
    PASSWORD = 7  # the client does not know it
    NO_NAME = 8  # the client's certificate names nobody
    FLOOD = 9  # the client says more than anybody can read
    NO_HELLO = 10  # the client has not said who it is
    GUESSES = 11  # too many wrong passwords came from where the client is: come back later


def chat_config(
    idle_timeout: float = IDLE_TIMEOUT, capture: Capture | None = None, keep_alive_interval: float | None = None
) -> Config:
    """How both sides talk QUIC: they ask for a sign of life so often that the death of either is noticed by the other.

    idle_timeout, keep_alive_interval: seconds; half the one makes the other. capture: records all of it. Raises
    ValueError if a time is not above 0.
    """
    return Config(
        idle_timeout=idle_timeout,
        keep_alive_interval=idle_timeout / 2 if keep_alive_interval is None else keep_alive_interval,
        max_data=MAX_DATA,
        max_stream_data=MAX_STREAM_DATA,
        max_streams_uni=0,
        capture=capture,
    )


def dialect_of(connection: Connection) -> Dialect:
    """What the two sides speak: with whoever has agreed on no other protocol, the seed's."""
    return Dialect.CHAT if connection.selected_alpn_protocol() == Dialect.CHAT else Dialect.SIMPLE


class Outbox:
    """Sends each message on a new bidirectional stream, its end in the same packet as its last byte.

    Nothing is expected in the other direction. A peer that ends it, as `Inbox` does, costs nothing; of one that never
    does, this side asks it (STOP_SENDING) when MAX_HALF_OPEN younger streams have been opened, or none may be: only a
    stream that is over in both directions gives its credit back (RFC 9000 §4.6). For one thread.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._half_open: deque[Stream] = deque()

    def send(self, data: bytes) -> None:
        """Hand over one message. Blocks for stream credit and buffer space; raises ConnectionClosed."""
        self._send(self._open(), data)

    def _send(self, stream: Stream, data: bytes) -> None:
        try:
            stream.sendall(data, end_stream=True)
        except StreamStopped:
            stream.close()  # the peer does not want this one
            return
        self._half_open.append(stream)
        self._close_all_but(MAX_HALF_OPEN)

    def try_send(self, data: bytes) -> bool:
        """Hand over one message of DIRECT_SIZE bytes at most, if that takes no waiting; otherwise False.

        Does not block; raises ConnectionClosed.
        """
        try:
            stream = self._connection.open_stream(timeout=0)
        except TimeoutError:
            return False
        self._send(stream, data)
        return True

    def _open(self) -> Stream:
        try:
            return self._connection.open_stream(timeout=0)
        except TimeoutError:
            self._close_all_but(0)
            return self._connection.open_stream()

    def _close_all_but(self, count: int) -> None:
        while len(self._half_open) > count:
            self._half_open.popleft().close()


class _Incomplete(NamedTuple):
    """What has come of a message. parts: how many gob messages are whole in it; looks: how often it was decoded."""

    data: bytes = b""
    parts: int = 0
    looks: int = 0


class Inbox:
    """Receives messages: each as soon as its own stream is complete, whatever the others are waiting for.

    A stream that carries no message is refused and logged, unless its sender has reset it; after MAX_REFUSED of either
    so is the peer. What is kept of incomplete messages is bounded: MAX_SIZES[dialect] for each stream that a peer may
    have open. For one thread. wait: is called before a stream is looked at, and may block to slow the peer down.
    """

    def __init__(self, connection: Connection, wait: Callable[[], None] | None = None) -> None:
        self._connection = connection
        self._wait = wait
        self._incomplete: dict[int, _Incomplete] = {}
        self._refused = 0

    def __iter__(self) -> Iterator[Message]:
        """The messages as they come. Blocks; ends with the ConnectionClosed that ends the connection."""
        while True:
            stream = self._connection.next_readable()
            if self._wait:
                self._wait()
            try:
                message = self._read(stream)
            except StreamReset:
                stream.close()
                self._count_refused()
            except GobError as error:
                self._refuse(stream, error)
            else:
                if message is not None:
                    stream.close()
                    yield message

    def _read(self, stream: Stream) -> Message | None:
        """What the stream holds, as far as it has come."""
        data, parts, looks = self._incomplete.pop(stream.stream_id, _Incomplete())
        ended = False
        dialect = dialect_of(self._connection)
        stream.settimeout(0)
        try:
            while len(data) <= MAX_SIZES[dialect] and not ended:
                received = stream.recv(MAX_SIZES[dialect])
                data += received
                ended = not received
        except TimeoutError:
            pass
        before, parts = parts, count_messages(data, MAX_SIZES[dialect])
        if parts > before:
            if looks == MAX_LOOKS:
                raise GobError(f"a message that comes in more than {MAX_LOOKS} pieces with something whole in each")
            looks += 1
            if (message := Message.decode(data, dialect)) is not None:
                return message
        if ended:
            raise GobError(f"the stream ended after {len(data)} bytes, inside a message")
        self._incomplete[stream.stream_id] = _Incomplete(data, parts, looks)
        return None

    def _refuse(self, stream: Stream, error: GobError) -> None:
        peer = format_address(self._connection.remote_address)
        connection_log(self._connection).warning("no message from %s: %s", peer, error)
        stream.reset(ErrorCode.NO_MESSAGE)
        stream.stop_sending(ErrorCode.NO_MESSAGE)
        self._count_refused()

    def _count_refused(self) -> None:
        self._refused += 1
        if self._refused == MAX_REFUSED:
            self._connection.close(ErrorCode.NO_MESSAGE, f"{MAX_REFUSED} streams carried no message")
