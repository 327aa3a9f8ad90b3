"""A connection that somebody watches: made of the same parts, which tell what they do.

`Endpoint` makes one where `Config.observer` asks for it. All others are not even asked whether they are watched.
"""

from __future__ import annotations

import logging
from collections.abc import Callable

from quicmini.config import Config, Observer
from quicmini.connection import occurrences as told
from quicmini.connection.changes import Changes
from quicmini.connection.connection import Connection
from quicmini.connection.core import Core
from quicmini.connection.handshake import Handshake, Tls
from quicmini.connection.migration import Migration
from quicmini.connection.occurrences import PacketHeader
from quicmini.connection.receive import MAX_UNDECRYPTABLE, Receiver
from quicmini.connection.send import Sender
from quicmini.connection.spaces import PACKET_TYPES, Space
from quicmini.connection.state import Address, ConnectionStats, Transmit
from quicmini.crypto.protection import Opener, Sealer
from quicmini.errors import DecodeError
from quicmini.recovery.sent import PACKET_THRESHOLD, PacketNumberSpace, SentPacket, SentPackets
from quicmini.wire.packet import LongHeader, PacketType, RetryPacket, VersionNegotiation, parse_long_header

__all__ = ["WatchedConnection", "make_connection"]

logger = logging.getLogger("quicmini")


def make_connection(
    config: Config, core: Core, make_tls: Callable[[], Tls], sealer: Sealer, opener: Opener
) -> Connection:
    """A connection, watched or not as `config` says."""
    if config.observer is None:
        return Connection(core, make_tls, sealer, opener)
    try:
        observer = config.observer(core.original_destination_cid, core.is_client)
    except Exception:
        logger.warning("a connection is not observed: its observer could not be made", exc_info=True)
        return Connection(core, make_tls, sealer, opener)
    return WatchedConnection(core, make_tls, sealer, opener, Witness(core, observer))


class Witness:
    """Hands on what happens, with the time.

    header, size: of the packet that is being read; None and 0 between packets. last_early: the last number of a packet
    of 0-RTT that was sent.
    """

    __slots__ = ("_core", "_observer", "header", "last_early", "size")

    def __init__(self, core: Core, observer: Observer) -> None:
        self._core = core
        self._observer: Observer | None = observer
        self.header: PacketHeader | None = None
        self.size = 0
        self.last_early = -1

    def tell(self, occurrence: object) -> None:
        """An observer that fails is not asked again; the connection goes on."""
        if self._observer is not None:
            try:
                self._observer(self._core.now, occurrence)
            except Exception:
                self._observer = None
                logger.warning("a connection is not observed any further: its observer failed", exc_info=True)


class WatchedConnection(Connection):
    """Looks what has changed whenever it was asked to do something."""

    __slots__ = ("_changes",)

    def __init__(
        self, core: Core, make_tls: Callable[[], Tls], sealer: Sealer, opener: Opener, witness: Witness
    ) -> None:
        core.stats = _WatchedStats(witness)
        core.recovery.spaces = tuple(_WatchedPackets(number, witness) for number in PacketNumberSpace)
        super().__init__(core, make_tls, sealer, opener)
        self._changes = Changes(core, self._handshake, witness.tell)
        self._receiver = _WatchedReceiver(core, self._handshake, self._migration, witness, self._changes)
        self._sender = _WatchedSender(core, self._handshake, self._migration, witness)

    def start(self, now: float) -> None:
        super().start(now)
        self._changes.look()

    def receive_datagrams(
        self, datagrams: list[bytes], source: Address, now: float, ecn: int = 0, local: object = None
    ) -> None:
        super().receive_datagrams(datagrams, source, now, ecn, local)
        self._changes.look(by_peer=True)

    def datagrams_to_send(self, now: float) -> list[Transmit]:
        transmits = super().datagrams_to_send(now)
        self._changes.look()
        return transmits

    def handle_timeout(self, now: float) -> None:
        super().handle_timeout(now)
        self._changes.look()

    def close(self, error_code: int = 0, reason: str = "", *, now: float) -> None:
        self._core.now = now
        super().close(error_code, reason, now=now)
        self._changes.look()

    def abort(self, reason: str, *, now: float) -> None:
        self._core.now = now
        super().abort(reason, now=now)
        self._changes.look()


class _WatchedStats(ConnectionStats):
    """Each packet that is dropped is counted here."""

    def __init__(self, witness: Witness) -> None:
        super().__init__()
        self._witness = witness

    def count_dropped(self, reason: str) -> None:
        super().count_dropped(reason)
        self._witness.tell(told.PacketDropped(reason, self._witness.header, self._witness.size))


class _WatchedPackets(SentPackets):
    """Tells what it takes to be lost."""

    __slots__ = ("_number", "_witness")

    def __init__(self, number: PacketNumberSpace, witness: Witness) -> None:
        super().__init__()
        self._number = number
        self._witness = witness

    def detect_lost(self, loss_delay: float, now: float) -> list[SentPacket]:
        lost = super().detect_lost(loss_delay, now)
        for packet in lost:
            number = packet.packet_number
            early = self._number is PacketNumberSpace.APPLICATION and number <= self._witness.last_early
            packet_type = PacketType.ZERO_RTT if early else PACKET_TYPES[self._number]
            late = number > self.largest_acked - PACKET_THRESHOLD
            self._witness.tell(told.PacketLost(packet_type, number, late))
        return lost


class _WatchedReceiver(Receiver):
    """Reads packets one by one, and tells of each what became of it."""

    __slots__ = ("_again", "_changes", "_witness")

    def __init__(
        self, core: Core, handshake: Handshake, migration: Migration, witness: Witness, changes: Changes
    ) -> None:
        super().__init__(core, handshake, migration)
        self._witness = witness
        self._changes = changes
        self._again = False  # packets that were put aside are being tried

    def _begin(self, header: PacketHeader | None, size: int) -> None:
        self._witness.header, self._witness.size = header, size

    def _receive_elsewhere(self, datagram: bytes, source: Address, local: object, now: float) -> None:
        self._begin(None, len(datagram))
        super()._receive_elsewhere(datagram, source, local, now)
        self._begin(None, 0)

    def _receive_coalesced(self, datagram: bytes, now: float) -> None:
        self._begin(None, len(datagram))
        dropped = self._count_dropped()
        super()._receive_coalesced(datagram, now)
        special = _without_frames(datagram)
        if special is not None and self._count_dropped() == dropped:
            self._witness.tell(special)
        self._begin(None, 0)

    def _count_dropped(self) -> int:
        return sum(self._core.stats.packets_dropped.values())

    def _receive_long(self, header: LongHeader, packet: bytes, pn_offset: int, datagram_size: int, now: float) -> None:
        self._begin(_long_header(header, None), len(packet))
        super()._receive_long(header, packet, pn_offset, datagram_size, now)
        self._begin(None, 0)

    def _receive_short(self, packets: list[bytes], now: float, kind: PacketType | str = PacketType.ONE_RTT) -> None:
        for packet in packets:
            if not self._core.lifecycle.alive:
                return
            cid = packet[1 : 1 + len(self._core.local_cids.handshake_cid)]
            self._begin(PacketHeader(PacketType.ONE_RTT, None, cid), len(packet))
            super()._receive_short([packet], now, kind)
            self._begin(None, 0)

    def _try_again(self) -> None:
        self._again = True
        super()._try_again()
        self._again = False

    def _put_aside(self, packet: bytes, now: float) -> None:
        header = self._witness.header
        if header is not None and not self._again and len(self._undecryptable) < MAX_UNDECRYPTABLE:
            self._witness.tell(told.PacketBuffered(header, self._witness.size))
        super()._put_aside(packet, now)

    def _receive_packet(
        self, space: Space, packet_type: PacketType | str, packet_number: int, payload: bytes, now: float
    ) -> None:
        witness, key_phases = self._witness, self._core.key_phases
        header = witness.header
        if header is not None:
            header = witness.header = header._replace(packet_number=packet_number)
            if header.packet_type is PacketType.ONE_RTT:
                header = header._replace(key_phase=key_phases.updates - key_phases.reads_old)
            if not space.acks.is_duplicate(packet_number):
                witness.tell(told.PacketReceived(header, payload, witness.size))
                if header.packet_type is PacketType.ONE_RTT and header.destination_cid is not None:
                    self._changes.own_cid = header.destination_cid
        super()._receive_packet(space, packet_type, packet_number, payload, now)
        self._changes.look(by_peer=True)


class _WatchedSender(Sender):
    """Tells what is sealed."""

    __slots__ = ("_witness",)

    def __init__(self, core: Core, handshake: Handshake, migration: Migration, witness: Witness) -> None:
        super().__init__(core, handshake, migration)
        self._witness = witness

    def _protect(self, sealer: Sealer, packets: list[tuple[bytes, int, bytes]]) -> list[bytes]:
        sealed = super()._protect(sealer, packets)
        for (start, number, payload), packet in zip(packets, sealed, strict=True):
            self._witness.tell(told.PacketSent(self._header_of(start, number, packet), payload, len(packet)))
        return sealed

    def _header_of(self, start: bytes, number: int, packet: bytes) -> PacketHeader:
        if start[0] < 0x80:
            cid = start[1 : -1 - (start[0] & 0x03)]
            return PacketHeader(PacketType.ONE_RTT, number, cid, key_phase=self._core.key_phases.updates)
        long_header = parse_long_header(packet, 0)
        assert isinstance(long_header, LongHeader)
        if long_header.packet_type is PacketType.ZERO_RTT:
            self._witness.last_early = number
        return _long_header(long_header, number)


def _long_header(header: LongHeader, packet_number: int | None) -> PacketHeader:
    packet_type, destination, source = header.packet_type, header.destination_cid, header.source_cid
    return PacketHeader(packet_type, packet_number, destination, source, header.version, header.token)


def _without_frames(datagram: bytes) -> told.PacketReceived | None:
    """A Retry or Version Negotiation packet; None: the datagram is none."""
    try:
        packet = parse_long_header(datagram, 0)
    except DecodeError:
        return None
    if isinstance(packet, VersionNegotiation):
        header = PacketHeader(PacketType.VERSION_NEGOTIATION, None, packet.destination_cid, packet.source_cid, 0)
        return told.PacketReceived(header, b"", len(datagram), packet.versions)
    if isinstance(packet, RetryPacket):
        cids = packet.destination_cid, packet.source_cid
        header = PacketHeader(PacketType.RETRY, None, *cids, packet.version, packet.token)
        return told.PacketReceived(header, b"", len(datagram))
    return None
