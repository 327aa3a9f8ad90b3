"""The lines that are read."""

from __future__ import annotations

from pathlib import Path

import pytest

from chat.client.lines import read_lines
from chat.message import MAX_MESSAGE_SIZE


def lines(content: bytes, tmp_path: Path) -> list[str]:
    path = tmp_path / "lines"
    path.write_bytes(content)
    with path.open("rb") as file:
        return list(read_lines(file.fileno()))


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"", []),
        (b"one\ntwo\n", ["one", "two"]),
        (b"one\r\n\ntwo", ["one", "", "two"]),
        ("smørrebrød\n".encode(), ["smørrebrød"]),
        (b"\xff\xfe\n", ["\N{REPLACEMENT CHARACTER}" * 2]),
        (b"one\rtwo\n", ["one\rtwo"]),
    ],
)
def test_lines(tmp_path: Path, content: bytes, expected: list[str]) -> None:
    assert lines(content, tmp_path) == expected


@pytest.mark.parametrize("length", [MAX_MESSAGE_SIZE, MAX_MESSAGE_SIZE + 1, MAX_MESSAGE_SIZE + 2, 1_000_000])
def test_of_a_line_that_is_too_long_only_the_start_is_kept(tmp_path: Path, length: int) -> None:
    first, second = lines(b"x" * length + b"\nnext\n", tmp_path)
    assert len(first) == min(length, MAX_MESSAGE_SIZE + 1)
    assert second == "next"
