"""Names and values in columns."""

from __future__ import annotations

import pytest

from quicmini.study.columns import Value, in_columns, show_value
from quicmini.study.terminal import Ink

PLAIN = Ink(coloured=False)


@pytest.mark.parametrize(
    ("value", "lines"),
    [
        (b"", ["(empty)"]),
        ("", ["(empty)"]),
        (7, ["7"]),
        (bytes(40), ["00" * 32, "00" * 8]),
        (bytes(100), ["00" * 32, "… 64 bytes … 00000000"]),
    ],
)
def test_show_value(value: Value, lines: list[str]) -> None:
    assert show_value(value) == lines


@pytest.mark.parametrize(
    ("name", "value", "note", "lines"),
    [
        ("name", b"\xff", "note", ["- name    ff  note"]),
        ("name", "text", "", ["- name    text"]),
        ("long name", 7, "note", ["- long name", "          7  note"]),
        ("name", bytes(40), "note", ["- name    " + "00" * 32, " " * 10 + "00" * 8, " " * 10 + "note"]),
        ("name", 7, "w " * 42 + "x", ["- name    7", " " * 10 + "w " * 42 + "x"]),
        ("name", 7, "w " * 43 + "x", ["- name    7", " " * 10 + "w " * 42 + "w", " " * 10 + "x"]),
    ],
)
def test_columns(name: str, value: Value, note: str, lines: list[str]) -> None:
    assert list(in_columns(name, value, note, PLAIN, column=10, left="- ")) == lines


def test_what_a_peer_writes_has_no_effect() -> None:
    assert list(in_columns("name", "\x1b[2J", "\x07", PLAIN, column=6)) == ["name  \\x1b[2J  \\x07"]


def test_values_that_mean_something_are_coloured() -> None:
    (line,) = in_columns("name", 7, "note", Ink(coloured=True), column=6, meaning="value")
    assert line == "\x1b[36mname\x1b[0m  \x1b[33m7\x1b[0m  \x1b[2mnote\x1b[0m"
