"""Sets of integers kept as ranges: packet numbers that came, bytes acknowledged, streams that are over."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator

__all__ = ["RangeSet"]


class RangeSet:
    """A set of integers as sorted, disjoint half-open ranges [start, stop) of which no two touch.

    What grows at its top (a packet number after the other) costs O(1); anywhere else a binary search, plus what it
    takes to move the entries of a list. `len` counts the ranges, not the integers; the caller bounds it.
    """

    __slots__ = ("_starts", "_stops")

    def __init__(self, ranges: Iterable[tuple[int, int]] = ()) -> None:
        self._starts: list[int] = []
        self._stops: list[int] = []
        for start, stop in ranges:
            self.add(start, stop)

    def add(self, start: int, stop: int) -> None:
        """Add all integers of [start, stop); nothing if that is empty."""
        if start >= stop:
            return
        starts, stops = self._starts, self._stops
        if not stops or start > stops[-1]:
            starts.append(start)
            stops.append(stop)
        elif start == stops[-1]:
            stops[-1] = stop
        else:
            # All ranges that overlap or touch the new one become one range with it.
            first, last = bisect_left(stops, start), bisect_right(starts, stop)
            if first < last:
                start, stop = min(start, starts[first]), max(stop, stops[last - 1])
            starts[first:last] = [start]
            stops[first:last] = [stop]

    def subtract(self, start: int, stop: int) -> None:
        """Remove all integers of [start, stop) that are in the set."""
        if start >= stop:
            return
        starts, stops = self._starts, self._stops
        first, last = bisect_right(stops, start), bisect_left(starts, stop)
        if first >= last:
            return
        # What the first and the last of the overlapped ranges leave over.
        kept = [(low, high) for low, high in ((starts[first], start), (stop, stops[last - 1])) if low < high]
        starts[first:last] = [low for low, _ in kept]
        stops[first:last] = [high for _, high in kept]

    def pop_first(self) -> tuple[int, int]:
        """Remove the lowest range and return it. Raises IndexError when the set is empty."""
        return self._starts.pop(0), self._stops.pop(0)

    def covers(self, start: int, stop: int) -> bool:
        """Whether all integers of [start, stop) are in the set."""
        if start >= stop:
            return True
        index = bisect_right(self._starts, start) - 1
        return index >= 0 and stop <= self._stops[index]

    def overlap(self, start: int, stop: int) -> list[tuple[int, int]]:
        """The parts of [start, stop) that are in the set, lowest first."""
        first, last = bisect_right(self._stops, start), bisect_left(self._starts, stop)
        ranges = zip(self._starts[first:last], self._stops[first:last], strict=True)
        return [(max(low, start), min(high, stop)) for low, high in ranges]

    def __contains__(self, value: int) -> bool:
        index = bisect_right(self._starts, value) - 1
        return index >= 0 and value < self._stops[index]

    def __iter__(self) -> Iterator[tuple[int, int]]:
        return zip(self._starts, self._stops, strict=True)

    def __reversed__(self) -> Iterator[tuple[int, int]]:
        return zip(reversed(self._starts), reversed(self._stops), strict=True)

    def __getitem__(self, index: int) -> tuple[int, int]:
        """The range at `index`, lowest first: [0] and [-1] are the ends."""
        return self._starts[index], self._stops[index]

    def __len__(self) -> int:
        return len(self._starts)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, RangeSet):
            return NotImplemented
        return self._starts == other._starts and self._stops == other._stops

    def __repr__(self) -> str:
        return f"RangeSet({list(self)})"
