"""What was sent in one packet number space and is neither acknowledged nor lost (RFC 9002 §A.1)."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable
from enum import IntEnum

from quicmini.wire.builder import Record

__all__ = ["PacketNumberSpace", "SentPacket", "SentPackets"]

PACKET_THRESHOLD = 3  # packets: kPacketThreshold, RFC 9002 §6.1.1
MAX_ACK_ONLY = 512  # packets: a peer need never acknowledge packets that elicit no ACK (RFC 9000 §13.2.1)


class PacketNumberSpace(IntEnum):
    """The packet number spaces of RFC 9000 §12.3; 0-RTT and 1-RTT packets share the last one."""

    INITIAL = 0
    HANDSHAKE = 1
    APPLICATION = 2


class SentPacket:
    """One packet on its way. `size` is the QUIC packet in bytes; `records` go back to the owners of its frames."""

    __slots__ = ("ack_eliciting", "in_flight", "packet_number", "records", "size", "time_sent")

    def __init__(
        self,
        packet_number: int,
        time_sent: float,
        size: int,
        ack_eliciting: bool,
        in_flight: bool,
        records: list[Record],
    ) -> None:
        self.packet_number = packet_number
        self.time_sent = time_sent
        self.size = size
        self.ack_eliciting = ack_eliciting
        self.in_flight = in_flight  # ack-eliciting or padded: counts against the congestion window (RFC 9002 §2)
        self.records = records

    def __repr__(self) -> str:
        return f"SentPacket({self.packet_number}, sent at {self.time_sent}, {self.size} bytes)"


class SentPackets:
    """The outstanding packets of one space, in the order of their numbers, with what loss detection knows of them.

    Two parallel lists: a range of an ACK frame costs one binary search each end and one slice, whatever its length,
    and the packets that may be lost are at the front.
    """

    __slots__ = (
        "_ack_only",
        "_numbers",
        "_packets",
        "_skipped",
        "ack_eliciting_count",
        "largest_acked",
        "largest_sent",
        "last_ack_eliciting_at",
        "loss_time",
    )

    def __init__(self) -> None:
        self._numbers: list[int] = []
        self._packets: list[SentPacket] = []
        self._ack_only = 0  # packets that elicit no ACK, added since the last of them were forgotten
        self._skipped = -1  # the newest number left out on purpose
        self.largest_sent = -1
        self.largest_acked = -1
        self.ack_eliciting_count = 0
        self.last_ack_eliciting_at = 0.0
        self.loss_time: float | None = None  # when the oldest packet will be lost (RFC 9002 §6.1.2)

    def __len__(self) -> int:
        return len(self._numbers)

    def add(self, packet: SentPacket) -> None:
        """Take a packet whose number is above all earlier ones."""
        self.largest_sent = packet.packet_number
        self._numbers.append(packet.packet_number)
        self._packets.append(packet)
        if packet.ack_eliciting:
            self.ack_eliciting_count += 1
            self.last_ack_eliciting_at = packet.time_sent
        elif not packet.in_flight:
            self._ack_only += 1
            if self._ack_only > MAX_ACK_ONLY:
                self._forget_ack_only()

    def skip(self, packet_number: int) -> None:
        """A number never used: whoever acknowledges it has not received what it acknowledges (RFC 9000 §21.4)."""
        self.largest_sent = self._skipped = packet_number

    def was_sent(self, ranges: Iterable[tuple[int, int]], largest: int) -> bool:
        """Could a peer have received all of this? `ranges` are inclusive and descend from `largest`."""
        if largest > self.largest_sent:
            return False
        skipped = self._skipped
        if skipped >= 0:
            for smallest, top in ranges:
                if smallest <= skipped:  # the ranges descend: this one has it, or none
                    return top < skipped
        return True

    def acknowledge(self, ranges: Iterable[tuple[int, int]]) -> list[SentPacket]:
        """Remove and return what is newly acknowledged, in ascending order; `ranges` are inclusive and descend."""
        numbers, packets = self._numbers, self._packets
        stop = len(numbers)
        runs: list[list[SentPacket]] = []
        for smallest, largest in ranges:
            # Also keeps thousands of ranges from costing anything when there is nothing left to find.
            if not stop or largest < numbers[0]:
                break
            # Mostly the range has everything that is outstanding, and there is no need to search.
            last = stop if largest >= numbers[stop - 1] else bisect_right(numbers, largest, 0, stop)
            stop = 0 if smallest <= numbers[0] else bisect_left(numbers, smallest, 0, last)
            if stop < last:
                runs.append(packets[stop:last])
                del numbers[stop:last], packets[stop:last]
        if not runs:
            return []
        acked = runs[0] if len(runs) == 1 else [packet for run in reversed(runs) for packet in run]
        self._count_out(acked)
        return acked

    def detect_lost(self, loss_delay: float, now: float) -> list[SentPacket]:
        """Remove and return what is lost by either threshold, and set `loss_time` for the next (RFC 9002 §6.1).

        Numbers and times ascend together, so that the first packet that is not lost ends the search.
        """
        self.loss_time = None
        largest_acked = self.largest_acked
        threshold = largest_acked - PACKET_THRESHOLD
        count = 0
        for packet in self._packets:
            if packet.packet_number > threshold:
                if packet.packet_number > largest_acked:
                    break
                loss_time = packet.time_sent + loss_delay
                if loss_time > now:
                    self.loss_time = loss_time
                    break
            count += 1
        if not count:
            return []
        lost = self._packets[:count]
        del self._numbers[:count], self._packets[:count]
        self._count_out(lost)
        return lost

    def clear(self) -> list[SentPacket]:
        """Remove and return everything: nothing of it can be acknowledged any more (RFC 9002 §6.4)."""
        packets = self._packets
        self._numbers, self._packets = [], []
        self.ack_eliciting_count = 0
        self.loss_time = None
        return packets

    def take_out_of_flight(self) -> None:
        """These packets took a path that is no longer used: they do not count against the window of another."""
        for packet in self._packets:
            packet.in_flight = False

    def take_oldest_records(self) -> list[Record]:
        """Take the records of the oldest packet that has some and elicits an ACK; it stays outstanding without them."""
        for packet in self._packets:
            if packet.ack_eliciting and packet.records:
                records, packet.records = packet.records, []
                return records
        return []

    def _count_out(self, packets: list[SentPacket]) -> None:
        count = 0
        for packet in packets:
            if packet.ack_eliciting:
                count += 1
        self.ack_eliciting_count -= count

    def _forget_ack_only(self) -> None:
        """Once in MAX_ACK_ONLY such packets: what they carried, an ACK, has long been superseded."""
        self._packets = [packet for packet in self._packets if packet.in_flight or packet.ack_eliciting]
        self._numbers = [packet.packet_number for packet in self._packets]
        self._ack_only = 0
