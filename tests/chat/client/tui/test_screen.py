from __future__ import annotations

import pytest

from chat.client.events import Names, Said, State, StateChanged, Welcomed
from tests.chat.client.tui.stage import DOWN, ENTER, ESCAPE, PAGE_DOWN, PAGE_UP, TAB, UP, Stage, row_of

CHINESE = "我们今天晚上去吃饭吧然后看电影最后回家睡觉好不好呢"

WIDE = pytest.mark.parametrize("columns", [100, 40])


def said(text: str, nickname: str = "Ada", *, mention: bool = False) -> Said:
    return Said(nickname, text, mention=mention)


@WIDE
def test_three_parts(columns: int) -> None:
    with Stage(columns, 8) as stage:
        stage.show(Welcomed("Zoe", "lobby"), StateChanged(State.CONNECTED), Names("lobby", ("Ada", "Zoe")))
        stage.show(said("hello"))
        stage.sees("Ada: hello", "Zoe> ".rstrip(), "2 here")
        assert stage.rows[:5] == [""] * 5
        assert stage.rows[5] == "12:00 Ada: hello"
        assert stage.rows[6].startswith(" lobby · connected · 2 here")
        assert stage.rows[7] == "Zoe>"
        assert stage.cursor == (7, 5)


def test_a_line_is_sent_with_enter_and_is_in_the_history() -> None:
    with Stage() as stage:
        stage.press("first" + ENTER + "  " + ENTER + "second" + ENTER)
        stage.waits(lambda: stage.typed == ["first", "second"])
        stage.loads_history(2)
        stage.press(UP + UP)
        stage.sees("> first")
        stage.press(DOWN)
        stage.sees("> second")
        stage.press(UP + "!" + ENTER)
        stage.waits(lambda: stage.typed[2:] == ["first!"])


@WIDE
def test_long_lines_and_wide_characters(columns: int) -> None:
    with Stage(columns) as stage:
        stage.show(said(f"{CHINESE} e\u0301 👍🏽 👩\u200d👩\u200d👧 |"), said("next"))
        stage.sees("|", "next")
        end = row_of(stage, "next") - 1
        if columns == 100:
            assert stage.rows[end] == f"12:00 Ada: {CHINESE} é 👍 👩👩👧 |"  # pyte composes the letter and its mark
        else:
            assert stage.rows[end - 2 : end + 1] == [
                f"12:00 Ada: {CHINESE[:14]}",
                f"      {CHINESE[14:]} é 👍 👩👩👧",
                "      |",
            ]


@WIDE
def test_what_is_typed_grows_and_the_cursor_stays_where_it_belongs(columns: int) -> None:
    with Stage(columns) as stage:
        stage.press("蛋糕👩\u200d👩🇩🇪e\u0301")
        stage.sees("Zoe> 蛋糕👩👩DE")
        stage.waits(lambda: stage.cursor[1] == 5 + 4 + 4 + 2 + 1, "the cursor")
        stage.press("x" * 40)
        stage.waits(lambda: sum(row.count("x") for row in stage.rows) == 40, "all that was typed")
        assert stage.cursor[0] == 11
        assert len([row for row in stage.rows if "x" in row]) == (1 if columns == 100 else 2)
        stage.press(ENTER)
        stage.waits(lambda: stage.typed == ["蛋糕👩\u200d👩🇩🇪e\u0301" + "x" * 40])


def test_scrolling() -> None:
    with Stage(40, 6) as stage:
        stage.show(*(said(f"line {number}") for number in range(20)))
        stage.sees("line 16", "line 19")
        stage.press(PAGE_UP)
        stage.sees("line 13", "↓ 3")
        stage.show(said("another"))
        stage.sees("line 13", "↓ 4")
        stage.press("\x1b[1;2A")  # Shift and the arrow
        stage.sees("line 12")
        stage.press(PAGE_DOWN * 3)
        stage.sees("another")
        assert not any("↓" in row for row in stage.rows)
        stage.press("\x1b[1;5H")  # Control and Home
        stage.sees("line 0")
        stage.press("x" + ENTER)
        stage.sees("another")


def test_resizing() -> None:
    with Stage(100, 12) as stage:
        stage.show(said("a rather long line that does not fit into forty columns"))
        stage.sees("a rather long line that does not fit into forty columns")
        stage.resize(40, 8)
        stage.sees("      not fit into forty columns")
        assert stage.rows[7] == "Zoe>"
        stage.resize(100, 20)
        stage.waits(lambda: stage.rows[19] == "Zoe>", "the input at the bottom")


@pytest.mark.parametrize("key", [ESCAPE, "\x03", "\x04"])
def test_leaving_takes_one_key(key: str) -> None:
    with Stage() as stage:
        stage.press(key)
        stage.ends()
        assert "\x1b[?1049l" in stage.written


def test_control_d_in_a_line_deletes() -> None:
    with Stage() as stage:
        stage.press("ab" + "\x01" + "\x04" + ENTER)  # Control-A goes to the beginning
        stage.waits(lambda: stage.typed == ["b"])


def test_keys_that_begin_with_an_escape_do_not_leave() -> None:
    with Stage() as stage:
        stage.press("one two" + "\x1bb" + "\x1bq" + "x" + ENTER)  # Alt-B goes a word back, Alt-Q means nothing
        stage.waits(lambda: stage.typed == ["one xtwo"])


def test_pasted_lines_wait_for_enter() -> None:
    with Stage() as stage:
        stage.press("\x1b[200~one\n/two\x1b[201~")
        stage.sees("one", "/two", "2 lines, Enter sends each as a message")
        assert stage.typed == []
        stage.press(ENTER)
        stage.waits(lambda: stage.typed == ["one\n/two"])


def test_control_u_deletes_all_pasted_lines() -> None:
    with Stage() as stage:
        stage.press("\x1b[200~one\ntwo\nthree\x1b[201~")
        stage.sees("3 lines")
        stage.press("\x15four" + ENTER)
        stage.waits(lambda: stage.typed == ["four"])


def test_a_nickname_is_completed() -> None:
    with Stage() as stage:
        stage.show(Names("lobby", ("Ada", "Zoe")))
        stage.press("a" + TAB + "hello" + ENTER)
        stage.waits(lambda: stage.typed == ["Ada: hello"])


def test_a_menu_is_closed_by_escape_which_then_leaves() -> None:
    with Stage() as stage:
        stage.press("/q" + TAB)
        stage.sees("no bell and no announcements")
        stage.press(TAB)
        stage.sees("> /quiet")
        stage.press(ESCAPE)
        stage.waits(lambda: not any("no bell" in row for row in stage.rows), "no menu")
        stage.press(ESCAPE)
        stage.ends()


def test_what_was_chosen_from_the_menu_is_taken_and_then_sent() -> None:
    with Stage() as stage:
        stage.press("/q" + TAB)
        stage.sees("no bell and no announcements")
        stage.press(TAB + ENTER)
        stage.waits(lambda: not any("no bell" in row for row in stage.rows), "no menu")
        assert stage.typed == []
        stage.press(ENTER)
        stage.waits(lambda: stage.typed == ["/quiet"])


def test_the_bell_rings_for_a_mention() -> None:
    with Stage() as stage:
        stage.show(said("hello"))
        stage.sees("hello")
        assert "\a" not in stage.written
        stage.show(said("Zoe!", mention=True))
        stage.sees("Zoe!")
        assert stage.written.count("\a") == 1


@pytest.mark.parametrize("colours", [True, False])
def test_colours_only_for_those_who_want_them(colours: bool) -> None:
    with Stage(colours=colours) as stage:
        stage.show(said("hello"))
        stage.sees("hello")
        assert ("38;5;136" in stage.written) == colours
        assert ("90m12:00" in stage.written) == colours
        assert "\x1b[0;7m" in stage.written  # the status line


def test_nobody_writes_to_the_terminal_but_the_interface() -> None:
    with Stage() as stage:
        stage.show(said("\x1b[2J\x1b]0;title\a", nickname="\x1b[31m"))
        stage.sees("␛[2J␛]0;title␇")
        assert "\x1b]0;" not in stage.written
        stage.press("\x1b[200~a\x1b[31mb\x07\x1b[201~")
        stage.sees("> a␛[31mb␇")


def test_a_very_small_terminal() -> None:
    with Stage(10, 3) as stage:
        stage.show(said("hello everybody"))
        stage.sees("Zoe>")
        stage.resize(4, 2)
        stage.resize(60, 10)
        stage.sees("hello everybody")
