from __future__ import annotations

import random

import pytest

from quicmini.recovery.acks import ACKS_PER_PING, MAX_ACK_RANGES, AckTracker
from quicmini.wire.builder import PacketBuilder
from quicmini.wire.frames import Ack, EcnCounts, parse_frames

MAX_ACK_DELAY = 0.025


def tracker(*numbers: int, ack_eliciting: bool = True) -> AckTracker:
    """A tracker of the Application space that got these packets at time 0."""
    acks = AckTracker(MAX_ACK_DELAY)
    for number in numbers:
        acks.on_packet_received(number, ack_eliciting, 0.0)
    return acks


def due(acks: AckTracker) -> tuple[float | None, bool]:
    return acks.deadline, acks.pending


def written(acks: AckTracker, now: float = 0.0, room: int = 1200) -> Ack | None:
    """The frame that `write` adds, read back by the parser."""
    builder = PacketBuilder(room)
    if not acks.write(builder, now):
        assert builder.empty
        return None
    assert not builder.ack_eliciting
    (frame,) = parse_frames(builder.payload())
    assert isinstance(frame, Ack)
    assert builder.records == [(acks, acks.largest)]
    return frame


def test_the_first_ack_eliciting_packet_waits_and_the_second_does_not() -> None:
    acks = tracker()
    assert due(acks) == (None, False)
    acks.on_packet_received(0, True, 1.0)
    assert due(acks) == (1.0 + MAX_ACK_DELAY, True)
    acks.on_packet_received(1, True, 1.01)
    assert due(acks) == (1.01, True)
    assert written(acks, 1.01) == Ack(((0, 1),), 0)
    assert due(acks) == (None, False)
    acks.on_packet_received(2, True, 2.0)
    assert due(acks)[0] == 2.0 + MAX_ACK_DELAY


def test_the_deadline_is_that_of_the_first_packet() -> None:
    acks = tracker()
    acks.on_packet_received(0, True, 1.0)
    acks.on_packet_received(1, False, 1.02)
    assert due(acks)[0] == 1.0 + MAX_ACK_DELAY


def test_handshake_packets_are_acknowledged_at_once() -> None:
    acks = AckTracker(0.0)
    acks.on_packet_received(0, True, 1.0)
    assert due(acks)[0] == 1.0


def test_a_batch_gets_one_ack() -> None:
    acks = tracker(*range(50))
    assert written(acks) == Ack(((0, 49),), 0)
    assert written(acks) is None


def test_packets_that_elicit_no_ack_get_none_whatever_their_order() -> None:
    acks = tracker(0, 1, 5, 3, 9, ack_eliciting=False)
    assert due(acks) == (None, False)
    assert written(acks) is None
    acks.on_packet_received(10, True, 0.0)  # they are acknowledged with the next one that does
    assert written(acks) == Ack(((9, 10), (5, 5), (3, 3), (0, 1)), 0)


def test_a_packet_after_a_gap_is_acknowledged_at_once() -> None:
    acks = tracker(0, 1)
    written(acks)
    acks.on_packet_received(3, True, 1.0)
    assert due(acks)[0] == 1.0


def test_a_packet_that_comes_late_is_acknowledged_at_once() -> None:
    acks = tracker(0, 1, 3)
    written(acks)
    acks.on_packet_received(2, True, 1.0)
    assert due(acks)[0] == 1.0


def test_a_gap_that_an_ack_only_packet_left_counts_for_the_next() -> None:
    acks = tracker(0, 1)
    written(acks)
    acks.on_packet_received(3, False, 1.0)
    assert due(acks)[0] is None
    acks.on_packet_received(4, True, 1.0)
    assert due(acks)[0] == 1.0
    written(acks)
    acks.on_packet_received(5, True, 2.0)  # in order again
    assert due(acks)[0] == 2.0 + MAX_ACK_DELAY


def test_a_congestion_mark_is_acknowledged_at_once_and_counted() -> None:
    acks = tracker()
    acks.on_packet_received(0, True, 1.0, ecn=2)
    assert due(acks)[0] == 1.0 + MAX_ACK_DELAY
    acks.on_packet_received(1, False, 1.0, ecn=1)
    assert written(acks, 1.0) == Ack(((0, 1),), 0, EcnCounts(ect0=1, ect1=1, ce=0))
    acks.on_packet_received(2, True, 1.0, ecn=3)
    assert due(acks)[0] == 1.0
    assert written(acks, 1.0) == Ack(((0, 2),), 0, EcnCounts(ect0=1, ect1=1, ce=1))


def test_the_delay_counts_from_the_largest_packet_in_units_of_8_microseconds() -> None:
    acks = tracker()
    acks.on_packet_received(1, True, 1.0)
    acks.on_packet_received(0, True, 1.5)
    frame = written(acks, 1.0 + 0.008)
    assert frame is not None
    assert frame.ack_delay in (999, 1000)  # 8 ms; the clock is a float
    acks.on_packet_received(2, True, 2.0)
    assert written(acks, 1.0) == Ack(((0, 2),), 0)  # a caller's clock may be a little behind


def test_duplicates_are_known() -> None:
    acks = tracker(0, 1, 2, 5)
    assert [acks.is_duplicate(number) for number in range(8)] == [True, True, True, False, False, True, False, False]


def test_an_acknowledged_ack_is_not_repeated_but_the_newest_range_is() -> None:
    acks = tracker(0, 1, 4, 5, 8, 9)
    builder = PacketBuilder(1200)
    acks.write(builder, 0.0)
    acks.on_packet_received(10, True, 0.0)
    acks.on_acked(builder.records[0])
    assert written(acks) == Ack(((8, 10),), 0)
    # What is no longer kept counts as received, even the gaps: who sent them has long declared them lost.
    assert all(acks.is_duplicate(number) for number in range(11))


def test_an_old_ack_takes_only_what_it_said() -> None:
    acks = tracker(0, 2)
    builder = PacketBuilder(1200)
    acks.write(builder, 0.0)
    for number in (4, 6):
        acks.on_packet_received(number, True, 0.0)
    acks.on_acked(builder.records[0])
    assert written(acks) == Ack(((6, 6), (4, 4)), 0)
    assert not acks.is_duplicate(3)
    acks.on_acked((acks, 0))  # an older one, acknowledged later
    assert acks.is_duplicate(1)


def test_a_lost_ack_is_not_repeated_by_itself() -> None:
    acks = tracker(0, 1)
    builder = PacketBuilder(1200)
    acks.write(builder, 0.0)
    acks.on_lost(builder.records[0])
    assert due(acks) == (None, False)
    acks.on_packet_received(2, True, 0.0)
    assert written(acks) == Ack(((0, 2),), 0)


def test_a_peer_that_leaves_gaps_fills_no_memory() -> None:
    acks = tracker(*range(0, 10_000, 2))
    frame = written(acks)
    assert frame is not None
    assert len(frame.ranges) == MAX_ACK_RANGES
    assert frame.ranges[0] == (9998, 9998)
    assert frame.ranges[-1] == (9998 - 2 * (MAX_ACK_RANGES - 1),) * 2
    assert acks.is_duplicate(1)  # below what was dropped nothing is known: it counts as received
    assert not acks.is_duplicate(9997)


def test_dropping_ranges_never_lowers_what_counts_as_received() -> None:
    acks = tracker(*range(0, 200, 2))
    acks.on_acked((acks, 198))
    acks.on_packet_received(7, True, 0.0)  # its own frames confirmed an ACK, before its number was taken in
    for number in range(202, 200 + 2 * MAX_ACK_RANGES, 2):  # one range too many: that of 7 goes
        acks.on_packet_received(number, True, 0.0)
    assert acks.is_duplicate(197)


@pytest.mark.parametrize(("room", "ranges"), [(1200, 40), (60, 20), (30, 10), (7, 1)])
def test_the_oldest_ranges_are_left_out_where_there_is_little_room(room: int, ranges: int) -> None:
    frame = written(tracker(*range(0, 80, 2)), room=room)
    assert frame is not None
    assert len(frame.ranges) == ranges
    assert frame.ranges[0] == (78, 78)


def test_without_room_the_ack_stays_due() -> None:
    acks = tracker(0, 1)
    assert written(acks, room=3) is None
    assert due(acks)[0] == 0.0
    assert written(acks) == Ack(((0, 1),), 0)


def test_every_so_many_unconfirmed_acks_a_ping_is_due() -> None:
    acks = tracker()
    pings = []
    for number in range(3 * ACKS_PER_PING):
        acks.on_packet_received(number, True, 0.0)
        written(acks)
        if acks.ping_due:
            pings.append(number)
    assert pings == [ACKS_PER_PING - 1, 2 * ACKS_PER_PING - 1, 3 * ACKS_PER_PING - 1]
    acks.on_acked((acks, 5))
    assert not acks.ping_due


@pytest.mark.parametrize("number", [0, 63, 64, 16383, 16384, 2**30, 2**62 - 1])
def test_every_size_of_packet_number_is_written(number: int) -> None:
    acks = tracker()
    acks.on_packet_received(number, True, 0.0)
    assert written(acks) == Ack(((number, number),), 0)


@pytest.mark.parametrize("seed", range(20))
def test_against_a_set_of_numbers(seed: int) -> None:
    source = random.Random(seed)
    acks, received = tracker(), set[int]()
    for step in range(100):
        number = max(0, step + source.randrange(-10, 10))
        assert acks.is_duplicate(number) == (number in received)
        if number not in received:
            received.add(number)
            acks.on_packet_received(number, True, 0.0)
            frame = written(acks)
            assert frame is not None
            told = {number for low, high in frame.ranges for number in range(low, high + 1)}
            assert told == received
