from __future__ import annotations

import pytest

from quicmini.errors import TransportError, TransportErrorCode
from quicmini.recovery.loss import Recovery
from quicmini.recovery.sent import PacketNumberSpace, SentPacket
from quicmini.wire.frames import Ack

INITIAL, HANDSHAKE, APPLICATION = PacketNumberSpace


def recovery(*, is_client: bool = False, confirmed: bool = True) -> Recovery:
    """Before any sample; the initial RTT of 0.4 s makes a probe interval of 0.4 + 4 * 0.2 = 1.2 s."""
    new = Recovery(1200, 0.4, is_client=is_client)
    new.handshake_confirmed = confirmed
    return new


def measured(rtt: float = 0.1, *, confirmed: bool = True) -> Recovery:
    """One sample was taken at time 0, of packet 0; next comes packet 1. Probe interval: rtt + 4 * rtt / 2 = 3 * rtt."""
    new = recovery(confirmed=confirmed)
    send(new, 0, -rtt)
    acknowledge(new, 0.0, (0, 0))
    return new


def send(
    to: Recovery, number: int, now: float, space: int = APPLICATION, *, size: int = 1200, ack_eliciting: bool = True
) -> None:
    to.pacing_deadline(now)  # as a sender does: it refills the bucket
    to.on_packet_sent(space, SentPacket(number, now, size, ack_eliciting, ack_eliciting, [("owner", number)]), now)


def acknowledge(
    to: Recovery, now: float, *ranges: tuple[int, int], space: int = APPLICATION, delay: float = 0.0
) -> tuple[list[int], list[int]]:
    acked, lost = to.on_ack_received(space, Ack(ranges, 0), delay, now)
    return [packet.packet_number for packet in acked], [packet.packet_number for packet in lost]


def on_timer(to: Recovery, now: float) -> list[int]:
    return [packet.packet_number for packet in to.on_timer(now)]


class TestRttSamples:
    """RFC 9002 §5.1, §5.3."""

    def test_the_largest_acknowledged_packet_gives_the_sample(self) -> None:
        sender = recovery()
        send(sender, 0, 0.0)
        send(sender, 1, 1.0)
        acknowledge(sender, 1.25, (0, 1))
        assert sender.rtt.latest == 0.25

    def test_no_first_sample_of_a_packet_that_waited_for_its_keys(self) -> None:
        """The first one is taken as it is: what it says must be about the network (RFC 9002 §5.3)."""
        sender = recovery(confirmed=False)
        send(sender, 0, 0.0)
        send(sender, 1, 3.0)
        acknowledge(sender, 3.1, (0, 0), delay=3.0)
        assert sender.rtt.first_sample_at is None
        assert sender.rtt.smoothed == 0.4
        acknowledge(sender, 3.2, (0, 1), delay=0.025)
        assert sender.rtt.smoothed == pytest.approx(0.2)

    def test_no_sample_without_a_newly_acknowledged_largest_packet(self) -> None:
        sender = recovery()
        send(sender, 0, 0.0)
        send(sender, 1, 0.0)
        acknowledge(sender, 0.25, (1, 1))
        assert acknowledge(sender, 0.5, (0, 1)) == ([0], [])
        assert sender.rtt.latest == 0.25

    def test_no_sample_of_packets_that_elicit_no_ack(self) -> None:
        sender = recovery()
        send(sender, 0, 0.0, ack_eliciting=False)
        assert acknowledge(sender, 9.0, (0, 0)) == ([0], [])
        assert sender.rtt.first_sample_at is None

    def test_a_packet_that_elicits_no_ack_may_be_the_largest(self) -> None:
        sender = recovery()
        send(sender, 0, 0.0)
        send(sender, 1, 0.5, ack_eliciting=False)
        acknowledge(sender, 0.75, (0, 1))
        assert sender.rtt.latest == 0.25

    @pytest.mark.parametrize(
        ("space", "confirmed", "smoothed"),
        [
            (INITIAL, False, 0.15),  # ignored: 7/8 * 0.1 + 1/8 * 0.5
            (HANDSHAKE, False, 0.1125),  # all of 0.3 is believed: 7/8 * 0.1 + 1/8 * 0.2
            (APPLICATION, False, 0.1125),
            (APPLICATION, True, 0.146875),  # the peer promised 25 ms at most: 7/8 * 0.1 + 1/8 * 0.475
        ],
    )
    def test_how_much_of_the_delay_counts(self, space: PacketNumberSpace, confirmed: bool, smoothed: float) -> None:
        sender = measured(0.1, confirmed=confirmed)
        send(sender, 1, 1.0, space)
        acknowledge(sender, 1.5, (1, 1), space=space, delay=0.3)
        assert sender.rtt.smoothed == pytest.approx(smoothed)


class TestAcknowledgements:
    @pytest.mark.parametrize("ranges", [((0, 2),), ((7, 7),)])
    def test_a_packet_never_sent_is_a_protocol_violation(self, ranges: tuple[tuple[int, int], ...]) -> None:
        sender = recovery()
        send(sender, 0, 0.0)
        send(sender, 1, 0.0)
        with pytest.raises(TransportError) as caught:
            acknowledge(sender, 0.1, *ranges)
        assert caught.value.error_code == TransportErrorCode.PROTOCOL_VIOLATION
        assert caught.value.frame_type == 0x02

    def test_so_is_a_skipped_packet_number(self) -> None:
        sender = recovery()
        send(sender, 0, 0.0)
        sender.on_packet_number_skipped(APPLICATION, 1)
        send(sender, 2, 0.0)
        assert acknowledge(sender, 0.1, (2, 2), (0, 0)) == ([0, 2], [])
        with pytest.raises(TransportError):
            acknowledge(sender, 0.1, (0, 2))

    def test_nothing_was_sent_in_another_space(self) -> None:
        sender = recovery()
        send(sender, 0, 0.0, INITIAL)
        with pytest.raises(TransportError):
            acknowledge(sender, 0.1, (0, 0), space=HANDSHAKE)

    def test_the_bytes_leave_the_flight(self) -> None:
        sender = recovery()
        for number in range(4):
            send(sender, number, 0.0)
        assert (sender.bytes_in_flight, sender.window_room()) == (4800, 7200)
        acknowledge(sender, 0.1, (0, 2))
        assert sender.bytes_in_flight == 1200

    def test_packets_that_elicit_no_ack_are_not_in_flight(self) -> None:
        sender = recovery()
        send(sender, 0, 0.0, ack_eliciting=False)
        assert (sender.bytes_in_flight, sender.timer()) == (0, None)

    def test_a_late_ack_of_a_lost_packet_is_ignored(self) -> None:
        sender = measured()
        for number in range(1, 5):
            send(sender, number, 1.0)
        assert acknowledge(sender, 1.1, (4, 4)) == ([4], [1])
        window = sender.congestion.window
        assert acknowledge(sender, 1.1, (1, 1)) == ([], [])
        assert (sender.congestion.window, sender.bytes_in_flight) == (window, 2400)

    def test_the_window_has_no_room_beyond_what_is_in_flight(self) -> None:
        sender = recovery()
        for number in range(11):  # the last one is a probe: it asks nobody
            send(sender, number, 0.0)
        assert sender.window_room() == 0


class TestLoss:
    """RFC 9002 §6.1."""

    def test_three_packets_later(self) -> None:
        sender = measured()
        for number in range(1, 6):
            send(sender, number, 1.0)
        assert acknowledge(sender, 1.1, (5, 5)) == ([5], [1, 2])
        assert sender.packets_lost == 2
        assert sender.congestion.window == 6000  # 10 * 1200, halved

    def test_nine_eighths_of_a_round_trip_later(self) -> None:
        sender = measured(0.08)
        send(sender, 1, 1.0)
        send(sender, 2, 1.0)
        assert acknowledge(sender, 1.08, (2, 2)) == ([2], [])
        assert sender.timer() == pytest.approx(1.09)
        assert on_timer(sender, 1.089) == []
        assert on_timer(sender, sender.timer() or 0.0) == [1]
        assert (sender.bytes_in_flight, sender.packets_lost, sender.timer()) == (0, 1, None)
        assert sender.probes_wanted == [0, 0, 0]

    def test_the_loss_time_goes_before_the_probe_timeout(self) -> None:
        sender = measured(0.08)
        for number in (1, 2, 3):
            send(sender, number, 1.0)
        acknowledge(sender, 1.08, (2, 2))
        assert sender.timer() == pytest.approx(1.09)
        on_timer(sender, 1.1)
        assert sender.timer() == pytest.approx(1.0 + sender.rtt.probe_interval + 0.025)

    def test_a_time_exactly_reached_is_reached(self) -> None:
        """Sums of floats are compared with themselves: no timer may fire for ever without doing anything."""
        for sent_at in (0.1, 0.7, 1e6 + 0.3, 12345.678):
            sender = measured(0.0777)
            send(sender, 1, sent_at)
            send(sender, 2, sent_at)
            acknowledge(sender, sent_at + 0.0777, (2, 2))
            assert on_timer(sender, sender.timer() or 0.0) == [1]

    def test_each_space_by_itself(self) -> None:
        sender = measured(confirmed=False)
        for number in range(5):
            send(sender, number, 1.0, HANDSHAKE)
        send(sender, 1, 1.0)
        assert acknowledge(sender, 1.1, (1, 1)) == ([1], [])
        assert acknowledge(sender, 1.1, (4, 4), space=HANDSHAKE) == ([4], [0, 1])

    def test_a_lost_ack_only_packet_is_no_congestion(self) -> None:
        sender = measured()
        send(sender, 1, 1.0, ack_eliciting=False)
        for number in range(2, 5):
            send(sender, number, 1.0)
        assert acknowledge(sender, 1.1, (2, 4)) == ([2, 3, 4], [1])
        assert sender.congestion.window == 12000

    def test_an_ecn_mark_is_a_congestion_event(self) -> None:
        sender = measured()
        sender.on_congestion_event(1.0, 1.1)
        assert sender.congestion.window == 6000


class TestProbeTimeout:
    """RFC 9002 §6.2."""

    def test_from_the_last_ack_eliciting_packet(self) -> None:
        sender = measured(0.1)
        send(sender, 1, 1.0)
        send(sender, 2, 2.0)
        send(sender, 3, 3.0, ack_eliciting=False)
        assert sender.timer() == pytest.approx(2.0 + 0.3 + 0.025)

    def test_it_asks_for_two_probes_and_doubles(self) -> None:
        sender = measured(0.1)
        send(sender, 1, 1.0)
        assert on_timer(sender, 1.32) == []
        assert (sender.probes_wanted, sender.pto_count) == ([0, 0, 0], 0)
        assert on_timer(sender, 1.33) == []  # nothing is lost by a timeout
        assert (sender.probes_wanted, sender.pto_count, sender.bytes_in_flight) == ([0, 0, 2], 1, 1200)
        assert sender.timer() == pytest.approx(1.0 + 2 * 0.325)
        send(sender, 2, 1.33)
        assert sender.timer() == pytest.approx(1.33 + 2 * 0.325)
        on_timer(sender, 2.0)
        assert sender.timer() == pytest.approx(1.33 + 4 * 0.325)

    def test_an_ack_resets_the_backoff(self) -> None:
        sender = measured(0.1)
        send(sender, 1, 1.0)
        send(sender, 2, 1.0)
        on_timer(sender, 1.4)
        acknowledge(sender, 1.4, (1, 1))
        assert sender.pto_count == 0

    def test_a_backoff_of_many_timeouts_stays_finite(self) -> None:
        sender = recovery()
        send(sender, 0, 0.0)
        for _ in range(2000):
            on_timer(sender, sender.timer() or 0.0)
        assert sender.timer() == pytest.approx(2**20 * 1.225)

    def test_handshake_spaces_do_not_wait_for_the_ack_delay(self) -> None:
        sender = recovery(confirmed=False)
        send(sender, 0, 1.0, INITIAL)
        assert sender.timer() == pytest.approx(1.0 + 1.2)

    def test_the_earlier_of_the_handshake_spaces(self) -> None:
        sender = recovery(confirmed=False)
        send(sender, 0, 2.0, INITIAL)
        send(sender, 0, 1.0, HANDSHAKE)
        assert sender.timer() == pytest.approx(1.0 + 1.2)
        on_timer(sender, 2.3)
        assert sender.probes_wanted == [1, 2, 0]  # what waits in the other one goes along (§6.2.4)
        assert sender.timer() == pytest.approx(1.0 + 2.4)  # the backoff is common to all

    def test_none_for_application_data_before_the_handshake_is_confirmed(self) -> None:
        sender = recovery(confirmed=False)
        send(sender, 0, 1.0)
        assert sender.timer() is None
        sender.handshake_confirmed = True
        assert sender.timer() == pytest.approx(1.0 + 1.2 + 0.025)

    def test_none_at_the_amplification_limit(self) -> None:
        sender = recovery(confirmed=False)
        send(sender, 0, 1.0, INITIAL)
        sender.at_amplification_limit = True
        assert sender.timer() is None
        on_timer(sender, 9.0)
        assert sender.probes_wanted == [0, 0, 0]
        sender.at_amplification_limit = False  # a datagram came: the timer may lie in the past
        assert sender.timer() == pytest.approx(2.2)
        on_timer(sender, 9.0)
        assert sender.probes_wanted == [2, 0, 0]

    def test_discarding_a_space_resets_it(self) -> None:
        sender = recovery(confirmed=False)
        send(sender, 0, 1.0, INITIAL)
        send(sender, 0, 1.5, HANDSHAKE)
        on_timer(sender, 2.2)
        assert [packet.packet_number for packet in sender.discard_space(INITIAL)] == [0]
        assert (sender.bytes_in_flight, sender.pto_count, sender.probes_wanted[INITIAL]) == (1200, 0, 0)
        assert sender.timer() == pytest.approx(1.5 + 1.2)
        sender.discard_space(HANDSHAKE)
        assert (sender.bytes_in_flight, sender.timer()) == (0, None)

    def test_a_probe_may_repeat_the_oldest_packet(self) -> None:
        sender = measured()
        send(sender, 1, 1.0)
        send(sender, 2, 1.0)
        assert sender.take_probe_records(APPLICATION) == [("owner", 1)]
        assert sender.take_probe_records(APPLICATION) == [("owner", 2)]
        assert acknowledge(sender, 1.1, (1, 2)) == ([1, 2], [])

    def test_the_base_is_one_timeout_without_backoff(self) -> None:
        sender = measured(0.1)
        sender.pto_count = 3
        assert sender.pto_base() == pytest.approx(0.325)


class TestAntiDeadlock:
    """RFC 9002 §6.2.2.1: a client goes on until the server has certainly validated its address."""

    def client(self) -> Recovery:
        client = recovery(is_client=True, confirmed=False)
        send(client, 0, 1.0, INITIAL)
        acknowledge(client, 1.1, (0, 0), space=INITIAL)  # sample 0.1: probe interval 0.3
        return client

    def test_the_timer_runs_with_nothing_in_flight(self) -> None:
        client = self.client()
        assert client.timer() == pytest.approx(1.1 + 0.3)
        on_timer(client, 1.41)
        assert client.probes_wanted == [1, 0, 0]
        assert client.timer() == pytest.approx(1.41 + 0.6)

    def test_the_probe_is_a_handshake_packet_once_there_are_keys(self) -> None:
        client = self.client()
        client.has_handshake_keys = True
        on_timer(client, 1.41)
        assert client.probes_wanted == [0, 1, 0]

    def test_application_data_in_flight_does_not_stop_it(self) -> None:
        client = self.client()
        send(client, 0, 1.2)
        assert client.timer() == pytest.approx(1.1 + 0.3)

    def test_an_ack_of_an_initial_packet_does_not_reset_the_backoff(self) -> None:
        client = recovery(is_client=True, confirmed=False)
        send(client, 0, 0.0, INITIAL)
        on_timer(client, 1.21)
        acknowledge(client, 1.3, (0, 0), space=INITIAL)
        assert client.pto_count == 1

    def test_an_ack_of_a_handshake_packet_ends_it(self) -> None:
        client = self.client()
        on_timer(client, 1.41)
        send(client, 0, 1.41, HANDSHAKE)
        acknowledge(client, 1.5, (0, 0), space=HANDSHAKE)
        assert (client.pto_count, client.timer()) == (0, None)

    def test_so_does_the_end_of_the_handshake(self) -> None:
        client = self.client()
        client.handshake_confirmed = True
        assert client.timer() is None

    def test_a_server_has_no_such_timer(self) -> None:
        server = recovery(confirmed=False)
        assert server.timer() is None


class TestPersistentCongestion:
    """RFC 9002 §7.6."""

    def lose(self, *times: float, ranges: tuple[tuple[int, int], ...] = (), ack_only: float = 0.0) -> Recovery:
        """Packets 2, 3, … go out at these times; the last one is acknowledged 0.2 s later, with `ranges`.

        The third sample of 0.2 s makes a variation of 0.1 * (3/4)**2 = 0.05625 s, a probe interval of 0.425 s and,
        with an ack delay of 1.575 s, the figures of RFC 9002 §7.6.3: a probe timeout of 2 s, a duration of 6 s.
        """
        sender = measured(0.2)
        sender.max_ack_delay = 1.575
        send(sender, 1, 0.0)
        acknowledge(sender, 0.2, (1, 1))
        for number, now in enumerate(times, 2):
            send(sender, number, now, ack_eliciting=now != ack_only)
        last = len(times) + 1
        acknowledge(sender, times[-1] + 0.2, (last, last), *ranges)
        assert sender.pto_base() == pytest.approx(2.0)
        return sender

    def test_the_example_of_the_rfc(self) -> None:
        sender = self.lose(1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 8.0, 12.0)
        assert sender.packets_lost == 7  # over 8 - 1 = 7 s
        assert sender.congestion.window == 2400
        assert sender.congestion.slow_start_threshold == 6000

    def test_the_minimum_rtt_starts_anew(self) -> None:
        sender = measured(0.2)
        sender.max_ack_delay = 1.575
        for number, now in enumerate((1.0, 9.0, 12.0, 12.0, 12.0), 1):
            send(sender, number, now)
        acknowledge(sender, 12.5, (5, 5))  # 1 and 2 are lost: 8 s; 3 * (0.2375 + 4 * 0.15 + 1.575) = 7.2 s
        assert sender.congestion.window == 2400
        assert sender.rtt.minimum == sender.rtt.latest == 0.5

    def test_a_shorter_period_is_an_ordinary_loss(self) -> None:
        assert self.lose(2.1, 5.0, 8.0, 12.0).congestion.window == 6000  # 5.9 s
        assert self.lose(1.9, 5.0, 8.0, 12.0).congestion.window == 2400  # 6.1 s

    def test_an_acknowledged_packet_in_between_ends_the_period(self) -> None:
        times = (1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 8.0, 12.0)
        assert self.lose(*times, ranges=((5, 5),)).congestion.window == 6000  # 1 to 3 s, 5 to 8 s
        assert self.lose(*times, ranges=((2, 2),)).congestion.window == 6000  # 2 to 8 s: not more than 6
        assert self.lose(0.5, *times, ranges=((2, 2),)).congestion.window == 2400  # 1 to 8 s

    def test_only_packets_that_elicit_an_ack_bound_the_period(self) -> None:
        assert self.lose(1.0, 6.0, 8.0, 12.0, ack_only=8.0).congestion.window == 6000
        assert self.lose(1.0, 6.0, 8.0, 12.0, ack_only=6.0).congestion.window == 2400

    def test_an_acknowledgement_in_another_space_counts(self) -> None:
        sender = measured(0.2)
        for number, now in enumerate((1.0, 4.0, 8.0, 12.0), 1):
            if now == 8.0:
                send(sender, 0, 4.5, HANDSHAKE)
                acknowledge(sender, 4.7, (0, 0), space=HANDSHAKE)
            send(sender, number, now)
        sender.max_ack_delay = 1.575
        assert acknowledge(sender, 12.2, (4, 4)) == ([4], [1, 2, 3])
        assert sender.congestion.window == 6000

    def test_what_was_sent_before_the_first_sample_does_not_count(self) -> None:
        sender = recovery()
        for number, now in enumerate((0.0, 3.0, 6.0, 50.0)):
            send(sender, number, now)
        assert acknowledge(sender, 50.1, (3, 3)) == ([3], [0, 1, 2])
        assert sender.congestion.window == 6000


class TestPacing:
    """RFC 9002 §7.7."""

    def test_the_budget_is_the_smaller_of_window_and_pacer(self) -> None:
        sender = recovery()
        assert sender.pacing_deadline(0.0) is None
        assert sender.send_budget(0.0) == 12000
        for number in range(4):
            send(sender, number, 0.0)
        assert sender.send_budget(0.0) == sender.window_room() == 7200

    def test_an_empty_bucket_says_when_to_come_back(self) -> None:
        sender = measured(0.1)
        sender.congestion.window = 96_000  # 1.25 * 96 kB / 0.1 s = 1.2 MB/s: a datagram in 1 ms
        sender.pacing_deadline(1.0)
        for number in range(1, 11):
            assert sender.send_budget(1.0) > 0
            send(sender, number, 1.0)
        assert sender.send_budget(1.0) == 0
        assert sender.pacing_deadline(1.0) == pytest.approx(1.001)
        assert sender.send_budget(1.0011) >= 1200

    def test_packets_that_elicit_no_ack_are_not_paced(self) -> None:
        sender = recovery()
        for number in range(100):
            send(sender, number, 0.0, ack_eliciting=False)
        assert sender.pacing_deadline(0.0) is None

    def test_another_datagram_size_reaches_window_and_pacer(self) -> None:
        sender = recovery()
        sender.set_max_datagram_size(1452)
        assert sender.window_room() == 14520
        assert sender.pacing_deadline(0.0) is None
        assert sender.pacer.capacity == 14520
