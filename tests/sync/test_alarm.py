from __future__ import annotations

import os
import select
from collections.abc import Iterator

import pytest

from quicmini.sync.alarm import Alarm


@pytest.fixture(params=["linux", "darwin"])
def alarm(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Alarm]:
    """An eventfd, and what stands in for it elsewhere."""
    monkeypatch.setattr("sys.platform", request.param)
    alarm = Alarm()
    yield alarm
    alarm.close()


def is_ringing(alarm: Alarm) -> bool:
    return bool(select.select([alarm], [], [], 0)[0])


def test_it_rings_until_it_is_cleared(alarm: Alarm) -> None:
    assert not is_ringing(alarm)
    alarm.ring()
    alarm.ring()
    assert is_ringing(alarm)
    assert is_ringing(alarm)
    alarm.clear()
    assert not is_ringing(alarm)
    alarm.clear()


def test_ringing_never_blocks(alarm: Alarm) -> None:
    for _ in range(70_000):
        alarm.ring()
    assert is_ringing(alarm)


def test_close_gives_the_descriptors_back(monkeypatch: pytest.MonkeyPatch) -> None:
    before = os.listdir("/dev/fd")
    alarm = Alarm()
    assert len(os.listdir("/dev/fd")) == len(before) + 1
    alarm.close()
    assert len(os.listdir("/dev/fd")) == len(before)
