"""From datagrams to frames: headers, keys, duplicates, and each frame to its owner (RFC 9000 §12).

A packet that cannot be opened is dropped and counted. What authenticates but breaks a rule raises TransportError,
which `receive_datagrams`, and nothing else, turns into the end of the connection.
"""

from __future__ import annotations

from quicmini.connection.cids import LOCAL_CID_LENGTH
from quicmini.connection.core import Core
from quicmini.connection.first_flight import follow_retry
from quicmini.connection.frame_handlers import DISPATCH, ON_OTHER_PATH, FrameHandlers, refuse_frame
from quicmini.connection.handshake import Handshake
from quicmini.connection.key_update import KEY_PHASE
from quicmini.connection.migration import Migration
from quicmini.connection.spaces import Space
from quicmini.connection.state import Address
from quicmini.connection.version_negotiation import adopt_version, can_read, initial_opener
from quicmini.crypto.protection import Opener
from quicmini.errors import (
    DecodeError,
    StatelessResetError,
    TransportError,
    TransportErrorCode,
    VersionNegotiationError,
)
from quicmini.recovery.sent import PacketNumberSpace
from quicmini.wire.packet import (
    LongHeader,
    PacketType,
    RetryPacket,
    UnknownVersion,
    VersionNegotiation,
    decode_packet_number,
    parse_long_header,
)

__all__ = ["MAX_UNDECRYPTABLE", "MIN_INITIAL_SIZE", "Receiver"]

# Packets kept until their keys come (RFC 9001 §5.7 permits it); the peer sends again what is dropped.
MAX_UNDECRYPTABLE = 16

# Bytes of a datagram that may carry a client's Initial (RFC 9000 §14.1).
MIN_INITIAL_SIZE = 1200

_SHORT_PN_OFFSET = 1 + LOCAL_CID_LENGTH
_PN_MASKS = (0, 0xFF, 0xFFFF, 0xFFFFFF, 0xFFFFFFFF)  # by the length of a truncated packet number
_RESERVED_LONG = 0x0C
_RESERVED_SHORT = 0x18

# Bound once: looking up a member of an enumeration costs as much as a small call.
_APPLICATION, _ONE_RTT, _ZERO_RTT = PacketNumberSpace.APPLICATION, PacketType.ONE_RTT, PacketType.ZERO_RTT

_SPACES = {
    PacketType.INITIAL: PacketNumberSpace.INITIAL,
    PacketType.HANDSHAKE: PacketNumberSpace.HANDSHAKE,
    PacketType.ZERO_RTT: PacketNumberSpace.APPLICATION,
}


class Receiver:
    """Everything that happens to a datagram on its way in."""

    __slots__ = ("_core", "_ecn", "_handlers", "_handshake", "_migration", "_undecryptable")

    def __init__(self, core: Core, handshake: Handshake, migration: Migration) -> None:
        self._core = core
        self._handshake = handshake
        self._migration = migration
        self._handlers = FrameHandlers(core, handshake, migration)
        self._ecn = 0  # of the datagrams that are being read
        self._undecryptable: list[tuple[bytes, float, int]] = []  # when they came, and with which mark

    def receive_datagrams(self, datagrams: list[bytes], source: Address, now: float, ecn: int, local: object) -> None:
        """Process all that has arrived before anything is decided about answers."""
        core = self._core
        if not core.lifecycle.alive:
            for _ in datagrams:
                core.lifecycle.on_datagram(now)
            return
        self._ecn = ecn
        path = core.path
        elsewhere = source != path.remote or local != path.local or not path.followed
        size = sum(map(len, datagrams))
        core.stats.bytes_received += size
        packets_before = core.stats.packets_received
        try:
            if elsewhere:
                for datagram in datagrams:
                    self._receive_elsewhere(datagram, source, local, now)
            else:
                path.bytes_received += size
                self._migration.arrival = path
                if not path.validated:
                    self._migration.on_unvalidated(now)
                self._receive_all(datagrams, now)
            if self._undecryptable:
                self._try_again()
            if core.stats.packets_received > packets_before:
                core.idle.on_packet_received(now)
        except TransportError as error:
            core.close(error.fresh(), now)

    def _receive_all(self, datagrams: list[bytes], now: float) -> None:
        short = datagrams
        for datagram in datagrams:
            if not datagram or datagram[0] >= 0x80:  # once the handshake is complete, none does
                short = self._receive_long_ones(datagrams, now)
                break
        if short:
            self._receive_short(short, now)

    def _receive_long_ones(self, datagrams: list[bytes], now: float) -> list[bytes]:
        """Those that begin with a long header; the others are returned."""
        for datagram in datagrams:
            if datagram and datagram[0] >= 0x80:
                self._receive_coalesced(datagram, now)
        return [datagram for datagram in datagrams if datagram and datagram[0] < 0x80]

    def _receive_elsewhere(self, datagram: bytes, source: Address, local: object, now: float) -> None:
        """Not from where the peer is known to be. What does not authenticate, and what is part of the handshake, must
        neither validate an address nor add to what may be sent to it (RFC 9000 §8.1, §9)."""
        core, handlers, migration = self._core, self._handlers, self._migration
        path = migration.path_of(source, local, datagram[1:_SHORT_PN_OFFSET])
        if path is None or not datagram or datagram[0] >= 0x80:
            core.stats.count_dropped("unknown address")
            return
        acks = core.spaces[_APPLICATION].acks
        largest, packets_before = acks.largest, core.stats.packets_received
        migration.arrival = path
        handlers.non_probing = False
        self._receive_short([datagram], now, ON_OTHER_PATH)
        if core.stats.packets_received > packets_before:
            moves = handlers.non_probing and acks.largest > largest
            migration.on_packet(path, len(datagram), moves=moves, now=now)

    def _try_again(self) -> None:
        """Packets that came before their keys: those whose keys are still missing are put aside once more.

        Each is taken in as of when it came, so that the peer is told how long it waited (RFC 9000 §13.2.5), and an ACK
        in it measures the network alone (RFC 9002 §5.3).
        """
        waiting, self._undecryptable = self._undecryptable, []
        for packet, arrived, self._ecn in waiting:
            if self._core.lifecycle.alive:
                self._receive_all([packet], arrived)

    def _put_aside(self, packet: bytes, now: float) -> None:
        if len(self._undecryptable) < MAX_UNDECRYPTABLE:
            self._undecryptable.append((packet, now, self._ecn))
        else:
            self._core.stats.count_dropped("no keys yet")

    # Long headers

    def _receive_coalesced(self, datagram: bytes, now: float) -> None:
        """The packets of one datagram, each on its own merits (RFC 9000 §12.2)."""
        core = self._core
        pos, end = 0, len(datagram)
        destination_cid: bytes | None = None
        if core.remote_cids.is_reset(datagram):  # it may look like any packet (RFC 9000 §10.3)
            core.drain(StatelessResetError(remote=True), now)
            return
        while pos < end and core.lifecycle.alive:
            if datagram[pos] < 0x80:
                self._receive_short([datagram[pos:]], now)
                return
            try:
                header = parse_long_header(datagram, pos)
            except DecodeError:
                core.stats.count_dropped("malformed header")
                return
            if isinstance(header, VersionNegotiation):
                self._on_version_negotiation(header, now)
                return
            if isinstance(header, RetryPacket):
                if self._handshake.expected_source_cid is not None or not follow_retry(core, header):
                    core.stats.count_dropped("Retry")
                return
            if isinstance(header, UnknownVersion) or not can_read(core, header):
                core.stats.count_dropped("other version")
                return
            destination_cid = header.destination_cid if destination_cid is None else destination_cid
            if header.destination_cid == destination_cid:
                self._receive_long(header, datagram[pos : header.end], header.pn_offset - pos, end, now)
            else:
                core.stats.count_dropped("other connection ID")
            pos = header.end

    def _receive_long(self, header: LongHeader, packet: bytes, pn_offset: int, datagram_size: int, now: float) -> None:
        core = self._core
        reason = self._reason_to_drop(header, datagram_size)
        if reason:
            core.stats.count_dropped(reason)
            return
        space = core.spaces[_SPACES[header.packet_type]]
        opener = self._opener(header, space, now)
        if opener is None:
            if space.discarded:
                core.stats.count_dropped("keys discarded")
            elif header.packet_type is _ZERO_RTT and not self._may_still_be_accepted:
                core.stats.count_dropped("0-RTT")
            else:
                self._put_aside(packet, now)
            return
        try:
            first_byte, truncated, pn_length = opener.unmask(packet, pn_offset)
            packet_number = decode_packet_number(space.acks.largest, truncated, 8 * pn_length)
            payload = opener.open(packet, pn_offset, first_byte, pn_length, packet_number)
        except DecodeError:
            self._count_undecryptable(opener)
            return
        self._on_authenticated_long(header)
        if first_byte & _RESERVED_LONG:
            raise TransportError(TransportErrorCode.PROTOCOL_VIOLATION, "reserved header bits are set")
        self._receive_packet(space, header.packet_type, packet_number, payload, now)

    def _opener(self, header: LongHeader, space: Space, now: float) -> Opener | None:
        """What opens packets of this kind; None: nothing does, or not yet."""
        core = self._core
        if header.packet_type is _ZERO_RTT:
            early = core.early
            return early.opener if early is not None and now < early.read_until else None
        if space.opener is None or header.version == core.version:
            return space.opener
        return initial_opener(core, header.version)

    @property
    def _may_still_be_accepted(self) -> bool:
        """Early data that came before TLS has decided about it, which it does before there are Handshake keys."""
        handshake = self._core.spaces[PacketNumberSpace.HANDSHAKE]
        return self._core.early is not None and handshake.sealer is None and not handshake.discarded

    def _reason_to_drop(self, header: LongHeader, datagram_size: int) -> str:
        """Why a packet is not even tried (RFC 9000 §7.2, §14.1, §17.2.2), or an empty string."""
        if self._core.is_client:
            if header.token:
                return "a server's token"
            if header.packet_type is _ZERO_RTT:
                return "0-RTT"
        elif header.packet_type is PacketType.INITIAL and datagram_size < MIN_INITIAL_SIZE:
            return "Initial in a small datagram"
        expected = self._handshake.expected_source_cid
        return "other source connection ID" if expected not in (None, header.source_cid) else ""

    def _on_authenticated_long(self, header: LongHeader) -> None:
        core, handshake = self._core, self._handshake
        if handshake.expected_source_cid is None:
            handshake.expected_source_cid = header.source_cid
            core.remote_cids.replace_handshake_cid(header.source_cid)
        if header.version != core.version and not core.versions.settled:
            adopt_version(core, header.version)
        if header.packet_type is PacketType.HANDSHAKE and not core.is_client:
            # Only who has seen our Initial can have made this (RFC 9000 §8.1, RFC 9001 §4.9.1).
            core.path.validated = True
            core.recovery.at_amplification_limit = False
            core.discard_space(PacketNumberSpace.INITIAL)

    def _on_version_negotiation(self, packet: VersionNegotiation, now: float) -> None:
        """RFC 9000 §6.2, RFC 9368 §2.1: believed once, before anything else came, and if it answers what was sent."""
        core = self._core
        answers = (
            packet.destination_cid == core.local_cids.handshake_cid
            and packet.source_cid == core.original_destination_cid
        )
        first = core.is_client and self._handshake.expected_source_cid is core.retry_source_cid is None
        if not (first and answers) or core.version in packet.versions or core.versions.reacted:
            core.stats.count_dropped("Version Negotiation")
            return
        version = core.versions.preferred(packet.versions)
        if version is not None:
            self._handshake.begin_again(version, now)
            return
        offered = ", ".join(f"{version:#x}" for version in packet.versions[:8])
        core.terminate(
            VersionNegotiationError(0, f"the server speaks QUIC {offered}, not {core.version:#x}", remote=True)
        )

    # Short headers

    def _receive_short(self, packets: list[bytes], now: float, kind: PacketType | str = _ONE_RTT) -> None:
        """A burst of 1-RTT packets: the masks of all headers come from one call."""
        core = self._core
        space = core.spaces[_APPLICATION]
        opener = space.opener
        if opener is None or not self._handshake.complete:
            for packet in packets:  # RFC 9001 §5.7: not before the handshake is complete
                self._put_aside(packet, now)
            return
        lifecycle, acks, key_phases = core.lifecycle, space.acks, core.key_phases
        settled = key_phases.settled
        core.local_cids.batch = packets
        unmasked = opener.unmask_batch(packets, _SHORT_PN_OFFSET)
        for packet, header in zip(packets, unmasked, strict=True):
            if header is None:
                self._on_undecryptable(packet, opener, now)
                continue
            first_byte, truncated, pn_length = header
            packet_number = acks.largest + 1
            if truncated != packet_number & _PN_MASKS[pn_length]:  # not the expected one, which is its own nearest
                packet_number = decode_packet_number(acks.largest, truncated, 8 * pn_length)
            try:
                if first_byte & KEY_PHASE == settled:
                    payload = opener.open(packet, _SHORT_PN_OFFSET, first_byte, pn_length, packet_number)
                else:
                    payload = key_phases.open(packet, _SHORT_PN_OFFSET, first_byte, pn_length, packet_number, now)
                    settled = key_phases.settled
            except DecodeError:
                self._on_undecryptable(packet, opener, now)
                continue
            if first_byte & _RESERVED_SHORT:
                raise TransportError(TransportErrorCode.PROTOCOL_VIOLATION, "reserved header bits are set")
            self._receive_packet(space, kind, packet_number, payload, now)
            if not lifecycle.alive:
                return

    def _on_undecryptable(self, packet: bytes, opener: Opener, now: float) -> None:
        core = self._core
        if core.remote_cids.is_reset(packet):
            core.drain(StatelessResetError(remote=True), now)
        else:
            self._count_undecryptable(opener)

    # Both

    def _count_undecryptable(self, opener: Opener) -> None:
        """Each may be an attempt at a forgery: too many of them, under all keys together, end it (RFC 9001 §6.6)."""
        stats = self._core.stats
        stats.count_dropped("undecryptable")
        if stats.packets_dropped["undecryptable"] > opener.suite.integrity_limit:
            raise TransportError(TransportErrorCode.AEAD_LIMIT_REACHED, "too many packets do not authenticate")

    def _receive_packet(
        self, space: Space, packet_type: PacketType | str, packet_number: int, payload: bytes, now: float
    ) -> None:
        """An authenticated packet: frames to their owners, the number to the ACKs."""
        core = self._core
        acks = space.acks
        # Only after opening it, so that timing tells nothing (RFC 9001 §9.5).
        if packet_number <= acks.largest and acks.is_duplicate(packet_number):
            core.stats.count_dropped("duplicate")
            return
        end = len(payload)
        if not end:
            raise TransportError(TransportErrorCode.PROTOCOL_VIOLATION, "a packet without frames")
        core.stats.packets_received += 1
        entries = DISPATCH[packet_type]
        handlers = self._handlers
        ack_eliciting = False
        pos = 0
        while pos < end:
            frame_type = payload[pos]
            entry = entries[frame_type]
            if entry is None:
                raise refuse_frame(payload, pos)
            parse, handle, elicits = entry
            frame, pos = parse(payload, pos + 1, frame_type)
            if elicits:
                ack_eliciting = True
            handle(handlers, frame, space, now)
        acks.on_packet_received(packet_number, ack_eliciting, now, self._ecn)
