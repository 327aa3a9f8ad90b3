"""A host: an endpoint, its connections and their applications. What the I/O thread does, with virtual time."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from itertools import groupby

from quicmini.connection.connection import Connection
from quicmini.connection.endpoint import Endpoint
from quicmini.connection.state import ConnectionState, Transmit
from tests.simulator.checks import FlightWatch, Violation
from tests.simulator.clock import LocalClock
from tests.simulator.network import Address, Datagram, Sink
from tests.simulator.workload import Application

__all__ = ["Host", "Link"]

MAX_IDLE_TIMERS = 100  # timers that fire one after the other at the same moment: no progress, for ever
READ_PAUSE = 0.01  # seconds between two reads of a lazy application
RECEIVE_BUFFER = 212_992  # bytes that wait for a host that stands still: what Linux keeps for a socket


class Link:
    """A connection, its application and its timer."""

    def __init__(self, host: Host, connection: Connection, application: Application) -> None:
        self.host = host
        self.connection = connection
        self.application = application
        self._flight = FlightWatch(connection)
        self._armed: float | None = None
        self._last_fired = 0.0
        self._fired = 0
        self._reading_later = False

    @property
    def established(self) -> bool:
        """Whether the handshake is complete, and nobody has closed."""
        return self.connection.state is ConnectionState.CONNECTED

    @property
    def confirmed(self) -> bool:
        """Whether both sides know that the handshake is complete (RFC 9001 §4.1.2), and nobody has closed."""
        return self.established and self.connection._handshake.confirmed

    def service(self) -> None:
        """Events to the application, the application's work, datagrams to the network, the timer."""
        self.host.turns += 1
        self._handle_events()
        alive = self.connection.error is None
        if alive and self.application.run() and not self._reading_later:
            self._reading_later = True
            self.host.at(self.host.clock.now + READ_PAUSE, self._read_on)
        self.transmit()
        self._handle_events()
        if self.connection.state is ConnectionState.TERMINATED:
            self.host.forget(self)
        else:
            self._arm()

    def _read_on(self) -> None:
        self._reading_later = False
        self.service()

    def transmit(self) -> None:
        """Send all that may go now."""
        self._flight.before_sending()
        for transmit in self.connection.datagrams_to_send(self.host.clock.now):
            self.host.send(transmit)
        self._flight.after_sending()

    def _handle_events(self) -> None:
        while (event := self.connection.next_event()) is not None:
            self.host.note(type(event).__name__)
            self.application.handle(event)

    def _arm(self) -> None:
        deadline = self.connection.next_timeout()
        if deadline is not None and deadline != self._armed:
            self._armed = deadline
            self.host.at(deadline, partial(self._fire, deadline))

    def rearm(self) -> None:
        """The clock leapt: what was set before comes too late."""
        self._armed = None
        self._arm()

    def _fire(self, deadline: float) -> None:
        if self._armed != deadline or self.connection.state is ConnectionState.TERMINATED:
            return  # an older timer: it was moved
        self._armed = None
        due = self.connection.next_timeout()
        if due is None or due > self.host.clock.now:
            self._arm()
            return
        self._count_firing()
        self._flight.on_timer()
        self.connection.handle_timeout(self.host.clock.now)
        self.service()

    def _count_firing(self) -> None:
        now = self.host.clock.now
        self._fired = self._fired + 1 if now == self._last_fired else 0
        self._last_fired = now
        if self._fired > MAX_IDLE_TIMERS:
            raise Violation(f"{self.host.name}: the timer fires again and again at {now}")


class Host:
    """One side of the network. `attach` gives a new connection its application. turns: how often one was served."""

    def __init__(
        self,
        name: str,
        address: Address,
        endpoint: Endpoint,
        clock: LocalClock,
        note: Callable[[str, str, int, Address | None], None],
        attach: Callable[[Connection], Application],
        max_datagram_size: int,
    ) -> None:
        self.name = name
        self.address = address
        self.endpoint = endpoint
        self.clock = clock
        self._note = note
        self.network: Sink
        self.watchers: list[Sink] = []  # called with each datagram before it goes out
        self.links: dict[int, Link] = {}
        self.past: list[Link] = []
        self.turns = 0
        self._attach = attach
        self._max_datagram_size = max_datagram_size
        self._inbox: list[Datagram] = []
        self._inbox_size = 0
        self._sockets: dict[Address, object] = {address: None}
        self._addresses: dict[object, Address] = {None: address}
        self._awake_at = clock.now

    @property
    def has_read_all(self) -> bool:
        """Whether nothing waits in the socket."""
        return not self._inbox

    def at(self, when: float, action: Callable[[], None]) -> None:
        """Do something at that time, or as soon as this host does anything."""
        self.clock.at(when, partial(self._do, action))

    def _do(self, action: Callable[[], None]) -> None:
        if self.clock.now < self._awake_at:
            self.at(self._awake_at, action)
        else:
            action()

    def open_socket(self) -> object:
        """Have one more address; returns what connections call it."""
        local = len(self._sockets)
        address = (f"{self.address[0]} socket {local}", 1)
        self._sockets[address] = local
        self._addresses[local] = address
        return local

    def owns(self, address: Address) -> bool:
        """Whether it is an address of one of the sockets."""
        return address in self._sockets

    def stall(self, seconds: float) -> None:
        """Do nothing for so long: the process is stopped, and what comes waits in the socket."""
        self.note("stalls")
        self._awake_at = self.clock.now + seconds

    def leap(self, seconds: float) -> None:
        """The clock goes forward, although no time has passed."""
        self.note("leaps")
        self.clock.leap(seconds)
        for link in self.links.values():
            link.rearm()

    def note(self, what: str, size: int = 0, peer: Address | None = None) -> None:
        """A line of the trace."""
        self._note(self.name, what, size, peer)

    def link(self, connection: Connection) -> Link:
        """The link of a connection, made the first time."""
        known = self.links.get(id(connection))
        if known is None:
            known = Link(self, connection, self._attach(connection))
            self.links[id(connection)] = known
        return known

    def forget(self, link: Link) -> None:
        """The connection is gone for good."""
        if self.links.pop(id(link.connection), None) is not None:
            self.note("terminated")
            self.endpoint.forget(link.connection)
            self.past.append(link)

    def deliver(self, datagram: Datagram) -> None:
        """The network's end: what comes in the same moment is taken in one batch."""
        size = len(datagram.payload)
        if self._inbox_size + size > RECEIVE_BUFFER:
            self.note("overflows", size, datagram.source)
            return
        self.note("receives", size, datagram.source)
        if not self._inbox:
            self.at(self.clock.now, self._wake)
        self._inbox.append(datagram)
        self._inbox_size += size

    def _wake(self) -> None:
        inbox, self._inbox, self._inbox_size = self._inbox, [], 0
        for (source, ecn, address), batch in groupby(inbox, key=_same_batch):
            payloads = [datagram.payload for datagram in batch]
            touched: list[Link] = []
            for connection, datagrams in self.endpoint.receive(payloads, source, self.clock.now):
                connection.receive_datagrams(datagrams, source, self.clock.now, ecn, self._sockets[address])
                touched.append(self.link(connection))
            stateless, self.endpoint.transmits[:] = list(self.endpoint.transmits), []
            for transmit in stateless:
                self.send(transmit, "answers")
            for link in touched:
                link.service()

    def send(self, transmit: Transmit, what: str = "sends") -> None:
        """Cut a burst into datagrams, as UDP_SEGMENT does, and hand them to the network. what: for the trace."""
        payload, size = transmit.payload, transmit.segment_size
        for start in range(0, len(payload), size):
            segment = payload[start : start + size]
            datagram = Datagram(segment, self._addresses[transmit.local], transmit.destination, segment, transmit.ecn)
            self.note(what, len(datagram.payload), datagram.destination)
            if len(segment) > self._max_datagram_size:
                raise Violation(f"a datagram of {len(segment)} bytes, where {self._max_datagram_size} are the most")
            for watch in self.watchers:
                watch(datagram)
            self.network(datagram)


def _same_batch(datagram: Datagram) -> tuple[Address, int, Address]:
    return datagram.source, datagram.ecn, datagram.destination
