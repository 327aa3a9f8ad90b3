"""What was said, as rows of a terminal, and which of them are in view."""

from __future__ import annotations

import datetime
from bisect import bisect_right
from collections.abc import Iterable
from typing import NamedTuple

from chat.client.tui.cells import Fragments, columns, wrapped

__all__ = ["Entry", "Transcript"]

MAX_ENTRIES = 5000
MAX_CHARACTERS = 2_000_000
KEPT = 0.9  # of them, when there are too many

INDENT = len("HH:MM ")  # columns


class Entry(NamedTuple):
    """Something to be read. time: seconds since 1970. number, room: of a message, 0 if it has none."""

    time: float
    fragments: tuple[tuple[str, str], ...]
    number: int = 0
    room: str = ""

    @property
    def date(self) -> datetime.date:
        """The day, where this terminal stands."""
        return datetime.datetime.fromtimestamp(self.time).date()

    @property
    def length(self) -> int:
        """Characters."""
        return sum(len(text) for _, text in self.fragments)

    def rows(self, width: int) -> list[Fragments]:
        """As it is shown on so many columns."""
        clock = datetime.datetime.fromtimestamp(self.time).strftime("%H:%M ")
        return wrapped([("class:time", clock), *self.fragments], width, INDENT)


class Transcript:
    """Entries in the order in which they are read. The view follows the end, unless somebody has scrolled up.

    today: the day for which no line says that it has begun.
    """

    def __init__(self, today: datetime.date) -> None:
        self._today = today
        self._entries: list[Entry] = []
        self._characters = 0
        self._anchor: tuple[int, int] | None = None  # the entry at the top and which of its rows; None: the end
        self._width = 0
        self._rows: list[Fragments] = []
        self._starts: list[int] = []  # which row each entry begins with; fewer than entries: the rest has no rows yet
        self._top = 0
        self._height = 0
        self._total = 0

    def __len__(self) -> int:
        return len(self._entries)

    def add(self, entry: Entry) -> None:
        """At the end."""
        self._entries.append(entry)
        self._characters += entry.length
        if len(self._entries) > MAX_ENTRIES or self._characters > MAX_CHARACTERS:
            self._forget()

    def amend(self, entry: Entry, amended: Entry) -> bool:
        """Have this instead of an entry, if it is the last one; whether it is."""
        if not self._entries or self._entries[-1] is not entry:
            return False
        self._entries[-1] = amended
        self._characters += amended.length - entry.length
        if len(self._starts) == len(self._entries):
            del self._rows[self._starts.pop() :]
        return True

    def insert(self, entry: Entry) -> bool:
        """A message from the past: before what the same room heard after it; whether there is such a thing."""
        place = len(self._entries)
        for index in range(len(self._entries) - 1, -1, -1):
            other = self._entries[index]
            if other.number and other.room == entry.room:
                if other.number < entry.number:
                    break
                place = index
        is_before = place < len(self._entries)
        if not is_before:
            self.add(entry)
            return False
        self._entries.insert(place, entry)
        self._characters += entry.length
        self._starts = []
        if self._anchor is not None and place <= self._anchor[0]:
            self._anchor = self._anchor[0] + 1, self._anchor[1]
        return True

    def look_at(self, number: int) -> None:
        """Have the message with this number at the top of the view."""
        for index, entry in enumerate(self._entries):
            if entry.number == number:
                self._anchor = index, 0
                return

    def view(self, width: int, height: int, more: Iterable[Entry] = ()) -> list[Fragments]:
        """The rows to be shown, `height` of them or fewer. more: what stands below all entries for now."""
        self._lay_out(width)
        below = [row for entry in more for row in entry.rows(width)]
        self._total, self._height = len(self._rows) + len(below), height
        end = self._end
        self._top = end if self._anchor is None else min(self._row_of(*self._anchor), end)
        if self._top == end:
            self._anchor = None
        rest = self._top + height - len(self._rows)
        first = max(0, self._top - len(self._rows))
        return self._rows[self._top : self._top + height] + (below[first:rest] if rest > 0 else [])

    @property
    def below(self) -> int:
        """How many entries are below what is in view."""
        if self._anchor is None:
            return 0
        return len(self._entries) - bisect_right(self._starts, self._top + self._height - 1)

    def scroll(self, rows: int) -> None:
        """Down by so many rows of the view, up if they are negative; at the end it follows the end."""
        top = max(0, min(self._top + rows, self._end))
        if top >= self._end or not self._starts:
            self._anchor = None
        else:
            index = min(bisect_right(self._starts, top), len(self._starts)) - 1
            self._anchor = index, top - self._starts[index]
        self._top = top

    def scroll_page(self, direction: int) -> None:
        """By a page, of which one row stays in view; direction: 1 or -1."""
        self.scroll(direction * max(1, self._height - 1))

    def scroll_to_start(self) -> None:
        """To the oldest entry."""
        self.scroll(-self._total)

    def follow(self) -> None:
        """To the end, and follow it."""
        self._anchor = None

    @property
    def _end(self) -> int:
        """The row at the top when the last one is at the bottom."""
        return max(0, self._total - self._height)

    def _lay_out(self, width: int) -> None:
        if width != self._width or not self._starts:
            self._width = width
            self._rows, self._starts = [], []
        for index in range(len(self._starts), len(self._entries)):
            entry = self._entries[index]
            before = self._entries[index - 1].date if index else self._today
            self._starts.append(len(self._rows))
            if entry.date != before:
                self._rows.append(_day(entry.date, width))
            self._rows += entry.rows(width)

    def _row_of(self, index: int, offset: int) -> int:
        next_start = self._starts[index + 1] if index + 1 < len(self._starts) else len(self._rows)
        return min(self._starts[index] + offset, next_start - 1)

    def _forget(self) -> None:
        """The oldest, a tenth at once so that it does not happen with each that comes."""
        count = 0
        while count < len(self._entries) - 1 and (
            len(self._entries) - count > MAX_ENTRIES * KEPT or self._characters > MAX_CHARACTERS * KEPT
        ):
            self._characters -= self._entries[count].length
            count += 1
        del self._entries[:count]
        self._starts = []
        if self._anchor is not None:
            index = self._anchor[0] - count
            self._anchor = (index, self._anchor[1]) if index >= 0 else (0, 0)


def _day(date: datetime.date, width: int) -> Fragments:
    """A row that says that another day has begun."""
    title = f" {date:%A}, {date.day} {date:%B %Y} "
    if columns(title) + 4 > width:
        title = f" {date.isoformat()} "
    side = max(0, width - columns(title)) // 2
    return [("class:day", "─" * side + title + "─" * (width - side - columns(title)))]
