"""What the bus has, and what it has told, is kept with the messages, in the same transactions."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest

from chat.message import Kind, Message, message_id, sender_id
from chat.server import ledger as ledger_module
from chat.server.bus_format import BEGINNING, Relayed, decode_entry, position_of
from chat.server.history import Entry, History
from chat.server.ledger import Ledger


def said(session: str, seq: int) -> Entry:
    message = Message("Ada", f"{session} {seq}", message_id(session, seq), 1, Kind.SAY, "lobby")
    return Entry(message, sender_id(session))


def at(number: int) -> str:
    return position_of(f"{number}-0".encode())


def relayed(session: str, seq: int, place: int, since: int = 0) -> Relayed:
    return Relayed(said(session, seq), at(place), at(since))


def commit(history: History, session: str, *seqs: int) -> None:
    history.commit(session, max(seqs), [said(session, seq) for seq in seqs], 1)


def pending(ledger: Ledger, after: int = 0) -> list[str]:
    return [decode_entry(each.payload, BEGINNING).entry.message.text for each in ledger.pending(after, 100)]


def texts(history: History) -> list[str]:
    return [entry.message.text for entry in history.after(0, "lobby", "", 100)]


@pytest.fixture
def history() -> History:
    return History(None, 100)


@pytest.fixture
def ledger(history: History) -> Ledger:
    return Ledger(history)


def test_what_is_said_waits_until_it_is_read_back(history: History, ledger: Ledger) -> None:
    commit(history, "a", 1, 2)
    commit(history, "b", 1)
    assert pending(ledger) == ["a 1", "a 2", "b 1"]
    assert pending(ledger, after=2) == ["b 1"]
    assert ledger.take([relayed("a", 1, 5)], BEGINNING, at(5)) == []
    assert pending(ledger) == ["a 2", "b 1"]
    assert texts(history) == ["a 1", "a 2", "b 1"]


def test_it_waits_also_when_the_process_dies(tmp_path: Path) -> None:
    history = History(tmp_path / "h", 100)
    ledger = Ledger(history)
    commit(history, "a", 1, 2)
    ledger.take([relayed("a", 1, 5), relayed("c", 1, 6)], BEGINNING, at(6))
    history.close()
    again = History(tmp_path / "h", 100)
    ledger = Ledger(again)
    assert pending(ledger) == ["a 2"]
    assert ledger.cursor == at(6)
    assert texts(again) == ["a 1", "a 2", "c 1"]
    again.close()


def test_each_message_of_others_is_new_once(history: History, ledger: Ledger) -> None:
    first = ledger.take([relayed("c", 1, 1), relayed("c", 1, 2), relayed("c", 2, 3)], BEGINNING, at(3))
    assert [entry.message.number for entry in first] == [1, 2]
    assert ledger.take([relayed("c", 2, 4), relayed("c", 3, 5), relayed("c", 1, 6)], at(3), at(6))[0].message.seq == 0
    assert texts(history) == ["c 1", "c 2", "c 3"]
    assert pending(ledger) == []


def test_what_was_pruned_is_known_all_the_same() -> None:
    history = History(None, 1)
    ledger = Ledger(history)
    commit(history, "a", 1)
    commit(history, "a", 2)
    ledger.take([relayed("c", 1, 1), relayed("c", 2, 2)], BEGINNING, at(2))
    assert ledger.take([relayed("c", 1, 3), relayed("a", 1, 4)], at(2), at(4)) == []


def test_what_was_read_from_elsewhere_changes_nothing(history: History, ledger: Ledger) -> None:
    """As when another thread has found that the bus has lost its data."""
    ledger.take([relayed("c", 1, 1)], BEGINNING, at(1))
    assert ledger.start_over(at(1))
    assert not ledger.start_over(at(1))
    assert ledger.take([relayed("c", 2, 2)], at(1), at(2)) == []
    assert ledger.cursor == BEGINNING
    assert texts(history) == ["c 1"]


def test_what_the_bus_has_lost_is_sent_again_in_its_order(history: History, ledger: Ledger) -> None:
    commit(history, "a", 1, 2, 3)
    ledger.take([relayed("a", 1, 1), relayed("a", 2, 2)], BEGINNING, at(2))
    assert pending(ledger) == ["a 3"]
    ledger.start_over(at(2))
    assert pending(ledger) == ["a 1", "a 2", "a 3"]


def test_what_fails_changes_nothing(history: History, ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(database: sqlite3.Connection) -> None:
        raise sqlite3.OperationalError("database or disk is full")

    monkeypatch.setattr(ledger_module, "_prune", full)
    with pytest.raises(sqlite3.OperationalError):
        ledger.take([relayed("c", 1, 1)], BEGINNING, at(1))
    assert ledger.cursor == BEGINNING
    assert texts(history) == []


def test_the_last_seq_of_a_sender_is_known(ledger: Ledger) -> None:
    ledger.take([relayed("c", 5, 1), relayed("c", 4, 2), relayed("d", 1, 3)], BEGINNING, at(3))
    assert [ledger.seq(sender_id(session)) for session in "cde"] == [5, 1, 0]


def test_where_somebody_is_who_was_at_another_server(history: History, ledger: Ledger) -> None:
    """It has what its server had read before the message that it saw last; all else may be missing."""
    ledger.take([relayed("c", 1, 1), relayed("c", 2, 2, since=1), relayed("d", 1, 3, since=1)], BEGINNING, at(3))
    assert ledger.seen(message_id("d", 1)) == 1
    assert ledger.seen(message_id("c", 1)) == 0
    assert ledger.seen(message_id("x", 1)) is None
    ledger.take([relayed("c", 3, 4, since=3)], at(3), at(4))
    assert ledger.seen(message_id("c", 3)) == 3
    commit(history, "a", 1)
    assert ledger.seen(message_id("a", 1)) == 4  # said here with the bus read up to 4, and not read back
    ledger.take([relayed("c", 4, 5, since=4)], at(4), at(5))
    ledger.take([relayed("c", 5, 6, since=5)], at(5), at(6))
    assert ledger.seen(message_id("c", 5)) == 4  # what was said here and is not on the bus yet


def test_all_that_is_kept_has_a_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, limit in {"MAX_HEARD": 5, "MAX_PENDING": 6, "MAX_READ_BACK": 3, "MAX_SESSIONS": 2}.items():
        monkeypatch.setattr(ledger_module, name, limit)
    history = History(None, 100)
    ledger = Ledger(history)
    commit(history, "a", *range(1, 11))
    assert pending(ledger) == [f"a {seq}" for seq in range(5, 11)]
    cursor = BEGINNING
    for seq in range(5, 11):
        ledger.take([relayed("a", seq, seq)], cursor, at(seq))
        cursor = at(seq)
    ledger.take([relayed(session, 1, 20) for session in "bcdef"], cursor, at(20))
    ledger.start_over(at(20))
    assert pending(ledger) == ["a 8", "a 9", "a 10"]
    with history.reading() as database:
        assert database.execute("SELECT count(*) FROM heard").fetchone() == (5,)
        assert database.execute("SELECT count(*) FROM senders").fetchone() == (2,)


class TestAFullDisk:
    """A transaction fails at its very end."""

    @pytest.fixture
    def full(self, history: History) -> Callable[[], AbstractContextManager[None]]:
        @contextmanager
        def full() -> Iterator[None]:
            with history.reading() as database:
                database.executescript(
                    "CREATE TABLE one (id PRIMARY KEY); CREATE TABLE other (id REFERENCES one DEFERRABLE INITIALLY"
                    " DEFERRED); CREATE TRIGGER full AFTER UPDATE ON bus BEGIN INSERT INTO other VALUES (1); END;"
                    " PRAGMA foreign_keys = ON;"
                )
            with pytest.raises(sqlite3.IntegrityError):
                yield
            with history.reading() as database:
                database.execute("PRAGMA foreign_keys = OFF")

        return full

    def test_what_was_read_is_read_again(
        self, history: History, ledger: Ledger, full: Callable[[], AbstractContextManager[None]]
    ) -> None:
        with full():
            ledger.take([relayed("a", 1, 5)], BEGINNING, at(5))
        assert ledger.cursor == BEGINNING
        assert len(ledger.take([relayed("a", 1, 5)], ledger.cursor, at(5))) == 1
        assert texts(history) == ["a 1"]

    def test_the_beginning_is_looked_for_again(
        self, history: History, ledger: Ledger, full: Callable[[], AbstractContextManager[None]]
    ) -> None:
        commit(history, "a", 1)
        ledger.take([relayed("a", 1, 5)], BEGINNING, at(5))
        with full():
            ledger.start_over(at(5))
        assert ledger.cursor == at(5)
        assert ledger.start_over(ledger.cursor)
        assert pending(ledger) == ["a 1"]
