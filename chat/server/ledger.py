"""What the bus has of this server's messages, and what this server has of the bus's: kept with the messages.

Each message that is said here goes into the outbox in the transaction that keeps it, and stays there until it has been
read back from the bus. What is read from the bus is kept in one transaction with the place where to go on reading. So
each side of the bus may fail at any moment: what was not read back is sent again, and ids tell what is known already.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from typing import NamedTuple

from chat.server.bus_format import BEGINNING, Relayed, decode_entry, encode_entry
from chat.server.history import MAX_SESSIONS, Entry, History

__all__ = ["MAX_HEARD", "MAX_PENDING", "MAX_READ_BACK", "Ledger", "Pending"]

MAX_HEARD = 50_000  # messages from the bus that are recognised when they come again: more than it holds
MAX_PENDING = 100_000  # messages that wait for the bus to come back; then the oldest are not sent any more
MAX_READ_BACK = 1_000  # own messages, last read back from the bus, that are sent again if it has lost them

_SCHEMA = f"""
BEGIN;
CREATE TABLE IF NOT EXISTS outbox (
    rank INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, payload BLOB NOT NULL, position TEXT
);
CREATE INDEX IF NOT EXISTS outbox_by_position ON outbox (position, rank);
CREATE TABLE IF NOT EXISTS heard (
    rank INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, position TEXT NOT NULL, since TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS heard_by_position ON heard (position);
CREATE TABLE IF NOT EXISTS senders (sender TEXT PRIMARY KEY, seq INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS bus (cursor TEXT NOT NULL);
INSERT INTO bus SELECT '{BEGINNING}' WHERE NOT EXISTS (SELECT 1 FROM bus);
COMMIT;
"""


class Pending(NamedTuple):
    """A message for the bus. rank: the order in which they go out."""

    rank: int
    payload: bytes


class Ledger:
    """The part of a history that is about the bus. The methods raise sqlite3.Error, and then have changed nothing.

    Any thread may use it. Does file work, so it may block.
    """

    def __init__(self, history: History) -> None:
        self._history = history
        with history.reading() as database:
            database.executescript(_SCHEMA)
        history.and_then = self._note

    @property
    def cursor(self) -> str:
        """The position up to which the bus has been read."""
        with self._history.reading() as database:
            return _cursor(database)

    def _note(self, database: sqlite3.Connection, entries: Sequence[Entry]) -> None:
        """These are said here: within the transaction that keeps them."""
        cursor = _cursor(database)
        for entry in entries:
            payload = encode_entry(entry, cursor)
            database.execute(
                "INSERT OR IGNORE INTO outbox (id, payload) VALUES (?, ?)",
                (entry.message.id, payload),
            )
        database.execute("DELETE FROM outbox WHERE rank <= (SELECT max(rank) FROM outbox) - ?", (MAX_PENDING,))

    def pending(self, after: int, count: int) -> list[Pending]:
        """The first `count` messages behind a rank that have not been read back from the bus."""
        query = "SELECT rank, payload FROM outbox WHERE position IS NULL AND rank > ? ORDER BY rank LIMIT ?"
        with self._history.reading() as database:
            return [Pending(*row) for row in database.execute(query, (after, count))]

    def take(self, relayed: Sequence[Relayed], start: str, cursor: str) -> list[Entry]:
        """Keep what was read from the bus behind `start`, and that it has been read up to `cursor`, in one transaction.

        Returns what is new here, numbered: nothing if `start` is not where this server is any more.
        """
        with self._history.transaction() as database:
            if start != _cursor(database):
                return []
            new = [each.entry for each in relayed if _is_new(database, each)]
            numbered = self._history.insert(database, new)
            database.execute("UPDATE bus SET cursor = ?", (cursor,))
            _prune(database)
        return numbered

    def start_over(self, lost: str) -> bool:
        """The bus does not know any more where this server was: it is read from its beginning, and what was read back
        last is sent again. lost: the cursor of which this is so; False if it is another one now."""
        with self._history.transaction() as database:
            if lost != _cursor(database):
                return False
            database.execute("UPDATE bus SET cursor = ?", (BEGINNING,))
            database.execute("UPDATE outbox SET position = NULL")
        return True

    def seq(self, sender: str) -> int:
        """The last seq of a sender that the bus has told of; 0: there is none."""
        with self._history.reading() as database:
            row = database.execute("SELECT seq FROM senders WHERE sender = ?", (sender,)).fetchone()
        return row[0] if row else 0

    def seen(self, id: str) -> int | None:
        """The number up to which somebody has everything who has everything up to the message `id` on another server;
        None if that cannot be told.

        It may have more than that. Not before: that server had read the bus up to `since` when it was given the
        message, and anything of its own was on the bus before it.
        """
        with self._history.reading() as database:
            row = database.execute("SELECT since FROM heard WHERE id = ?", (id,)).fetchone()
            if row is None:  # it may be one of ours that has not been read back
                own = database.execute("SELECT payload FROM outbox WHERE id = ?", (id,)).fetchone()
                if own is None:
                    return None
                row = (decode_entry(own[0], BEGINNING).since,)
            missing = [
                database.execute(query, values).fetchone()[0]
                for query, values in (
                    ("SELECT min(number) FROM heard JOIN messages USING (id) WHERE position > ?", row),
                    ("SELECT min(number) FROM outbox JOIN messages USING (id) WHERE position IS NULL", ()),
                )
            ]
        numbers = [number for number in missing if number is not None]
        return min(numbers) - 1 if numbers else self._history.last_number()


def _cursor(database: sqlite3.Connection) -> str:
    """Kept nowhere else: a transaction that fails at its end must not have moved it."""
    return str(database.execute("SELECT cursor FROM bus").fetchone()[0])


def _is_new(database: sqlite3.Connection, relayed: Relayed) -> bool:
    """Note that a message is on the bus; whether it is not known by its id."""
    id, (sender, _, seq) = relayed.entry.message.id, relayed.entry.message.id.partition("-")
    database.execute(
        "INSERT OR REPLACE INTO senders VALUES (:sender, max(:seq,"
        " coalesce((SELECT seq FROM senders WHERE sender = :sender), 0)))",
        {"sender": sender, "seq": int(seq)},
    )
    own = database.execute("UPDATE outbox SET position = ? WHERE id = ?", (relayed.position, id)).rowcount
    known = database.execute("UPDATE heard SET position = ? WHERE id = ?", (relayed.position, id)).rowcount
    if not known:
        row = (id, relayed.position, relayed.since)
        database.execute("INSERT INTO heard (id, position, since) VALUES (?, ?, ?)", row)
    return not own and not known


def _prune(database: sqlite3.Connection) -> None:
    database.execute("DELETE FROM heard WHERE rank <= (SELECT max(rank) FROM heard) - ?", (MAX_HEARD,))
    database.execute("DELETE FROM senders WHERE rowid <= (SELECT max(rowid) FROM senders) - ?", (MAX_SESSIONS,))
    database.execute(
        "DELETE FROM outbox WHERE position IS NOT NULL AND rank <= (SELECT max(rank) FROM outbox) - ?", (MAX_READ_BACK,)
    )
