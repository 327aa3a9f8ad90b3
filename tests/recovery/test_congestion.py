from __future__ import annotations

import pytest

from quicmini.recovery.congestion import NewReno, initial_window
from quicmini.recovery.sent import SentPacket


def packet(time_sent: float, size: int = 1200, *, in_flight: bool = True) -> SentPacket:
    return SentPacket(0, time_sent, size, in_flight, in_flight, [])


def fill(reno: NewReno, now: float, size: int = 1200) -> list[SentPacket]:
    """Send until the window is full."""
    packets = []
    while reno.bytes_in_flight + size <= reno.window:
        reno.on_packet_sent(size, now, pacing_limited=False)
        packets.append(packet(now, size))
    return packets


@pytest.mark.parametrize(
    ("datagram", "window"),
    [(1200, 12000), (1452, 14520), (1472, 14720), (1500, 14720), (8000, 16000), (65527, 131054)],
)
def test_the_initial_window(datagram: int, window: int) -> None:
    assert initial_window(datagram) == window  # min(10 * mds, max(2 * mds, 14720)), RFC 9002 §7.2


def test_slow_start_grows_by_what_was_acknowledged() -> None:
    reno = NewReno(1200)
    packets = fill(reno, 0.0)
    assert (len(packets), reno.bytes_in_flight) == (10, 12000)
    reno.on_packets_acked(packets[:4])
    assert (reno.window, reno.bytes_in_flight) == (16800, 7200)
    reno.on_packets_acked(packets[4:])
    assert (reno.window, reno.bytes_in_flight) == (24000, 0)


def test_a_loss_halves_the_window_once_for_each_round_trip() -> None:
    reno = NewReno(1200)
    packets = fill(reno, 0.0)
    reno.on_packets_lost(packets[:1], now=1.0)
    assert (reno.window, reno.slow_start_threshold, reno.bytes_in_flight) == (6000, 6000, 10800)
    reno.on_packets_lost(packets[1:2], now=1.1)  # sent before the recovery period began
    assert reno.window == 6000
    reno.on_packets_lost([packet(1.0)], now=1.2)  # sent as it began
    assert reno.window == 6000
    reno.on_packets_lost([packet(1.05)], now=1.3)  # sent within it: another one begins
    assert reno.window == 3000


def test_the_window_does_not_grow_by_what_was_sent_before_the_recovery_period() -> None:
    reno = NewReno(1200)
    packets = fill(reno, 0.0)
    reno.on_packets_lost(packets[:1], now=1.0)
    reno.on_packets_acked(packets[1:])
    assert (reno.window, reno.bytes_in_flight) == (6000, 0)
    reno.on_packets_acked(fill(reno, 1.0))  # sent as it began
    assert reno.window == 6000
    reno.on_packets_acked(fill(reno, 1.1))
    assert reno.window == 7200


def test_congestion_avoidance_grows_by_one_datagram_for_each_window() -> None:
    reno = NewReno(1200)
    reno.on_packets_lost(fill(reno, 0.0), now=1.0)
    assert (reno.window, reno.bytes_in_flight) == (6000, 0)
    packets = fill(reno, 2.0)
    assert len(packets) == 5
    reno.on_packets_acked(packets[:4])
    assert reno.window == 6000
    reno.on_packets_acked(packets[4:])
    assert reno.window == 7200
    packets = fill(reno, 3.0)
    reno.on_packets_acked(packets)
    assert (len(packets), reno.window) == (6, 8400)


def test_slow_start_ends_at_the_threshold() -> None:
    reno = NewReno(1200)
    reno.on_packets_lost(fill(reno, 0.0), now=1.0)
    reno.on_persistent_congestion()
    assert (reno.window, reno.slow_start_threshold) == (2400, 6000)
    for now, window in ((2.0, 4800), (3.0, 6000), (4.0, 7200)):  # doubled; up to the threshold; one datagram
        reno.on_packets_acked(fill(reno, now))
        assert reno.window == window


def test_the_minimum_window_is_two_datagrams() -> None:
    reno = NewReno(1200)
    for now in range(1, 10):
        reno.on_congestion_event(now - 0.5, float(now))
    assert reno.window == reno.minimum_window == 2400


def test_persistent_congestion_ends_the_recovery_period() -> None:
    reno = NewReno(1200)
    reno.on_packets_lost(fill(reno, 0.5), now=1.0)
    reno.on_persistent_congestion()
    assert reno.window == 2400
    reno.on_packets_acked(fill(reno, 0.9)[:1])
    assert reno.window == 3600


def test_an_underused_window_does_not_grow() -> None:
    reno = NewReno(1200)
    for now in range(100):
        reno.on_packet_sent(1200, float(now), pacing_limited=False)
        reno.on_packets_acked([packet(float(now))])
    assert (reno.window, reno.bytes_in_flight) == (12000, 0)


def test_a_window_that_the_pacer_keeps_half_empty_is_in_use() -> None:
    reno = NewReno(1200)
    for _ in range(5):
        reno.on_packet_sent(1200, 1.0, pacing_limited=True)
    reno.on_packets_acked([packet(1.0)])
    assert reno.window == 12000  # half and no more: not yet
    for _ in range(2):
        reno.on_packet_sent(1200, 2.0, pacing_limited=True)
    reno.on_packets_acked([packet(1.0)])
    assert reno.window == 13200


def test_what_was_sent_while_the_window_was_full_counts_however_late_the_acks_are_read() -> None:
    reno = NewReno(1200)
    packets = fill(reno, 1.0)
    for one in packets:  # one ACK after the other without sending in between
        reno.on_packets_acked([one])
    assert reno.window == 24000


def test_an_ack_only_packet_changes_nothing() -> None:
    reno = NewReno(1200)
    fill(reno, 0.0)
    reno.on_packets_lost([packet(0.0, 40, in_flight=False)], now=1.0)
    reno.on_packets_acked([packet(0.0, 40, in_flight=False)])
    reno.on_packets_discarded([packet(0.0, 40, in_flight=False)])
    assert (reno.window, reno.bytes_in_flight) == (12000, 12000)


def test_discarded_packets_leave_without_a_verdict() -> None:
    reno = NewReno(1200)
    reno.on_packets_discarded(fill(reno, 0.0))
    assert (reno.window, reno.bytes_in_flight) == (12000, 0)


def test_a_lost_mtu_probe_is_no_congestion() -> None:
    reno = NewReno(1200)
    reno.on_packet_sent(1452, 0.0, pacing_limited=False)
    reno.on_packets_lost([packet(0.0, 1452)], now=1.0)
    assert (reno.window, reno.bytes_in_flight) == (12000, 0)


def test_another_datagram_size_moves_a_window_that_has_not_moved() -> None:
    reno = NewReno(1200)
    reno.set_max_datagram_size(1452)
    assert reno.window == 14520
    reno.on_congestion_event(0.0, 1.0)
    reno.set_max_datagram_size(8000)
    assert reno.window == 16000  # the minimum window
    reno.set_max_datagram_size(1200)
    assert reno.minimum_window == 2400
