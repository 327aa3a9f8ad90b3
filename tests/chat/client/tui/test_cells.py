from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from prompt_toolkit.utils import get_cwidth

from chat.client.tui.cells import Fragments, cells, columns, elided, pieces, wrapped


def texts(rows: list[Fragments]) -> list[str]:
    return ["".join(text for _, text in row) for row in rows]


@pytest.mark.parametrize(
    ("text", "shown", "width"),
    [
        ("hello", "hello", 5),
        ("蛋糕", "蛋糕", 4),
        ("e\u0301te\u0301", "e\u0301te\u0301", 3),
        ("\u0301e", "e", 1),  # nothing to combine with
        ("a\tb", "a    b", 6),
        ("👩\u200d👩\u200d👧", "👩👩👧", 6),
        ("👍🏽", "👍", 2),
        ("🏽", "🏽", 2),  # alone it is a colour
        ("❤\ufe0f", "❤", 1),
        ("🇩🇪", "DE", 2),
        ("क\u094d\u200dष", "क\u094d\u200dष", 2),  # the joiner is a matter of spelling here
        ("a\u200bb\xadc\ufeff", "abc", 3),
        ("\x1b[31mred\n", "␛[31mred␊", 9),
    ],
)
def test_what_is_shown_and_how_wide(text: str, shown: str, width: int) -> None:
    assert "".join(pieces(text)) == "".join(cell.text for cell in cells(text)) == shown
    assert columns(text) == width


def test_a_heap_of_marks_is_not_shown() -> None:
    assert len("".join(pieces("a" + "\u0301" * 1000 + "b" + "\u0301" * 5))) == 2 + 8 + 5


@given(st.text(), st.integers(8, 40), st.integers(0, 8))
@settings(deadline=None)
def test_rows_fit_and_lose_nothing_but_spaces(text: str, width: int, indent: int) -> None:
    rows = texts(wrapped([("", text[:5]), ("bold", text[5:])], width, indent))
    assert all(sum(map(get_cwidth, row)) <= width for row in rows)
    assert "".join(rows).replace(" ", "") == "".join(pieces(text[:5]) + pieces(text[5:])).replace(" ", "")


def test_a_row_is_broken_at_a_space() -> None:
    rows = wrapped([("class:time", "12:03 "), ("", "well over the edge of it")], 16, 6)
    assert texts(rows) == ["12:03 well over", "      the edge", "      of it"]
    assert rows[0] == [("class:time", "12:03 "), ("", "well over")]


def test_a_long_word_is_cut() -> None:
    assert texts(wrapped([("", "a " + "x" * 20)], 10)) == ["a", "xxxxxxxxxx", "xxxxxxxxxx"]


def test_a_row_is_broken_between_wide_characters_and_never_within_one() -> None:
    assert texts(wrapped([("", "ab我们今天晚上")], 9)) == ["ab我们今", "天晚上"]


def test_a_mark_stays_where_it_belongs() -> None:
    assert texts(wrapped([("", "x" * 9 + "e\u0301" + "y")], 10)) == ["x" * 9 + "e\u0301", "y"]


def test_spaces_at_the_beginning_are_kept() -> None:
    assert texts(wrapped([("", "    code here")], 9)) == ["    code", "here"]


def test_a_text_too_narrow_for_its_indentation_is_not_indented() -> None:
    assert texts(wrapped([("", "a b c d e f g")], 8, 6)) == ["a b c d", "e f g"]


def test_nothing_is_one_row() -> None:
    assert wrapped([], 10) == [[]]


@pytest.mark.parametrize(
    ("text", "width", "kept"), [("hello", 5, "hello"), ("hello", 4, "hel…"), ("蛋糕", 3, "蛋…"), ("ab", 0, "")]
)
def test_elided(text: str, width: int, kept: str) -> None:
    assert elided(text, width) == kept
