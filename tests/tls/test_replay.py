"""Early data is taken at most once, whatever the clocks do and however many tickets there are."""

from __future__ import annotations

from quicmini.tls import replay
from quicmini.tls.replay import FRESHNESS, MAX_RECORDED_TICKETS, ReplayGuard

START = 1_700_000_000.0


def guard_since(start: float) -> ReplayGuard:
    guard = ReplayGuard()
    guard.start(start)
    return guard


def use(guard: ReplayGuard, name: str, now: float, *, sent_at: float | None = None, issued_at: float = START) -> bool:
    sent_at = now if sent_at is None else sent_at
    return guard.first_use(name.encode(), issued_at=issued_at, sent_at=sent_at, now=now)


def test_once() -> None:
    guard = guard_since(START)
    assert use(guard, "ticket", START + 1)
    assert not use(guard, "ticket", START + 1)
    assert use(guard, "another", START + 1)


def test_never_again_while_the_hello_looks_fresh() -> None:
    """Whatever time passes between the two, and however many uses lie between them."""
    for pause in range(45):
        guard = guard_since(START)
        now = START + 100
        assert use(guard, "other", now - 15)
        assert use(guard, "ticket", now, sent_at=now + FRESHNESS)
        for second in range(pause):
            use(guard, f"in between {second}", now + second)
        assert not use(guard, "ticket", now + pause, sent_at=now + FRESHNESS)


def test_a_hello_must_be_fresh() -> None:
    guard = guard_since(START)
    now = START + 100
    assert use(guard, "early enough", now, sent_at=now - FRESHNESS)
    assert not use(guard, "old", now, sent_at=now - FRESHNESS - 0.1)
    assert use(guard, "a little ahead", now, sent_at=now + FRESHNESS)
    assert not use(guard, "of the future", now, sent_at=now + FRESHNESS + 0.1)


def test_what_may_have_been_used_before_this_guard_was_there() -> None:
    """RFC 9846 §8.2: keys that are shared outlive a server."""
    guard = ReplayGuard()
    older = START - 3600
    assert not use(guard, "ticket", START, issued_at=older)
    assert not use(guard, "ticket", START + FRESHNESS - 0.1, issued_at=older)
    assert use(guard, "ticket", START + FRESHNESS, issued_at=older)


def test_a_clock_that_is_put_back_lets_nothing_in() -> None:
    guard = guard_since(START)
    sent_at = START + 100
    assert use(guard, "ticket", sent_at)
    assert use(guard, "later", sent_at + 1000)
    assert use(guard, "later still", sent_at + 2000)
    assert not use(guard, "ticket", sent_at, sent_at=sent_at)


def test_memory_is_bounded() -> None:
    guard = guard_since(START)
    now = START + 100
    taken = sum(use(guard, str(number), now) for number in range(MAX_RECORDED_TICKETS + 100))
    assert taken == len(guard) == MAX_RECORDED_TICKETS
    assert not use(guard, "0", now)  # none was forgotten for the sake of another
    for window in range(1, 5):
        now += replay._WINDOW
        for number in range(MAX_RECORDED_TICKETS + 100):
            use(guard, f"{window} {number}", now)
        assert len(guard) <= 2 * MAX_RECORDED_TICKETS
