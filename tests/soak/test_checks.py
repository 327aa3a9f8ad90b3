"""The checks themselves: each of them finds what it is there to find."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

import pytest

from chat.server.arriving import RECENT
from tests.soak.checks import findings
from tests.soak.journal import Journal, Record, Shown, read
from tests.soak.run import Outcome
from tests.soak.server import History, Row
from tests.soak.settings import Settings
from tests.soak.summary import percentile, summary

COUNT = 5  # messages that each of two people has said


def history() -> list[Row]:
    """What ann and bob have said to each other's room, one after the other."""
    return [
        Row(2 * seq + index - 1, "lobby", name, "", seq)
        for seq in range(1, COUNT + 1)
        for index, name in enumerate(("ann", "bob"))
    ]


def record(name: str, rows: list[Row]) -> Record:
    shown = [Shown(row.sender, row.seq, row.number, "live", 0.01) for row in rows]
    return Record(name, "lobby", shown, said=COUNT, confirmed=COUNT, servers=[0])


def found(
    records: dict[str, Record], *histories: list[Row], died: Collection[str] = (), curtains: int = 0
) -> list[str]:
    """What is found with one server, or with several."""
    named = [History(f"server{number}", rows) for number, rows in enumerate(histories, 1)]
    return findings(records, named, died, curtains)


@pytest.fixture
def records() -> dict[str, Record]:
    """Both have seen everything."""
    return {name: record(name, history()) for name in ("ann", "bob")}


def test_nothing_is_found_where_all_is_well(records: dict[str, Record]) -> None:
    assert found(records, history()) == []


def test_senders_may_overtake_each_other(records: dict[str, Record]) -> None:
    shown = records["ann"].shown
    shown.sort(key=lambda each: each.sender)
    assert found(records, history()) == []


def test_a_message_that_is_shown_twice(records: dict[str, Record]) -> None:
    records["ann"].shown.append(records["ann"].shown[3])
    assert found(records, history()) == ["ann saw bob's message 2 2 times"]


def test_a_message_that_is_not_shown(records: dict[str, Record]) -> None:
    del records["ann"].shown[3]
    assert found(records, history()) == ["ann missed 1 messages, the first is bob's 2"]


def test_the_last_message_may_be_missing_only_from_a_dead_screen(records: dict[str, Record]) -> None:
    del records["ann"].shown[-1]
    assert found(records, history()) == ["ann missed 1 messages, the first is bob's 5"]
    assert found(records, history(), died={"ann"}) == []


def test_a_gap_shows_on_a_dead_screen_too(records: dict[str, Record]) -> None:
    del records["ann"].shown[3]
    assert found(records, history(), died={"ann"}) == ["ann missed 1 messages, the first is bob's 2"]


def test_a_sender_out_of_order(records: dict[str, Record]) -> None:
    shown = records["ann"].shown
    shown[3], shown[5] = shown[5], shown[3]
    assert found(records, history()) == ["ann saw bob's message 2 after 3"]


def test_a_confirmed_message_that_is_lost(records: dict[str, Record]) -> None:
    lost = Row(4, "lobby", "bob", "", 2)
    rows = [row for row in history() if row != lost]
    for each in records.values():
        del each.shown[3]
    assert found(records, rows) == ["server1 has lost 1 confirmed messages of bob, the first is 2"]
    records["bob"].refused.add(2)
    assert found(records, rows) == []


def test_a_message_that_was_never_confirmed(records: dict[str, Record]) -> None:
    records["bob"].said += 1
    assert found(records, history()) == ["bob: 1 messages were never confirmed, the first is 6"]
    assert found(records, history(), died={"bob"}) == []


def test_a_message_that_is_kept_twice(records: dict[str, Record]) -> None:
    rows = [*history(), Row(11, "lobby", "bob", "", 5)]
    assert "server1 has bob's message 5 after 5" in found(records, rows)


def test_a_session_that_ended(records: dict[str, Record]) -> None:
    records["bob"].ended = "the server is full"
    assert found(records, history()) == ["bob: its session ended: the server is full"]


def test_words_for_others(records: dict[str, Record]) -> None:
    rows = [*history(), Row(11, "", "bob", "zoe", 6)]
    records["bob"].shown.append(Shown("bob", 6, 11, "live", 0.01))
    assert found(records, rows) == []
    records["ann"].shown.append(Shown("bob", 6, 11, "live", 0.01))
    assert found(records, rows) == ["ann saw what was not for it: ('bob', 6)"]


def test_a_newcomer_begins_where_the_history_that_it_is_sent_does(records: dict[str, Record]) -> None:
    records["ann"].shown = [each._replace(kind="old") for each in records["ann"].shown[:4]] + records["ann"].shown[4:]
    assert found(records, history()) == []
    del records["ann"].shown[0]
    assert found(records, history()) == ["ann saw only 3 of the messages from before it came"]


def test_each_history_has_everything_in_an_order_of_its_own(records: dict[str, Record]) -> None:
    by_sender = sorted(history(), key=lambda row: row.sender)
    assert found(records, history(), by_sender) == []
    assert found(records, history(), by_sender[1:]) == ["server2 has lost 1 confirmed messages of ann, the first is 1"]
    by_sender[0], by_sender[1] = by_sender[1], by_sender[0]
    assert found(records, history(), by_sender) == ["server2 has ann's message 1 after 2"]


def test_who_changes_servers_has_all_from_where_it_began(records: dict[str, Record]) -> None:
    """Its first server had nothing for it yet from before the third message; from the second it has the first two."""
    other = sorted(history(), key=lambda row: row.sender)
    ann = records["ann"]
    ann.shown = record("ann", history()[2:4] + history()[:2] + history()[4:]).shown
    ann.shown_first = 2
    assert found(records, history(), other, curtains=RECENT) == ["ann saw ann's message 1 after 2"]
    ann.shown = record("ann", history()[2:]).shown
    assert found(records, history(), other, curtains=RECENT) == []
    del ann.shown[-1]
    assert found(records, history(), other, curtains=RECENT) == ["ann missed 1 messages, the first is bob's 5"]


def test_another_name(records: dict[str, Record]) -> None:
    records["bob"].events["N"] = 1
    assert found(records, history()) == ["bob was welcomed under another name, 1 times"]


def test_a_journal_tells_where_somebody_was(tmp_path: Path) -> None:
    path = tmp_path / "c.journal"
    journal = Journal(str(path))
    for server in (1, 0, 1):
        journal.add("W", "ann", server)
        journal.shown("ann", Shown("bob", 3, 7, "live", 0.25))
    journal.close()
    (ann,) = read([path]).values()
    assert (ann.servers, ann.home, ann.beginning, ann.connected) == ([1, 0, 1], 1, ann.shown[:1], 3)


def test_a_journal_is_read_as_it_was_written(tmp_path: Path) -> None:
    path = tmp_path / "c.journal"
    journal = Journal(str(path))
    journal.add("J", "ann", "lobby")
    journal.add("T", "ann", 2)
    journal.add("C", "ann", 1)
    journal.add("R", "ann", 2)
    journal.add("W", "ann", 1)
    journal.add("L", "ann", "the network is gone")
    journal.add("E", "ann", "")
    shown = Shown("bob", 3, 7, "live", 0.25)
    journal.shown("ann", shown)
    journal.close()
    (ann,) = read([path]).values()
    assert ann == Record("ann", "lobby", [shown], 2, 1, {2}, ann.events, "", [1])
    assert dict(ann.events) == {"W": 1, "L": 1}


def test_the_summary_has_the_figures_and_the_findings(records: dict[str, Record]) -> None:
    outcome = Outcome(Settings(seed=7), ["something is missing"], records, kept=10)
    text = summary(outcome)
    assert "seed           7" in text
    assert "10 kept, 20 shown" in text
    assert "FOUND: something is missing" in text
    assert percentile([], 0.5) == 0.0
    assert percentile([1.0, 2.0, 3.0], 0.99) == 3.0
