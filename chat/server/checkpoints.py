"""Checkpoints of a SQLite database in a thread, so that nobody who says something waits for one.

A commit only appends to the write-ahead log. A *checkpoint* moves what is there into the database itself, and waits
until the disk has it: some milliseconds, now and then a second. SQLite would do that within one commit in a few
hundred; here commits go on meanwhile.
"""

from __future__ import annotations

import logging
import sqlite3
import threading

__all__ = ["INTERVAL", "MAX_LOG", "Checkpoints"]

INTERVAL = 300  # transactions from one checkpoint to the next; most take three pages
MAX_LOG = 16_384  # pages in the write-ahead log (64 MiB), beyond which commits wait for the checkpoint

logger = logging.getLogger("chat")


class Checkpoints:
    """The checkpoints of one database, over a connection that nothing else uses, and that it owns from now on.

    commits: the lock with which the other connection commits.
    """

    def __init__(self, database: sqlite3.Connection, commits: threading.Lock) -> None:
        self._database = database
        self._commits = commits
        self._transactions = 0  # since the last checkpoint began
        self._thread: threading.Thread | None = None

    def count(self) -> None:
        """A transaction is over. To be called with the lock of the commits held. Does not block."""
        self._transactions += 1
        if self._transactions >= INTERVAL and self._thread is None:
            self._transactions = 0
            thread = self._thread = threading.Thread(target=self._run, name="chat checkpoint", daemon=True)
            try:
                thread.start()
            except RuntimeError as error:  # no thread can be had just now; the transaction is kept all the same
                self._thread = None
                logger.warning("no checkpoint of the history: %s", error)

    def close(self) -> None:
        """Wait for the checkpoint that is under way, if one is, and let go of the database. May be repeated.

        Nothing is to be counted any more. To be called without the lock.
        """
        if (thread := self._thread) is not None:
            thread.join()
        self._database.close()

    def _run(self) -> None:
        try:
            pages = self._move()
            if pages > MAX_LOG:  # so much is said that something new is in the log each time, and so it never ends
                with self._commits:
                    self._move()
        except sqlite3.Error as error:
            logger.warning("no checkpoint of the history: %s", error)
        finally:
            self._thread = None

    def _move(self) -> int:
        """Returns how many pages the log had. Blocks until the disk has what was in it."""
        _, pages, _ = self._database.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
        return int(pages)
