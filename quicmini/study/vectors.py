"""`python -m quicmini vectors`: hold this project against the RFCs' own test vectors."""

from __future__ import annotations

import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Iterator
from typing import NamedTuple

import vectors
from quicmini.study.columns import in_columns
from quicmini.study.comparison import Comparison, Shown, Told
from quicmini.study.derivation import Step, show_step
from quicmini.study.terminal import Ink
from quicmini.study.vector_checks import CHECKS

__all__ = ["EXAMPLE", "HELP", "Result", "add_arguments", "check", "run"]

HELP = "check this implementation against the test vectors of the RFCs"
EXAMPLE = "python -m quicmini vectors\npython -m quicmini vectors --verbose rfc9001-a2-client-initial"

# What --verbose shows: the room for outcomes, and where values start.
LEFT = " " * 5
COLUMN = len(LEFT) + 27


class Result(NamedTuple):
    """The outcome for one vector; `problems` are the lines that explain a failure, none if it passed.

    told: what was compared, and what goes into it, in order; where it breaks off, something could not be computed.
    """

    name: str
    source: str
    title: str
    problems: list[str]
    told: list[Told]

    @property
    def passed(self) -> bool:
        return not self.problems


def check(name: str) -> Result:
    """Check the vector of that name. Whatever goes wrong on the way, a damaged file included, is a failure."""
    source, title = "unreadable", ""
    problems: list[str] = []
    told: list[Told] = []
    try:
        vector = vectors.load(name)
        source, title = f"{vector.rfc} {vector.section}", vector.title
        for each in CHECKS[vector.kind](vector.values):
            told.append(each)
            if isinstance(each, Comparison):
                problems += _problem(each)
        if not any(isinstance(each, Comparison) for each in told):
            problems.append("nothing to compare")
    except Exception as error:  # a computation that breaks on a vector has failed it, whichever way it broke
        problems.append(f"{type(error).__name__}: {error}")
    return Result(name, source, title, problems, told)


def _problem(comparison: Comparison) -> list[str]:
    if comparison.matches:
        return []
    return [f"{comparison.what} differs", *(f"  {line}" for line in comparison.difference())]


def add_arguments(parser: ArgumentParser) -> None:
    """Describe the command's arguments."""
    parser.add_argument("names", nargs="*", metavar="NAME", help="the vectors to check (default: all of them)")
    parser.add_argument("--verbose", action="store_true", help="show each step, with all that goes in and comes out")


def run(arguments: Namespace) -> int:
    """Print a line for each vector, then the totals. Exit status: 0 all passed, 1 one failed, 2 no such vector."""
    known = vectors.names()
    unknown = [name for name in arguments.names if name not in known]
    if unknown:
        print(f"No vector is named {', '.join(unknown)}; the known names are {', '.join(known)}.", file=sys.stderr)
        return 2
    ink = Ink.on(sys.stdout)
    results = []
    for name in arguments.names or known:
        results.append(check(name))
        for line in _report(results[-1], ink, verbose=arguments.verbose):
            print(line)
    failed = sum(not result.passed for result in results)
    print(f"{len(results) - failed} passed, {failed} failed")
    return 1 if failed else 0


def _report(result: Result, ink: Ink, *, verbose: bool) -> Iterator[str]:
    outcome = ink("good", "PASS") if result.passed else ink("bad", "FAIL")
    yield f"{outcome} {ink('title', result.name)} — {result.source}"
    if verbose:
        yield f"     {result.title}"
        for each in result.told:
            yield from _tell(each, ink)
        yield ""
    for line in result.problems:
        yield f"     {line}"
    if result.problems and not verbose:
        yield f"     (python -m quicmini vectors --verbose {result.name} shows each step)"


def _tell(each: Told, ink: Ink) -> Iterator[str]:
    """A step of HKDF, a value that goes in, or one that comes out."""
    if isinstance(each, Step):
        yield ""
        yield from (f"{LEFT}{line}" for line in show_step(each, ink, with_command=False))
    elif isinstance(each, Shown):
        yield from in_columns(each.what, each.value, each.note, ink, column=COLUMN, left=LEFT, meaning="value")
    else:
        lines = in_columns(each.what, each.actual, each.note, ink, column=COLUMN, left=LEFT, meaning="value")
        mark = ink("good", "  ok ") if each.matches else ink("bad", " BAD ")
        yield mark + next(lines).removeprefix(LEFT)
        yield from lines
