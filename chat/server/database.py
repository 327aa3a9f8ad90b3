"""The SQLite file behind a history: for one process, with a lock, and in transactions.

It outlives the death of the process at any moment. With write-ahead logging and `synchronous=NORMAL` a power cut of the
machine can take the last transactions with it, though never the file's integrity; that buys a commit without waiting
for the disk.
"""

from __future__ import annotations

import fcntl
import os
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from chat.server.checkpoints import Checkpoints

__all__ = ["Database", "unusable"]

BUSY_TIMEOUT = 1.0  # seconds to wait for a person who works on the file with other tools


class Database:
    """The database at `path` (None: in memory). If it is new, it is made with `schema`, which is of a `version`.

    Raises OSError or ValueError, with a sentence, if the file cannot be used, or is in use by another server. The
    methods raise sqlite3.Error. Any thread may use it. Does file work, so it may block.
    """

    def __init__(self, path: Path | None, schema: str, version: int) -> None:
        self._lock = threading.Lock()
        self._checkpoints: Checkpoints | None = None
        self._claim = None if path is None else _claim(path)
        try:
            self._connection = _connect(path, schema, version)
        except BaseException:
            if self._claim is not None:
                os.close(self._claim)
            raise
        if path is not None:
            try:
                self._checkpoints = Checkpoints(_open(path), self._lock)
            except BaseException:
                self.close()
                raise

    def close(self) -> None:
        """Close the file. May be repeated."""
        with self._lock:
            self._connection.close()
            claim, self._claim = self._claim, None
        if self._checkpoints is not None:
            self._checkpoints.close()
        if claim is not None:
            os.close(claim)

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """The database, to be changed until the end of the block: all of it, or nothing if the block raises."""
        with self._lock:
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield self._connection
                self._connection.execute("COMMIT")
            except BaseException:
                with suppress(sqlite3.Error):  # a full disk may have rolled it back already
                    self._connection.execute("ROLLBACK")
                raise
            if self._checkpoints is not None:
                self._checkpoints.count()

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """The database, to be read until the end of the block."""
        with self._lock:
            yield self._connection


def _claim(path: Path) -> int:
    """A descriptor that no other process can have; it ends with this one. Not of the file itself: SQLite has its own
    locks there."""
    claim = os.open(path.with_name(f"{path.name}-claim"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(claim, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(claim)
        raise ValueError(_in_use(path)) from None
    return claim


def _connect(path: Path | None, schema: str, version: int) -> sqlite3.Connection:
    """The database, with its tables."""
    if path is not None:
        # What people write to each other is nobody else's: SQLite's further files take over the mode of this one.
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
    database = _open(path)
    try:
        database.execute("PRAGMA journal_mode = WAL")
        database.execute("PRAGMA synchronous = NORMAL")
        database.execute("PRAGMA wal_autocheckpoint = 0")  # that is for the other connection
        (found,) = database.execute("PRAGMA user_version").fetchone()
        if not found:
            database.executescript(f"BEGIN; {schema} PRAGMA user_version = {version}; COMMIT;")
    except sqlite3.Error as error:
        database.close()
        raise ValueError(unusable(path, error)) from error
    if found not in (0, version):
        database.close()
        raise ValueError(f"{str(path)!r} was written by another version of this program; choose another --state-dir")
    return database


def _open(path: Path | None) -> sqlite3.Connection:
    name = ":memory:" if path is None else path
    try:
        return sqlite3.connect(name, timeout=BUSY_TIMEOUT, isolation_level=None, check_same_thread=False)
    except sqlite3.Error as error:  # there are no more descriptors, for instance
        raise ValueError(unusable(path, error)) from error


def unusable(path: Path | None, error: sqlite3.Error) -> str:
    """A sentence about a file that is no good."""
    code = getattr(error, "sqlite_errorcode", None)  # an error of the module's own has none
    if code == sqlite3.SQLITE_BUSY:
        return _in_use(path)
    if code == sqlite3.SQLITE_FULL:
        return f"cannot use {str(path)!r}: {error}; make room, choose another --state-dir, or use --no-history"
    return f"cannot use {str(path)!r}: {error}; move it away, choose another --state-dir, or use --no-history"


def _in_use(path: Path | None) -> str:
    return f"{str(path)!r} is in use by another server; choose another --state-dir, or keep nothing: --no-history"
