from __future__ import annotations

import pytest

from quicmini.recovery.pacing import Pacer

SIZE = 1000  # bytes: datagrams, for round figures


def refilled(window: int, rtt: float) -> Pacer:
    pacer = Pacer(SIZE)
    pacer.refill(window, rtt, 0.0)
    return pacer


def test_the_rate_is_five_quarters_of_the_window_in_a_round_trip() -> None:
    assert refilled(80_000, 0.1).rate == pytest.approx(1_000_000)  # 1.25 * 80 kB / 0.1 s


@pytest.mark.parametrize(
    ("window", "rtt", "datagrams"),
    [
        (80_000, 0.1, 10),  # 1 MB/s brings 2 datagrams in 2 ms: the initial burst stays allowed
        (1_600_000, 0.1, 40),  # 20 MB/s brings 40
        (8_000_000, 0.1, 64),  # 100 MB/s brings 200: one call carries 64
    ],
)
def test_the_bucket_holds_what_two_milliseconds_bring_within_bounds(window: int, rtt: float, datagrams: int) -> None:
    assert refilled(window, rtt).capacity == pytest.approx(datagrams * SIZE)


def test_the_first_burst_goes_at_once_and_then_the_bucket_is_empty() -> None:
    pacer = refilled(80_000, 0.1)
    for _ in range(10):
        assert pacer.next_send_time(0.0) is None
        pacer.tokens -= SIZE
    assert pacer.next_send_time(0.0) == pytest.approx(0.001, abs=2e-6)  # one datagram at 1 MB/s


def test_a_sender_that_comes_back_in_time_may_send() -> None:
    pacer = refilled(80_000, 0.1)
    pacer.tokens = 0
    pacer.refill(80_000, 0.1, 0.0009)
    assert pacer.next_send_time(0.0009) == pytest.approx(0.001, abs=2e-6)
    pacer.refill(80_000, 0.1, 0.0011)
    assert pacer.next_send_time(0.0011) is None


def test_a_fast_sender_sleeps_for_many_datagrams_at_once() -> None:
    pacer = refilled(1_600_000, 0.1)
    pacer.tokens = 0
    assert pacer.next_send_time(0.0) == pytest.approx(0.001, abs=2e-6)  # 20 datagrams at 20 MB/s
    pacer = refilled(8_000_000, 0.1)
    pacer.tokens = 0
    assert pacer.next_send_time(0.0) == pytest.approx(0.00032, abs=2e-6)  # half of the bucket: 32 datagrams at 100 MB/s


def test_idle_time_does_not_fill_more_than_the_bucket() -> None:
    pacer = refilled(80_000, 0.1)
    pacer.refill(80_000, 0.1, 3600.0)
    assert pacer.tokens == 10 * SIZE


def test_what_went_over_the_budget_is_paid_back() -> None:
    pacer = refilled(80_000, 0.1)
    pacer.tokens = -2000
    assert pacer.next_send_time(0.0) == pytest.approx(0.003, abs=2e-6)


@pytest.mark.parametrize("blocked_at", [1000.08, 123456.789, 1e6 / 3])
@pytest.mark.parametrize("rate", [1e4, 1e6 / 3, 1e9 / 7])
def test_who_wakes_when_told_to_may_send(blocked_at: float, rate: float) -> None:
    pacer = Pacer(SIZE)
    window = int(rate * 0.1 / 1.25)
    pacer.refill(window, 0.1, blocked_at)
    pacer.tokens = 0.1
    wake = pacer.next_send_time(blocked_at)
    assert wake is not None
    pacer.refill(window, 0.1, wake)
    assert pacer.next_send_time(wake) is None  # and not in another 0.0000001 s, for ever


def test_a_clock_that_goes_back_takes_nothing_away() -> None:
    pacer = refilled(80_000, 0.1)
    pacer.refill(80_000, 0.1, -1.0)
    assert pacer.tokens == 10 * SIZE
