"""Who runs the loop, played with threads that do nothing but wait for each other."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import Future
from typing import Any

import pytest

from quicmini.sync import turns as module
from quicmini.sync.turns import MAX_DISAPPOINTMENTS, Turns
from tests.sync.helpers import PATIENCE, in_thread, until, waiters


@pytest.fixture
def turns() -> Turns:
    return Turns()


@pytest.fixture
def endless_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever comes back does so because it was called, not because it got tired of waiting."""
    monkeypatch.setattr(module, "PATIENCE", 10 * PATIENCE)


@pytest.fixture
def asides(turns: Turns) -> Iterator[list[Future[Any]]]:
    """The threads that have stepped aside in this test."""
    started: list[Future[Any]] = []
    yield started
    turns.recall()
    for aside in started:
        assert aside.result(PATIENCE) is None


def begin_to_wait(turns: Turns, condition: threading.Condition) -> Future[Any]:
    """A thread that waits for the condition."""

    def wait() -> None:
        with condition:
            turns.wait(condition, PATIENCE)

    before = waiters(condition)
    waiting = in_thread(wait)
    until(lambda: waiters(condition) == before + 1)
    return waiting


def wake(turns: Turns, condition: threading.Condition) -> None:
    with condition:
        condition.notify_all()
        turns.woke(condition)


def step_aside(turns: Turns) -> Future[Any]:
    """A turn of the I/O thread that wakes the only one that waits, after which it steps aside."""
    condition = threading.Condition()
    waiting = begin_to_wait(turns, condition)
    with turns:
        wake(turns, condition)
    waiting.result(PATIENCE)
    aside = in_thread(turns.step_aside)
    until(lambda: turns._aside or aside.done())
    return aside


def test_one_at_a_time(turns: Turns) -> None:
    me = object()
    with turns:
        assert not turns.take(me)
    assert turns.take(me)
    assert turns.purpose is me
    assert not turns.take(object())
    turns.give_back()
    assert turns.purpose is None
    with turns:
        pass


def test_whose_turn_it_is(turns: Turns) -> None:
    assert [turns.mine, turns.take(object()), turns.mine] == [False, True, True]
    assert in_thread(lambda: turns.mine).result(PATIENCE) is False
    turns.give_back()
    assert not turns.mine


def test_nobody_takes_a_turn_while_others_wait(turns: Turns) -> None:
    """Whoever takes turns stops when it has what it wanted; the I/O thread does not."""
    condition = threading.Condition()
    waiting = begin_to_wait(turns, condition)
    assert not turns.take(object())
    wake(turns, condition)
    waiting.result(PATIENCE)
    assert turns.waiting == 0
    assert turns.take(object())


def test_who_gives_up_waiting_is_not_counted(turns: Turns) -> None:
    condition = threading.Condition()
    with condition:
        turns.wait(condition, 0.001)
    assert turns.waiting == 0


def test_it_does_not_step_aside_for_nobody(turns: Turns) -> None:
    with turns:
        pass
    turns.step_aside()
    assert not turns._disappointments


def test_it_does_not_step_aside_while_another_one_waits(turns: Turns) -> None:
    first, second = threading.Condition(), threading.Condition()
    waiting = [begin_to_wait(turns, condition) for condition in (first, second)]
    with turns:
        wake(turns, first)
    turns.step_aside()
    assert not turns._disappointments
    wake(turns, second)
    for thread in waiting:
        thread.result(PATIENCE)


@pytest.mark.usefixtures("endless_patience")
def test_it_does_not_step_aside_from_one_that_began_to_wait_meanwhile(turns: Turns) -> None:
    first, second = threading.Condition(), threading.Condition()
    waiting = [begin_to_wait(turns, first)]
    with turns:
        wake(turns, first)
        waiting.append(begin_to_wait(turns, second))
    in_thread(turns.step_aside).result(PATIENCE)
    wake(turns, second)
    for thread in waiting:
        thread.result(PATIENCE)


@pytest.mark.usefixtures("endless_patience")
def test_who_begins_to_wait_calls_it_back(turns: Turns, asides: list[Future[Any]]) -> None:
    """Also if nobody has the turn: the one that was woken computes, say."""
    asides.append(step_aside(turns))
    condition = threading.Condition()
    waiting = begin_to_wait(turns, condition)
    asides[0].result(PATIENCE)
    wake(turns, condition)
    waiting.result(PATIENCE)


@pytest.mark.usefixtures("endless_patience")
def test_who_waits_for_the_end_of_a_turn_calls_it_back(turns: Turns, asides: list[Future[Any]]) -> None:
    asides.append(step_aside(turns))
    assert turns.take(object())
    condition = threading.Condition()
    waiting = begin_to_wait(turns, condition)
    turns.give_back()
    asides[0].result(PATIENCE)
    wake(turns, condition)
    waiting.result(PATIENCE)


@pytest.mark.usefixtures("endless_patience")
def test_recalled(turns: Turns) -> None:
    aside = step_aside(turns)
    turns.recall()
    aside.result(PATIENCE)
    assert not turns._disappointments


@pytest.mark.usefixtures("endless_patience")
def test_recalled_before_it_has_gone(turns: Turns) -> None:
    condition = threading.Condition()
    waiting = begin_to_wait(turns, condition)
    with turns:
        wake(turns, condition)
        waiting.result(PATIENCE)
        turns.recall()
    in_thread(turns.step_aside).result(PATIENCE)


def test_it_comes_back_when_nobody_takes_turns(turns: Turns) -> None:
    aside = step_aside(turns)
    aside.result(PATIENCE)
    assert turns._disappointments == 1


def test_it_comes_back_when_turns_are_taken_no_more(turns: Turns, monkeypatch: pytest.MonkeyPatch) -> None:
    """While somebody has the turn it sleeps soundly, however long that takes."""
    monkeypatch.setattr(module, "PATIENCE", 0.2)
    aside = step_aside(turns)
    assert turns.take(object())
    until(lambda: turns._asleep or aside.done())
    assert not aside.done()
    turns.give_back()
    aside.result(PATIENCE)
    assert not turns._disappointments


def test_it_trusts_less_and_less_those_who_do_not_come_back(turns: Turns) -> None:
    for disappointments in (1, 2, 3):
        step_aside(turns).result(PATIENCE)
        assert turns._disappointments == disappointments
        for left in reversed(range(1 << disappointments)):
            step_aside(turns).result(PATIENCE)
            assert turns._distrust == left
    turns._disappointments = MAX_DISAPPOINTMENTS
    step_aside(turns).result(PATIENCE)
    assert turns._distrust == 1 << MAX_DISAPPOINTMENTS


@pytest.mark.usefixtures("endless_patience")
def test_an_old_call_does_not_bring_it_back(turns: Turns, asides: list[Future[Any]]) -> None:
    turns.recall()
    asides.append(step_aside(turns))
    assert turns.take(object())
    turns.give_back()
    assert not asides[0].done()
