"""From owners to datagrams: frames into packets, packets sealed, coalesced and batched (RFC 9000 §12.2, §13).

Two ways lead out. During the handshake each datagram may hold a packet of each level, and is padded where the RFC asks
for it. Afterwards there is only one level, and a whole burst of packets is written, then sealed in one go.
"""

from __future__ import annotations

from quicmini.connection.core import Core
from quicmini.connection.handshake import Handshake
from quicmini.connection.lifecycle import MAX_REASON_LENGTH
from quicmini.connection.migration import Migration
from quicmini.connection.mtu import PROBE_AFTER
from quicmini.connection.paths import Path
from quicmini.connection.spaces import Space
from quicmini.connection.state import Transmit
from quicmini.crypto.protection import Sealer
from quicmini.errors import TransportError, TransportErrorCode
from quicmini.recovery.sent import PacketNumberSpace, SentPacket
from quicmini.wire.builder import PacketBuilder
from quicmini.wire.packet import PacketType, encode_long_header, encode_short_header
from quicmini.wire.varint import varint_size

__all__ = ["MAX_BURST", "MAX_TRANSMIT_SIZE", "Sender"]

# Datagrams in one Transmit: what Linux takes for UDP_SEGMENT (UDP_MAX_SEGMENTS), within the 65,507 bytes of UDP.
MAX_BURST = 64
MAX_TRANSMIT_SIZE = 65_507

# Bytes that every path carries (RFC 9000 §14), and a datagram with an ack-eliciting Initial packet must have (§14.1).
_SMALLEST_DATAGRAM = 1200

# Bytes of a 1-RTT packet with the longest CONNECTION_CLOSE that is ever sent, at most.
_LARGEST_CLOSE = MAX_REASON_LENGTH + 64

# Bytes of a datagram with long headers: their Length has two bytes here.
_MAX_COALESCED_SIZE = 0x3FFF

# First byte, version, two lengths of connection IDs, packet length; without the IDs (RFC 9000 §17.2).
_LONG_HEADER_BASE = 1 + 4 + 1 + 1 + 2

# Packet number (2 bytes at least) and payload need 4 bytes together for the header protection sample (RFC 9001 §5.4.2).
_MIN_PAYLOAD = 2

# A packet with less room than this is not worth its header.
_MIN_ROOM = 32

# Bytes of the packet number of a probe: few packets are as rare.
_PROBE_PN_LENGTH = 4

_ONE_BYTE = [bytes((value,)) for value in range(256)]

_PING = b"\x01"

# A PING that may be alone in its packet, and a byte of PADDING, so that nothing has to be added when it is sealed.
_PROBE = _PING + b"\x00"

# Bound once: looking up a member of an enumeration costs as much as a small call.
_INITIAL, _HANDSHAKE, _APPLICATION = PacketNumberSpace
_ZERO_RTT, _ONE_RTT = PacketType.ZERO_RTT, PacketType.ONE_RTT


class Sender:
    """Everything that happens to a datagram on its way out.

    blocked_until: when the pacer lets go of what could be sent but for it; None: nothing waits for the pacer.
    """

    __slots__ = ("_control", "_core", "_crypto", "_datagrams", "_datagrams_first", "_handshake", "_in_bulk",
                 "_migration", "_streams", "blocked_until")  # fmt: skip

    def __init__(self, core: Core, handshake: Handshake, migration: Migration) -> None:
        self._core = core
        self._migration = migration
        self._handshake = handshake
        self.blocked_until: float | None = None
        self._crypto = core.spaces[_APPLICATION].crypto
        # The queues of what 1-RTT packets carry, bound once: each packet asks several times if there is anything.
        self._streams, self._control = core.streams.ready, core.streams.control.queue
        self._datagrams = core.datagrams.queue
        self._datagrams_first = False
        self._in_bulk = False  # what was sent last did not fit one packet

    def datagrams_to_send(self, now: float) -> list[Transmit]:
        """All that may be sent at this moment."""
        core = self._core
        core.now = now
        self.blocked_until = None
        if not core.lifecycle.alive:
            return self._closing_transmits()
        if core.ecn.testing:
            core.ecn.review()
        if core.local_cids.held_back and self.wants_to_send:
            core.local_cids.give_out()
        transmits = self._probes(now) if self._migration.pending else []
        datagrams: list[bytes] = []
        while core.in_handshake:
            datagram = self._coalesced_datagram(now) if self.wants_to_send else b""
            if not datagram:
                return transmits + self._transmits(datagrams)
            datagrams.append(datagram)
        if datagrams:
            transmits += self._transmits(datagrams)
        if self._in_bulk and now >= core.mtu.probe_at:
            transmits += self._mtu_probe(now)
        while burst := self._burst(now):
            self._in_bulk = len(burst) > 1
            transmits += self._transmits(burst)
            if not (self._has_frames or core.recovery.probes_wanted[_APPLICATION]):
                break
        if core.lifecycle.close_pending:  # since a moment ago: the keys are worn out
            transmits += self._closing_transmits()
        return transmits

    @property
    def wants_to_send(self) -> bool:
        """Whether `datagrams_to_send` may have something: cheap, and True rather than False in doubt."""
        core = self._core
        if not core.lifecycle.alive:
            return core.lifecycle.close_pending
        if self._streams or self._control or self._datagrams or self._migration.pending or self._waits(_APPLICATION):
            return True
        return core.in_handshake and (self._waits(_INITIAL) or self._waits(_HANDSHAKE))

    def _waits(self, number: PacketNumberSpace) -> bool:
        """Whether a packet number space has something to send: CRYPTO data, an ACK that is due, a probe."""
        core = self._core
        space = core.spaces[number]
        due = space.acks.deadline
        return (
            (due is not None and due <= core.now) or space.crypto.has_frames or core.recovery.probes_wanted[number] > 0
        )

    @property
    def _has_frames(self) -> bool:
        """Whether a 1-RTT packet would have anything but an ACK in it."""
        return bool(self._streams or self._control or self._datagrams) or self._crypto.has_frames

    # What goes into one packet

    def _write_packet(self, space: Space, builder: PacketBuilder, now: float, within_budget: bool) -> None:
        """ACK first, then what the space has to say, if congestion control or a probe lets it (RFC 9002 §7.5)."""
        core = self._core
        application = space.number is _APPLICATION
        if application and not (self._handshake.complete or self._may_send_early_data):
            return
        probing = core.recovery.probes_wanted[space.number] > 0
        if not application and not core.recovery.spaces[space.number].ack_eliciting_count:
            # Nothing of this level is in flight, so that no probe timeout will ever make room for it; and what is in
            # flight at other levels may have to wait for just this before the peer can acknowledge it.
            within_budget = True
        if probing and not application and not space.crypto.has_frames:
            space.crypto.repeat()
        waiting = probing or (within_budget and (self._has_frames if application else space.crypto.has_frames))
        acks = space.acks
        due = acks.pending and (waiting or (acks.deadline is not None and acks.deadline <= now))
        if due and acks.write(builder, now) and acks.ping_due and within_budget and builder.room:
            builder.add(_PING)  # counts as in flight, which an ACK alone does not (RFC 9002 §7)
        if not waiting:
            return
        if space.crypto.has_frames:
            space.crypto.write_frames(builder)
        if not application:
            pass
        elif self._datagrams:
            self._write_data(builder)
        else:
            core.streams.write_frames(builder)
        if probing and not builder.ack_eliciting and builder.room >= len(_PROBE):
            builder.add(_PROBE)
        if probing and builder.ack_eliciting:
            core.recovery.probes_wanted[space.number] -= 1

    @property
    def _may_send_early_data(self) -> bool:
        """Before the handshake is complete: a client its early data, a server the answers to it.

        Other servers have 1-RTT keys early, too, but only a complete handshake tells whom they would be talking to.
        """
        early = self._core.early
        return early is not None and (early.offered if self._core.is_client else early.accepted is True)

    def _write_data(self, builder: PacketBuilder) -> None:
        """Messages and streams take turns at filling a packet; the other has what room is left."""
        streams, datagrams = self._core.streams, self._core.datagrams
        if datagrams.queue:
            self._datagrams_first = not self._datagrams_first
            if self._datagrams_first:
                datagrams.write_frames(builder, self.room)
        if streams.has_frames:
            streams.write_frames(builder)
        if datagrams.queue:
            datagrams.write_frames(builder, self.room)

    @property
    def room(self) -> int:
        """Bytes for frames in a 1-RTT packet of its own."""
        core = self._core
        return core.path.max_datagram_size - self._overhead(core.spaces[_APPLICATION])

    # Until the handshake is confirmed: datagrams with a packet of each level

    def _coalesced_datagram(self, now: float) -> bytes:
        core = self._core
        size = min(core.path.max_datagram_size, _MAX_COALESCED_SIZE)
        allowance = core.path.allowance()
        if allowance is not None and allowance < size:
            size = allowance
        core.recovery.at_amplification_limit = size < _SMALLEST_DATAGRAM
        if core.recovery.at_amplification_limit:
            return b""
        within_budget = core.recovery.window_room() >= size
        room = size
        plan: list[tuple[Space, PacketBuilder]] = []
        for space in core.spaces:
            overhead = self._overhead(space)
            if space.sealer is not None and room >= overhead + _MIN_ROOM:
                builder = PacketBuilder(room - overhead)
                self._write_packet(space, builder, now, within_budget)
                if not builder.empty:
                    plan.append((space, builder))
                    room = builder.room
        if not plan:
            return b""
        padding = self._padding(plan[0], size - room)
        last = plan[-1][0]
        datagram = b"".join([self._seal(*entry, padding if entry[0] is last else 0, now) for entry in plan])
        if core.is_client and any(space.number is _HANDSHAKE for space, _ in plan):
            # The first Handshake packet ends the use of Initial keys (RFC 9001 §4.9.1).
            core.discard_space(_INITIAL)
        return datagram

    def _padding(self, first: tuple[Space, PacketBuilder], size: int) -> int:
        """Bytes to add: a client's Initials, and a server's ack-eliciting ones, fill 1200 bytes (RFC 9000 §14.1)."""
        space, builder = first
        expand = space.number is _INITIAL and (self._core.is_client or builder.ack_eliciting)
        return max(0, _SMALLEST_DATAGRAM - size) if expand else 0

    def _overhead(self, space: Space) -> int:
        """Bytes of a packet that are no frames."""
        core = self._core
        rest = len(core.remote_cids.current) + self._pn_length(space) + Sealer.overhead
        if space.packet_type is _ONE_RTT:
            return 1 + rest
        token_length = len(core.token) + varint_size(len(core.token)) if space.number is _INITIAL else 0
        return _LONG_HEADER_BASE + token_length + len(core.local_cids.handshake_cid) + rest

    def _pn_length(self, space: Space) -> int:
        """Bytes of the packet number: enough for twice what is unacknowledged (RFC 9000 §17.1), rarely changing."""
        largest_acked = self._core.recovery.spaces[space.number].largest_acked
        return 2 if space.next_packet_number - largest_acked < 0x4000 else 4

    def _seal(self, space: Space, builder: PacketBuilder, padding: int, now: float) -> bytes:
        sealer = space.sealer
        assert sealer is not None
        payload = builder.payload()
        padding = max(padding, _MIN_PAYLOAD - len(payload))
        if padding > 0:
            payload += bytes(padding)
        packet_number = space.next_packet_number
        header = self._header(space, packet_number, len(payload) + sealer.overhead)
        space.next_packet_number = packet_number + 1
        (packet,) = self._protect(sealer, [(header, packet_number, payload)])
        in_flight = builder.ack_eliciting or padding > 0  # RFC 9002 §2
        sent = SentPacket(packet_number, now, len(packet), builder.ack_eliciting, in_flight, builder.records)
        self._on_sent(space, [sent], now)
        return packet

    def _header(self, space: Space, packet_number: int, length: int) -> bytes:
        core = self._core
        destination, pn_length = core.remote_cids.current, self._pn_length(space)
        if space.packet_type is _ONE_RTT:
            key_phase = core.key_phases.bit != 0
            return core.quic_bit.apply(encode_short_header(destination, packet_number, pn_length, key_phase=key_phase))
        source = core.local_cids.handshake_cid
        version = core.versions.original if space.packet_type is _ZERO_RTT else core.version
        return core.quic_bit.apply(
            encode_long_header(
                space.packet_type, version, destination, source, core.token, packet_number, pn_length, length
            )
        )

    def _protect(self, sealer: Sealer, packets: list[tuple[bytes, int, bytes]]) -> list[bytes]:
        """Packets as they travel, made of header, number and payload: all that are ever sent pass here."""
        return sealer.seal_batch(packets) if len(packets) > 1 else [sealer.seal(*packets[0])]

    def _on_sent(self, space: Space, packets: list[SentPacket], now: float) -> None:
        core = self._core
        on_packet_sent, number, size, ack_eliciting = core.recovery.on_packet_sent, space.number, 0, False
        for packet in packets:
            on_packet_sent(number, packet, now)
            size += packet.size
            ack_eliciting = ack_eliciting or packet.ack_eliciting
        if ack_eliciting:
            core.idle.on_ack_eliciting_sent(now)
        self._count(core.path, size, len(packets))

    # Afterwards: bursts of 1-RTT packets

    def _burst(self, now: float) -> list[bytes]:
        """As many packets as may go and as there is something to say, up to MAX_BURST; sealed together."""
        core = self._core
        space = core.spaces[_APPLICATION]
        sealer = self._sealer(space, now)
        if sealer is None:
            return []
        streams, ready, control, datagrams = core.streams, self._streams, self._control, self._datagrams
        recovery = core.recovery
        if space.next_packet_number >= core.skipped_numbers.next:
            core.skipped_numbers.skip(space, recovery)
        budget = recovery.send_budget(now)
        # What does not change within the burst is computed once, and packed by hand: this loop is half of all sending.
        pn_length = self._pn_length(space)
        # A short header: fixed bit, key phase, length of the packet number (RFC 9000 §17.3.1).
        header_start = _ONE_BYTE[core.quic_bit.toss() | core.key_phases.bit | pn_length - 1] + core.remote_cids.current
        overhead = len(header_start) + pn_length + Sealer.overhead
        pn_mask = (1 << 8 * pn_length) - 1
        packets: list[tuple[bytes, int, bytes]] = []
        sent: list[SentPacket] = []
        size, most = self._burst_size(overhead)
        if not most:
            return []
        number = space.next_packet_number
        while True:
            builder = PacketBuilder(size - overhead)
            if not packets:
                self._write_packet(space, builder, now, budget >= size)
            elif datagrams:
                self._write_data(builder)
            else:
                streams.write_frames(builder)
            payload = builder.payload()
            if not payload:
                break
            if len(payload) < _MIN_PAYLOAD:
                payload += bytes(_MIN_PAYLOAD - len(payload))
            packets.append((header_start + (number & pn_mask).to_bytes(pn_length), number, payload))
            eliciting = builder.ack_eliciting
            sent_size = len(payload) + overhead
            sent.append(SentPacket(number, now, sent_size, eliciting, eliciting, builder.records))
            budget -= sent_size
            number += 1
            # Only data fills more than one packet: asking everyone again for each would cost more than sealing.
            if not (ready or control or datagrams) or budget < size or len(packets) == most:
                break
        if not packets:
            if budget < size <= recovery.window_room() and self._has_frames:
                self.blocked_until = recovery.pacing_deadline(now)
            return []
        space.next_packet_number = number
        self._on_sent(space, sent, now)
        return self._protect(sealer, packets)

    def _burst_size(self, overhead: int) -> tuple[int, int]:
        """Bytes of a datagram on this path, and how many may go: none to an address that has sent too little (§8.1)."""
        path, recovery = self._core.path, self._core.recovery
        size = path.max_datagram_size
        most = MAX_TRANSMIT_SIZE // size or 1
        if most > MAX_BURST:
            most = MAX_BURST
        allowance = path.allowance()
        if allowance is None:
            return size, most
        recovery.at_amplification_limit = allowance < overhead + _MIN_ROOM
        if recovery.at_amplification_limit:
            return size, 0
        size = min(size, allowance)
        return size, min(most, allowance // size)

    def _sealer(self, space: Space, now: float) -> Sealer | None:
        """The 1-RTT keys for the next burst, new ones if it is time; None if there are none to use (RFC 9001 §6.6)."""
        sealer, core = space.sealer, self._core
        if sealer is not None and sealer.sealed >= core.key_phases.renew_after:
            core.key_phases.update_if_possible()
            sealer = space.sealer
        if sealer is not None and sealer.sealed + MAX_BURST > sealer.suite.confidentiality_limit:
            # The peer has not let it have new ones in time.
            core.close(TransportError(TransportErrorCode.AEAD_LIMIT_REACHED, "the keys have served long enough"), now)
            return None
        return sealer

    def _mtu_probe(self, now: float) -> list[Transmit]:
        """A datagram of the size that is to be tried out next, if this is a connection that will profit from it.

        It counts as in flight, and waits for its turn as any other (RFC 9000 §14.4). It must not take the room of the
        data beside it: that would have to wait until the peer acknowledges the probe, a packet on its own.
        """
        core = self._core
        space, mtu, path = core.spaces[_APPLICATION], core.mtu, core.path
        if space.sealer is None or not path.validated or path.bytes_sent < PROBE_AFTER or not core.streams.has_frames:
            return []
        size = mtu.next_probe(now)
        if not 0 < size <= core.recovery.send_budget(now) - path.max_datagram_size:
            return []
        builder = PacketBuilder(size - self._overhead(space))
        builder.add(_PING, mtu.begin_probe(now))
        return self._transmits([self._seal(space, builder, builder.room, now)])

    def _transmits(self, datagrams: list[bytes]) -> list[Transmit]:
        """Runs of equal sizes become one Transmit each; a shorter datagram may end a run."""
        path, ecn = self._core.path, self._core.ecn.codepoint
        destination, local = path.remote, path.local
        if len(datagrams) == 1:
            return [Transmit(datagrams[0], len(datagrams[0]), destination, ecn, local)]
        transmits = []
        start = 0
        for end in range(1, len(datagrams) + 1):
            size = len(datagrams[start])
            if end == len(datagrams) or len(datagrams[end]) > size or len(datagrams[end - 1]) < size:
                transmits.append(Transmit(b"".join(datagrams[start:end]), size, destination, ecn, local))
                start = end
        return transmits

    def _count(self, path: Path, size: int, packets: int) -> None:
        stats = self._core.stats
        stats.packets_sent += packets
        stats.bytes_sent += size
        path.bytes_sent += size
        if not path.validated:
            stats.note_amplification(path.bytes_sent, path.bytes_received)

    # Probes of paths

    def _probes(self, now: float) -> list[Transmit]:
        """A datagram for each path that has a PATH_CHALLENGE or PATH_RESPONSE to send (RFC 9000 §8.2)."""
        core = self._core
        space = core.spaces[_APPLICATION]
        sealer, transmits = space.sealer, []
        if sealer is None or not self._handshake.complete:
            return []
        for path, cid, frames, size in self._migration.packets(1 + _PROBE_PN_LENGTH + sealer.overhead):
            number, space.next_packet_number = space.next_packet_number, space.next_packet_number + 1
            key_phase = core.key_phases.bit != 0
            header = encode_short_header(cid, number, _PROBE_PN_LENGTH, key_phase=key_phase)
            payload = frames + bytes(max(_MIN_PAYLOAD, size - len(header) - sealer.overhead) - len(frames))
            (packet,) = self._protect(sealer, [(header, number, payload)])
            in_use = path is core.path
            if in_use:
                self._on_sent(space, [SentPacket(number, now, len(packet), True, True, [])], now)
            else:
                core.recovery.on_untracked_packet_sent(_APPLICATION, number)
                self._count(path, len(packet), 1)
            transmits.append(
                Transmit(packet, len(packet), path.remote, core.ecn.codepoint if in_use else 0, path.local)
            )
        return transmits

    # Closing

    def _closing_transmits(self) -> list[Transmit]:
        """CONNECTION_CLOSE at every level whose keys the peer may have, in one datagram (RFC 9000 §10.2.3)."""
        core = self._core
        allowance = core.path.allowance()
        too_much = allowance is not None and allowance < (_SMALLEST_DATAGRAM if core.in_handshake else _LARGEST_CLOSE)
        if not core.lifecycle.close_pending or too_much:
            return []
        core.lifecycle.close_pending = False
        spaces = [space for space in core.spaces if space.sealer is not None]
        packets: list[bytes] = []
        for space in spaces:
            application = space.number is _APPLICATION
            payload = core.lifecycle.close_frame(application_data=application).encode()
            if space is spaces[-1] and spaces[0].number is _INITIAL:
                used = sum(map(len, packets)) + self._overhead(space) + len(payload)
                payload += bytes(max(0, _SMALLEST_DATAGRAM - used))
            assert space.sealer is not None
            header = self._header(space, space.next_packet_number, len(payload) + Sealer.overhead)
            packets += self._protect(space.sealer, [(header, space.next_packet_number, payload)])
            space.next_packet_number += 1
        datagram = b"".join(packets)
        self._count(core.path, len(datagram), len(packets))
        return self._transmits([datagram])
