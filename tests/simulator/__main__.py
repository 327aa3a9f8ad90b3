"""One run, seen, or many, counted.

python -m tests.simulator --seed 17 [--loss 0.3 …]          one run; all settings are options
python -m tests.simulator --seed 17 --family any            one run whose settings are drawn from the seed
python -m tests.simulator --family any --seeds 1000         a thousand runs: those that failed, and how to see them
"""

from __future__ import annotations

import argparse
import dataclasses
import sys
import tempfile
from pathlib import Path

from tests.simulator.checks import AMPLIFICATION
from tests.simulator.credentials import settings
from tests.simulator.families import FAMILIES
from tests.simulator.scenario import Scenario
from tests.simulator.simulation import Result, SimulationFailed, TraceLine, run

EVERY = 100  # runs between two lines of progress


def _count(text: str) -> int:
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"must be 1 or more (got {text})")
    return value


def parser() -> argparse.ArgumentParser:
    """An option for each field of a Scenario."""
    options = argparse.ArgumentParser(prog="python -m tests.simulator", description=Scenario.__doc__)
    for field in dataclasses.fields(Scenario):
        flag = f"--{field.name.replace('_', '-')}"
        if isinstance(field.default, bool):
            options.add_argument(flag, action="store_true")
        elif isinstance(field.default, int | float | str):
            options.add_argument(flag, type=type(field.default), default=field.default, metavar="N")
        else:
            options.add_argument(flag, type=int, default=0, metavar="N")
    options.add_argument("--family", choices=FAMILIES, help="draw all settings from the seed")
    options.add_argument("--seeds", type=_count, default=0, metavar="N", help="N runs of the family, from --seed on")
    options.add_argument("--quiet", action="store_true", help="print the summary only")
    return options


def line(entry: TraceLine) -> str:
    """One line of the trace."""
    what = f"{entry.time:12.6f}  {entry.host:18} {entry.what}"
    direction = "from" if entry.what == "receives" else "to"
    return f"{what} {entry.size} bytes {direction} {entry.peer}" if entry.peer else what


def summary(result: Result) -> str:
    """What the run came to."""
    return "\n".join(
        (
            f"{result.scenario.command()}: as it should be; the end began after {result.seconds:.3f} s",
            f"client: {result.client}",
            f"        ended with: {result.client_error}",
            f"server: {result.server}",
            f"        ended with: {result.server_error}",
        )
    )


def one(scenario: Scenario, directory: Path, *, quiet: bool) -> int:
    """Run and show."""
    trace: list[TraceLine] = []
    failure: SimulationFailed | None = None
    try:
        result = run(scenario, *settings(directory), trace=trace)
    except SimulationFailed as error:
        failure = error
    if not quiet:
        print("\n".join(map(line, trace)))
    if failure is not None:
        raise failure
    print(summary(result))
    return 0


def many(family: str, seeds: range, directory: Path) -> int:
    """Run all, and show those that failed; 1 if there are any."""
    sides = settings(directory)
    failures, largest = 0, 0.0
    for count, seed in enumerate(seeds, 1):
        try:
            largest = max(largest, run(FAMILIES[family](seed), *sides).amplification)
        except SimulationFailed as error:
            failures += 1
            print(f"{error}\n", flush=True)
        if count % EVERY == 0 or count == len(seeds):
            print(f"{family}: {count} runs, {failures} failed", flush=True)
    print(
        f"at most {largest:.3f} times what an address not validated had sent was sent to it ({AMPLIFICATION} allowed)"
    )
    return int(failures > 0)


def main() -> int:
    """Run and show; 1 if a run failed."""
    options = vars(parser().parse_args())
    family, seeds, quiet = options.pop("family"), options.pop("seeds"), options.pop("quiet")
    with tempfile.TemporaryDirectory() as directory:
        if seeds:
            first = options["seed"]
            return many(family or "any", range(first, first + seeds), Path(directory))
        scenario = FAMILIES[family](options["seed"]) if family else Scenario(**options)
        return one(scenario, Path(directory), quiet=quiet)


if __name__ == "__main__":
    sys.exit(main())
