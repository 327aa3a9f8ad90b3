"""Where a connection stands in its life (RFC 9001 §4.1.1, RFC 9000 §10), and what it counts on the way."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Any, NamedTuple

__all__ = ["Address", "ConnectionState", "ConnectionStats", "Transmit"]

# What the socket module calls an address: opaque here, only compared.
Address = tuple[Any, ...]


class Transmit(NamedTuple):
    """Datagrams for one destination: `payload` cut into pieces of `segment_size` bytes, the last may be shorter.

    ecn: the ECN field of their IP headers, 0 or ECT(0) (RFC 9000 §13.4). local: which of this side's sockets they leave
    from, as the caller has named it; None: the first one.
    """

    payload: bytes
    segment_size: int
    destination: Address
    ecn: int = 0
    local: object = None


class ConnectionState(Enum):
    """HANDSHAKING → CONNECTED → CLOSING or DRAINING → TERMINATED; any step may be skipped on the way down.

    CLOSING: this side closed, and answers late packets with its CONNECTION_CLOSE (RFC 9000 §10.2.1).
    DRAINING: the peer closed, and nothing is sent any more (RFC 9000 §10.2.2).
    """

    HANDSHAKING = auto()
    CONNECTED = auto()
    CLOSING = auto()
    DRAINING = auto()
    TERMINATED = auto()


@dataclass(slots=True)
class ConnectionStats:
    """What a connection did so far: packets, bytes of UDP payload, seconds.

    packets_dropped counts, by reason, what was not for us or could not be opened (RFC 9000 §5.2).
    datagrams_…: messages of RFC 9221; those that were dropped made room for newer ones, in either direction.
    retransmitted_bytes counts STREAM data that was sent again, key_updates the changes of 1-RTT keys (RFC 9001 §6).
    largest_amplification: the most that was ever sent to an address that was not validated yet, in relation to what had
    come from there (RFC 9000 §8.1: 3 at most).
    """

    packets_sent: int = 0
    packets_received: int = 0
    packets_lost: int = 0
    bytes_sent: int = 0
    bytes_received: int = 0
    retransmitted_bytes: int = 0
    key_updates: int = 0
    datagrams_sent: int = 0
    datagrams_received: int = 0
    datagrams_lost: int = 0
    datagrams_dropped: int = 0
    packets_dropped: dict[str, int] = field(default_factory=dict)
    handshake_time: float | None = None
    latest_rtt: float = 0.0
    smoothed_rtt: float = 0.0
    min_rtt: float = 0.0
    rttvar: float = 0.0
    congestion_window: int = 0
    bytes_in_flight: int = 0
    largest_amplification: float = 0.0

    def note_amplification(self, sent: int, received: int) -> None:
        """Bytes that have gone to and come from an address that may be forged."""
        self.largest_amplification = max(self.largest_amplification, sent / max(1, received))

    def count_dropped(self, reason: str) -> None:
        """Count a packet that was dropped in silence; the reasons are a fixed set of the code's own words."""
        self.packets_dropped[reason] = self.packets_dropped.get(reason, 0) + 1
