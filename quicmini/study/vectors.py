"""`python -m quicmini vectors`: hold this project against the RFCs' own test vectors."""

from __future__ import annotations

import sys
from argparse import ArgumentParser, Namespace
from typing import NamedTuple

import vectors
from quicmini.study.comparison import Comparison
from quicmini.study.vector_checks import CHECKS

__all__ = ["EXAMPLE", "HELP", "Result", "add_arguments", "check", "run"]

HELP = "check this implementation against the test vectors of the RFCs"
EXAMPLE = "python -m quicmini vectors rfc9001-a2-client-initial"


class Result(NamedTuple):
    """The outcome for one vector; `problems` are the lines that explain a failure, none if it passed."""

    name: str
    source: str
    problems: list[str]

    @property
    def passed(self) -> bool:
        return not self.problems


def check(name: str) -> Result:
    """Check the vector of that name. Whatever goes wrong on the way, a damaged file included, is a failure."""
    source = "unreadable"
    problems: list[str] = []
    try:
        vector = vectors.load(name)
        source = f"{vector.rfc} {vector.section}"
        compared = 0
        for comparison in CHECKS[vector.kind](vector.values):
            compared += 1
            problems += _problem(comparison)
        if not compared:
            problems.append("nothing to compare")
    except Exception as error:  # a computation that breaks on a vector has failed it, whichever way it broke
        problems.append(f"{type(error).__name__}: {error}")
    return Result(name, source, problems)


def _problem(comparison: Comparison) -> list[str]:
    if comparison.matches:
        return []
    return [f"{comparison.what} differs", *(f"  {line}" for line in comparison.difference())]


def add_arguments(parser: ArgumentParser) -> None:
    """Describe the command's arguments."""
    parser.add_argument("names", nargs="*", metavar="NAME", help="the vectors to check (default: all of them)")


def run(arguments: Namespace) -> int:
    """Print a line for each vector, then the totals. Exit status: 0 all passed, 1 one failed, 2 no such vector."""
    known = vectors.names()
    unknown = [name for name in arguments.names if name not in known]
    if unknown:
        print(f"No vector is named {', '.join(unknown)}; the known names are {', '.join(known)}.", file=sys.stderr)
        return 2
    results = [_report(check(name)) for name in arguments.names or known]
    failed = sum(not result.passed for result in results)
    print(f"{len(results) - failed} passed, {failed} failed")
    return 1 if failed else 0


def _report(result: Result) -> Result:
    print(f"{'PASS' if result.passed else 'FAIL'} {result.name} — {result.source}")
    for line in result.problems:
        print(f"     {line}")
    return result
