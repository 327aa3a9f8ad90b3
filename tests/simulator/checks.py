"""What must hold at every moment of a run, checked from outside: an observer's rules, not the code's own opinion."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

from quicmini.connection.connection import Connection
from quicmini.connection.migration import MAX_PATHS, PROBE_SIZE
from quicmini.errors import DecodeError
from quicmini.wire.packet import LongHeader, PacketType, RetryPacket, parse_long_header
from tests.simulator.network import Address, Datagram

__all__ = ["AmplificationWatch", "FlightWatch", "Violation"]

AMPLIFICATION = 3
PROBES = 2  # datagrams that a probe timeout lets go beyond the congestion window (RFC 9002 §6.2.4)


class Violation(AssertionError):
    """A rule was broken."""


class AmplificationWatch:
    """A server sends at most three times what an address sent, until that address proved itself (RFC 9000 §8, §9.3).

    A proof is a Handshake packet, whose keys can only be had by someone who received the server's answer; the token of
    a Retry packet sent to that address, or that of an earlier connection from the same host; and, for an address to
    which a client has moved, whatever it sends there after something has reached it there.
    largest: the largest ratio of bytes sent to bytes received that there was with an address not validated.
    """

    def __init__(self) -> None:
        self.largest = 0.0
        self._hosts: set[Any] = set()
        self._later_tokens: set[bytes] = set()
        self._begin()

    def _begin(self) -> None:
        self._received: Counter[Address] = Counter()
        self._sent: Counter[Address] = Counter()
        self._validated: set[Address] = set()
        self._reached: set[Address] = set()
        self._retry_tokens: set[tuple[Address, bytes]] = set()

    def on_connection(self, token: bytes) -> None:
        """A new connection begins, with a token of an earlier one, or none: its addresses are strange again."""
        self._hosts |= {address[0] for address in self._validated}
        self._later_tokens.add(token)
        self._begin()

    def on_received(self, datagram: Datagram) -> None:
        """The server receives something."""
        source, intact = datagram.source, datagram.payload == datagram.genuine
        self._received[source] += len(datagram.payload)
        moved = bool(self._validated) and intact and source in self._reached
        if moved or any(self._proves(header, source) for header in _genuine_headers(datagram)):
            self._validated.add(source)

    def on_sent(self, datagram: Datagram) -> None:
        """The server sends something."""
        address = datagram.destination
        self._sent[address] += len(datagram.payload)
        if address in self._validated:
            return
        sent, received = self._sent[address], self._received[address]
        if sent > AMPLIFICATION * received:
            raise Violation(
                f"anti-amplification: {sent} bytes sent to {address}, which is not validated and sent {received}"
            )
        self.largest = max(self.largest, sent / received)
        if datagram.payload[0] & 0x80 and isinstance(packet := parse_long_header(datagram.payload, 0), RetryPacket):
            self._retry_tokens.add((address, packet.token))

    def on_reached(self, address: Address) -> None:
        """Something of the server has reached the client at this address."""
        self._reached.add(address)

    def _proves(self, header: LongHeader, source: Address) -> bool:
        if header.packet_type is PacketType.HANDSHAKE:
            return True
        retried = (source, header.token) in self._retry_tokens
        return retried or (header.token in self._later_tokens and source[0] in self._hosts)


class FlightWatch:
    """Bytes in flight: never negative, and beyond the congestion window only for probes (RFC 9002 §7.5), those of paths
    among them (RFC 9000 §9.4).

    Until the handshake is confirmed a packet of each level may go beyond it, too: the peer may be unable to acknowledge
    what fills the window before that packet has come.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._probes = 0
        self._path_probes = 0
        self._before = 0

    def on_timer(self) -> None:
        """A timer fired: it may have been the probe timeout."""
        self._probes = self._two_probes

    @property
    def _two_probes(self) -> int:
        return PROBES * self._connection._core.path.max_datagram_size

    def before_sending(self) -> None:
        self._before = self._connection.bytes_in_flight
        # Probes of an earlier timeout, which could not go then: the address had not sent enough (RFC 9000 §8.1).
        waiting = sum(self._connection._core.recovery.probes_wanted)
        self._probes = max(self._probes, waiting * self._connection._core.path.max_datagram_size)
        self._path_probes = MAX_PATHS * PROBE_SIZE if self._connection._migration.pending else 0

    def after_sending(self) -> None:
        probes, self._probes = self._probes + self._path_probes, 0
        if 0 <= self._connection.bytes_in_flight <= self._before:
            return  # nothing was sent that counts
        stats = self._connection.stats()
        if stats.bytes_in_flight < 0:
            raise Violation(f"bytes in flight: {stats.bytes_in_flight}")
        excess = stats.bytes_in_flight - max(self._before, stats.congestion_window)
        if excess > (probes if self._connection._handshake.confirmed else self._two_probes):
            raise Violation(
                f"bytes in flight grew from {self._before} to {stats.bytes_in_flight}, "
                f"beyond the congestion window of {stats.congestion_window}, with {probes} for probes"
            )


def _genuine_headers(datagram: Datagram) -> Iterator[LongHeader]:
    """The long headers of packets that are as they were sent, whatever happened to the rest of the datagram."""
    payload, pos = datagram.payload, 0
    while pos < len(payload) and payload[pos] & 0x80:
        try:
            header = parse_long_header(payload, pos)
        except DecodeError:
            return
        if not isinstance(header, LongHeader):
            return
        if payload[pos : header.end] in datagram.genuine:
            yield header
        pos = header.end
