from __future__ import annotations

import datetime
import time

import pytest

from chat.client.tui import transcript as module
from chat.client.tui.transcript import Entry, Transcript

NOON = datetime.datetime(2026, 11, 21, 12, 0).timestamp()
TODAY = datetime.date(2026, 11, 21)


def entry(text: str, number: int = 0, room: str = "lobby", time: float = NOON) -> Entry:
    return Entry(time, (("", text),), number, room)


def view(transcript: Transcript, width: int = 40, height: int = 4) -> list[str]:
    return ["".join(text for _, text in row) for row in transcript.view(width, height)]


def filled(count: int) -> Transcript:
    transcript = Transcript(TODAY)
    for number in range(count):
        transcript.add(entry(f"line {number}"))
    return transcript


def lines(*numbers: int) -> list[str]:
    return [f"12:00 line {number}" for number in numbers]


def test_the_view_follows_the_end() -> None:
    transcript = filled(3)
    assert view(transcript) == lines(0, 1, 2)
    transcript.add(entry("line 3"))
    transcript.add(entry("line 4"))
    assert view(transcript) == lines(1, 2, 3, 4)
    assert transcript.below == 0


def test_a_scrolled_view_stays_where_it_is() -> None:
    transcript = filled(10)
    view(transcript)
    transcript.scroll_page(-1)
    assert view(transcript) == lines(3, 4, 5, 6)
    transcript.add(entry("line 10"))
    assert view(transcript) == lines(3, 4, 5, 6)
    assert transcript.below == 4
    transcript.scroll_page(1)
    assert view(transcript) == lines(6, 7, 8, 9)
    transcript.scroll_page(1)
    transcript.add(entry("line 11"))
    assert view(transcript) == lines(8, 9, 10, 11)


def test_it_does_not_scroll_beyond_the_start_and_the_end() -> None:
    transcript = filled(6)
    view(transcript)
    transcript.scroll_to_start()
    transcript.scroll(-5)
    assert view(transcript) == lines(0, 1, 2, 3)
    transcript.scroll(100)
    assert view(transcript) == lines(2, 3, 4, 5)
    transcript.scroll(-1)
    transcript.follow()
    assert view(transcript) == lines(2, 3, 4, 5)


def test_scrolling_less_than_a_page_and_nothing() -> None:
    transcript = filled(0)
    assert view(transcript) == []
    transcript.scroll_page(-1)
    transcript.add(entry("line 0"))
    assert view(transcript) == lines(0)


def test_what_is_at_the_top_stays_there_when_the_width_changes() -> None:
    transcript = Transcript(TODAY)
    for number in range(10):
        transcript.add(entry(f"line {number} " + "x" * 30))
    assert len(view(transcript, 60)) == 4
    transcript.scroll(-3)
    top = view(transcript, 60)[0]
    narrow = view(transcript, 20)
    assert narrow[0] == "12:00 line 3"
    assert view(transcript, 60)[0] == top


def test_a_day_is_announced() -> None:
    transcript = Transcript(TODAY)
    day = 24 * 60 * 60
    transcript.add(entry("before", time=NOON - day))
    transcript.add(entry("then", time=NOON))
    transcript.add(entry("later", time=NOON + 1))
    rows = view(transcript, 50, 10)
    assert [row.strip("─ ") for row in rows] == [
        "Friday, 20 November 2026",
        "12:00 before",
        "Saturday, 21 November 2026",
        "12:00 then",
        "12:00 later",
    ]
    assert len(rows[0]) == 50
    assert view(transcript, 20, 10)[0].strip("─ ") == "2026-11-20"


def test_times_are_those_of_this_place(monkeypatch: pytest.MonkeyPatch) -> None:
    transcript = Transcript(TODAY)
    transcript.add(entry("hi", time=datetime.datetime(2026, 11, 21, 11, 0, tzinfo=datetime.UTC).timestamp()))
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    time.tzset()
    try:
        assert view(transcript) == ["20:00 hi"]
    finally:
        monkeypatch.undo()
        time.tzset()


def test_the_past_is_inserted_before_what_its_room_heard_later() -> None:
    transcript = Transcript(TODAY)
    transcript.add(entry("other room", 3, "tea"))
    transcript.add(entry("seven", 7))
    transcript.add(entry("notice"))
    assert not transcript.insert(entry("ten", 10))
    for number in (4, 5, 6):
        assert transcript.insert(entry(f"number {number}", number))
    assert not transcript.insert(entry("new room", 2, "coffee"))
    assert [row.removeprefix("12:00 ") for row in view(transcript, height=20)] == [
        *("other room", "number 4", "number 5", "number 6", "seven", "notice", "ten", "new room")
    ]


def test_what_is_in_view_stays_when_the_past_comes() -> None:
    transcript = Transcript(TODAY)
    for number in range(10, 20):
        transcript.add(entry(f"number {number}", number))
    view(transcript)
    transcript.scroll(-3)
    before = view(transcript)
    transcript.insert(entry("number 5", 5))
    assert view(transcript) == before
    transcript.look_at(5)
    assert view(transcript)[0] == "12:00 number 5"


@pytest.mark.parametrize("shown", [True, False])
def test_the_last_entry_is_amended(shown: bool) -> None:
    transcript = filled(2)
    tomorrow = entry("line 2", time=NOON + 86400)
    transcript.add(tomorrow)
    if shown:
        view(transcript)
    amended = entry("amended: " + "x" * 40, time=NOON + 86400)
    assert transcript.amend(tomorrow, amended)
    assert not transcript.amend(tomorrow, amended)
    rows = view(transcript, height=10)
    assert rows[:2] == lines(0, 1)
    assert "Sunday, 22 November 2026" in rows[2]
    assert [row.split()[-1] for row in rows[3:]] == ["amended:", "x" * 34, "x" * 6]
    transcript.add(entry("line 3", time=NOON + 86400))
    assert not transcript.amend(amended, tomorrow)
    assert view(transcript, height=10)[3:] == [*rows[3:], *lines(3)]


def test_nothing_to_amend() -> None:
    assert not filled(0).amend(entry("a"), entry("b"))


def test_what_stands_below_for_now() -> None:
    transcript = filled(5)
    rows = transcript.view(40, 4, [entry("more"), entry("and more")])
    assert [row[-1][1] for row in rows] == ["line 3", "line 4", "more", "and more"]
    assert len(transcript.view(40, 1, [entry("more"), entry("and more")])) == 1
    assert view(transcript) == lines(1, 2, 3, 4)


def test_old_entries_are_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_ENTRIES", 100)
    transcript = filled(60)
    view(transcript)
    transcript.scroll_to_start()
    assert view(transcript) == lines(0, 1, 2, 3)
    for number in range(60, 500):
        transcript.add(entry(f"line {number}"))
    assert 90 <= len(transcript) <= 100
    first = 500 - len(transcript)
    assert view(transcript) == lines(first, first + 1, first + 2, first + 3)


def test_long_entries_are_forgotten_earlier(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_CHARACTERS", 1000)
    transcript = filled(0)
    for _ in range(50):
        transcript.add(entry("x" * 100))
    assert len(transcript) <= 10
    transcript.add(entry("x" * 5000))
    assert len(transcript) == 1
