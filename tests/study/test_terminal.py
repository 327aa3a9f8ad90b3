from __future__ import annotations

import io
import os

import pytest

from quicmini.study.terminal import Ink, printable


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm-256color")


def test_a_terminal_gets_colours() -> None:
    assert Ink.on(Terminal())("good", "fine") == "\x1b[32mfine\x1b[0m"


def test_a_file_gets_none() -> None:
    assert Ink.on(io.StringIO())("good", "fine") == "fine"


@pytest.mark.parametrize(("name", "value"), [("NO_COLOR", "1"), ("TERM", "dumb")])
def test_who_wants_none_gets_none(name: str, value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(os.environ, name, value)
    assert Ink.on(Terminal())("good", "fine") == "fine"


def test_an_empty_no_color_says_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "")
    assert Ink.on(Terminal()).coloured


def test_a_meaning_that_is_not_known_is_a_mistake() -> None:
    with pytest.raises(KeyError):
        Ink(True)("fancy", "text")


@pytest.mark.parametrize(
    ("text", "shown"), [("Ä b\\", "Ä b\\"), ("\x1b[1m\r\n", "\\x1b[1m\\r\\n"), ("\u202e", "\\u202e")]
)
def test_printable(text: str, shown: str) -> None:
    assert printable(text) == shown
