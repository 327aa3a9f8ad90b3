"""The command line: `python -m quicmini COMMAND`, or `quicmini COMMAND` once installed."""

from __future__ import annotations

import io
import os
import sys
from argparse import ArgumentParser, Namespace, RawDescriptionHelpFormatter
from collections.abc import Sequence
from textwrap import indent
from typing import Protocol

from quicmini import loading
from quicmini.study import bounds, dissect, keys, vectors
from quicmini.study.probe import command as probe
from quicmini.study.trace import command as trace

__all__ = ["COMMANDS", "main"]


# The command for which what stands behind "--" is no argument of its own.
RUNS_A_PROGRAM = "trace"

INTERRUPTED = 130  # what a shell reports for a process that SIGINT, Ctrl-C, ended
READER_GONE = 141  # what a shell reports for a process that SIGPIPE ended


class Command(Protocol):
    """What a module of `quicmini.study` offers to be a command; `run` returns the exit status.

    EXAMPLE: a command line that works as it is, or several, one a line.
    """

    HELP: str
    EXAMPLE: str

    def add_arguments(self, parser: ArgumentParser) -> None: ...

    def run(self, arguments: Namespace) -> int: ...


COMMANDS: dict[str, Command] = {
    "bounds": bounds,
    "dissect": dissect,
    "keys": keys,
    "probe": probe,
    "trace": trace,
    "vectors": vectors,
}


def _split(argv: list[str]) -> tuple[list[str], list[str]]:
    """The command's own arguments, and the command line of the program that it runs."""
    if argv[:1] == [RUNS_A_PROGRAM] and "--" in argv:
        at = argv.index("--")
        return argv[:at], argv[at + 1 :]
    return argv, []


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command; its exit status."""
    try:
        loading.over()
        return _run(argv)
    except KeyboardInterrupt:
        return INTERRUPTED


def _run(argv: Sequence[str] | None) -> int:
    description = "QUIC v1 and v2 from scratch: tools to study the protocol."
    parser = ArgumentParser(prog="quicmini", description=description, epilog="Try it: python -m quicmini vectors")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name, command in COMMANDS.items():
        example = "example:\n" + indent(command.EXAMPLE, "  ")
        command.add_arguments(
            commands.add_parser(
                name,
                help=command.HELP,
                description=command.HELP,
                epilog=example,
                formatter_class=RawDescriptionHelpFormatter,
            )
        )
    own, program = _split(list(sys.argv[1:] if argv is None else argv))
    arguments = parser.parse_args(own)
    arguments.program = program
    if sys.stdout is None:
        print("The output cannot be written: stdout is closed.", file=sys.stderr)
        return 1
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")  # a terminal that cannot show a character is no reason to stop
    try:
        status = COMMANDS[arguments.command].run(arguments)
        sys.stdout.flush()
    except BrokenPipeError:  # whoever read the output has gone, as in `| head`
        _drop_output()
        return READER_GONE
    except OSError as error:  # the commands tell what they cannot read themselves
        _drop_output()
        print(f"The output cannot be written: {error.strerror or error}.", file=sys.stderr)
        return 1
    return status


def _drop_output() -> None:
    """What is left of the output goes nowhere: the interpreter's own last flush must not complain either."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


if __name__ == "__main__":
    sys.exit(main())
