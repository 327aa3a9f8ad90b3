"""What must hold at every moment of a run, checked from outside: an observer's rules, not the code's own opinion."""

from __future__ import annotations

from collections import Counter

from quicmini.connection.connection import Connection
from quicmini.errors import DecodeError
from quicmini.wire.packet import LongHeader, PacketType, parse_long_header
from tests.simulator.network import Address, Datagram

__all__ = ["AmplificationWatch", "FlightWatch", "Violation"]

AMPLIFICATION = 3
PROBES = 2  # datagrams that a probe timeout lets go beyond the congestion window (RFC 9002 §6.2.4)


class Violation(AssertionError):
    """A rule was broken."""


class AmplificationWatch:
    """A server sends at most three times what an address sent, until that address proved itself (RFC 9000 §8.1).

    The proof is a Handshake packet: its keys can only be had by someone who received the server's answer.
    largest: the largest ratio of bytes sent to bytes received that there was with an address not validated.
    """

    def __init__(self) -> None:
        self.largest = 0.0
        self._received: Counter[Address] = Counter()
        self._sent: Counter[Address] = Counter()
        self._validated: set[Address] = set()

    def on_received(self, datagram: Datagram) -> None:
        self._received[datagram.source] += len(datagram.payload)
        if _holds_handshake_packet(datagram.payload, datagram.genuine):
            self._validated.add(datagram.source)

    def on_sent(self, datagram: Datagram) -> None:
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


class FlightWatch:
    """Bytes in flight: never negative, and beyond the congestion window only for probes (RFC 9002 §7.5).

    Until the handshake is confirmed a packet of each level may go beyond it, too: the peer may be unable to acknowledge
    what fills the window before that packet has come.
    """

    def __init__(self, connection: Connection, max_datagram_size: int) -> None:
        self._connection = connection
        self._max_datagram_size = max_datagram_size
        self._probes = 0
        self._before = 0

    def on_timer(self) -> None:
        """A timer fired: it may have been the probe timeout."""
        self._probes = PROBES * self._max_datagram_size

    def before_sending(self) -> None:
        self._before = self._connection.stats().bytes_in_flight

    def after_sending(self) -> None:
        stats = self._connection.stats()
        if stats.bytes_in_flight < 0:
            raise Violation(f"bytes in flight: {stats.bytes_in_flight}")
        excess = stats.bytes_in_flight - max(self._before, stats.congestion_window)
        if excess > (self._probes if self._connection._handshake.confirmed else PROBES * self._max_datagram_size):
            raise Violation(
                f"bytes in flight grew from {self._before} to {stats.bytes_in_flight}, "
                f"beyond the congestion window of {stats.congestion_window}, with {self._probes} for probes"
            )
        self._probes = 0


def _holds_handshake_packet(payload: bytes, genuine: bytes) -> bool:
    """Whether there is a Handshake packet in a datagram that is as it was sent, whatever happened to the rest."""
    pos = 0
    while pos < len(payload) and payload[pos] & 0x80:
        try:
            header = parse_long_header(payload, pos)
        except DecodeError:
            return False
        if not isinstance(header, LongHeader):
            return False
        if header.packet_type is PacketType.HANDSHAKE and payload[pos : header.end] in genuine:
            return True
        pos = header.end
    return False
