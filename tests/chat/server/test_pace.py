"""The pace at which a client's streams are looked at."""

from __future__ import annotations

import pytest

from chat.server.pace import Pace


class Time:
    """A clock that stands still but for sleeping."""

    def __init__(self) -> None:
        self.now = 100.0
        self.slept = 0.0

    def clock(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds
        self.slept += seconds


def test_a_burst_does_not_wait() -> None:
    time = Time()
    pace = Pace(10, 100.0, time.clock, time.sleep)
    for _ in range(10):
        pace.wait()
    assert time.slept == pytest.approx(0.0, abs=1e-9)


def test_what_goes_on_is_slowed_down_to_the_rate() -> None:
    time = Time()
    pace = Pace(10, 100.0, time.clock, time.sleep)
    for _ in range(110):
        pace.wait()
    assert time.slept == pytest.approx(1.0)


def test_whoever_has_rested_has_another_burst_and_no_more() -> None:
    time = Time()
    pace = Pace(10, 100.0, time.clock, time.sleep)
    for _ in range(10):
        pace.wait()
    time.now += 60.0
    for _ in range(10):
        pace.wait()
    assert time.slept == pytest.approx(0.0, abs=1e-9)
    pace.wait()
    assert time.slept == pytest.approx(0.01)
