"""Loss detection and the probe timeout (RFC 9002 §6), and the face of this floor: `Recovery`.

The connection reports what it sends and which ACK frames come in, asks for the one timer, and gives the records of
acknowledged and lost packets back to their owners.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from typing import NamedTuple

from quicmini.errors import TransportError, TransportErrorCode
from quicmini.recovery.congestion import NewReno
from quicmini.recovery.pacing import Pacer
from quicmini.recovery.rtt import RttEstimator
from quicmini.recovery.sent import PacketNumberSpace, SentPacket, SentPackets
from quicmini.wire.builder import Record
from quicmini.wire.frames import Ack

__all__ = ["PathMeasures", "Recovery"]

INITIAL, HANDSHAKE, APPLICATION = PacketNumberSpace

DEFAULT_MAX_ACK_DELAY = 0.025  # seconds: until the peer's transport parameters say otherwise (RFC 9000 §18.2)
DEFAULT_ACK_DELAY_EXPONENT = 3  # likewise
PERSISTENT_CONGESTION_THRESHOLD = 3  # probe timeouts: kPersistentCongestionThreshold, RFC 9002 §7.6.1
PROBES = 2  # datagrams: what a probe timeout lets its space send (RFC 9002 §6.2.4)
MAX_BACKOFF = 20  # doublings of the probe timeout: beyond, only the idle timeout matters
ACK_FRAME = 0x02  # frame type that a TransportError names


class PathMeasures(NamedTuple):
    """What was learned of one path: an estimate of the round-trip time, a congestion window and its pacer."""

    rtt: RttEstimator
    congestion: NewReno
    pacer: Pacer


class Recovery:
    """Everything RFC 9002 asks of a sender on one path. Times in seconds, sizes in bytes; nothing blocks.

    The connection sets, as it learns them:
    handshake_confirmed (RFC 9001 §4.1.2), has_handshake_keys,
    max_ack_delay (seconds) and ack_delay_exponent (the peer's transport parameters, RFC 9000 §18.2),
    at_amplification_limit (a server that may not send: RFC 9000 §8.1),
    peer_completed_address_validation (False only for a client; an ACK of a Handshake packet sets it).

    probes_wanted: for each space, how many ack-eliciting packets to send at once, whatever the congestion window
    says; the sender counts it down (RFC 9002 §6.2.4).
    """

    def __init__(self, max_datagram_size: int, initial_rtt: float, *, is_client: bool = False) -> None:
        self.initial_rtt = initial_rtt
        self.rtt, self.congestion, self.pacer = self.new_path(max_datagram_size)
        self._path_start = 0  # the first packet number of the Application space on the path in use
        self.spaces = tuple(SentPackets() for _ in PacketNumberSpace)
        self.handshake_confirmed = False
        self.has_handshake_keys = False
        self.peer_completed_address_validation = not is_client
        self.at_amplification_limit = False
        self.max_ack_delay = DEFAULT_MAX_ACK_DELAY
        self.ack_delay_exponent = DEFAULT_ACK_DELAY_EXPONENT
        self.probes_wanted = [0] * len(PacketNumberSpace)
        self.pto_count = 0
        self.packets_lost = 0
        self._newest_acked_at = -math.inf  # when the newest acknowledged packet of all spaces was sent
        self._quiet_since = 0.0  # the last ACK or probe timeout: where the anti-deadlock timer starts

    # Sending

    def on_packet_sent(self, space: int, packet: SentPacket, now: float) -> None:
        """A packet leaves; its number is above all earlier ones of its space."""
        self.spaces[space].add(packet)
        if packet.in_flight:
            pacer = self.pacer
            pacer.tokens -= packet.size
            self.congestion.on_packet_sent(packet.size, now, pacer.tokens < pacer.max_datagram_size)

    def on_packet_number_skipped(self, space: int, packet_number: int) -> None:
        """The number is left out to catch a peer that acknowledges what it has not received (RFC 9000 §21.4)."""
        self.spaces[space].skip(packet_number)

    def on_untracked_packet_sent(self, space: int, packet_number: int) -> None:
        """A packet leaves on another path: neither its acknowledgment nor its loss says anything about this one.

        Whoever sends it looks after it (RFC 9000 §9.4).
        """
        self.spaces[space].largest_sent = packet_number

    @property
    def measures(self) -> PathMeasures:
        """What is known of the path in use."""
        return PathMeasures(self.rtt, self.congestion, self.pacer)

    def new_path(self, max_datagram_size: int) -> PathMeasures:
        """The initial values of RFC 9002 §A.4 and §B.3 for a path of which nothing is known."""
        return PathMeasures(RttEstimator(self.initial_rtt), NewReno(max_datagram_size), Pacer(max_datagram_size))

    def change_path(self, measures: PathMeasures) -> PathMeasures:
        """From now on packets take another path. Returns what was learned of the one before.

        What was sent on that one says nothing about this one, and is not in its window (RFC 9000 §9.4): what
        `measures` knew to be in flight was sent before that.
        """
        left = self.measures
        self.rtt, self.congestion, self.pacer = measures
        sent = self.spaces[APPLICATION]
        sent.take_out_of_flight()
        self.congestion.bytes_in_flight = 0
        self._path_start = sent.largest_sent + 1
        self.pto_count = 0
        return left

    @property
    def bytes_in_flight(self) -> int:
        """What was sent, counts against the congestion window, and is neither acknowledged nor lost."""
        return self.congestion.bytes_in_flight

    def window_room(self) -> int:
        """How many bytes the congestion window still allows in flight; probes and ACKs do not ask (RFC 9002 §7.5)."""
        return max(0, self.congestion.window - self.congestion.bytes_in_flight)

    def send_budget(self, now: float) -> int:
        """How many bytes may leave now: the smaller of the window's room and what the pacer lets go."""
        pacer, congestion = self.pacer, self.congestion
        pacer.refill(congestion.window, self.rtt.smoothed, now)
        if pacer.tokens < pacer.max_datagram_size:
            return 0
        room = congestion.window - congestion.bytes_in_flight
        if room <= 0:
            return 0
        return room if room < pacer.tokens else int(pacer.tokens)

    def pacing_deadline(self, now: float) -> float | None:
        """None when the pacer lets a datagram go now, else when it will (RFC 9002 §7.7)."""
        self.pacer.refill(self.congestion.window, self.rtt.smoothed, now)
        return self.pacer.next_send_time(now)

    def set_max_datagram_size(self, size: int) -> None:
        """The path carries datagrams of another size now (RFC 9000 §14)."""
        self.congestion.set_max_datagram_size(size)
        self.pacer.max_datagram_size = size

    # Acknowledgements

    def on_ack_received(
        self, space: int, ack: Ack, ack_delay: float, now: float
    ) -> tuple[list[SentPacket], list[SentPacket]]:
        """Take in an ACK frame; `ack_delay` is its delay in seconds. Returns what is newly acknowledged, and lost.

        Raises TransportError when it acknowledges a packet that was never sent (RFC 9000 §13.1).
        """
        sent = self.spaces[space]
        ranges = ack.ranges
        largest = ranges[0][1]
        if not sent.was_sent(ranges, largest):
            reason = "acknowledges a packet that was never sent"
            raise TransportError(TransportErrorCode.PROTOCOL_VIOLATION, reason, ACK_FRAME)
        if space == HANDSHAKE:  # even if it names only what was taken for lost (RFC 9002 §6.2.2.1)
            self.peer_completed_address_validation = True
        ack_eliciting_before = sent.ack_eliciting_count
        acked = sent.acknowledge(ranges)
        if not acked:
            return acked, []
        newest = acked[-1]
        if newest.packet_number > sent.largest_acked:  # `largest` may have been sent on another path
            sent.largest_acked = newest.packet_number
        measures = newest.packet_number >= self._path_start or space != APPLICATION
        if measures and newest.packet_number == largest and sent.ack_eliciting_count < ack_eliciting_before:
            delay = self._believed_delay(space, ack_delay)
            # A first sample counts as it is (RFC 9002 §5.3): it is none, if the peer waited for its keys meanwhile.
            if self.rtt.first_sample_at is not None or delay <= self.max_ack_delay:
                self.rtt.update(now - newest.time_sent, delay, now)
        lost = sent.detect_lost(self.rtt.loss_delay, now)
        if lost:
            self._on_packets_lost(lost, acked, now)
        self.congestion.on_packets_acked(acked)
        if newest.time_sent > self._newest_acked_at:
            self._newest_acked_at = newest.time_sent
        self._quiet_since = now
        # A server that may still be validating the client's address is not to be probed faster (RFC 9002 §6.2.1).
        if self.peer_completed_address_validation or self.handshake_confirmed:
            self.pto_count = 0
        return acked, lost

    def on_congestion_event(self, time_sent: float, now: float) -> None:
        """The peer reports that a packet sent at `time_sent` was marked ECN-CE (RFC 9002 §7.1)."""
        self.congestion.on_congestion_event(time_sent, now)

    def discard_space(self, space: int) -> list[SentPacket]:
        """The keys are gone, and with them all recovery state of the space (RFC 9002 §6.4).

        Returns the packets: after Retry, or when 0-RTT is rejected, their owners want them back as lost.
        """
        packets = self.spaces[space].clear()
        self.congestion.on_packets_discarded(packets)
        self.probes_wanted[space] = 0
        self.pto_count = 0
        return packets

    # The timer

    def timer(self) -> float | None:
        """When to call `on_timer`; None: nothing to wait for. It may lie in the past (RFC 9002 §A.8)."""
        if self.handshake_confirmed:  # only one space is left, and this is asked after every packet
            sent = self.spaces[APPLICATION]
            if sent.loss_time is not None or not sent.ack_eliciting_count or self.at_amplification_limit:
                return sent.loss_time
            return self._application_timeout(sent)
        loss_time = self._loss_time()
        if loss_time is not None:
            return loss_time
        timeout = self._probe_timeout()
        return None if timeout is None else timeout[0]

    def on_timer(self, now: float) -> list[SentPacket]:
        """Do what is due: return packets lost by the time threshold, or ask for probes (RFC 9002 §A.9)."""
        loss_time = self._loss_time()
        if loss_time is not None:
            return self._detect_late(now) if loss_time <= now else []
        timeout = self._probe_timeout()
        if timeout is not None and timeout[0] <= now:
            self._want_probes(timeout[1])
            self.pto_count += 1
            self._quiet_since = now
        return []

    def pto_base(self) -> float:
        """One probe timeout of the Application space, without backoff (RFC 9002 §6.2.1)."""
        return self.rtt.probe_interval + self.max_ack_delay

    def take_probe_records(self, space: int) -> list[Record]:
        """What a probe may send again when there is nothing new: the oldest unacknowledged packet's records.

        They are the caller's now (`on_lost` makes their owners send them again); the packet stays in flight.
        """
        return self.spaces[space].take_oldest_records()

    def _believed_delay(self, space: int, ack_delay: float) -> float:
        """How much of the peer's delay counts (RFC 9002 §5.3)."""
        if space == INITIAL:
            return 0.0
        return min(ack_delay, self.max_ack_delay) if self.handshake_confirmed else ack_delay

    def _loss_time(self) -> float | None:
        """The earliest time at which a packet of any space will be lost by the time threshold."""
        earliest: float | None = None
        for sent in self.spaces:
            if sent.loss_time is not None and (earliest is None or sent.loss_time < earliest):
                earliest = sent.loss_time
        return earliest

    def _probe_timeout(self) -> tuple[float, PacketNumberSpace] | None:
        """When the probe timeout expires, and for which space (RFC 9002 §6.2.1, §A.8)."""
        if self.at_amplification_limit:
            return None
        backoff: int = 1 << min(self.pto_count, MAX_BACKOFF)
        duration = self.rtt.probe_interval * backoff
        initial, handshake, application = self.spaces
        earliest: tuple[float, PacketNumberSpace] | None = None
        if application.ack_eliciting_count and self.handshake_confirmed:
            earliest = self._application_timeout(application), APPLICATION
        for sent, space in (handshake, HANDSHAKE), (initial, INITIAL):
            if sent.ack_eliciting_count:
                expiry = sent.last_ack_eliciting_at + duration
                if earliest is None or expiry <= earliest[0]:
                    earliest = expiry, space
        if earliest is None and not (self.peer_completed_address_validation or self.handshake_confirmed):
            # The server may be waiting for bytes to be allowed to answer (RFC 9002 §6.2.2.1).
            start = max(self._quiet_since, initial.last_ack_eliciting_at, handshake.last_ack_eliciting_at)
            earliest = start + duration, HANDSHAKE if self.has_handshake_keys else INITIAL
        return earliest

    def _application_timeout(self, sent: SentPackets) -> float:
        """The probe timeout of the only space whose ACKs the peer may delay. One formula, since two round differently:
        a timer that expires before it is due, by a hair, expires for ever."""
        backoff: int = 1 << min(self.pto_count, MAX_BACKOFF)
        return sent.last_ack_eliciting_at + (self.rtt.probe_interval + self.max_ack_delay) * backoff

    def _want_probes(self, expired: PacketNumberSpace) -> None:
        """Two probes for the space that timed out (one if nothing is in flight), one for others that wait as well."""
        for space in PacketNumberSpace:
            waiting = self.spaces[space].ack_eliciting_count > 0
            if space == expired:
                self.probes_wanted[space] = PROBES if waiting else 1
            elif waiting and (space != APPLICATION or self.handshake_confirmed):
                self.probes_wanted[space] = 1

    def _detect_late(self, now: float) -> list[SentPacket]:
        lost: list[SentPacket] = []
        for sent in self.spaces:
            if sent.loss_time is not None:
                lost += sent.detect_lost(self.rtt.loss_delay, now)
        if lost:
            self._on_packets_lost(lost, [], now)
        return lost

    def _on_packets_lost(self, lost: list[SentPacket], acked: list[SentPacket], now: float) -> None:
        self.packets_lost += len(lost)
        self.congestion.on_packets_lost(lost, now)
        if self._is_persistent_congestion(lost, acked):
            self.congestion.on_persistent_congestion()
            self.rtt.forget_minimum()

    def _is_persistent_congestion(self, lost: list[SentPacket], acked: list[SentPacket]) -> bool:
        """Were ack-eliciting packets lost over too long a time, and none between them acknowledged? (RFC 9002 §7.6.2)

        Both lists ascend. What was acknowledged earlier, in any space, was sent before `_newest_acked_at`: a period
        that began before it would have been found then.
        """
        if self.rtt.first_sample_at is None:
            return False
        since = max(self.rtt.first_sample_at, self._newest_acked_at)
        size = self.congestion.max_datagram_size  # only a probe for the path's MTU is larger (RFC 9000 §14.4)
        candidates = [
            packet for packet in lost if packet.ack_eliciting and packet.time_sent > since and packet.size <= size
        ]
        duration = self.pto_base() * PERSISTENT_CONGESTION_THRESHOLD
        if not candidates or candidates[-1].time_sent - candidates[0].time_sent <= duration:
            return False
        acked_numbers = [packet.packet_number for packet in acked]
        period, period_start = -1, 0.0  # a period is what lies between two acknowledged packets
        for packet in candidates:
            index = bisect_left(acked_numbers, packet.packet_number)
            if index != period:
                period, period_start = index, packet.time_sent
            elif packet.time_sent - period_start > duration:
                return True
        return False
