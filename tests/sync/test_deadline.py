from __future__ import annotations

import math

import pytest

from quicmini.sync.deadline import Deadline


def test_no_deadline_never_ends() -> None:
    deadline = Deadline(None)
    assert deadline.remaining() is None
    assert deadline.left("anything") is None
    assert deadline.share(3).remaining() is None


def test_what_is_left_shrinks_and_never_falls_below_zero() -> None:
    deadline = Deadline(1000)
    first = deadline.remaining()
    second = deadline.left("anything")
    assert first is not None
    assert second is not None
    assert 0 < second <= first <= 1000
    assert Deadline(0).remaining() == 0


def test_its_end_names_what_was_waited_for() -> None:
    with pytest.raises(TimeoutError, match="timed out waiting for a stream"):
        Deadline(0).left("a stream")


def test_a_share_is_a_part_of_what_is_left() -> None:
    share = Deadline(900).share(3).remaining()
    assert share is not None
    assert 290 < share <= 300


@pytest.mark.parametrize("timeout", [-1, math.nan])
def test_a_negative_timeout_is_refused(timeout: float) -> None:
    with pytest.raises(ValueError, match="0 or more"):
        Deadline(timeout)


@pytest.mark.parametrize("timeout", [math.inf, 1e10])
def test_longer_than_any_thread_can_wait_is_for_ever(timeout: float) -> None:
    assert Deadline(timeout).remaining() is None
