"""A core connection with its lock, the threads that wait for it, and its way to the socket.

Everything here except the calls of the loop is used with `lock` held. The lock is held briefly: never in user code,
and in no wait but that of a condition, which gives it up.
"""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable
from time import monotonic
from typing import Any, Protocol

from quicmini.connection.connection import Connection as Core
from quicmini.connection.events import (
    ConnectionTerminated,
    DatagramReceived,
    Event,
    HandshakeCompleted,
    HandshakeConfirmed,
    NewTokenReceived,
    PathChanged,
    PathClosed,
    PathFailed,
    StreamFinished,
    StreamOpened,
    StreamReadable,
    StreamsAvailable,
    StreamWritable,
)
from quicmini.connection.state import ConnectionState
from quicmini.errors import ConnectionClosed, TransportError, TransportErrorCode
from quicmini.sync.deadline import Deadline
from quicmini.sync.loop import Arrivals, Loop, Timer
from quicmini.sync.udp import UdpSocket

__all__ = ["ConnectionObserver", "Driver", "StreamObserver"]

logger = logging.getLogger("quicmini")

# What small writes may wait for each other: until there is about a packet of them (bytes), and how long (seconds).
HOLD_SIZE = 1000
HOLD_TIME = 0.001
_FRAME_OVERHEAD = 8

# Seconds between two looks at the timers of a connection whose socket is full.
_PAUSE = 0.01


class ConnectionObserver(Protocol):
    """Who is told about the milestones of a connection (a listener); with the connection's lock held."""

    def ready(self, driver: Driver) -> None: ...
    def terminated(self, driver: Driver) -> None: ...


class StreamObserver(Protocol):
    """Who is told which streams have become readable; with the connection's lock held."""

    def readable(self, stream_id: int) -> None: ...
    def read(self, stream_id: int) -> None: ...
    def finished(self, stream_id: int) -> None: ...


class Driver:
    """One connection as the threads of this process share it.

    established: the handshake is complete. ready: it is, or there is early data to be read before. incoming: IDs of
    the peer's streams that nobody has accepted yet. changed: the handshake is done, streams may be opened, everything
    was acknowledged: things that few threads wait for. arrived: `incoming`, or what `stream_observer` has collected
    instead, has grown. message: a datagram has come (RFC 9221). on_token: called with each token that the server
    gives, with the lock held; on_confirmed: likewise, once a client's handshake is confirmed. moving: held, without
    `lock`, by the thread that moves a client to another address.
    """

    __slots__ = (
        "_closing",
        "_held",
        "_observer",
        "_readers",
        "_writers",
        "arrived",
        "changed",
        "core",
        "established",
        "failure",
        "finished",
        "incoming",
        "lock",
        "loop",
        "message",
        "moving",
        "network_error",
        "on_confirmed",
        "on_token",
        "ready",
        "stream_observer",
        "timers",
    )

    def __init__(self, core: Core, loop: Loop, observer: ConnectionObserver | None = None) -> None:
        self.core = core
        self.loop = loop
        self.lock = threading.Lock()
        self.changed = threading.Condition(self.lock)
        self.arrived = threading.Condition(self.lock)
        self.message = threading.Condition(self.lock)
        self.moving = threading.Lock()
        self.established = False
        self.ready = False
        self.finished = False
        self.incoming: deque[int] = deque()
        self.stream_observer: StreamObserver | None = None
        self.network_error: OSError | None = None
        self.failure: ConnectionClosed | None = None
        self.on_token: Callable[[NewTokenReceived], None] | None = None
        self.on_confirmed: Callable[[], None] | None = None
        self.timers: list[Timer] = []
        self._observer = observer
        self._closing = False  # somebody waits until everything is acknowledged
        self._held = 0  # bytes, about, that wait for company
        # Made when a thread has to wait for the stream, forgotten with the stream: most streams never need one.
        self._readers: dict[int, threading.Condition] = {}
        self._writers: dict[int, threading.Condition] = {}

    # For the application's threads, with the lock held

    @property
    def error(self) -> ConnectionClosed | None:
        """Why the connection is over; None while it is not."""
        return self.failure or self.core.error

    @property
    def is_over(self) -> bool:
        """Whether there is nothing to wait for any more, since `check` would raise."""
        return self.error is not None or (self.network_error is not None and not self.established)

    @property
    def udp(self) -> UdpSocket:
        """The socket that packets are sent from."""
        local = self.core.local
        return local if isinstance(local, UdpSocket) else self.loop.udp

    def check(self) -> None:
        """Raise, with a traceback of its own, the reason why the connection is over."""
        error = self.error
        if error is not None:
            raise error.fresh()
        if self.network_error is not None and not self.established:
            raise type(self.network_error)(*self.network_error.args)

    def written(self, size: int) -> None:
        """A stream has taken `size` bytes: send them, or let a little wait for what may follow.

        While the peer still has something to acknowledge, small writes share packets: until one is full, the thread
        waits for anything, a datagram comes, or HOLD_TIME has passed. Whoever writes only now and then never waits.
        """
        self._held += size + _FRAME_OVERHEAD
        if self._held < HOLD_SIZE and self.core.bytes_in_flight:
            self.loop.schedule(self, monotonic() + HOLD_TIME)
        else:
            self.flush()

    def hold(self) -> None:
        """Let the first flight wait for early data to go with it: until the first write or wait, or HOLD_TIME."""
        self._held = 1
        self.loop.schedule(self, monotonic() + HOLD_TIME)

    def flush(self) -> None:
        """Send what may be sent, tell the threads what has happened, set the timer."""
        self._held = 0
        core = self.core
        loop = self.loop
        earliest = 0.0
        if core.wants_to_send:
            if loop.has_room(self):
                for transmit in core.datagrams_to_send(monotonic()):
                    loop.send(transmit)
            else:
                # What the core would do now it cannot do: it must not be asked again and again.
                earliest = monotonic() + _PAUSE
        self._tell()
        deadline = core.next_timeout()
        if deadline is not None:
            loop.schedule(self, max(deadline, earliest))

    def flush_with_held(self) -> None:
        """Like `flush`, but what is to be sent goes with what is held, if there is any."""
        if self.core.has_frames and not self._held:
            self.flush()
        else:
            self._tell()

    def after_read(self, stream_id: int) -> None:
        """Reading may grant the peer new credit (RFC 9000 §4.1), and finish the stream."""
        self.flush_with_held()
        if self.stream_observer is not None:
            self.stream_observer.read(stream_id)

    def _tell(self) -> None:
        # Last of all: a thread that is woken earlier would find the lock taken, and go back to sleep for it.
        while (event := self.core.next_event()) is not None:
            _HANDLERS[type(event)](self, event)
        if self._closing and self.core.all_acknowledged:
            self._notify(self.changed)

    def wait_acknowledged(self, deadline: Deadline) -> None:
        """Wait until all that was written has arrived, or the connection is over; TimeoutError at the deadline."""
        self._closing = True
        while not self.is_over and not self.core.all_acknowledged and not self.loop.turns.mine:
            self.wait_changed("everything to be acknowledged", deadline)

    def close(self, error_code: int, reason: str) -> None:
        """Close now; nothing happens if the connection is over. Takes the lock itself."""
        with self.lock:
            if self.error is None:
                if self._held:
                    self.flush()
                self.core.close(error_code, reason, now=monotonic())
                self.flush()
                self.loop.leave()

    def wait_established(self, deadline: Deadline) -> None:
        """Wait until the handshake is complete; TimeoutError at the deadline, or why there will be none."""
        while not self.established:
            self.check()
            self.wait_changed("the handshake", deadline)

    def wait_changed(self, what: str, deadline: Deadline) -> None:
        """Wait until something may have changed; TimeoutError, naming `what`, at the deadline."""
        self._wait(self.changed, deadline.left(what))

    def wait_arrived(self, what: str, deadline: Deadline) -> None:
        """Wait until a stream may have arrived; TimeoutError, naming `what`, at the deadline."""
        self._wait(self.arrived, deadline.left(what))

    def wait_message(self, deadline: Deadline) -> None:
        """Wait until a datagram may have come; TimeoutError at the deadline."""
        self._wait(self.message, deadline.left("a datagram"))

    def wait_readable(self, stream_id: int, deadline: Deadline) -> None:
        """Wait until something may have changed for the stream's reader; TimeoutError at the deadline."""
        self._wait_for_stream(self._readers, stream_id, deadline.left("data"))

    def wait_writable(self, stream_id: int, deadline: Deadline) -> None:
        """Wait until something may have changed for the stream's writer; TimeoutError at the deadline."""
        self._wait_for_stream(self._writers, stream_id, deadline.left("room to send"))

    def _wait_for_stream(
        self, conditions: dict[int, threading.Condition], stream_id: int, timeout: float | None
    ) -> None:
        if self._held:
            self.flush()
        if self.loop.run_turn(self, timeout):
            return
        condition = conditions.get(stream_id)
        if condition is None:
            condition = conditions[stream_id] = threading.Condition(self.lock)
        self.loop.turns.wait(condition, timeout)

    def _wait(self, condition: threading.Condition, timeout: float | None) -> None:
        if self._held:
            self.flush()
        if not self.loop.run_turn(self, timeout):
            self.loop.turns.wait(condition, timeout)

    def _notify(self, condition: threading.Condition | None) -> None:
        """Whoever waits for this looks again, be it at the condition or in a turn of the loop."""
        turns = self.loop.turns
        if condition is not None:
            condition.notify_all()
            turns.woke(condition)
        if turns.purpose is self:
            self.loop.ring()

    def wake_one(self) -> None:
        """Have one of the threads that wait for a stream look again, or two if one of them runs the loop."""
        turns = self.loop.turns
        self.arrived.notify()
        turns.woke(self.arrived)
        if turns.purpose is self:
            self.loop.ring()

    def wake_readers(self, stream_id: int) -> None:
        """Have the threads that wait to read the stream look again."""
        self._notify(self._readers.get(stream_id))

    def wake_writers(self, stream_id: int) -> None:
        """Have the threads that wait to write to the stream look again."""
        self._notify(self._writers.get(stream_id))

    @property
    def lingers(self) -> bool:
        """Whether the connection still has to be driven. A closed one answers its peer; one that the peer has closed
        has nothing to say, and may be dropped together with the socket (RFC 9000 §10.2)."""
        return not self.finished and self.core.state is not ConnectionState.DRAINING

    # For the loop: these take the lock themselves

    def receive(self, arrivals: Arrivals) -> None:
        with self.lock:
            core = self.core
            now = monotonic()
            for datagrams, source, ecn, local in arrivals:
                core.receive_datagrams(datagrams, source, now, ecn, local)
            self._follow_up()

    def run_timers(self) -> None:
        with self.lock:
            core = self.core
            now = monotonic()
            deadline = core.next_timeout()
            if deadline is not None and deadline <= now:
                core.handle_timeout(now)
            self._follow_up()

    def send_blocked(self) -> None:
        with self.lock:
            self._follow_up()

    def _follow_up(self) -> None:
        self.flush()
        if self.core.state is ConnectionState.TERMINATED:
            self.finished = True

    def fail(self) -> None:
        """A bug of this library, not of the peer: this connection ends, the others go on."""
        with self.lock:
            self.failure = TransportError(TransportErrorCode.INTERNAL_ERROR, "unexpected error")
            self.finished = True
            self._terminated(ConnectionTerminated(self.failure))
            try:
                self.core.abort("unexpected error", now=monotonic())
                for transmit in self.core.datagrams_to_send(monotonic()):
                    self.loop.send(transmit)
            except Exception:
                logger.exception("could not tell %s about it", self.core.remote_address)

    def unreachable(self, error: OSError) -> None:
        """ICMP says that nobody is there: only worth believing before the peer was heard (RFC 9000 §14.2.1)."""
        with self.lock:
            if self.network_error is None and not self.core.stats().packets_received:
                self.network_error = error
                self._notify_all()

    # What the core reports

    def _established(self, event: Event) -> None:
        self.established = True
        self._notify(self.changed)
        self._get_ready()

    def _get_ready(self) -> None:
        if not self.ready:
            self.ready = True
            if self._observer is not None:
                self._observer.ready(self)

    def _token_received(self, event: NewTokenReceived) -> None:
        if self.on_token is not None:
            self.on_token(event)

    def _opened(self, event: StreamOpened) -> None:
        if self.stream_observer is None:
            self.incoming.append(event.stream_id)
            self._notify(self.arrived)
        self._get_ready()

    def _readable(self, event: StreamReadable) -> None:
        self._notify(self._readers.get(event.stream_id))
        if self.stream_observer is not None:
            self.stream_observer.readable(event.stream_id)

    def _writable(self, event: StreamWritable) -> None:
        self._notify(self._writers.get(event.stream_id))

    def _stream_finished(self, event: StreamFinished) -> None:
        self._notify(self._readers.pop(event.stream_id, None))
        self._notify(self._writers.pop(event.stream_id, None))
        if self.stream_observer is not None:
            self.stream_observer.finished(event.stream_id)

    def _confirmed(self, event: HandshakeConfirmed) -> None:
        if self.on_confirmed is not None:
            self.on_confirmed()
            self.loop.schedule(self, monotonic())
        self._notify(self.changed)

    def _path_changed(self, event: PathChanged | PathFailed | PathClosed) -> None:
        if isinstance(event, PathClosed) and isinstance(event.local, UdpSocket) and self.core.is_client:
            self.loop.remove_socket(event.local)
        self._notify(self.changed)

    def _streams_available(self, event: Event) -> None:
        self._notify(self.changed)

    def _message(self, event: Event) -> None:
        self._notify(self.message)
        self._get_ready()

    def _notify_all(self) -> None:
        for condition in (self.changed, self.arrived, self.message, *self._readers.values(), *self._writers.values()):
            self._notify(condition)

    def _terminated(self, event: Event) -> None:
        self._notify_all()
        if self._observer is not None:
            self._observer.terminated(self)


_HANDLERS: dict[type[Any], Callable[[Driver, Any], None]] = {
    HandshakeCompleted: Driver._established,
    NewTokenReceived: Driver._token_received,
    StreamOpened: Driver._opened,
    StreamReadable: Driver._readable,
    StreamWritable: Driver._writable,
    StreamFinished: Driver._stream_finished,
    StreamsAvailable: Driver._streams_available,
    DatagramReceived: Driver._message,
    HandshakeConfirmed: Driver._confirmed,
    PathChanged: Driver._path_changed,
    PathFailed: Driver._path_changed,
    PathClosed: Driver._path_changed,
    ConnectionTerminated: Driver._terminated,
}
