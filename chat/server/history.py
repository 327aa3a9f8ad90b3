"""What was said, kept in SQLite: in a file of the state directory, or in memory.

A message is acknowledged only after the transaction that holds it and its session's last seq (see `database` for what
a transaction outlives).
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import NamedTuple

from chat.message import Message
from chat.server.database import Database, unusable

__all__ = ["DEFAULT_LIMIT", "MAX_SESSIONS", "MEMORY_LIMIT", "Entry", "History", "Returning"]

DEFAULT_LIMIT = 100_000  # messages that are kept in a file
MEMORY_LIMIT = 1_000  # messages that are kept in memory, of 64 KiB at most
MAX_SESSIONS = 100_000  # of which the last seq is known; the ones that were used longest ago are forgotten
PRUNE_INTERVAL = 1_000  # new sessions between two looks at how many there are
SCHEMA_VERSION = 1

_SCHEMA = """
CREATE TABLE meta (store TEXT NOT NULL);
CREATE TABLE messages (
    number INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, time INTEGER NOT NULL, kind TEXT NOT NULL,
    room TEXT NOT NULL, sender TEXT NOT NULL, nickname TEXT NOT NULL, addressee TEXT NOT NULL, recipient TEXT NOT NULL,
    text TEXT NOT NULL
);
CREATE INDEX messages_by_room ON messages (room, number);
CREATE TABLE sessions (
    session TEXT PRIMARY KEY, seq INTEGER NOT NULL, nickname TEXT NOT NULL, room TEXT NOT NULL,
    present INTEGER NOT NULL, last_used INTEGER NOT NULL
);
CREATE INDEX sessions_by_use ON sessions (last_used);
INSERT INTO meta VALUES (lower(hex(randomblob(8))));
"""
# What a client may read: what its room hears, and what is between it and one other.
_VISIBLE = "(room = :room OR room = '' AND :sender IN (sender, addressee))"
_KEPT = "id, time, kind, room, sender, nickname, addressee, recipient, text"


class Entry(NamedTuple):
    """A message as it is kept: who said it (a sender's id), and to whom alone, if its room is empty."""

    message: Message
    sender: str
    addressee: str = ""


class Returning(NamedTuple):
    """A session that was connected when the last server died."""

    session: str
    nickname: str
    room: str


class History:
    """The messages and sessions of one server, from `path` (None: in memory).

    limit: how many messages are kept; older ones go. store: what this history is called: numbers are valid in it alone.
    and_then: is called with what `commit` keeps, within its transaction.
    Raises OSError or ValueError, with a sentence, if the file cannot be used. The methods raise sqlite3.Error (a full
    disk, for instance); then nothing has changed. Any thread may use it. Does file work, so it may block.
    """

    def __init__(self, path: Path | None, limit: int = DEFAULT_LIMIT) -> None:
        self._limit = limit
        self._new_sessions = 0
        self.and_then: Callable[[sqlite3.Connection, Sequence[Entry]], None] = lambda database, entries: None
        self._database = Database(path, _SCHEMA, SCHEMA_VERSION)
        try:
            self.store = self._name()
        except sqlite3.Error as error:  # it is of some other program, or damaged
            self.close()
            raise ValueError(unusable(path, error)) from error

    def close(self) -> None:
        """Close the file. May be repeated."""
        self._database.close()

    def _name(self) -> str:
        with self.reading() as database:
            row = database.execute("SELECT store FROM meta").fetchone()
        if row is None:
            raise sqlite3.DatabaseError("it is not complete")
        return str(row[0])

    def transaction(self) -> AbstractContextManager[sqlite3.Connection]:
        """The database, to be changed until the end of the block: all of it, or nothing if the block raises."""
        return self._database.transaction()

    def reading(self) -> AbstractContextManager[sqlite3.Connection]:
        """The database, to be read until the end of the block."""
        return self._database.reading()

    def commit(self, session: str, seq: int, entries: Sequence[Entry], now: int) -> list[Entry]:
        """Keep entries, and that everything of the session up to `seq` is settled, in one transaction.

        Returns the entries with their numbers. now: milliseconds since 1970. An empty session is none.
        """
        with self.transaction() as database:
            numbered = self.insert(database, entries)
            self.and_then(database, numbered)
            if session:
                database.execute("UPDATE sessions SET seq = ?, last_used = ? WHERE session = ?", (seq, now, session))
        return numbered

    def insert(self, database: sqlite3.Connection, entries: Sequence[Entry]) -> list[Entry]:
        """Within a transaction: keep entries. Returns those that were not known by their id, with their numbers."""
        numbered = []
        for entry in entries:
            cursor = database.execute(
                f"INSERT OR IGNORE INTO messages ({_KEPT}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", _row(entry)
            )
            if cursor.rowcount:
                numbered.append(entry._replace(message=entry.message._replace(number=cursor.lastrowid or 0)))
        if numbered:
            oldest = numbered[-1].message.number - self._limit
            database.execute("DELETE FROM messages WHERE number <= ?", (oldest,))
        return numbered

    def seq(self, session: str) -> int | None:
        """The last seq of a session that is settled; None for one that is not known."""
        with self.reading() as database:
            row = database.execute("SELECT seq FROM sessions WHERE session = ?", (session,)).fetchone()
        return row[0] if row else None

    def enter(self, session: str, seq: int, nickname: str, room: str, now: int) -> None:
        """Note who has a session and where it is. seq: where a session begins that is not known yet."""
        with self.transaction() as database:
            database.execute(
                "INSERT INTO sessions VALUES (:session, :seq, :nickname, :room, 1, :now) ON CONFLICT (session) DO"
                " UPDATE SET nickname = :nickname, room = :room, present = 1, last_used = :now",
                {"session": session, "seq": seq, "nickname": nickname, "room": room, "now": now},
            )
            self._new_sessions += 1
            if self._new_sessions % PRUNE_INTERVAL == 0:
                database.execute(
                    "DELETE FROM sessions WHERE session IN (SELECT session FROM sessions ORDER BY last_used"
                    " LIMIT max(0, (SELECT count(*) FROM sessions) - ?))",
                    (MAX_SESSIONS,),
                )

    def leave(self, session: str, now: int) -> None:
        """Note that nobody needs to wait for a session any more. Its last seq stays known."""
        with self.transaction() as database:
            database.execute("UPDATE sessions SET present = 0, last_used = ? WHERE session = ?", (now, session))

    def present(self) -> list[Returning]:
        """The sessions that have entered and not left."""
        query = "SELECT session, nickname, room FROM sessions WHERE present ORDER BY last_used"
        with self.reading() as database:
            return [Returning(*row) for row in database.execute(query)]

    def after(self, number: int, room: str, sender: str, count: int) -> list[Entry]:
        """The first `count` messages behind `number` that the sender, who is in the room, may read."""
        return self._select("number > :number", "ASC", number, room, sender, count)

    def before(self, number: int, room: str, sender: str, count: int) -> list[Entry]:
        """The last `count` messages before `number` (0: the last ones) that the sender, who is in the room, may read,
        in their order."""
        limit = number or (1 << 62)
        return self._select("number < :number", "DESC", limit, room, sender, count)[::-1]

    def last_number(self) -> int:
        """The number of the newest message; 0: there was none yet."""
        with self.reading() as database:
            row = database.execute("SELECT seq FROM sqlite_sequence WHERE name = 'messages'").fetchone()
        return row[0] if row else 0

    def _select(self, where: str, order: str, number: int, room: str, sender: str, count: int) -> list[Entry]:
        query = (
            f"SELECT number, {_KEPT} FROM messages WHERE {where} AND {_VISIBLE} ORDER BY number {order} LIMIT :count"
        )
        values = {"number": number, "room": room, "sender": sender, "count": count}
        with self.reading() as database:
            return [_entry(*row) for row in database.execute(query, values)]


def _row(entry: Entry) -> tuple[str | int, ...]:
    message = entry.message
    who = (entry.sender, message.nickname, entry.addressee, message.recipient)
    return (message.id, message.time, message.kind, message.room, *who, message.text)


def _entry(
    number: int,
    id: str,
    time: int,
    kind: str,
    room: str,
    sender: str,
    nickname: str,
    addressee: str,
    recipient: str,
    text: str,
) -> Entry:
    message = Message(nickname, text, id, time, kind, room, recipient, number=number)
    return Entry(message, sender, addressee)
