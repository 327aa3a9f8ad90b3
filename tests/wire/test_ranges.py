from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quicmini.wire.ranges import RangeSet


@pytest.mark.parametrize(
    ("added", "expected"),
    [
        ([(0, 0), (5, 4)], []),
        ([(0, 1), (1, 2), (2, 3)], [(0, 3)]),
        ([(0, 1), (2, 3)], [(0, 1), (2, 3)]),
        ([(2, 3), (0, 1)], [(0, 1), (2, 3)]),
        ([(0, 1), (2, 3), (1, 2)], [(0, 3)]),
        ([(4, 6), (2, 4)], [(2, 6)]),
        ([(0, 2), (4, 6), (8, 10), (1, 9)], [(0, 10)]),
        ([(0, 2), (4, 6), (8, 10), (3, 7)], [(0, 2), (3, 7), (8, 10)]),
        ([(0, 10), (3, 4)], [(0, 10)]),
        ([(3, 4), (0, 10)], [(0, 10)]),
    ],
)
def test_add_merges_what_overlaps_or_touches(added: list[tuple[int, int]], expected: list[tuple[int, int]]) -> None:
    assert list(RangeSet(added)) == expected


@pytest.mark.parametrize(
    ("removed", "expected"),
    [
        ((5, 5), [(0, 10), (20, 30)]),
        ((10, 20), [(0, 10), (20, 30)]),
        ((0, 10), [(20, 30)]),
        ((3, 4), [(0, 3), (4, 10), (20, 30)]),
        ((0, 3), [(3, 10), (20, 30)]),
        ((7, 25), [(0, 7), (25, 30)]),
        ((-5, 100), []),
    ],
)
def test_subtract_cuts_ranges(removed: tuple[int, int], expected: list[tuple[int, int]]) -> None:
    ranges = RangeSet([(0, 10), (20, 30)])
    ranges.subtract(*removed)
    assert list(ranges) == expected


def test_looking_at_it() -> None:
    ranges = RangeSet([(0, 2), (4, 6), (8, 9)])
    assert len(ranges) == 3
    assert list(reversed(ranges)) == [(8, 9), (4, 6), (0, 2)]
    assert (ranges[0], ranges[-1]) == ((0, 2), (8, 9))
    assert ranges == RangeSet([(8, 9), (0, 2), (4, 6)])
    assert ranges != RangeSet([(0, 2)])
    assert ranges != [(0, 2), (4, 6), (8, 9)]
    assert repr(ranges) == "RangeSet([(0, 2), (4, 6), (8, 9)])"
    assert ranges
    assert not RangeSet()


def test_pop_first() -> None:
    ranges = RangeSet([(4, 6), (0, 2)])
    assert ranges.pop_first() == (0, 2)
    assert ranges.pop_first() == (4, 6)
    with pytest.raises(IndexError):
        ranges.pop_first()


@pytest.mark.parametrize(
    ("start", "stop", "covered"),
    [
        (0, 2, True),
        (0, 3, False),
        (-1, 1, False),
        (1, 5, False),
        (4, 6, True),
        (5, 6, True),
        (5, 7, False),
        (6, 7, False),
        (3, 3, True),
    ],
)
def test_covers(start: int, stop: int, covered: bool) -> None:
    assert RangeSet([(0, 2), (4, 6)]).covers(start, stop) is covered


span = st.tuples(st.integers(0, 40), st.integers(0, 40))


@given(st.lists(st.tuples(st.booleans(), span), max_size=30), span)
@settings(deadline=None, max_examples=200)
def test_behaves_as_a_set_of_integers(steps: list[tuple[bool, tuple[int, int]]], asked: tuple[int, int]) -> None:
    ranges, model = RangeSet(), set[int]()
    for is_add, (start, stop) in steps:
        if is_add:
            ranges.add(start, stop)
            model.update(range(start, stop))
        else:
            ranges.subtract(start, stop)
            model.difference_update(range(start, stop))
        kept = list(ranges)
        assert {value for low, high in kept for value in range(low, high)} == model
        assert all(low < high for low, high in kept)
        assert all(before[1] < after[0] for before, after in pairwise(kept))
    assert {value for value in range(-1, 42) if value in ranges} == model
    assert ranges.covers(*asked) == model.issuperset(range(*asked))
    assert {value for low, high in ranges.overlap(*asked) for value in range(low, high)} == model & set(range(*asked))
