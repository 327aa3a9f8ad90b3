"""The file behind a history: what is moved into it when, and by whom."""

from __future__ import annotations

import os
import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from chat.server import checkpoints as module
from chat.server.checkpoints import Checkpoints
from chat.server.database import Database

SCHEMA = "CREATE TABLE words (word BLOB NOT NULL);"
INTERVAL = 5  # transactions
PATIENCE = 30.0  # seconds


class Checkpointed(Checkpoints):
    """Waits for `may_go_on` before each checkpoint, and says in `moved` how large the log was."""

    def __init__(self, database: sqlite3.Connection, commits: threading.Lock) -> None:
        super().__init__(database, commits)
        self.locked = commits.locked
        self.may_go_on = threading.Semaphore(0)
        self.moved: list[tuple[int, bool]] = []
        self.before: Callable[[], None] = lambda: None

    def _move(self) -> int:
        assert self.may_go_on.acquire(timeout=PATIENCE)
        self.before()
        pages = super()._move()
        self.moved.append((pages, self.locked()))
        return pages

    def wait(self) -> None:
        """Until no checkpoint is under way."""
        if (thread := self._thread) is not None:
            thread.join(PATIENCE)
            assert not thread.is_alive()


class Words:
    """A database of words."""

    def __init__(self, path: Path) -> None:
        self.database = Database(path, SCHEMA, 1)
        assert isinstance(self.database._checkpoints, Checkpointed)
        self.checkpoints = self.database._checkpoints

    def add(self, count: int) -> None:
        for _ in range(count):
            with self.database.transaction() as database:
                database.execute("INSERT INTO words VALUES (zeroblob(9000))")

    def count(self) -> int:
        with self.database.reading() as database:
            return int(database.execute("SELECT count(*) FROM words").fetchone()[0])


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "words"


@pytest.fixture
def words(path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Words]:
    monkeypatch.setattr(module, "INTERVAL", INTERVAL)
    monkeypatch.setattr("chat.server.database.Checkpoints", Checkpointed)
    words = Words(path)
    yield words
    words.checkpoints.may_go_on.release(100)
    words.database.close()


def log_size(path: Path) -> int:
    return path.with_name(f"{path.name}-wal").stat().st_size


def test_what_is_committed_while_a_checkpoint_waits_for_the_disk_does_not_wait(words: Words) -> None:
    words.add(INTERVAL)
    words.add(3 * INTERVAL)  # with the checkpoint under way: these come back, and begin no other
    assert (words.count(), words.checkpoints.moved) == (4 * INTERVAL, [])
    words.checkpoints.may_go_on.release()
    words.checkpoints.wait()
    assert len(words.checkpoints.moved) == 1


def test_the_log_begins_anew_when_all_of_it_was_moved(words: Words, path: Path) -> None:
    words.checkpoints.may_go_on.release(100)
    sizes = []
    for _ in range(20):
        words.add(INTERVAL)
        words.checkpoints.wait()
        sizes.append(log_size(path))
    assert len(words.checkpoints.moved) == 20
    assert max(sizes) <= 2 * sizes[0]


def test_commits_wait_when_the_log_has_become_too_long(words: Words, monkeypatch: pytest.MonkeyPatch) -> None:
    words.add(INTERVAL)
    words.checkpoints.may_go_on.release()
    words.checkpoints.wait()
    assert [locked for _, locked in words.checkpoints.moved] == [False]
    monkeypatch.setattr(module, "MAX_LOG", words.checkpoints.moved[0][0])
    words.checkpoints.moved.clear()
    words.add(2 * INTERVAL)
    words.checkpoints.may_go_on.release(2)
    words.checkpoints.wait()
    assert [locked for _, locked in words.checkpoints.moved] == [False, True]


def test_a_checkpoint_that_fails_is_tried_again(words: Words, caplog: pytest.LogCaptureFixture) -> None:
    def fail() -> None:
        raise sqlite3.OperationalError("database or disk is full")

    words.checkpoints.may_go_on.release(2)
    words.checkpoints.before = fail
    words.add(INTERVAL)
    words.checkpoints.wait()
    assert "no checkpoint of the history: database or disk is full" in caplog.text
    words.checkpoints.before = lambda: None
    words.add(INTERVAL)
    words.checkpoints.wait()
    assert len(words.checkpoints.moved) == 1


def test_closing_waits_for_a_checkpoint_and_leaves_one_file(words: Words, path: Path) -> None:
    words.add(INTERVAL)
    closing_thread = threading.Thread(target=words.database.close)
    closing_thread.start()
    words.checkpoints.may_go_on.release()
    closing_thread.join(PATIENCE)
    assert not closing_thread.is_alive()
    assert sorted(os.listdir(path.parent)) == ["words", "words-claim"]
    with closing(sqlite3.connect(path)) as database:
        assert database.execute("SELECT count(*) FROM words").fetchone() == (INTERVAL,)


def test_who_looks_at_the_file_holds_nobody_up(words: Words, path: Path) -> None:
    words.add(1)
    with closing(sqlite3.connect(path, isolation_level=None)) as visitor:
        visitor.execute("BEGIN")
        assert visitor.execute("SELECT count(*) FROM words").fetchone() == (1,)
        words.checkpoints.may_go_on.release(100)
        words.add(INTERVAL)
        words.checkpoints.wait()
        assert visitor.execute("SELECT count(*) FROM words").fetchone() == (1,)
    assert words.count() == INTERVAL + 1


def no_thread(thread: threading.Thread) -> None:
    raise RuntimeError("can't start new thread")


def test_a_transaction_is_kept_when_there_is_no_thread_for_the_checkpoint(
    words: Words, path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", no_thread)
        words.add(INTERVAL)
    assert "no checkpoint of the history: can't start new thread" in caplog.text
    words.checkpoints.may_go_on.release()
    words.add(INTERVAL)
    words.checkpoints.wait()
    assert len(words.checkpoints.moved) == 1
    words.database.close()
    assert sorted(os.listdir(path.parent)) == ["words", "words-claim"]


def test_whatever_ends_a_checkpoint_there_are_more(words: Words, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail() -> None:
        raise MemoryError

    monkeypatch.setattr(threading, "excepthook", lambda arguments: None)
    words.checkpoints.may_go_on.release(2)
    words.checkpoints.before = fail
    words.add(INTERVAL)
    words.checkpoints.wait()
    words.checkpoints.before = lambda: None
    words.add(INTERVAL)
    words.checkpoints.wait()
    assert len(words.checkpoints.moved) == 1


class EndsAtOnce(Checkpoints):
    """Its thread is there at the first look, and gone at the next."""

    _left: threading.Thread | None = None

    @property
    def _thread(self) -> threading.Thread | None:
        thread, self._left = self._left, None
        return thread

    @_thread.setter
    def _thread(self, thread: threading.Thread | None) -> None:
        self._left = thread


def test_a_checkpoint_that_ends_while_the_file_is_closed() -> None:
    database = sqlite3.connect(":memory:", isolation_level=None)
    checkpoints = EndsAtOnce(database, threading.Lock())
    thread = threading.Thread(target=lambda: None)
    thread.start()
    checkpoints._thread = thread
    checkpoints.close()
    with pytest.raises(sqlite3.ProgrammingError, match="closed"):
        database.execute("SELECT 1")


def test_a_file_that_cannot_be_opened_twice_is_let_go_of(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[sqlite3.Connection] = []
    connect = sqlite3.connect

    def connect_once(name: str | Path, **options: Any) -> sqlite3.Connection:
        if opened:
            raise sqlite3.OperationalError("unable to open database file")
        opened.append(connect(name, **options))
        return opened[0]

    with monkeypatch.context() as patch:
        patch.setattr(sqlite3, "connect", connect_once)
        with pytest.raises(ValueError, match="unable to open database file; move it away"):
            Database(path, SCHEMA, 1)
    with pytest.raises(sqlite3.ProgrammingError, match="closed"):
        opened[0].execute("SELECT 1")
    Database(path, SCHEMA, 1).close()


def test_in_memory_there_are_no_checkpoints(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "INTERVAL", 1)
    database = Database(None, SCHEMA, 1)
    with database.transaction() as connection:
        connection.execute("INSERT INTO words VALUES ('x')")
    assert "chat checkpoint" not in [thread.name for thread in threading.enumerate()]
    database.close()
    database.close()
