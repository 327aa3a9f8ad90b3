"""What an observer of a connection is told (`Config.observer`): all that a record of it may be made of.

Sizes in bytes, times in seconds. The secrets are not among it: see `Config.keylog`.
"""

from __future__ import annotations

from enum import Enum
from typing import NamedTuple

from quicmini.connection.ecn import EcnState
from quicmini.connection.state import Address
from quicmini.crypto.keys import EncryptionLevel
from quicmini.errors import ConnectionClosed
from quicmini.wire.packet import PacketType
from quicmini.wire.transport_parameters import TransportParameters

__all__ = [
    "ApplicationProtocolChosen",
    "CongestionChanged",
    "CongestionState",
    "ConnectionIdChanged",
    "ConnectionStarted",
    "EcnChanged",
    "Ended",
    "KeysChanged",
    "KeysUpdated",
    "Metrics",
    "MetricsChanged",
    "MtuChanged",
    "PacketBuffered",
    "PacketDropped",
    "PacketHeader",
    "PacketLost",
    "PacketReceived",
    "PacketSent",
    "ParametersRestored",
    "ParametersSet",
    "PathChanged",
    "Phase",
    "PhaseChanged",
    "VersionChosen",
]


class PacketHeader(NamedTuple):
    """What stands before a packet's frames, as far as it is known (RFC 9000 §17).

    source_cid, version: None in short headers. token: of an Initial or Retry packet. key_phase: how many key updates
    came before the keys of a 1-RTT packet.
    """

    packet_type: PacketType
    packet_number: int | None = None
    destination_cid: bytes | None = None
    source_cid: bytes | None = None
    version: int | None = None
    token: bytes = b""
    key_phase: int | None = None


class PacketSent(NamedTuple):
    """payload: the frames. size: of the whole packet, as it travels."""

    header: PacketHeader
    payload: bytes
    size: int


class PacketReceived(NamedTuple):
    """A packet that authenticates and is no duplicate, before its frames take effect.

    versions: what a Version Negotiation packet offers.
    """

    header: PacketHeader
    payload: bytes
    size: int
    versions: tuple[int, ...] = ()


class PacketBuffered(NamedTuple):
    """A packet that has come before its keys."""

    header: PacketHeader
    size: int


class PacketDropped(NamedTuple):
    """reason: as in `ConnectionStats.packets_dropped`. header: None if none can be read; size: 0 if it is not known."""

    reason: str
    header: PacketHeader | None
    size: int


class PacketLost(NamedTuple):
    """late: by the time threshold; else by the packet threshold (RFC 9002 §6.1)."""

    packet_type: PacketType
    packet_number: int
    late: bool


class ConnectionStarted(NamedTuple):
    """local: the socket, as the caller has named it; None: the first one."""

    remote: Address
    local: object
    local_cid: bytes
    remote_cid: bytes


class VersionChosen(NamedTuple):
    """The version in use from now on, and those that this side has, in order of preference."""

    version: int
    available: tuple[int, ...]


class ApplicationProtocolChosen(NamedTuple):
    """The result of the TLS handshake: the protocol (ALPN), the cipher suite, and whether a session was resumed."""

    protocol: str | None
    cipher_suite: str
    resumed: bool


class ParametersSet(NamedTuple):
    """own: those that this side announces, else the peer's (RFC 9000 §7.4)."""

    own: bool
    parameters: TransportParameters


class ParametersRestored(NamedTuple):
    """The limits of an earlier connection, within which a client sends early data (RFC 9000 §7.4.1)."""

    parameters: TransportParameters


class KeysChanged(NamedTuple):
    """Keys of a level are there, or gone. sending: those that protect what this side sends."""

    level: EncryptionLevel
    sending: bool
    available: bool


class KeysUpdated(NamedTuple):
    """New 1-RTT keys in both directions (RFC 9001 §6). key_phase: how many updates there were."""

    key_phase: int
    by_peer: bool


class Phase(Enum):
    """How far a connection has come (RFC 9001 §4.1, RFC 9000 §10).

    STARTED: there are Handshake keys. COMPLETE: TLS is. CONFIRMED: both sides know it.
    """

    ATTEMPTED = "attempted"
    STARTED = "handshake_started"
    COMPLETE = "handshake_complete"
    CONFIRMED = "handshake_confirmed"
    CLOSING = "closing"
    DRAINING = "draining"
    CLOSED = "closed"


class PhaseChanged(NamedTuple):
    old: Phase
    new: Phase


class PathChanged(NamedTuple):
    """The path in use is another one. number: 1 for the second that was used, and so on."""

    number: int
    remote: Address
    local: object


class ConnectionIdChanged(NamedTuple):
    """own: the ID by which the peer addresses this side, else the one that this side sends to (RFC 9000 §5.1)."""

    own: bool
    old: bytes
    new: bytes


class MtuChanged(NamedTuple):
    """The largest datagram that is sent."""

    old: int
    new: int


class EcnChanged(NamedTuple):
    old: EcnState
    new: EcnState


class Metrics(NamedTuple):
    """The state of recovery (RFC 9002 §A.3, §B.2); what is not known yet is None."""

    min_rtt: float | None
    smoothed_rtt: float
    latest_rtt: float | None
    rtt_variance: float
    pto_count: int
    congestion_window: int
    bytes_in_flight: int
    ssthresh: int | None


class MetricsChanged(NamedTuple):
    """old: None the first time."""

    old: Metrics | None
    new: Metrics


class CongestionState(Enum):
    """RFC 9002 §7.3. RECOVERY ends when something is acknowledged that was sent in it."""

    SLOW_START = "slow_start"
    RECOVERY = "recovery"
    CONGESTION_AVOIDANCE = "congestion_avoidance"


class CongestionChanged(NamedTuple):
    """old: None the first time."""

    old: CongestionState | None
    new: CongestionState


class Ended(NamedTuple):
    """Closed, by whichever side, or given up; packets may still follow (RFC 9000 §10)."""

    error: ConnectionClosed
