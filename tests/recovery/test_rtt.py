from __future__ import annotations

import pytest

from quicmini.recovery.rtt import GRANULARITY, RttEstimator


def test_before_any_sample_the_initial_guess_gives_a_probe_timeout_of_one_second() -> None:
    rtt = RttEstimator(0.333)
    assert (rtt.smoothed, rtt.variation, rtt.first_sample_at) == (0.333, 0.1665, None)
    assert rtt.probe_interval == pytest.approx(0.999)  # RFC 9002 §6.2.2: "a PTO of 1 second"


def test_the_first_sample_replaces_the_guess_and_ignores_the_delay() -> None:
    rtt = RttEstimator(0.333)
    rtt.update(0.1, 0.05, now=7.0)
    assert (rtt.latest, rtt.minimum, rtt.smoothed, rtt.variation) == (0.1, 0.1, 0.1, 0.05)
    assert rtt.first_sample_at == 7.0


def test_later_samples_are_averaged_after_the_delay_is_subtracted() -> None:
    rtt = RttEstimator(0.333)
    rtt.update(0.1, 0.0, now=1.0)
    rtt.update(0.2, 0.02, now=2.0)  # adjusted: 0.18
    assert rtt.variation == pytest.approx(0.75 * 0.05 + 0.25 * 0.08)  # 0.0575: from the old average, §A.7
    assert rtt.smoothed == pytest.approx(0.875 * 0.1 + 0.125 * 0.18)  # 0.11
    assert rtt.latest == 0.2
    assert rtt.first_sample_at == 1.0


def test_a_delay_that_leads_below_the_minimum_is_not_subtracted() -> None:
    rtt = RttEstimator(0.333)
    rtt.update(0.1, 0.0, now=1.0)
    rtt.update(0.12, 0.021, now=2.0)  # 0.099 < 0.1
    assert rtt.smoothed == pytest.approx(0.875 * 0.1 + 0.125 * 0.12)


def test_the_minimum_ignores_the_delay_and_follows_a_lower_sample() -> None:
    rtt = RttEstimator(0.333)
    rtt.update(0.1, 0.0, now=1.0)
    rtt.update(0.2, 0.09, now=2.0)
    assert rtt.minimum == 0.1
    rtt.update(0.05, 0.0, now=3.0)
    assert rtt.minimum == 0.05


def test_after_persistent_congestion_the_minimum_is_the_newest_sample() -> None:
    rtt = RttEstimator(0.333)
    rtt.update(0.1, 0.0, now=1.0)
    rtt.update(0.4, 0.0, now=2.0)
    rtt.forget_minimum()
    assert rtt.minimum == 0.4


def test_loss_delay_takes_the_larger_of_the_average_and_the_newest_sample() -> None:
    rtt = RttEstimator(0.333)
    rtt.update(0.08, 0.0, now=1.0)
    assert rtt.loss_delay == pytest.approx(0.09)
    rtt.update(0.16, 0.0, now=2.0)  # smoothed 0.09
    assert rtt.loss_delay == pytest.approx(0.18)
    rtt.update(0.08, 0.0, now=3.0)  # smoothed 0.08875
    assert rtt.loss_delay == pytest.approx(0.08875 * 9 / 8)


def test_no_duration_falls_below_the_granularity() -> None:
    rtt = RttEstimator(0.333)
    for now in range(100):
        rtt.update(0.0, 0.0, now=float(now))
    assert rtt.loss_delay == GRANULARITY
    assert rtt.probe_interval >= GRANULARITY
    assert rtt.smoothed > 0  # a pacing rate divides by it


def test_a_clock_that_goes_back_gives_no_negative_sample() -> None:
    rtt = RttEstimator(0.333)
    rtt.update(-1.0, 0.0, now=1.0)
    assert 0 < rtt.latest < GRANULARITY
