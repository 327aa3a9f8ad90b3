"""The lines of a diagram."""

from __future__ import annotations

import pytest

from quicmini.study.terminal import WIDTH, Ink
from quicmini.study.trace.diagram import Diagram
from quicmini.study.trace.elision import FIRST, LAST, Elider, Run
from quicmini.study.trace.frames import Span
from quicmini.study.trace.rows import Again, Note, Packet, Recovery, Row

PLAIN = Ink(False)


def lines(*rows: Row | Run, everything: bool = False) -> list[str]:
    diagram = Diagram(PLAIN, 1000.0, all_details=everything)
    return [line for row in rows for line in diagram.lines(row)]


def packet(number: int = 7, sender: str = "client", **fields: object) -> Packet:
    made = Packet(1012.34, sender, "1RTT", number, 100, ["PING"])
    for name, value in fields.items():
        setattr(made, name, value)
    return made


def test_an_arrow_goes_from_one_side_to_the_other() -> None:
    there, back = lines(packet(arrival=1020.34), packet(sender="server", arrival=1020.34))
    assert there == "     12.3 │─ 1RTT 7 PING ─────────────────────────────────────── +8.0 ─▶│"
    assert back == "     12.3 │◀─ +8.0 ─────────────────────────────────────── 1RTT 7 PING ─│"


def test_one_that_is_lost_ends_on_the_way() -> None:
    there, back = lines(packet(declared_lost=True), packet(sender="server", declared_lost=True))
    assert there.index("✗") < there.rindex("│") - 10
    assert back.index("✗") > back.index("│") + 10


def test_one_of_which_nothing_is_known_has_a_hollow_head() -> None:
    there, back = lines(packet(), packet(sender="server"))
    assert there.endswith("▷│")
    assert "│◁" in back


def test_one_that_nobody_saw_leaving_has_a_broken_line() -> None:
    (line,) = lines(packet(missing=True, seen_leaving=False))
    assert "┄" in line
    assert "─" not in line


def test_what_is_sent_again_is_said_with_what_became_of_the_first() -> None:
    first = packet(3, declared_lost=True)
    again = packet(again=[Again(Span(0, 0, 5), first)])
    assert lines(again)[1].split("│")[1].strip() == "↻ STREAM 0[0:5] again, first in 1RTT 3 (lost)"
    first.acknowledged = True
    assert "(arrived)" in lines(again)[1]


def test_recovery_is_shown_where_it_changes() -> None:
    shown = lines(*(packet(recovery=Recovery(*each)) for each in ((12000, 100, None), (12000, 200, 31.26))))
    assert [line.rpartition("│")[2].split() for line in shown] == [["12,000", "100"], ["200", "31.3"]]


def test_every_line_fits() -> None:
    names = [f"STREAM {number}[{10**9}:{2 * 10**9}]" for number in range(40)]
    rows: list[Row | Run] = [
        packet(10**9, sender, texts=names, arrival=2_000_000.0, recovery=Recovery(10**8, 10**8, 10_000.0), **fate)
        for sender in ("client", "server")
        for fate in ({}, {"declared_lost": True})
    ]
    rows += [Note(1000, "server", "word " * 60), Note(1000, "client", "x" * 300), packet(texts=["x" * 500])]
    rows.append(Run([packet(number) for number in range(10**3)]))
    for everything in (False, True):
        assert max(map(len, lines(*rows, everything=everything))) <= WIDTH
    assert len(lines(rows[0])) < 8
    assert all(name in " ".join(lines(rows[0], everything=True)) for name in names)


@pytest.mark.parametrize("text", ["\x1b[2J", "a\nb", "\u202e", "\x07"])
def test_nothing_in_a_log_moves_the_cursor(text: str) -> None:
    for line in lines(packet(texts=[text]), Note(1000, "client", text)):
        assert line.isprintable()


def test_colours_change_nothing_but_colours() -> None:
    row = packet(arrival=1020.0, recovery=Recovery(1, 2, 3.0), again=[Again(Span(0, 0, 5), packet(3))])
    (plain, *_), (coloured, *_) = (list(Diagram(Ink(on), 1000.0).lines(row)) for on in (False, True))
    bare = "".join(part.partition("m")[2] if index else part for index, part in enumerate(coloured.split("\x1b[")))
    assert bare == plain != coloured


def elided(rows: list[Row]) -> list[Row | Run]:
    elider = Elider()
    return [*(shown for row in rows for shown in elider.feed(row)), *elider.flush()]


def test_a_long_run_is_shown_by_its_ends() -> None:
    rows: list[Row] = [packet(number, kinds=frozenset({"stream"}), spans=[Span(0, 0, 10)]) for number in range(100)]
    shown = elided(rows)
    assert shown[:FIRST] == rows[:FIRST]
    assert shown[-LAST:] == rows[-LAST:]
    (run,) = shown[FIRST:-LAST]
    assert isinstance(run, Run)
    assert list(run.texts()) == ["92 more packets ─▶ 1RTT 6–97, 920 bytes on stream 0"]


@pytest.mark.parametrize(
    "remarkable",
    [
        packet(50, declared_lost=True),
        packet(50, kind="Handshake"),
        packet(50, kinds=frozenset({"path_challenge"})),
        packet(50, again=[Again(Span(0, 0, 5), packet(3))]),
        Note(1000, "client", "something"),
    ],
)
def test_what_is_remarkable_is_always_shown(remarkable: Row) -> None:
    rows: list[Row] = [packet(number) for number in range(50)]
    shown = elided([*rows, remarkable, *rows])
    assert remarkable in shown
    assert sum(isinstance(each, Run) for each in shown) == 2


def test_after_a_pause_something_new_begins() -> None:
    rows: list[Row] = [packet(number) for number in range(100)]
    for row in rows[50:]:
        row.time += 300.0
    shown = elided(rows)
    assert rows[49] in shown
    assert shown.count(rows[50]) == 1
    assert sum(isinstance(each, Run) for each in shown) == 2


def test_nothing_is_lost_in_short_runs() -> None:
    for count in range(20):
        rows: list[Row] = [packet(number) for number in range(count)]
        seen: list[Row] = []
        for each in elided(rows):
            seen += each.packets if isinstance(each, Run) else [each]
        assert seen == rows
