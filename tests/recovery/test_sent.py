from __future__ import annotations

import random

import pytest

from quicmini.recovery.sent import MAX_ACK_ONLY, SentPacket, SentPackets


def packet(number: int, time_sent: float = 0.0, *, ack_eliciting: bool = True, in_flight: bool = True) -> SentPacket:
    return SentPacket(number, time_sent, 1200, ack_eliciting, in_flight, [("owner", number)])


def ack_only(number: int) -> SentPacket:
    return packet(number, ack_eliciting=False, in_flight=False)


def filled(count: int) -> SentPackets:
    sent = SentPackets()
    for number in range(count):
        sent.add(packet(number, number / 10))
    return sent


def numbers(packets: list[SentPacket]) -> list[int]:
    return [packet.packet_number for packet in packets]


def test_ranges_take_out_what_they_cover_in_ascending_order() -> None:
    sent = filled(20)
    assert numbers(sent.acknowledge([(15, 17), (9, 11), (2, 2)])) == [2, 9, 10, 11, 15, 16, 17]
    assert len(sent) == 13
    assert sent.ack_eliciting_count == 13


def test_an_acknowledgement_counts_once() -> None:
    sent = filled(5)
    assert numbers(sent.acknowledge([(1, 3)])) == [1, 2, 3]
    assert sent.acknowledge([(1, 3)]) == []
    assert numbers(sent.acknowledge([(0, 4)])) == [0, 4]
    assert sent.acknowledge([(0, 4)]) == []


def test_ranges_below_the_oldest_outstanding_packet_are_not_looked_at() -> None:
    sent = filled(10)
    sent.acknowledge([(0, 8)])
    ranges = iter([(9, 9), (5, 6), (3, 3), (0, 1)])
    assert numbers(sent.acknowledge(ranges)) == [9]
    assert list(ranges) == [(3, 3), (0, 1)]


def test_what_was_never_sent_is_known() -> None:
    sent = filled(5)
    assert sent.was_sent([(0, 4)], 4)
    assert not sent.was_sent([(0, 5)], 5)
    sent.skip(5)
    sent.add(packet(6))
    assert sent.was_sent([(6, 6), (0, 4)], 6)
    assert not sent.was_sent([(4, 6)], 6)


def test_the_packet_threshold_is_three() -> None:
    sent = filled(10)
    sent.largest_acked = 5
    sent.acknowledge([(5, 5)])
    assert numbers(sent.detect_lost(loss_delay=100.0, now=0.5)) == [0, 1, 2]
    assert sent.loss_time == pytest.approx(0.3 + 100.0)  # packet 3 was sent at 0.3


def test_the_time_threshold_counts_from_the_sending() -> None:
    sent = filled(10)
    sent.largest_acked = 2
    sent.acknowledge([(2, 2)])
    assert numbers(sent.detect_lost(loss_delay=1.0, now=1.0)) == [0]  # sent at 0.0; packet 1 at 0.1
    assert sent.loss_time == pytest.approx(1.1)
    assert numbers(sent.detect_lost(loss_delay=1.0, now=sent.loss_time or 0.0)) == [1]
    assert sent.loss_time is None


def test_nothing_sent_after_the_largest_acknowledged_is_lost() -> None:
    sent = filled(3)
    assert sent.detect_lost(loss_delay=0.001, now=1000.0) == []
    assert sent.loss_time is None


def test_clear_hands_everything_out() -> None:
    sent = filled(3)
    assert numbers(sent.clear()) == [0, 1, 2]
    assert (len(sent), sent.ack_eliciting_count, sent.loss_time) == (0, 0, None)
    assert sent.largest_sent == 2


def test_a_probe_takes_the_oldest_records_once() -> None:
    sent = SentPackets()
    sent.add(ack_only(0))
    sent.add(packet(1))
    sent.add(packet(2))
    assert sent.take_oldest_records() == [("owner", 1)]
    assert sent.take_oldest_records() == [("owner", 2)]
    assert sent.take_oldest_records() == []
    assert [packet.records for packet in sent.acknowledge([(0, 2)])] == [[("owner", 0)], [], []]


def test_packets_that_nobody_need_acknowledge_are_forgotten_in_time() -> None:
    sent = SentPackets()
    sent.add(packet(0))
    for number in range(1, 10 * MAX_ACK_ONLY):
        sent.add(ack_only(number))
        assert len(sent) <= MAX_ACK_ONLY + 1
    assert numbers(sent.acknowledge([(0, 0)])) == [0]
    assert sent.was_sent([(0, 10 * MAX_ACK_ONLY - 1)], 10 * MAX_ACK_ONLY - 1)


class Naive:
    """The same by looking at every packet every time (RFC 9002 §A.7, §A.10)."""

    def __init__(self) -> None:
        self.packets: dict[int, SentPacket] = {}
        self.largest_acked = -1
        self.loss_time: float | None = None

    def acknowledge(self, ranges: list[tuple[int, int]]) -> list[int]:
        acked = [number for number in sorted(self.packets) if any(low <= number <= high for low, high in ranges)]
        for number in acked:
            del self.packets[number]
        return acked

    def detect_lost(self, loss_delay: float, now: float) -> list[int]:
        lost, waiting = [], []
        for number, sent in sorted(self.packets.items()):
            if number <= self.largest_acked:
                if number + 3 <= self.largest_acked or sent.time_sent + loss_delay <= now:
                    lost.append(number)
                else:
                    waiting.append(sent.time_sent + loss_delay)
        for number in lost:
            del self.packets[number]
        self.loss_time = min(waiting, default=None)
        return lost


def random_ranges(source: random.Random, largest: int) -> list[tuple[int, int]]:
    """Ranges as a peer sends them: descending, at least one number between two of them."""
    ranges: list[tuple[int, int]] = []
    high = largest
    while high >= 0 and len(ranges) < 20:
        low = max(0, high - source.randrange(8))
        ranges.append((low, high))
        high = low - 2 - source.randrange(6)
    return ranges


@pytest.mark.parametrize("seed", range(30))
def test_against_the_naive_model(seed: int) -> None:
    source = random.Random(seed)
    sent, model = SentPackets(), Naive()
    now, number = 0.0, 0
    for _ in range(400):
        now += source.random() / 10
        if source.random() < 0.6 or not number:
            number += source.random() < 0.1  # a gap
            ack_eliciting = source.random() < 0.8
            one = packet(number, now, ack_eliciting=ack_eliciting, in_flight=ack_eliciting or source.random() < 0.5)
            sent.add(one)
            model.packets[number] = one
            number += 1
            continue
        ranges = random_ranges(source, source.randrange(max(0, number - 20), number))
        sent.largest_acked = model.largest_acked = max(model.largest_acked, ranges[0][1])
        assert numbers(sent.acknowledge(ranges)) == model.acknowledge(ranges)
        delay = source.random()
        assert numbers(sent.detect_lost(delay, now)) == model.detect_lost(delay, now)
        assert sent.loss_time == model.loss_time
        assert len(sent) == len(model.packets)
        assert sent.ack_eliciting_count == sum(one.ack_eliciting for one in model.packets.values())
    assert numbers(sent.clear()) == sorted(model.packets)
