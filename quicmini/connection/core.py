"""The owners of one connection's state, side by side.

`Receiver`, `Sender`, `Handshake` and `Migration` work on these, and whoever does a part of their work. Each owner keeps
its own state: this is only the wiring between them.
"""

from __future__ import annotations

from collections import deque

from quicmini.config import Config
from quicmini.connection.address_tokens import AddressTokens
from quicmini.connection.cids import LocalCids, RemoteCids
from quicmini.connection.datagrams import Datagrams
from quicmini.connection.early_state import EarlyData
from quicmini.connection.ecn import Ecn
from quicmini.connection.events import Event
from quicmini.connection.grease import QuicBit
from quicmini.connection.key_update import KeyPhases
from quicmini.connection.lifecycle import Lifecycle
from quicmini.connection.mtu import PathMtu
from quicmini.connection.paths import Path
from quicmini.connection.skipping import SkippedNumbers
from quicmini.connection.spaces import Space
from quicmini.connection.state import Address, ConnectionStats
from quicmini.connection.timers import IdleTimer
from quicmini.connection.versions import Versions
from quicmini.errors import ConnectionClosed
from quicmini.recovery.loss import Recovery
from quicmini.recovery.sent import PacketNumberSpace, SentPacket
from quicmini.streams.manager import StreamManager
from quicmini.tls.groups import Random
from quicmini.wire.transport_parameters import TransportParameters

__all__ = ["Core"]

_SPACES = tuple(PacketNumberSpace)  # going through an enumeration costs as much as making a space


class Core:
    """One connection's parts.

    original_destination_cid: what the client's first Initial was sent to; initial_cid: the same, or what a Retry packet
    replaced it by, which retry_source_cid is then too. token: what a client's Initials carry. tokens: where a server
    gets its own from. local_parameters: what this side has announced, encoded; peer_parameters: what the peer has, once
    it is known. now: the time of the last call from outside. path: the one in use. datagram_size: the largest datagram,
    in bytes, for a path of which nothing is known.
    """

    __slots__ = (
        "created",
        "datagram_size",
        "datagrams",
        "early",
        "ecn",
        "events",
        "idle",
        "initial_cid",
        "is_client",
        "key_phases",
        "keylog",
        "lifecycle",
        "local_cids",
        "local_parameters",
        "mtu",
        "now",
        "original_destination_cid",
        "path",
        "peer_parameters",
        "quic_bit",
        "random",
        "recovery",
        "remote_cids",
        "retry_source_cid",
        "skipped_numbers",
        "spaces",
        "stats",
        "streams",
        "token",
        "tokens",
        "version",
        "versions",
    )

    def __init__(
        self,
        config: Config,
        *,
        is_client: bool,
        remote: Address,
        original_destination_cid: bytes,
        local_cids: LocalCids,
        remote_cid: bytes,
        parameters: TransportParameters,
        now: float,
        version: int,
        random: Random,
        token: bytes = b"",
        early: EarlyData | None = None,
        tokens: AddressTokens | None = None,
        retry_source_cid: bytes | None = None,
        address_validated: bool = False,
    ) -> None:
        self.is_client = is_client
        self.version = version
        self.versions = Versions(config.versions, version)
        self.local_parameters = b""
        self.peer_parameters: TransportParameters | None = None
        self.keylog = config.keylog
        self.created = self.now = now
        self.original_destination_cid = original_destination_cid
        self.retry_source_cid = retry_source_cid
        self.initial_cid = retry_source_cid or original_destination_cid
        self.token = token
        self.early = early
        self.tokens = tokens
        self.streams = StreamManager(
            is_client=is_client,
            local=parameters,
            send_buffer_size=config.send_buffer_size,
            send_buffer_total=config.send_buffer_total,
        )
        self.local_cids = local_cids
        local_cids.control = self.streams.control
        self.remote_cids = RemoteCids(remote_cid, self.streams.control)
        # A client chose the server's address itself (RFC 9000 §8.1).
        self.path = Path(remote, config.max_datagram_size, validated=is_client or address_validated)
        self.datagram_size = config.max_datagram_size
        self.random = random
        self.quic_bit = QuicBit(random)
        self.skipped_numbers = SkippedNumbers(random)
        self.spaces = [Space(number, parameters.max_ack_delay / 1000) for number in _SPACES]
        self.recovery = Recovery(config.max_datagram_size, config.initial_rtt, is_client=is_client)
        self.key_phases = KeyPhases(self.spaces[PacketNumberSpace.APPLICATION], self.recovery)
        self.mtu = PathMtu(self.path, self.recovery, enabled=config.path_mtu_discovery)
        self.ecn = Ecn(self.spaces, self.recovery, enabled=config.ecn)
        self.lifecycle = Lifecycle()
        self.idle = IdleTimer(config.idle_timeout, config.keep_alive_interval, now)
        self.stats = ConnectionStats()
        self.events: deque[Event] = deque()
        self.datagrams = Datagrams(config.max_datagram_frame_size, self.events)

    @property
    def in_handshake(self) -> bool:
        """Whether packets of the Initial or Handshake level may still be sent."""
        return self.spaces[0].sealer is not None or self.spaces[1].sealer is not None

    def give_back_lost(self, packets: list[SentPacket]) -> None:
        """Tell the owners of lost frames, which know what to send again (RFC 9000 §13.3)."""
        self.stats.packets_lost += len(packets)
        if packets and self.mtu.raised:
            self.mtu.on_packets_lost(packets)
        for packet in packets:
            for record in packet.records:
                record[0].on_lost(record)

    def send_again(self, number: PacketNumberSpace) -> None:
        """The peer will not take what is in flight in this space: it is not lost, but has to be sent anew."""
        for packet in self.recovery.discard_space(number):
            for record in packet.records:
                record[0].on_lost(record)

    def close(self, error: ConnectionClosed, now: float) -> None:
        """This side closes the connection; the first reason counts."""
        self.lifecycle.close(error, now, self.recovery.pto_base())
        self._let_go()

    def drain(self, error: ConnectionClosed, now: float) -> None:
        """The peer has closed the connection."""
        self.lifecycle.drain(error, now, self.recovery.pto_base())
        self._let_go()

    def terminate(self, error: ConnectionClosed) -> None:
        """The connection is over without a further packet."""
        self.lifecycle.terminate(error)
        self._let_go()

    def _let_go(self) -> None:
        """Nothing more is acknowledged or sent again: what is in flight can be forgotten (RFC 9000 §10.2)."""
        self.streams.close()
        for number in _SPACES:
            self.recovery.discard_space(number)

    def discard_space(self, number: PacketNumberSpace) -> None:
        """Forget a space's keys and what is in flight under them (RFC 9001 §4.9, RFC 9002 §6.4)."""
        space = self.spaces[number]
        if not space.discarded:
            space.discard()
            self.recovery.discard_space(number)
