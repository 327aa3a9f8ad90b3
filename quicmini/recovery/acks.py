"""What was received in one packet number space, and when to acknowledge it (RFC 9000 §13.2)."""

from __future__ import annotations

from itertools import islice

from quicmini.wire.builder import PacketBuilder, Record
from quicmini.wire.frames import Ack, EcnCounts
from quicmini.wire.ranges import RangeSet
from quicmini.wire.varint import encode_varint

__all__ = ["MAX_ACK_RANGES", "AckTracker"]

MAX_ACK_RANGES = 64  # ranges remembered and sent, RFC 9000 §13.2.3
PACKETS_PER_ACK = 2  # ack-eliciting packets, RFC 9000 §13.2.2
ACKS_PER_PING = 64  # ACK frames: so many unconfirmed ones are worth a PING, RFC 9000 §13.2.4
ACK_DELAY_EXPONENT = 3  # the ACK Delay field counts 8 microseconds: the default, RFC 9000 §18.2
ACK_DELAYS_PER_SECOND = 1_000_000 / 2**ACK_DELAY_EXPONENT

ECT_1, ECT_0, CE = 1, 2, 3  # the ECN field of the IP header, RFC 3168 §5


class AckTracker:
    """The packet numbers received in one space; the owner of the ACK frames sent in it.

    max_ack_delay: how long an acknowledgement may wait, in seconds; 0 for the Initial and Handshake spaces.
    deadline: when an ACK must go, None if none must. Nothing is sent from here: whoever looks at it after a whole
        batch of datagrams sends one ACK for all of them.
    pending: an ack-eliciting packet waits for its acknowledgement; a packet that goes anyway takes it along.
    largest: the largest packet number received, acknowledged: the largest in an ACK frame; -1 before the first.
    """

    __slots__ = (
        "_ecn_marks",
        "_floor",
        "_gap",
        "_largest_at",
        "_max_ack_delay",
        "_ranges",
        "_to_acknowledge",
        "_unconfirmed",
        "acknowledged",
        "deadline",
        "largest",
        "pending",
    )

    def __init__(self, max_ack_delay: float) -> None:
        self.deadline: float | None = None
        self.pending = False
        self.largest = self.acknowledged = -1
        self._largest_at = 0.0
        self._max_ack_delay = max_ack_delay
        self._ranges = RangeSet()
        self._floor = 0  # whatever is below counts as received: its ranges are forgotten
        self._gap = False  # a packet left a gap, and no ack-eliciting one has come since
        self._to_acknowledge = 0  # ack-eliciting packets since the last ACK frame
        self._unconfirmed = 0  # ACK frames since the peer acknowledged one of them
        self._ecn_marks: list[int] | None = None  # packets by the ECN field of their datagrams, once one has a mark

    @property
    def ping_due(self) -> bool:
        """Whether, after this many ACK frames that nobody confirmed, a PING should go with one (RFC 9000 §13.2.4).

        Without it, a receiver that has nothing to say itself would repeat old ranges for ever.
        """
        return self._unconfirmed > 0 and self._unconfirmed % ACKS_PER_PING == 0

    def is_duplicate(self, packet_number: int) -> bool:
        """Whether the packet was received before, or is too old to tell (RFC 9000 §12.3)."""
        if packet_number > self.largest:
            return False
        return packet_number < self._floor or packet_number in self._ranges

    def on_packet_received(self, packet_number: int, ack_eliciting: bool, now: float, ecn: int = 0) -> None:
        """Take in a packet that was opened and is no duplicate; `ecn` is the two-bit field of the IP header."""
        next_one = packet_number == self.largest + 1
        if packet_number > self.largest:
            self.largest = packet_number
            self._largest_at = now
        self._ranges.add(packet_number, packet_number + 1)
        if not next_one:  # which would have made no new range
            self._gap = True
            if len(self._ranges) > MAX_ACK_RANGES:
                self._floor = max(self._floor, self._ranges.pop_first()[1])
        if ecn:
            marks = self._ecn_marks
            if marks is None:
                marks = self._ecn_marks = [0, 0, 0, 0]
            marks[ecn] += 1
        if not ack_eliciting:
            return
        self.pending = True
        self._to_acknowledge += 1
        # At once: the second packet, one out of order or after a gap, one that met congestion (§13.2.1, §13.2.2).
        if self._to_acknowledge >= PACKETS_PER_ACK or self._gap or ecn == CE:
            self._gap = False
            self.deadline = now
        elif self.deadline is None:
            self.deadline = now + self._max_ack_delay

    def write(self, builder: PacketBuilder, now: float) -> bool:
        """Add an ACK frame if an ack-eliciting packet waits for one; False if none does or it does not fit.

        What does not fit is left out from the oldest range on (RFC 9000 §13.2.3).
        """
        if not self.pending:
            return False
        count = len(self._ranges)
        while count and len(frame := self._frame(count, now)) > builder.room:
            count //= 2
        if not count:
            return False
        builder.add_non_eliciting(frame, (self, self.largest))
        self.acknowledged = self.largest
        self.deadline = None
        self.pending = False
        self._to_acknowledge = 0
        self._unconfirmed += 1
        return True

    def on_acked(self, record: Record) -> None:
        """The peer knows what that ACK frame said: no need to repeat it (RFC 9000 §13.2.4).

        The newest range stays whole: every ACK frame is to contain the largest packet number (RFC 9000 §13.2.3).
        """
        self._unconfirmed = 0
        floor = min(record[1] + 1, self._ranges[-1][0])
        if floor > self._floor:
            self._floor = floor
            self._ranges.subtract(0, floor)

    def on_lost(self, record: Record) -> None:
        """Nothing to repeat: the next ACK frame says it all, and more (RFC 9000 §13.3)."""

    def _frame(self, count: int, now: float) -> bytes:
        """An ACK frame of the newest `count` ranges."""
        delay = int(max(0.0, now - self._largest_at) * ACK_DELAYS_PER_SECOND)
        if count == 1:
            # Nearly every ACK frame is this one: spelled out, it costs a third of the general way.
            start, stop = self._ranges[-1]
            fields = encode_varint(stop - 1), encode_varint(delay), encode_varint(stop - 1 - start)
            marks = self._ecn_marks
            if marks is None:
                return b"\x02%b%b\x00%b" % fields
            if not (marks[ECT_1] or marks[CE]):
                return b"\x03%b%b\x00%b%b\x00\x00" % (*fields, encode_varint(marks[ECT_0]))
        ranges = tuple((start, stop - 1) for start, stop in islice(reversed(self._ranges), count))
        return Ack(ranges, delay, self._ecn_counts()).encode()

    def _ecn_counts(self) -> EcnCounts | None:
        marks = self._ecn_marks
        return None if marks is None else EcnCounts(marks[ECT_0], marks[ECT_1], marks[CE])
