"""The face of one connection, without I/O: datagrams in, datagrams out, timers, streams, events.

The caller hands in the time (seconds, any monotonic clock) and calls from one thread at a time. After every call that
may have changed something it asks `datagrams_to_send`, `next_timeout` and `next_event`.
"""

from __future__ import annotations

from collections.abc import Callable

from quicmini.connection.core import Core
from quicmini.connection.events import ConnectionTerminated, Event
from quicmini.connection.handshake import Handshake, Tls
from quicmini.connection.migration import Migration
from quicmini.connection.receive import Receiver
from quicmini.connection.send import Sender
from quicmini.connection.state import Address, ConnectionState, ConnectionStats, Transmit
from quicmini.crypto.protection import Opener, Sealer
from quicmini.errors import (
    ApplicationError,
    ConnectionClosed,
    ConnectionClosedOK,
    IdleTimeoutError,
    TransportError,
    TransportErrorCode,
)
from quicmini.recovery.sent import PacketNumberSpace
from quicmini.tls.session import Session
from quicmini.wire.frames import Ping

__all__ = ["Connection"]

_ping_frame = Ping().encode


class Connection:
    """A QUIC connection (RFC 9000 §5). Made by `Endpoint`, which hands in the protection of its Initial packets."""

    __slots__ = (
        "__weakref__",
        "_application",
        "_core",
        "_events",
        "_handshake",
        "_migration",
        "_receiver",
        "_sender",
        "_stream_events",
        "_termination_told",
    )

    def __init__(self, core: Core, make_tls: Callable[[], Tls], sealer: Sealer, opener: Opener) -> None:
        self._core = core
        self._events = core.events
        self._stream_events = core.streams.events
        self._handshake = Handshake(core, make_tls)
        initial, _, self._application = core.spaces
        initial.sealer, initial.opener = sealer, opener
        self._migration = Migration(core, self._handshake)
        self._receiver = Receiver(core, self._handshake, self._migration)
        self._sender = Sender(core, self._handshake, self._migration)
        self._termination_told = False

    def start(self, now: float) -> None:
        """Client: what TLS has already said, the ClientHello, becomes sendable."""
        self._handshake.follow_tls(now)

    # What is known

    @property
    def is_client(self) -> bool:
        return self._core.is_client

    @property
    def original_destination_cid(self) -> bytes:
        return self._core.original_destination_cid

    @property
    def remote_address(self) -> Address:
        return self._core.path.remote

    @property
    def remote_addresses(self) -> list[Address]:
        """Everywhere that the peer may send from: one address for each path that is known."""
        return self._migration.remote_addresses

    @property
    def state(self) -> ConnectionState:
        return self._core.lifecycle.state

    @property
    def error(self) -> ConnectionClosed | None:
        """Why the connection ended, None while it lives."""
        return self._core.lifecycle.error

    @property
    def alpn_protocol(self) -> str | None:
        return self._handshake.result.alpn_protocol if self._handshake.result else None

    @property
    def peer_certificate(self) -> bytes | None:
        """The peer's certificate in DER, None if it showed none."""
        return self._handshake.result.peer_certificate if self._handshake.result else None

    @property
    def cipher_suite(self) -> str | None:
        """The IANA name of the TLS cipher suite, None before the handshake is complete."""
        return self._handshake.result.cipher_suite.name if self._handshake.result else None

    @property
    def session(self) -> Session | None:
        """Client: what the server's newest ticket allows to resume, None if there is none (RFC 9846 §4.7.1)."""
        return self._handshake.session

    @property
    def session_resumed(self) -> bool:
        """Whether this connection continues a session of an earlier one; False before the handshake is complete."""
        return self._handshake.result is not None and self._handshake.result.resumed

    @property
    def sends_early_data(self) -> bool:
        """Client: whether streams can be opened before the handshake is complete, as 0-RTT (RFC 9001 §4.6)."""
        early = self._core.early
        return early is not None and early.offered and early.accepted is not False

    @property
    def early_data_accepted(self) -> bool | None:
        """Whether the server has taken 0-RTT data; None while that is open, or if none was offered."""
        return self._core.early.accepted if self._core.early is not None else None

    def came_early(self, stream_id: int) -> bool:
        """Server: whether some of the stream's data came before the handshake was complete: it may be a replay."""
        return self._core.early is not None and stream_id in self._core.early.streams

    @property
    def connection_ids(self) -> tuple[bytes, ...]:
        """The Destination Connection IDs by which a peer may address this connection (RFC 9000 §5.1)."""
        own = self._core.local_cids.active
        return own if self._core.is_client else (*own, self._core.initial_cid)

    def is_stateless_reset(self, datagram: bytes) -> bool:
        """Whether the datagram ends in a token of the peer (RFC 9000 §10.3.1)."""
        return self._core.remote_cids.is_reset(datagram)

    def stats(self) -> ConnectionStats:
        """The counters, with the present state of recovery."""
        core = self._core
        stats, rtt = core.stats, core.recovery.rtt
        stats.retransmitted_bytes = core.streams.retransmitted_bytes
        datagrams = core.datagrams
        stats.datagrams_sent, stats.datagrams_received = datagrams.sent, datagrams.received
        stats.datagrams_lost, stats.datagrams_dropped = datagrams.lost, datagrams.dropped
        stats.key_updates = core.key_phases.updates
        stats.latest_rtt, stats.smoothed_rtt = rtt.latest, rtt.smoothed
        stats.min_rtt, stats.rttvar = rtt.minimum, rtt.variation
        stats.congestion_window = core.recovery.congestion.window
        stats.bytes_in_flight = core.recovery.bytes_in_flight
        return stats

    # Datagrams and time

    def receive_datagrams(
        self, datagrams: list[bytes], source: Address, now: float, ecn: int = 0, local: object = None
    ) -> None:
        """Take in what arrived from `source`, all with the same ECN field in its IP header. Nothing in it raises.

        local: the socket it came to, as `migrate` has called it; None: the first one.
        """
        self._core.now = now
        self._receiver.receive_datagrams(datagrams, source, now, ecn, local)

    def datagrams_to_send(self, now: float) -> list[Transmit]:
        """All that may be sent now; empty if there is nothing, or if congestion control, pacing or §8.1 forbid it."""
        return self._sender.datagrams_to_send(now)

    @property
    def wants_to_send(self) -> bool:
        """Whether `datagrams_to_send` may have something: cheap, and True rather than False in doubt."""
        return self._sender.wants_to_send

    @property
    def has_frames(self) -> bool:
        """Whether streams, or their flow control, have something to send."""
        return self._core.streams.has_frames

    def next_timeout(self) -> float | None:
        """When to call `handle_timeout`, None for never."""
        core = self._core
        lifecycle = core.lifecycle
        if not lifecycle.alive:
            return lifecycle.deadline
        earliest = core.recovery.timer()
        # An ACK that may not be sent (RFC 9000 §8.1) waits for a datagram, not for a time.
        ack = None if core.recovery.at_amplification_limit else self._application.acks.deadline
        for deadline in (ack, self._sender.blocked_until, core.key_phases.deadline, self._migration.deadline):
            if deadline is not None and (earliest is None or deadline < earliest):
                earliest = deadline
        if earliest is None or core.idle.soonest < earliest:
            idle = core.idle.deadline(core.recovery.pto_base())
            keep_alive = core.idle.keep_alive_deadline() if self._handshake.confirmed else None
            for deadline in (idle, keep_alive):
                if deadline is not None and (earliest is None or deadline < earliest):
                    earliest = deadline
        return earliest

    def handle_timeout(self, now: float) -> None:
        """Do what is due at `now`; harmless when called early."""
        core = self._core
        core.now = now
        lifecycle = core.lifecycle
        if not lifecycle.alive:
            if lifecycle.deadline is not None and now >= lifecycle.deadline:
                lifecycle.terminate()
            return
        recovery = core.recovery
        if reason := core.idle.expired(now, recovery.pto_base()):
            # Nothing is sent: whoever might listen has long given up as well (RFC 9000 §10.1).
            core.terminate(IdleTimeoutError(0, reason))
            return
        self._migration.on_timer(now)
        keep_alive = core.idle.keep_alive_deadline()
        if keep_alive is not None and now >= keep_alive and self._handshake.confirmed:
            core.idle.on_keep_alive()
            core.streams.control.request(_ping_frame)
        core.key_phases.on_timer(now)
        core.give_back_lost(recovery.on_timer(now))
        if recovery.pto_count:
            core.ecn.on_timer()
            core.mtu.on_timeouts(recovery.pto_count, now)
            self._migration.on_timeouts(recovery.pto_count, now)
        self._prepare_probes()

    def _prepare_probes(self) -> None:
        """A probe should carry data: what is outstanding longest is sent again (RFC 9002 §6.2.4).

        In the handshake all of it is: it is little, and one more lost datagram would cost another, doubled, timeout.
        """
        core = self._core
        for space in PacketNumberSpace:
            count = core.recovery.probes_wanted[space]
            application = space is PacketNumberSpace.APPLICATION
            while count and (records := core.recovery.take_probe_records(space)):
                for record in records:
                    record[0].on_lost(record)
                count -= application

    # Paths

    def migrate(self, local: object, now: float, remote: Address | None = None) -> None:
        """Client: move to another of this side's sockets, if the server can be reached from there (RFC 9000 §9.2).

        local: how datagrams name the socket, in `Transmit.local` and to `receive_datagrams`. remote: another address of
        the server, one of `preferred_addresses`. The event `PathChanged` says that it has moved, `PathFailed` that it
        could not. Raises MigrationError if the peer does not want it, or has no connection ID left for it.
        """
        self._raise_if_over()
        self._migration.start(local, remote, now)

    @property
    def handshake_confirmed(self) -> bool:
        """Whether both sides know that the handshake is complete: only then may addresses change (RFC 9001 §4.1.2)."""
        return self._handshake.confirmed

    @property
    def migrating(self) -> bool:
        """Whether `migrate` has yet to succeed or to fail."""
        return self._migration.moving

    def cancel_migration(self) -> None:
        """Stay on the path in use."""
        self._migration.cancel()

    @property
    def local(self) -> object:
        """The socket of the path in use, as `migrate` has called it; None: the first one."""
        return self._core.path.local

    @property
    def preferred_addresses(self) -> list[tuple[str, int]]:
        """Where a server would rather be reached, as (host, port): IPv4 first, each if there is one (RFC 9000 §9.6)."""
        parameters = self._core.peer_parameters
        preferred = parameters.preferred_address if parameters is not None else None
        return preferred.addresses if preferred is not None else []

    def renew_connection_ids(self) -> None:
        """Have the peer retire all IDs that it has for this side, and use new ones (RFC 9000 §5.1.2)."""
        self._core.local_cids.rotate()

    # Streams

    def open_stream(self, unidirectional: bool) -> int | None:
        """The ID of a new stream, None while the peer grants none (RFC 9000 §4.6)."""
        self._raise_if_over()
        return self._core.streams.open(unidirectional)

    def write_stream(self, stream_id: int, data: bytes, fin: bool = False) -> int:
        """Take data for a stream: how many bytes were taken. `fin` counts only if all were. Raises StreamStopped."""
        self._raise_if_over()
        return self._core.streams.write(stream_id, data, fin)

    def read_stream(self, stream_id: int, max_bytes: int) -> bytes | None:
        """Data in order: None while there is none, b"" at the end. Raises StreamReset. Works after the end, too."""
        return self._core.streams.read(stream_id, max_bytes)

    def stream_readable(self, stream_id: int) -> bool:
        """Whether `read_stream` has something to say: data, the end, or a reset."""
        return self._core.streams.readable(stream_id)

    def reset_stream(self, stream_id: int, error_code: int) -> None:
        """Abandon the sending side (RFC 9000 §3.1)."""
        self._core.streams.reset(stream_id, error_code)

    def stop_sending(self, stream_id: int, error_code: int) -> None:
        """Ask the peer to abandon its sending side (RFC 9000 §3.5)."""
        self._core.streams.stop_sending(stream_id, error_code)

    @property
    def bytes_in_flight(self) -> int:
        """What was sent, and is neither acknowledged nor lost (RFC 9002 §2)."""
        return self._core.recovery.bytes_in_flight

    @property
    def all_acknowledged(self) -> bool:
        """Whether everything written to streams has arrived, and every message was sent."""
        return self._core.streams.all_acknowledged and not self._core.datagrams.queue

    # Datagrams

    def send_datagram(self, data: bytes) -> None:
        """Send a message, once, as soon as congestion control lets it go (RFC 9221). Raises ValueError for one that is
        larger than `max_datagram_payload`."""
        self._raise_if_over()
        self._core.datagrams.send(data, self._sender.room)

    def receive_datagram(self) -> bytes | None:
        """The next message of the peer, None while there is none. Works after the end, too."""
        return self._core.datagrams.receive()

    @property
    def max_datagram_payload(self) -> int:
        """Bytes of the largest message that `send_datagram` takes at present; 0: none, the peer does not want any."""
        return self._core.datagrams.largest(self._sender.room)

    # Keys

    def update_keys(self) -> None:
        """Use new 1-RTT keys as soon as possible: once the handshake is confirmed and the last update is over, three
        PTOs after it (RFC 9001 §6.1, §6.5)."""
        self._raise_if_over()
        self._core.key_phases.request()
        self._core.streams.control.request(_ping_frame)

    # The end

    def close(self, error_code: int = 0, reason: str = "", *, now: float) -> None:
        """Close for the application: at once, whatever was written (RFC 9000 §10.2)."""
        kind = ApplicationError if error_code else ConnectionClosedOK
        self._core.close(kind(error_code, reason), now)

    def abort(self, reason: str, *, now: float) -> None:
        """Close because of a fault on this side (INTERNAL_ERROR, RFC 9000 §20.1)."""
        self._core.close(TransportError(TransportErrorCode.INTERNAL_ERROR, reason), now)

    def next_event(self) -> Event | None:
        """What has happened, one by one; the end of the connection comes last."""
        if self._events:
            return self._events.popleft()
        if self._stream_events:
            return self._stream_events.popleft()
        error = self._core.lifecycle.error
        if error is not None and not self._termination_told:
            self._termination_told = True
            return ConnectionTerminated(error)
        return None

    def _raise_if_over(self) -> None:
        error = self._core.lifecycle.error
        if error is not None:
            raise error.fresh()
