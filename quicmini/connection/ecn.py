"""Explicit Congestion Notification: routers mark packets instead of dropping them (RFC 9000 §13.4, RFC 9002 §7.1).

What is sent carries ECT(0) as long as the path and the peer prove that they can deal with it: the peer reports in each
ACK frame how many packets came with which mark, and this side checks whether that can be (RFC 9000 §13.4.2).
"""

from __future__ import annotations

from enum import Enum, auto
from math import inf

from quicmini.connection.spaces import Space
from quicmini.recovery.acks import ECT_0
from quicmini.recovery.loss import Recovery
from quicmini.recovery.sent import SentPacket
from quicmini.wire.frames import Ack, EcnCounts

__all__ = ["TESTING_PACKETS", "TESTING_TIMEOUTS", "Ecn", "EcnState"]

# Packets that are marked before the first answer, and probe timeouts after which no more are: a path that drops what
# is marked must not prevent the handshake (RFC 9000 §13.4.2, §A.4).
TESTING_PACKETS = 10
TESTING_TIMEOUTS = 2

# Probe timeouts in a row after which the path is suspected of having begun to drop what is marked (RFC 9000 §13.4.2).
LASTING_TIMEOUTS = 3

_NO_COUNTS = EcnCounts(0, 0, 0)


class EcnState(Enum):
    """RFC 9000 §A.4.

    TESTING: the first packets are marked. UNKNOWN: none is until one of those is acknowledged. CAPABLE: all are.
    FAILED: none is.
    """

    TESTING = auto()
    UNKNOWN = auto()
    CAPABLE = auto()
    FAILED = auto()


# Bound once: looking up a member of an enumeration costs as much as a small call.
_CAPABLE, _FAILED = EcnState.CAPABLE, EcnState.FAILED


class _Marks:
    """What was sent with a mark in one packet number space, and what the peer has reported last.

    marked_from: every packet from this number on has a mark; while none is sent: infinite.
    """

    __slots__ = ("_unmarked", "_unmarked_from", "counts", "largest_acked", "marked_from")

    def __init__(self) -> None:
        self.counts = _NO_COUNTS
        self.largest_acked = -1
        self.marked_from: float = 0
        self._unmarked = 0  # packets without a mark, but for those since `_unmarked_from`
        self._unmarked_from = 0

    def pause(self, next_packet_number: int) -> None:
        self.marked_from, self._unmarked_from = inf, next_packet_number

    def resume(self, next_packet_number: int) -> None:
        self.marked_from = next_packet_number
        self._unmarked += next_packet_number - self._unmarked_from

    def count(self, packets: list[SentPacket]) -> int:
        """How many of these had a mark. What was sent before the last pause had one, as far as is remembered."""
        first, marked_from = self._unmarked_from, self.marked_from
        return sum(not first <= packet.packet_number < marked_from for packet in packets)

    def sent(self, next_packet_number: int) -> int:
        """How many had a mark in all."""
        return (next_packet_number if self.marked_from < inf else self._unmarked_from) - self._unmarked


class Ecn:
    """The marks of one connection on its present path.

    codepoint: what goes into the IP header of what is sent now: ECT_0 or 0. state: see `EcnState`. testing: whether it
    is TESTING, and `review` should be called.
    """

    __slots__ = ("_enabled", "_marks", "_recovery", "_spaces", "_tested_from", "codepoint", "state", "testing")

    def __init__(self, spaces: list[Space], recovery: Recovery, *, enabled: bool) -> None:
        self._enabled = enabled
        self._spaces = spaces
        self._recovery = recovery
        self._marks = [_Marks() for _ in spaces]
        self._tested_from = 0
        self.codepoint = ECT_0
        self._go_on(EcnState.TESTING)
        if not enabled:
            self._stop(EcnState.FAILED)

    def review(self) -> None:
        """Call it before packets are sent in the TESTING state: enough may have been."""
        tested = self._packets_sent() - self._tested_from
        if tested >= TESTING_PACKETS or self._recovery.pto_count >= TESTING_TIMEOUTS:
            self._stop(EcnState.UNKNOWN)

    def on_timer(self) -> None:
        """After a probe timeout: packets may get lost because of their mark."""
        if self.state is EcnState.CAPABLE and self._recovery.pto_count >= LASTING_TIMEOUTS:
            self._stop(EcnState.UNKNOWN)

    def on_new_path(self, *, validated: bool = True) -> None:
        """What was true of the last path need not be of this one (RFC 9000 §9.4, §13.4.2).

        Before it is validated nothing is marked: a path that drops what has a mark would be given up for it.
        """
        if self._enabled and not validated:
            self._stop(EcnState.UNKNOWN)
        elif self._enabled:
            self._start()
            self._tested_from = self._packets_sent()
            self._go_on(EcnState.TESTING)

    def on_ack(self, number: int, frame: Ack, acked: list[SentPacket], now: float) -> None:
        """Look at the counts of an ACK frame that has newly acknowledged these packets.

        Only one that raises the largest acknowledged number counts: others may be older than what is known already
        (RFC 9000 §13.4.2.1).
        """
        marks = self._marks[number]
        largest = frame.ranges[0][1]
        if not acked or largest <= marks.largest_acked or self.state is _FAILED:
            return
        marks.largest_acked = largest
        marked = len(acked) if acked[0].packet_number >= marks.marked_from else marks.count(acked)
        before = marks.counts
        ect0_before, _, ce_before = before
        counts = frame.ecn or before
        ect0, ect1, ce = counts
        if (
            ect0 + ce - ect0_before - ce_before < marked
            or ect0 < ect0_before
            or ce < ce_before
            or ect1
            or ect0 > marks.sent(self._spaces[number].next_packet_number)
        ):
            self._stop(EcnState.FAILED)
            return
        marks.counts = counts
        if marked and self.state is not _CAPABLE:
            self._go_on(EcnState.CAPABLE)
            self._start()
        if ce > ce_before:
            self._recovery.on_congestion_event(acked[-1].time_sent, now)

    def _packets_sent(self) -> int:
        return sum(space.next_packet_number for space in self._spaces)

    def _start(self) -> None:
        if not self.codepoint:
            self.codepoint = ECT_0
            for marks, space in zip(self._marks, self._spaces, strict=True):
                marks.resume(space.next_packet_number)

    def _go_on(self, state: EcnState) -> None:
        self.state = state
        self.testing = state is EcnState.TESTING

    def _stop(self, state: EcnState) -> None:
        self._go_on(state)
        if self.codepoint:
            self.codepoint = 0
            for marks, space in zip(self._marks, self._spaces, strict=True):
                marks.pause(space.next_packet_number)
