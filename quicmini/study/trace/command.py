"""`python -m quicmini trace`: a connection as a sequence diagram."""

from __future__ import annotations

import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Iterator
from pathlib import Path

from quicmini.study.terminal import Ink
from quicmini.study.trace.diagram import Diagram
from quicmini.study.trace.elision import Elider, Run
from quicmini.study.trace.live import follow
from quicmini.study.trace.logs import Log, LogError, read_logs
from quicmini.study.trace.pairing import Conversation, pair
from quicmini.study.trace.rows import Note, Packet, Row
from quicmini.study.trace.scenes import SCENES
from quicmini.study.trace.summary import LEGEND, summary
from quicmini.study.trace.theatre import play

__all__ = ["EXAMPLE", "HELP", "add_arguments", "run", "show"]

HELP = "draw a connection as a sequence diagram: from qlog files, of a program at work, or played here"
EXAMPLE = "python -m quicmini trace --scenario loss\npython -m quicmini trace -- python -m chat demo"

# Rows of a diagram up to which all are shown.
SMALL = 60

_SUFFIXES = ("*.sqlog", "*.qlog")


def add_arguments(parser: ArgumentParser) -> None:
    """Describe the command's arguments."""
    parser.add_argument(
        "files",
        nargs="*",
        metavar="FILE",
        help="qlog of one side, or of both (.sqlog, .qlog, of any QUIC implementation), or a directory of them",
    )
    parser.add_argument(
        "--scenario",
        choices=SCENES,
        metavar="NAME",
        help=f"play a connection over a bad network on this machine: {', '.join(SCENES)}",
    )
    parser.set_defaults(program=[])
    parser.usage = "%(prog)s [-h] [--all] (FILE ... | --scenario NAME | -- PROGRAM [ARGUMENT ...])"
    parser.add_argument("--all", action="store_true", help="show every packet, every frame and every event")


def run(arguments: Namespace) -> int:
    """Print the diagrams. Exit status: 0; 1 for a scenario that does not show what it is about; 2 for files that cannot
    be read."""
    ink = Ink.on(sys.stdout)
    if sum(map(bool, (arguments.files, arguments.scenario, arguments.program))) > 1:
        print("Files, --scenario and -- PROGRAM are three ways to use trace: choose one of them.", file=sys.stderr)
        return 2
    if arguments.scenario:
        return play(arguments.scenario, ink, everything=arguments.all)
    if arguments.program:
        return follow(arguments.program, ink, everything=arguments.all)
    logs: list[Log] = []
    try:
        for path in _files(arguments.files):
            logs += _read(path)
    except LogError as error:
        print(error, file=sys.stderr)
        return 2
    for number, conversation in enumerate(pair(logs)):
        if number:
            print()
        for line in show(conversation, ink, everything=arguments.all):
            print(line)
    return 0


def show(conversation: Conversation, ink: Ink, *, everything: bool = False) -> Iterator[str]:
    """A conversation from its title to its summary, line by line."""
    story = conversation.story()
    diagram = Diagram(ink, _start(story.rows), all_details=everything)
    whose = " and ".join(f"the {side}'s" for side in conversation.logs)
    name = f"Connection {conversation.connection}" if conversation.connection else "A connection"
    yield f"{ink('title', name)} by {whose} log{'s' if len(conversation.logs) > 1 else ''}"
    if abs(conversation.shift) >= 1:
        clock = f"The server's clock is set by {conversation.shift:+.1f} ms: packets came before they were sent."
        yield ink("faint", clock)
    yield ""
    yield diagram.head()
    for row in story.rows if everything else _chosen(story.rows):
        yield from diagram.lines(row)
    if not any(isinstance(row, Packet) for row in story.rows):
        yield "There is no packet in it."
    yield ""
    yield from summary(story, ink)
    for line in LEGEND:
        yield ink("faint", line)


def _chosen(rows: list[Row]) -> Iterator[Row | Run]:
    """All rows, or less of a long story."""
    main = [row for row in rows if not (isinstance(row, Note) and row.detail)]
    if len(main) <= SMALL:
        yield from main
        return
    elider = Elider()
    for row in main:
        yield from elider.feed(row)
    yield from elider.flush()


def _start(rows: list[Row]) -> float:
    return rows[0].time if rows else 0.0


def _files(names: list[str]) -> list[Path]:
    """The files that are meant; LogError if there is none."""
    found = []
    for name in names:
        path = Path(name)
        if path.is_dir():
            inside = sorted(each for suffix in _SUFFIXES for each in path.glob(suffix))
            if not inside:
                raise LogError(f"{name}: there is no .sqlog or .qlog file in this directory.")
            found += inside
        else:
            found.append(path)
    if not found:
        raise LogError("Say what to draw: qlog files, --scenario NAME, or -- PROGRAM.")
    return found


def _read(path: Path) -> list[Log]:
    try:
        return read_logs(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise LogError(f"{path} cannot be read: {error.strerror or error}.") from None
    except UnicodeDecodeError:
        raise LogError(f"{path} is no qlog file: it is not text.") from None
    except LogError as error:
        raise LogError(f"{path} is no qlog file that can be drawn: {error}.") from None
