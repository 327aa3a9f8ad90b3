"""`python -m tests.soak`: hundreds of clients on one server or several, for minutes; then everything is looked at."""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

from tests.soak.attacks import ATTACKS
from tests.soak.hostile import endure, report
from tests.soak.run import run
from tests.soak.settings import Settings
from tests.soak.summary import summary

__all__ = ["main"]

DESCRIPTION = "Clients that talk, die, return and move, on servers that may be killed; then each screen is checked."


def main(argv: list[str] | None = None) -> int:
    """Run, and print what came of it; 1 if anything is not as it should be."""
    options = vars(_parser().parse_args(argv))
    directory = options.pop("keep") or Path(tempfile.mkdtemp(prefix="soak-"))
    if options.pop("hostile"):
        return _endure(directory, options["seconds"] / len(ATTACKS))
    settings = Settings(**options)
    print(f"seed {settings.seed}; files in {directory}", flush=True)
    outcome = run(settings, directory)
    print(summary(outcome))
    return 1 if outcome.findings else 0


def _endure(directory: Path, seconds: float) -> int:
    text, problems = report(endure(directory, seconds))
    print(text)
    for problem in problems:
        print(f"FOUND: {problem}")
    return 1 if problems else 0


def _parser() -> argparse.ArgumentParser:
    defaults = Settings()
    parser = argparse.ArgumentParser("python -m tests.soak", description=DESCRIPTION)
    for name, help in _OPTIONS.items():
        value = getattr(defaults, name)
        parser.add_argument(
            f"--{name.replace('_', '-')}", type=type(value), default=value, metavar="N", help=f"{help} (%(default)s)"
        )
    parser.add_argument("--hostile", action="store_true", help="what two people notice of a hostile client, instead")
    parser.add_argument(
        "--keep", metavar="DIR", type=_empty, help="where journals, logs and the history are to be left"
    )
    return parser


def _empty(text: str) -> Path:
    """A directory of that name with nothing in it: what another run has left would be taken for this one's."""
    directory = Path(text)
    try:
        directory.mkdir(parents=True, exist_ok=True)
        left = any(directory.iterdir())
    except OSError as error:
        raise argparse.ArgumentTypeError(f"cannot use {text!r}: {error.strerror}") from error
    if left:
        raise argparse.ArgumentTypeError(f"{text!r} is not empty; name an empty directory, or one that is to be made")
    return directory


_OPTIONS = {
    "clients": "how many clients",
    "rate": "messages a second, all together",
    "seconds": "how long they talk",
    "loss": "share of datagrams that are lost, each way",
    "servers": "how many servers; several are one chat over a Redis or Valkey",
    "kill_server": "how often a server is killed",
    "restart_redis": "how often the Redis of several servers is stopped and started again",
    "rooms": "how many rooms they are in",
    "seed": "of all chance",
    "moves": "changes of address a second",
    "blackouts": "times a second that somebody's network goes dark",
    "deaths": "times a second that a process with clients is killed",
    "crowd": "clients in one process",
    "idle_timeout": "seconds of silence after which somebody counts as dead",
}

if __name__ == "__main__":
    sys.exit(main())
