"""`--pcapng FILE`: a capture of what a command sends and receives, for Wireshark."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from contextlib import contextmanager

from chat.problems import Problem
from quicmini.observe.pcapng import PcapNg
from quicmini.observe.problems import why

__all__ = ["add_option", "recording"]


def add_option(parser: argparse.ArgumentParser, whose: str) -> None:
    """Add `--pcapng`. whose: who records, for the help."""
    parser.add_argument(
        "--pcapng",
        metavar="FILE",
        help=f"record what {whose} sends and receives, with the keys to decrypt it: open FILE with Wireshark",
    )


@contextmanager
def recording(path: str | None) -> Iterator[PcapNg | None]:
    """A capture until the end of the block; None if there is no path. Raises Problem."""
    if path is None:
        yield None
        return
    try:
        capture = PcapNg(path)
    except OSError as error:
        raise Problem(f"cannot write the capture {path!r}: {why(error)}") from error
    with capture:
        yield capture
