"""`trace --scenario`: play a scene, draw it, and say whether it shows what it should."""

from __future__ import annotations

import sys
import textwrap
from collections.abc import Iterator

from quicmini.errors import QuicError
from quicmini.study.terminal import WIDTH, Ink
from quicmini.study.trace.diagram import Diagram
from quicmini.study.trace.elision import Prologue
from quicmini.study.trace.rows import CLIENT, Note, Row
from quicmini.study.trace.scenes import SCENES, Scene, perform
from quicmini.study.trace.summary import LEGEND, summary
from quicmini.study.trace.takes import Take
from quicmini.study.trace.waiting import comparison

__all__ = ["play"]


def play(name: str, ink: Ink, *, everything: bool = False) -> int:
    """Play the scene of that name and print it. Exit status: 0 if it shows what it is about, else 1."""
    scene = SCENES[name]
    for line in _introduction(scene, ink):
        print(line, flush=True)
    try:
        found = perform(scene)
    except (QuicError, OSError) as error:
        print(f"The scene could not be played to its end: {error}.", file=sys.stderr)
        return 1
    names = [name for name, _ in scene.messages] or [""]
    for take, title in zip(found, names, strict=True):
        for line in _drawn(scene, take, title, ink, everything):
            print(line)
    for line in LEGEND:
        print(ink("faint", line))
    print()
    proof = scene.proof(found)
    if proof is None:
        print("It did not happen as it should have: see the diagram. Please try once more.", file=sys.stderr)
        return 1
    if scene.messages:
        for line in comparison(dict(zip(names, scene.deliveries(found), strict=True)), ink):
            print(line)
        print()
    for line in textwrap.wrap(f"Seen: {proof}", WIDTH):
        print(ink("good", line))
    return 0


def _introduction(scene: Scene, ink: Ink) -> Iterator[str]:
    yield ink("title", scene.title)
    yield ""
    yield from textwrap.wrap(scene.look_at, WIDTH)
    yield ""


def _drawn(scene: Scene, take: Take, name: str, ink: Ink, everything: bool) -> Iterator[str]:
    rows = take.story.rows
    if name:
        yield ink("title", f"The messages {name}:")
    diagram = Diagram(ink, rows[0].time, all_details=everything)
    yield diagram.head()
    for row in rows if everything or scene.shows_handshake else _after_handshake(rows):
        yield from diagram.lines(row)
    yield ""
    yield from summary(take.story, ink)
    yield ""


def _after_handshake(rows: list[Row]) -> Iterator[Row | Prologue]:
    """What comes once the client knows that the handshake is confirmed; the rest in one line."""
    notes = [
        index
        for index, row in enumerate(rows)
        if isinstance(row, Note) and row.side == CLIENT and "handshake confirmed" in row.text
    ]
    at = notes[0] + 1 if notes else 0
    if at:
        yield Prologue(rows[:at])
    yield from rows[at:]
