"""`python -m quicmini bounds`: how much memory a peer can make a connection hold."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace

from quicmini.config import Config
from quicmini.connection.bounds import bytes_for_each_connection, held

__all__ = ["EXAMPLE", "HELP", "add_arguments", "run"]

HELP = "list what a peer can make one connection hold, in bytes"
EXAMPLE = "python -m quicmini bounds"


def add_arguments(parser: ArgumentParser) -> None:
    """The settings that matter most."""
    default = Config()
    parser.add_argument("--max-data", type=int, default=default.max_data, metavar="BYTES")
    parser.add_argument(
        "--max-streams", type=int, default=default.max_streams_bidi, metavar="COUNT", help="of each type"
    )
    parser.add_argument("--send-buffer-total", type=int, default=default.send_buffer_total, metavar="BYTES")


def run(arguments: Namespace) -> int:
    """Print the list and its sum."""
    try:
        config = Config(
            max_data=arguments.max_data,
            max_streams_bidi=arguments.max_streams,
            max_streams_uni=arguments.max_streams,
            send_buffer_total=arguments.send_buffer_total,
        )
    except ValueError as error:
        print(error)
        return 2
    for what, size in held(config).items():
        print(f"{size:>12,}  {what}")
    print(f"{bytes_for_each_connection(config):>12,}  in all")
    return 0
