"""Where a password comes from."""

from __future__ import annotations

import getpass
import io
import os
from pathlib import Path

import pytest

from chat.passwords import MAX_LENGTH, VARIABLE, ask, given, read_file


@pytest.mark.parametrize("content", ["secret ✓\n", "secret ✓", "secret ✓\r\n", "secret ✓\nand more\n"])
def test_the_first_line_of_a_file(tmp_path: Path, content: str) -> None:
    (tmp_path / "password").write_bytes(content.encode())
    assert read_file(str(tmp_path / "password")) == "secret ✓"


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"", "must be a password of 1 to 1024 bytes"),
        (b"\nsecret\n", "must be a password of 1 to 1024 bytes"),
        (b"x" * (MAX_LENGTH + 1), "must be a password of 1 to 1024 bytes"),
        (b"\xff\n", "the first line of .* is no UTF-8"),
    ],
)
def test_a_file_that_holds_none(tmp_path: Path, content: bytes, sentence: str) -> None:
    (tmp_path / "password").write_bytes(content)
    with pytest.raises(ValueError, match=sentence):
        read_file(str(tmp_path / "password"))


def test_no_file() -> None:
    with pytest.raises(ValueError, match="cannot read '/no/such/file': No such file or directory"):
        read_file("/no/such/file")


def test_the_longest(tmp_path: Path) -> None:
    (tmp_path / "password").write_bytes(b"x" * MAX_LENGTH + b"\r\n")
    assert len(read_file(str(tmp_path / "password"))) == MAX_LENGTH


def test_the_file_comes_before_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "password").write_text("of the file\n")
    monkeypatch.delenv(VARIABLE, raising=False)
    assert given(None) == ""
    monkeypatch.setenv(VARIABLE, "of the environment")
    assert given(None) == "of the environment"
    assert given(str(tmp_path / "password")) == "of the file"


def test_an_environment_that_is_no_utf8(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(os.environb, VARIABLE.encode(), b"\xff")
    with pytest.raises(ValueError, match="CHAT_PASSWORD is no UTF-8"):
        given(None)


def test_nobody_to_ask(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("typed\n"))
    assert ask("localhost:4242") == ""


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_asking(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", Terminal())
    monkeypatch.setattr(getpass, "getpass", lambda prompt: f"typed at {prompt!r}")
    assert ask("localhost:4242") == "typed at 'Password for localhost:4242: '"


def test_no_answer_ends_the_line(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """Control-D is none; after Control-C nobody wants one."""
    monkeypatch.setattr("sys.stdin", Terminal())
    ends: list[type[BaseException]] = [EOFError, KeyboardInterrupt]

    def end(_prompt: str) -> str:
        raise ends.pop(0)

    monkeypatch.setattr(getpass, "getpass", end)
    assert ask("localhost:4242") == ""
    with pytest.raises(KeyboardInterrupt):
        ask("localhost:4242")
    assert capsys.readouterr().err == "\n\n"
