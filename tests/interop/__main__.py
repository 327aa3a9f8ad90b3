"""The interoperability matrix: `python -m tests.interop [--case C] [--server X] [--client Y] [--scale F] [--json]`."""

from __future__ import annotations

import argparse
import json
import math
import sys
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from pathlib import Path

from tests.interop.cases import CASES
from tests.interop.explained import EXPLAINED, mark
from tests.interop.result import Result
from tests.interop.runner import IMPLEMENTATIONS, run_case

__all__ = ["main"]

Pair = tuple[str, str]  # client, server


def main(argv: list[str] | None = None) -> int:
    """Run the cells that were asked for, print the matrix; 1 if one is not green and nothing explains it."""
    options = _parser().parse_args(argv)
    pairs = [
        (client, server)
        for client in options.client or IMPLEMENTATIONS
        for server in options.server or IMPLEMENTATIONS
        if options.foreign or "quicmini" in (client, server)
    ]
    names = options.case or list(CASES)
    with ThreadPoolExecutor(options.jobs) as pool:
        running = [
            pool.submit(
                run_case, CASES[name], client, server, scale=options.scale, seed=options.seed, keep=options.keep
            )
            for name in names
            for client, server in pairs
        ]
        results = []
        for each in running:
            results.append(each.result())
            if not options.json:
                print(_line(results[-1]), flush=True)
    if options.json:
        print(json.dumps([{**asdict(result), "green": result.green} for result in results], indent=1))
    elif len(results) > 1:
        print("\n" + _matrix(results, pairs, names))
    return int("FAILED" in map(mark, results))


def _line(result: Result) -> str:
    reasons = [*result.problems, *([result.unsupported] if result.unsupported else [])]
    explanation = EXPLAINED.get((result.case, result.client, result.server))
    if explanation is not None and reasons:
        reasons += [f"known: {explanation.reason}", f"shown by: {result.shown_by.strip()}"]
    told = "".join(f"\n    {reason}" for reason in reasons)
    cell = f"{result.case}, {result.client} to {result.server}"
    return f"{mark(result):9} {cell:46} {result.seconds:6.1f} s {result.datagrams:6} datagrams{told}"


def _matrix(results: Iterable[Result], pairs: list[Pair], names: list[str]) -> str:
    cells = {(result.case, result.client, result.server): mark(result) for result in results}
    heads = [f"{client} to {server}" for client, server in pairs]
    lines = [f"{'':20}" + "".join(f"  {head:20}" for head in heads)]
    lines += [
        f"{name:20}" + "".join(f"  {cells[name, client, server]:20}" for client, server in pairs) for name in names
    ]
    return "\n".join(line.rstrip() for line in lines)


def _fraction(text: str) -> float:
    value = float(text)
    if not 0 < value < math.inf:
        raise argparse.ArgumentTypeError(f"must be above 0 (got {text})")
    return value


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.interop", description=__doc__)
    parser.add_argument("--case", action="append", choices=list(CASES), help="only this one; may be repeated")
    parser.add_argument("--client", action="append", choices=list(IMPLEMENTATIONS), help="only this one")
    parser.add_argument("--server", action="append", choices=list(IMPLEMENTATIONS), help="only this one")
    parser.add_argument("--foreign", action="store_true", help="also the pairs without quicmini")
    parser.add_argument(
        "--scale", type=_fraction, default=1.0, help="the fraction of the work: below 1 for a quick look"
    )
    parser.add_argument("--seed", type=int, default=0, help="of the link's loss and corruption")
    parser.add_argument("--jobs", type=int, default=1, help="cells that run at the same time")
    parser.add_argument("--json", action="store_true", help="print the cells as JSON")
    parser.add_argument(
        "--keep", type=Path, help="a folder for what runs leave: capture.pcap, packets.txt, key logs, output"
    )
    return parser


if __name__ == "__main__":
    sys.exit(main())
