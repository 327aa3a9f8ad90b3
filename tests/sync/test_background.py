"""Work in a thread of its own: nothing is lost, nobody waits."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from quicmini.sync.background import Background
from tests.sync.helpers import PATIENCE, until


class Work:
    """What was done, in order; waits in the middle of it while it is `held`."""

    def __init__(self, pause: float | None = None) -> None:
        self.calls: list[tuple[list[Any], bool]] = []
        self.pause = pause
        self.go = threading.Event()
        self.go.set()
        self.begun = threading.Event()

    def __call__(self, items: list[Any], last: bool) -> float | None:
        self.begun.set()
        assert self.go.wait(PATIENCE)
        self.calls.append((items, last))
        return None if last else self.pause

    @property
    def items(self) -> list[Any]:
        return [item for items, _ in self.calls for item in items]


@pytest.fixture
def work() -> Work:
    return Work(pause=3600.0)


@pytest.fixture
def resting(work: Work) -> Iterator[Background]:
    """It has worked on 1, and wants to be left alone for an hour."""
    background = Background(work, name="test", capacity=100)
    background.put(1, 1)
    until(lambda: work.calls)
    yield background
    background.close(PATIENCE)


def test_what_is_put_in_is_worked_on_in_order() -> None:
    work = Work()
    background = Background(work, name="test", capacity=100)
    for number in range(50):
        assert background.put(number, 1)
    until(lambda: work.items == list(range(50)))
    assert background.put("more", 1)
    until(lambda: work.items[-1] == "more")
    assert background.close()
    assert [last for _, last in work.calls] == [False] * (len(work.calls) - 1) + [True]


@pytest.mark.parametrize(
    ("end", "calls"),
    [
        (lambda background: background.close(PATIENCE), [([2, 3], True)]),
        (lambda background: background.flush(PATIENCE), [([2, 3], False)]),
        (lambda background: background.stop(), []),
    ],
    ids=["close", "flush", "stop"],
)
def test_what_ends_the_rest(
    work: Work, resting: Background, end: Callable[[Background], object], calls: list[tuple[list[Any], bool]]
) -> None:
    resting.put(2, 1)
    resting.put(3, 1)
    assert work.items == [1]
    end(resting)
    assert work.calls == [([1], False), *calls]


def test_closing_without_any_work() -> None:
    work = Work()
    background = Background(work, name="test", capacity=100)
    assert background.close()
    assert background.close()
    assert work.calls == [([], True)]
    assert not background.put(1, 1)


def test_a_pause_is_short_if_it_says_so() -> None:
    work = Work(pause=0.001)
    background = Background(work, name="test", capacity=100)
    background.put(1, 1)
    until(lambda: len(work.calls) > 3)
    background.close()
    assert work.items == [1]


def test_a_pause_ends_when_much_has_come(work: Work, resting: Background) -> None:
    resting.put(2, 25)
    resting.put(3, 1)
    until(lambda: work.items == [1, 2, 3])


def test_stuck_it_takes_what_there_is_room_for_and_does_not_block() -> None:
    work = Work()
    work.go.clear()
    background = Background(work, name="test", capacity=10)
    assert background.put("stuck", 10)
    assert work.begun.wait(PATIENCE)
    assert background.put("a", 6)
    assert not background.put("b", 5)
    assert background.put("c", 4)
    assert not background.close(timeout=0)
    work.go.set()
    assert background.close(PATIENCE)
    assert work.items == ["stuck", "a", "c"]


def test_stopped_it_does_nothing_more(work: Work, resting: Background) -> None:
    resting.stop()
    assert resting.closed
    assert not resting.put(2, 1)
    assert resting.close(PATIENCE)
    assert work.calls == [([1], False)]


def test_stopped_before_it_began() -> None:
    work = Work()
    background = Background(work, name="test", capacity=10)
    background.stop()
    assert background.close()
    assert work.calls == []


def test_flushing_waits_as_long_as_it_may(work: Work, resting: Background) -> None:
    assert resting.flush()
    work.go.clear()
    resting.put(2, 1)
    assert not resting.flush(0.0)
    work.go.set()
    assert resting.close(PATIENCE)
    assert resting.flush(PATIENCE)
    assert work.items == [1, 2]


def test_an_unexpected_error_is_told_and_the_work_goes_on(caplog: pytest.LogCaptureFixture) -> None:
    done = []

    def work(items: list[Any], last: bool) -> float | None:
        if items == ["bad"]:
            raise ZeroDivisionError
        done.extend(items)
        return None

    background = Background(work, name="test", capacity=100)
    with caplog.at_level(logging.ERROR):
        background.put("bad", 1)
        until(lambda: caplog.records)
        background.put("good", 1)
        assert background.close(PATIENCE)
    assert done == ["good"]
    assert caplog.messages == ["unexpected error in test"]


PROGRAM = """
from quicmini.sync.background import Background

def work(items, last):
    print(items, last, flush=True)
    return 3600.0

background = Background(work, name="test", capacity=10)
background.put(1, 1)
"""


def test_the_end_of_the_program_waits_for_it() -> None:
    result = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True)
    assert result.stdout in ("[1] True\n", "[1] False\n[] True\n")
    assert result.stderr == ""


def test_a_child_process_begins_anew(work: Work, resting: Background) -> None:
    """What waits is its parent's; what it puts in, its own thread does."""
    resting.put(2, 1)
    child = os.fork()
    if child == 0:
        resting.put(3, 1)
        os._exit(not resting.close(PATIENCE) or work.items != [1, 3])
    assert os.waitpid(child, 0)[1] == 0
    assert resting.close(PATIENCE)
    assert work.items == [1, 2]
