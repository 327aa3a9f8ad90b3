"""What is kept, and for how long."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from chat.message import Message
from chat.server import history as module
from chat.server.database import Database
from chat.server.history import Entry, History, Returning


def entry(text: str, sender: str = "ada", room: str = "lobby", addressee: str = "") -> Entry:
    return Entry(Message("Ada", text, id=f"{sender}-{text}", time=5, room=room), sender, addressee)


def texts(entries: list[Entry]) -> list[str]:
    return [each.message.text for each in entries]


@pytest.fixture(params=["file", "memory"])
def path(request: pytest.FixtureRequest, tmp_path: Path) -> Path | None:
    return tmp_path / "history" if request.param == "file" else None


def test_what_is_committed_is_numbered_and_comes_back(path: Path | None) -> None:
    history = History(path)
    history.enter("s", 3, "Ada", "lobby", 1)
    one, two = history.commit("s", 5, [entry("1"), entry("2")], 2)
    assert (one.message.number, two.message.number, history.last_number(), history.seq("s")) == (1, 2, 2, 5)
    assert history.after(0, "lobby", "bob", 10) == [one, two]
    assert history.after(1, "lobby", "bob", 10) == history.before(0, "lobby", "bob", 1) == [two]
    assert history.before(2, "lobby", "bob", 10) == [one]
    assert history.seq("other") is None


def test_who_may_read(path: Path | None) -> None:
    history = History(path)
    history.commit("", 0, [entry("lobby"), entry("tea", room="tea"), entry("psst", room="", addressee="bob")], 1)
    assert texts(history.after(0, "lobby", "ada", 9)) == ["lobby", "psst"]
    assert texts(history.after(0, "tea", "bob", 9)) == ["tea", "psst"]
    assert texts(history.after(0, "tea", "eve", 9)) == ["tea"]


def test_older_messages_go_and_numbers_do_not_come_again(path: Path | None) -> None:
    history = History(path, limit=3)
    for number in range(1, 11):
        history.commit("", 0, [entry(str(number))], 1)
    assert texts(history.after(0, "lobby", "ada", 99)) == ["8", "9", "10"]


def test_an_id_that_is_there_is_not_kept_again(path: Path | None) -> None:
    history = History(path)
    assert len(history.commit("", 0, [entry("1")], 1)) == 1
    assert history.commit("", 0, [entry("1")], 1) == []


def test_sessions_have_a_limit(path: Path | None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_SESSIONS", 2)
    monkeypatch.setattr(module, "PRUNE_INTERVAL", 4)
    history = History(path)
    for number in range(4):
        history.enter(str(number), number, "n", "lobby", number)
    assert [history.seq(str(number)) for number in range(4)] == [None, None, 2, 3]


def test_all_or_nothing(path: Path | None) -> None:
    history = History(path)
    history.enter("s", 0, "Ada", "lobby", 1)
    with pytest.raises(OverflowError):
        history.commit("s", 9, [entry("1"), Entry(Message("Ada", "2", id="2", time=1 << 70), "ada")], 1)
    assert (history.last_number(), history.seq("s")) == (0, 0)
    history.commit("s", 1, [entry("3")], 1)


def test_a_file_goes_on(tmp_path: Path) -> None:
    first = History(tmp_path / "h")
    first.enter("s", 0, "Ada", "tea", 1)
    first.enter("gone", 0, "Bob", "tea", 1)
    first.leave("gone", 2)
    first.commit("s", 1, [entry("1")], 2)
    first.close()
    second = History(tmp_path / "h")
    assert (second.store, second.seq("s"), texts(second.after(0, "lobby", "x", 9))) == (first.store, 1, ["1"])
    assert second.present() == [Returning("s", "Ada", "tea")]
    assert History(None).store != second.store


def test_nobody_else_can_read_it(tmp_path: Path) -> None:
    history = History(tmp_path / "h")
    history.commit("", 0, [entry("1")], 1)
    assert {path.stat().st_mode & 0o777 for path in tmp_path.iterdir()} == {0o600}


class TestFilesThatCannotBeUsed:
    def test_in_use(self, tmp_path: Path) -> None:
        history = History(tmp_path / "h")
        with pytest.raises(ValueError, match="is in use by another server; choose another --state-dir"):
            History(tmp_path / "h")
        history.close()
        History(tmp_path / "h")

    def test_no_database(self, tmp_path: Path) -> None:
        (tmp_path / "h").write_text("not a database, " * 100)
        with pytest.raises(ValueError, match=r"cannot use .*: file is not a database; move it away"):
            History(tmp_path / "h")

    def test_a_full_disk(self, tmp_path: Path) -> None:
        with pytest.raises(ValueError, match="database or disk is full; make room, choose another --state-dir"):
            Database(tmp_path / "h", "PRAGMA max_page_count = 1; CREATE TABLE one (column);", 1)

    def test_another_version(self, tmp_path: Path) -> None:
        History(tmp_path / "h").close()
        with sqlite3.connect(tmp_path / "h") as database:
            database.execute("PRAGMA user_version = 9")
        database.close()
        with pytest.raises(ValueError, match="another version of this program"):
            History(tmp_path / "h")

    def test_no_such_directory(self, tmp_path: Path) -> None:
        with pytest.raises(FileNotFoundError):
            History(tmp_path / "none" / "h")


@pytest.mark.parametrize("schema", ["", "CREATE TABLE meta (store TEXT NOT NULL);"])
def test_a_file_of_another_program_is_let_go_of(tmp_path: Path, schema: str) -> None:
    path = tmp_path / "history"
    with closing(sqlite3.connect(path)) as database:
        database.executescript(f"{schema} PRAGMA user_version = 1;")
    for _ in range(2):
        with pytest.raises(ValueError, match="move it away, choose another --state-dir"):
            History(path)
