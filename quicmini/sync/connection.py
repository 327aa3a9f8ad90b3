"""A connection, as the threads of a program use it."""

from __future__ import annotations

from collections.abc import Iterator
from types import EllipsisType, TracebackType
from typing import TYPE_CHECKING, Self

from quicmini.connection.state import ConnectionStats
from quicmini.errors import ConnectionClosedOK
from quicmini.sync.deadline import Deadline
from quicmini.sync.driver import Driver
from quicmini.sync.moving import move
from quicmini.sync.readable import ReadableStreams
from quicmini.sync.stream import Stream, check_error_code
from quicmini.tls.session import Session

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

__all__ = ["Connection"]

# What the peer is told when the block of a `with` statement ends with an exception.
_FAILED = 1


class Connection:
    """A QUIC connection: from `connect`, or from `Listener.accept`.

    Its handshake is complete, unless there is early data: then `handshake` waits until it is.

    Any thread may use it. One that is not closed lives on, unused, until its idle timeout. Once it is over, every call
    that needs it raises a `ConnectionClosed`: `ConnectionClosedOK` if it was closed with error code 0, otherwise an
    exception that names the code, the reason and the side.
    As a context manager it closes itself: with error code 0 after delivering what was written, or at once with error
    code 1 if the block ends with an exception.
    """

    def __init__(self, driver: Driver, close_timeout: float | None = 10) -> None:
        self._driver = driver
        self._close_timeout = close_timeout
        self._readable: ReadableStreams | None = None

    def __repr__(self) -> str:
        error = self._driver.error
        return f"<Connection with {self.remote_address}: {'open' if error is None else error}>"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if error is None:
            self.close()
        else:
            self._driver.close(_FAILED, kind.__name__ if kind else "")

    # What is known

    @property
    def local_address(self) -> tuple[str, int]:
        """The host and port of this side's socket."""
        return self._driver.udp.local_address

    @property
    def remote_address(self) -> tuple[str, int]:
        """The host and port of the peer."""
        host, port = self._driver.core.remote_address[:2]
        return host, port

    @property
    def original_connection_id(self) -> bytes:
        """The Destination Connection ID of the client's first packet: what names the connection in both sides' logs.

        It stays the same whatever IDs come later (RFC 9000 §7.3); qlog files are named after it.
        """
        return self._driver.core.original_destination_cid

    def selected_alpn_protocol(self) -> str | None:
        """The application protocol that both sides agreed on (RFC 7301); None before the handshake is complete."""
        return self._driver.core.alpn_protocol

    def getpeercert(self) -> bytes | None:
        """The peer's certificate in DER; None if it showed none, and before the handshake is complete (early data)."""
        return self._driver.core.peer_certificate

    def cipher(self) -> str | None:
        """The IANA name of the TLS cipher suite, such as TLS_AES_128_GCM_SHA256; None before the handshake is done."""
        return self._driver.core.cipher_suite

    @property
    def session(self) -> Session | None:
        """Client: what a later `connect` to the same server can resume with; None before the server sent a ticket.

        The newest one: a server sends it soon after the handshake. It is a secret; `Session.to_bytes` writes it.
        """
        return self._driver.core.session

    @property
    def session_resumed(self) -> bool:
        """Whether this connection continues an earlier one: no certificate was shown anew (RFC 9846 §2.2). False before
        the handshake is complete."""
        return self._driver.core.session_resumed

    @property
    def early_data_accepted(self) -> bool | None:
        """Whether the server has taken what was sent as early data; if not, it was sent again after the handshake.

        None while that is not known, and where there was no such offer (RFC 9001 §4.6.2).
        """
        return self._driver.core.early_data_accepted

    def handshake(self, timeout: float | None = None) -> None:
        """Wait until the handshake is complete: the peer is who it should be, and nothing is a replay any more.

        TimeoutError after `timeout` seconds; raises what `connect` would have raised, if it fails. Returns at once if
        it was complete, even if the connection is over by now.
        """
        with self._driver.lock:
            self._driver.wait_established(Deadline(timeout))

    def stats(self) -> ConnectionStats:
        """Counters and the state of loss recovery, as of now."""
        with self._driver.lock:
            return self._driver.core.stats()

    def update_keys(self) -> None:
        """Protect what is sent from now on with new keys, and have the peer do the same (RFC 9001 §6).

        Does not block: if it is too soon after the last update, the next one comes when it may. The keys are renewed
        without being asked long before they wear out.
        """
        driver = self._driver
        with driver.lock:
            driver.check()
            driver.core.update_keys()
            driver.flush()

    def migrate(self, local_address: tuple[str, int] = ("", 0), *, timeout: float | None = 10) -> None:
        """Client: go on from another address of this host, while streams are under way (RFC 9000 §9).

        local_address: (host, port) to send from; an empty host and port 0 let the system choose. Blocks until the
        server has answered there. If it has not after `timeout` seconds (TimeoutError), or if the connection may not
        move, or not yet again (MigrationError), it stays where it is. OSError if the address cannot be used.
        """
        move(self._driver, local_address, Deadline(timeout))

    # Streams

    def open_stream(self, *, unidirectional: bool = False, timeout: float | None = None) -> Stream:
        """A new stream. Blocks while the peer allows no more of them, or 1024 of the type are open; TimeoutError after
        `timeout` seconds.

        The peer learns of the stream with the first data or end that is sent on it (RFC 9000 §3).
        """
        driver = self._driver
        deadline = Deadline(timeout)
        with driver.lock:
            driver.check()
            while (stream_id := driver.core.open_stream(unidirectional)) is None:
                driver.flush()
                driver.wait_changed("the peer to allow another stream", deadline)
                driver.check()
        return Stream(driver, stream_id)

    def accept_stream(self, timeout: float | None = None) -> Stream:
        """The next stream that the peer has opened, in the order of arrival. Blocks; TimeoutError after `timeout`
        seconds. Streams that came before the end of the connection are still handed out, then its reason is raised."""
        driver = self._driver
        deadline = Deadline(timeout)
        with driver.lock:
            while not driver.incoming:
                driver.check()
                driver.wait_arrived("a stream", deadline)
            return Stream(driver, driver.incoming.popleft())

    def __iter__(self) -> Iterator[Stream]:
        """The peer's streams as they come, until the connection is closed without an error."""
        while True:
            try:
                stream = self.accept_stream()
            except ConnectionClosedOK:
                return
            yield stream

    def next_readable(self, timeout: float | None = None) -> Stream:
        """Whichever stream that the peer has opened has something to read: data, its end, or its reset.

        For a thread that serves many streams at once. A stream comes again, the same object each time, when there is
        more to read after a `recv`, at once or later. Blocks; TimeoutError after `timeout` seconds; raises the reason
        of the connection's end when nothing is left to read. On one connection use this or `accept_stream`, not both.
        """
        driver = self._driver
        with driver.lock:
            if self._readable is None:
                self._readable = ReadableStreams(driver)
            readable = self._readable
            deadline = Deadline(timeout)
            while (stream := readable.take()) is None:
                driver.check()
                driver.wait_arrived("a readable stream", deadline)
            return stream

    # Datagrams

    @property
    def max_datagram_payload(self) -> int:
        """Bytes of the largest message that `send_datagram` takes at present; 0: the peer wants none. It grows when a
        larger packet turns out to fit the path, and can shrink."""
        with self._driver.lock:
            return self._driver.core.max_datagram_payload

    def send_datagram(self, data: ReadableBuffer) -> None:
        """Send a message that may get lost, and may overtake others: it is not sent again (RFC 9221).

        Never blocks. If messages are written faster than the network takes them, the oldest that waits is dropped.
        Raises ValueError for a message larger than `max_datagram_payload`.
        """
        driver = self._driver
        with driver.lock:
            driver.check()
            driver.core.send_datagram(bytes(memoryview(data)))
            driver.flush()

    def recv_datagram(self, timeout: float | None = None) -> bytes:
        """The next message that the peer has sent with `send_datagram`. Blocks; TimeoutError after `timeout` seconds.

        If they are not read fast enough, the oldest is dropped. What came before the end of the connection is still
        handed out, then its reason is raised. With `Config.early_data` a server cannot tell whether a message came with
        the first flight, and may be a replay: what must not happen twice belongs on a stream (`Stream.early_data`).
        """
        driver = self._driver
        deadline = Deadline(timeout)
        with driver.lock:
            while (data := driver.core.receive_datagram()) is None:
                driver.check()
                driver.wait_message(deadline)
            return data

    # The end

    def close(self, error_code: int = 0, reason: str = "", *, timeout: float | EllipsisType | None = ...) -> None:
        """Deliver what was written to the streams, then close with an error code of the application and a text, of
        which the peer gets 256 bytes at most.

        Blocks until the peer has acknowledged everything, for `timeout` seconds at most (by default the connection's
        `close_timeout`; 0: close at once; None: as long as the peer is there); what it has not by then is lost. Wakes
        every thread that waits for the connection. A second call does nothing. Nothing that the peer sends afterwards
        is read, so the side that expects an answer closes last.
        """
        check_error_code(error_code)
        if not isinstance(reason, str):
            raise TypeError(f"the reason must be a string (got {reason!r})")
        driver = self._driver
        deadline = Deadline(self._close_timeout if isinstance(timeout, EllipsisType) else timeout)
        try:
            with driver.lock:
                driver.wait_acknowledged(deadline)
        except TimeoutError:
            pass
        finally:
            driver.close(error_code, reason)
