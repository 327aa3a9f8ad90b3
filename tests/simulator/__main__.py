"""`python -m tests.simulator --seed 17 [--loss 0.3 …]`: one run, seen. `--drawn` draws all settings from the seed."""

from __future__ import annotations

import argparse
import dataclasses
import sys
import tempfile
from pathlib import Path

from tests.simulator.credentials import settings
from tests.simulator.scenario import Scenario
from tests.simulator.simulation import Result, SimulationFailed, TraceLine, run


def parser() -> argparse.ArgumentParser:
    """An option for each field of a Scenario."""
    options = argparse.ArgumentParser(prog="python -m tests.simulator", description=Scenario.__doc__)
    for field in dataclasses.fields(Scenario):
        flag = f"--{field.name.replace('_', '-')}"
        if isinstance(field.default, bool):
            options.add_argument(flag, action="store_true")
        elif isinstance(field.default, int | float):
            options.add_argument(flag, type=type(field.default), default=field.default, metavar="N")
        else:
            options.add_argument(flag, type=int, required=True, metavar="N")
    options.add_argument("--drawn", action="store_true", help="draw everything from the seed")
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


def main() -> int:
    """Run and show; 1 if the run failed."""
    options = vars(parser().parse_args())
    drawn, quiet = options.pop("drawn"), options.pop("quiet")
    scenario = Scenario.drawn(options["seed"]) if drawn else Scenario(**options)
    trace: list[TraceLine] = []
    failure: SimulationFailed | None = None
    with tempfile.TemporaryDirectory() as directory:
        try:
            result = run(scenario, *settings(Path(directory)), trace=trace)
        except SimulationFailed as error:
            failure = error
    if not quiet:
        print("\n".join(map(line, trace)))
    if failure is not None:
        raise failure
    print(summary(result))
    return 0


if __name__ == "__main__":
    sys.exit(main())
