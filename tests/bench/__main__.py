"""`python -m tests.bench [--rounds N] [--only NAME] [--json]`: see the package's docstring for what is measured."""

from __future__ import annotations

import argparse
import json
import platform
import sys
import tempfile
from importlib.metadata import version
from pathlib import Path
from typing import Any

from tests.bench.runner import BenchmarkFailed, Outcome, measure
from tests.bench.work import CASES, IMPLEMENTATIONS
from tests.certificates import Authority


def table(outcomes: list[Outcome], rounds: int) -> str:
    """The results for people."""
    lines = [
        f"{'':54}{'quicmini':>12}{'aioquic':>12}               ratio",
        *(
            f"{each.case.title:54}{each.median('quicmini'):12,.0f}{each.median('aioquic'):12,.0f} "
            f"{each.case.unit:13}{each.ratio:6.1f}"
            for each in outcomes
        ),
        "",
        f"Medians of {rounds} rounds. {_environment()}",
    ]
    return "\n".join(lines)


def as_json(outcomes: list[Outcome], rounds: int) -> str:
    """The results for machines."""
    results: list[dict[str, Any]] = [
        {
            "case": each.case.name,
            "title": each.case.title,
            "unit": each.case.unit,
            **{name: {"median": each.median(name), "rounds": each.rates[name]} for name in IMPLEMENTATIONS},
            "ratio": each.ratio,
        }
        for each in outcomes
    ]
    return json.dumps({"rounds": rounds, "environment": _environment(), "results": results}, indent=2)


def _environment() -> str:
    return (
        f"Python {platform.python_version()}, aioquic {version('aioquic')}, "
        f"cryptography {version('cryptography')}, {platform.system()} {platform.machine()}; "
        "server and client in separate processes, loopback, 1200-byte datagrams, AES-128-GCM, ECDSA P-256."
    )


def main() -> int:
    """Measure and print; 1 if a process failed."""
    names = [case.name for case in CASES]
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description="quicmini against aioquic")
    parser.add_argument("--rounds", type=int, default=5, help="how often each is measured (default: 5)")
    parser.add_argument("--only", action="append", choices=names, help="measure this case only; may be repeated")
    parser.add_argument("--json", action="store_true", help="print JSON rather than a table")
    options = parser.parse_args()
    if options.rounds < 1:
        parser.error("--rounds must be 1 or more")
    chosen = [case for case in CASES if not options.only or case.name in options.only]
    with tempfile.TemporaryDirectory() as directory:
        files = Authority.create(Path(directory)).issue()
        try:
            outcomes = measure(chosen, files, options.rounds)
        except BenchmarkFailed as error:
            print(error, file=sys.stderr)
            return 1
    print((as_json if options.json else table)(outcomes, options.rounds))
    return 0


if __name__ == "__main__":
    sys.exit(main())
