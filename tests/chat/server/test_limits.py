"""How much a client may say, and how it learns what was dropped."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chat.message import MAX_MESSAGE_SIZE
from chat.server.limits import BURST, MAX_DROPPED, RATE, UNIT, RateLimit, TooMuch


class Clock:
    """Stands still unless it is told."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def admits(limit: RateLimit, size: int = 0) -> bool:
    try:
        limit.admit(size)
    except TooMuch:
        return False
    return True


def test_a_paste_passes_then_a_few_each_second(clock: Clock) -> None:
    limit = RateLimit(40, 5, clock)
    assert [admits(limit, 100) for _ in range(45)] == [True] * 40 + [False] * 5
    clock.now = 1.0
    assert [admits(limit, 100) for _ in range(10)] == [True] * 5 + [False] * 5
    clock.now = 1_000.0
    assert [admits(limit, 100) for _ in range(45)] == [True] * 40 + [False] * 5


def test_what_was_dropped_is_said_once(clock: Clock) -> None:
    limit = RateLimit(2, 0.5, clock)
    assert limit.report() == ""
    assert [admits(limit) for _ in range(5)] == [True] * 2 + [False] * 3
    assert limit.report() == "3 messages were dropped: this server takes 2 messages at once, and then 0.5 a second"
    assert limit.report() == ""
    with pytest.raises(TooMuch, match=r"^dropped: this server takes 2 messages at once, and then 0.5 a second$"):
        limit.admit(0)
    assert limit.report() == "1 message was dropped: this server takes 2 messages at once, and then 0.5 a second"


def test_long_messages_count_for_more(clock: Clock) -> None:
    limit = RateLimit(10, 1, clock)
    assert admits(limit, 9 * UNIT)
    assert not admits(limit)


def test_the_longest_message_passes_every_bucket(clock: Clock) -> None:
    """It has to be full, and takes as long to fill again as the message's length demands."""
    limit = RateLimit(10, 1, clock)
    assert admits(limit, MAX_MESSAGE_SIZE)
    clock.now = 55.0  # 10 - 65 + 55
    assert not admits(limit)
    clock.now = 56.0
    assert admits(limit)


def test_a_flood_is_no_paste(clock: Clock) -> None:
    limit, flooding = RateLimit(clock=clock), []
    for _ in range(BURST + MAX_DROPPED + 1):
        admits(limit)
        flooding.append(limit.flooding)
    clock.now = BURST / RATE
    admits(limit)
    flooding.append(limit.flooding)
    assert flooding == [False] * (BURST + MAX_DROPPED) + [True, False]


@given(
    st.lists(st.tuples(st.floats(0, 10), st.integers(0, MAX_MESSAGE_SIZE)), max_size=200),
    st.integers(1, 100),
    st.floats(0.1, 100),
)
@settings(deadline=None, max_examples=100)
def test_nobody_gets_more_than_burst_and_rate(steps: list[tuple[float, int]], burst: int, rate: float) -> None:
    clock, paid, last = Clock(), 0.0, 0.0
    limit = RateLimit(burst, rate, clock)
    for pause, size in steps:
        clock.now += pause
        if admits(limit, size):
            paid += last  # the last one may be paid off later
            last = 1 + size // UNIT
    assert paid <= burst + rate * clock.now + 1e-6


@pytest.mark.parametrize("size", [0, MAX_MESSAGE_SIZE])
def test_a_client_that_waits_is_never_refused(clock: Clock, size: int) -> None:
    limit = RateLimit(clock=clock)
    for _ in range(100):
        clock.now += (1 + size // UNIT) / RATE
        limit.admit(size)
