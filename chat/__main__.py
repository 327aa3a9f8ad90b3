"""The command line: `python -m chat serve`, `join` and `demo`."""

from __future__ import annotations

import argparse
import io
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias, TypeVar

from chat import commands, demo, logs, passwords
from chat.address import parse_address, parse_port
from chat.certificates import default_state_dir
from chat.client.conversation import LOBBY
from chat.client.join import PIPE_PATIENCE
from chat.client.join import join as join_chat
from chat.exchange import IDLE_TIMEOUT
from chat.message import DEFAULT_PORT
from chat.problems import Problem, writing
from chat.recording import add_option as add_recording
from chat.server.admission import MAX_CLIENTS, MAX_PER_ADDRESS
from chat.server.bus import DEFAULT_PREFIX, parse_bus
from chat.server.history import DEFAULT_LIMIT
from chat.server.limits import BURST, RATE
from chat.text import check_name, printable
from quicmini import loading

__all__ = ["main"]

READER_GONE = 128 + signal.SIGPIPE  # the exit statuses that a shell gives to what these signals ended
INTERRUPTED = 128 + signal.SIGINT
MAX_IDLE_TIMEOUT = 3600  # seconds
MAX_COUNT = 10**9

Subparsers: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"
T = TypeVar("T")

DESCRIPTION = "A chat over QUIC: each message has a stream of its own, so nobody waits for another's lost packet."


def main(arguments: list[str] | None = None) -> int:
    """Run one command; returns the exit status: 0, 1 for a problem (told on stderr), 130 after Ctrl-C, 141 when nobody
    reads the output any more."""
    try:
        loading.over()
        return _run(arguments)
    except KeyboardInterrupt:
        return INTERRUPTED


def _run(arguments: list[str] | None) -> int:
    _open_what_is_closed()
    options = _parser().parse_args(arguments)
    logs.set_up(options.log_format, timestamps=options.timestamps)
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")  # a terminal that cannot show a character is no reason to stop
    try:
        status: int = options.command(options)
        with writing():
            sys.stdout.flush()
    except Problem as problem:
        print(printable(f"chat {options.name}: {problem}"), file=sys.stderr)  # a peer's words may be part of it
        return 1
    except BrokenPipeError:
        # Whoever read the output has gone, as in `| head`. The interpreter's own last flush must not complain either.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return READER_GONE
    return status


def _open_what_is_closed() -> None:
    """Stand-ins for standard streams that there are none of (`>&-`): a socket would get the number of one otherwise."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, os.fdopen(os.open(os.devnull, os.O_RDWR), mode))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("chat", description=DESCRIPTION, epilog="Try it: python -m chat demo")
    subparsers = parser.add_subparsers(dest="name", required=True, metavar="COMMAND")
    _add_serve(subparsers)
    _add_join(subparsers)
    _add_demo(subparsers)
    return parser


def _add_serve(subparsers: Subparsers) -> None:
    serve = _add(
        subparsers,
        "serve",
        "run a server",
        "Relays every message to every client, until SIGINT (Ctrl-C) or SIGTERM. Without --cert it makes a self-signed "
        "certificate once, keeps it in the state directory and prints its SHA-256 fingerprint.",
        "python -m chat serve --bind 0.0.0.0 --cert fullchain.pem --key privkey.pem",
    )
    serve.set_defaults(command=commands.serve)
    serve.add_argument("--bind", metavar="ADDR", default="127.0.0.1", help="address to listen on (%(default)s)")
    serve.add_argument(
        "--port", metavar="N", type=_argument(parse_port), default=DEFAULT_PORT, help="UDP port, 0: any (%(default)s)"
    )
    serve.add_argument("--cert", metavar="FILE", type=_argument(_readable_file), help="certificate chain, PEM")
    serve.add_argument(
        "--key", metavar="FILE", type=_argument(_readable_file), help="the certificate's private key, PEM"
    )
    _add_state_dir(serve, "the history, the self-signed certificate and some secrets are")
    serve.add_argument("--no-history", action="store_true", help="keep nothing of what is said when the server ends")
    serve.add_argument(
        "--history-limit",
        metavar="N",
        type=_argument(_count),
        default=DEFAULT_LIMIT,
        help="how many messages are kept at most; older ones go (%(default)s)",
    )
    _add_admission(serve)
    serve.add_argument(
        "--idle-timeout",
        metavar="SECONDS",
        type=_argument(_seconds),
        default=IDLE_TIMEOUT,
        help="silence after which a client counts as dead (%(default)g)",
    )
    serve.add_argument(
        "--bus",
        metavar="URL",
        type=_argument(parse_bus),
        help="a Redis or Valkey server that joins all servers that name it into one chat: "
        f"redis://HOST[:PORT][/DATABASE][?prefix=PREFIX] (prefix: {DEFAULT_PREFIX}); needs the extra `redis`",
    )
    add_recording(serve, "the server")


def _add_admission(serve: argparse.ArgumentParser) -> None:
    """Who may come in, and how much each may say."""
    serve.add_argument(
        "--client-ca",
        metavar="FILE",
        type=_argument(_readable_file),
        help="admit only clients with a certificate of these authorities, PEM, under the name that is in it",
    )
    serve.add_argument(
        "--password-file", metavar="FILE", help="admit only clients that know the password: the file's first line"
    )
    counts = (
        ("--max-clients", MAX_CLIENTS, "how many clients there may be (%(default)s)"),
        ("--max-per-address", MAX_PER_ADDRESS, "how many of them from one address (%(default)s)"),
        ("--burst", BURST, "how many messages of a client are taken at once (%(default)s)"),
        ("--rate", int(RATE), "how many a second when it has used that up; the rest is dropped (%(default)s)"),
    )
    for option, default, help in counts:
        serve.add_argument(option, metavar="N", type=_argument(_count), default=default, help=help)


def _add_join(subparsers: Subparsers) -> None:
    join = _add(
        subparsers,
        "join",
        "join a chat",
        "Each line of stdin becomes a message; each message becomes a line '[nick]: text' on stdout. At the end of "
        "stdin it leaves, after the server has acknowledged everything. Logs go to stderr. When you first join a "
        "server its key is kept, and from then on no other server is taken for it.",
        "python -m chat join chat.example.org:4242 -n Zoe",
    )
    join.set_defaults(command=join_chat)
    join.add_argument(
        "server",
        metavar="HOST[:PORT]",
        nargs="?",
        type=_argument(_server),
        default=("localhost", DEFAULT_PORT),
        help=f"the server (localhost:{DEFAULT_PORT}); an IPv6 address goes in brackets: [::1]:{DEFAULT_PORT}",
    )
    join.add_argument("-n", "--nick", metavar="NICK", type=_argument(check_name), required=True, help="your nickname")
    trust = join.add_mutually_exclusive_group()
    trust.add_argument(
        "--ca",
        metavar="FILE",
        type=_argument(_readable_file),
        help="verify the server's certificate with these, PEM, instead of knowing the server by its key",
    )
    trust.add_argument("--insecure", action="store_true", help="trust whoever answers: for tests only")
    join.add_argument("--cert", metavar="FILE", type=_argument(_readable_file), help="your certificate chain, PEM")
    join.add_argument("--key", metavar="FILE", type=_argument(_readable_file), help="its private key, PEM")
    join.add_argument(
        "--password-file",
        metavar="FILE",
        help="its first line is the server's password; by default that is in the environment, as "
        f"{passwords.VARIABLE}, or you are asked",
    )
    _add_state_dir(join, "the keys of known servers are")
    join.add_argument(
        "--room", metavar="ROOM", type=_argument(_room), default=LOBBY, help="the room to begin in (%(default)s)"
    )
    face = join.add_mutually_exclusive_group()
    face.add_argument(
        "--plain", action="store_true", help="lines instead of the terminal interface; in a pipe, commands work in them"
    )
    face.add_argument("--json", action="store_true", help="each event as a line of JSON, and commands in the lines")
    join.add_argument(
        "--patience",
        metavar="SECONDS",
        type=_argument(_patience),
        help="how long to try to come back when the connection was lost (on a terminal for ever, otherwise "
        f"{PIPE_PATIENCE:g})",
    )
    join.add_argument("--stats", metavar="FILE", type=Path, help="at the end, write to FILE, as JSON, what QUIC did")
    add_recording(join, "this client")


def _add_demo(subparsers: Subparsers) -> None:
    show = _add(
        subparsers,
        "demo",
        "watch a chat, and QUIC send again what is lost",
        "A server and two clients, each a process of its own, hold a short conversation over UDP on this machine, on "
        "paths that throw some datagrams away; shows what is lost, what each of them saw, and what QUIC did.",
        "python -m chat demo",
    )
    show.set_defaults(command=demo.demo)
    add_recording(show, "the server")


def _add(subparsers: Subparsers, name: str, help: str, description: str, example: str) -> argparse.ArgumentParser:
    parser = subparsers.add_parser(name, help=help, description=description, epilog=f"example: {example}")
    parser.add_argument("--timestamps", action="store_true", help="begin each line of the log with the time")
    parser.add_argument(
        "--log-format", choices=logs.FORMATS, default="text", help="how each line of the log looks (%(default)s)"
    )
    return parser


def _add_state_dir(parser: argparse.ArgumentParser, what: str) -> None:
    parser.add_argument(
        "--state-dir",
        metavar="DIR",
        type=Path,
        default=default_state_dir(),
        help=f"the directory in which {what} kept (%(default)s)",
    )


def _argument(parse: Callable[[str], T]) -> Callable[[str], T]:
    """For argparse: what `parse` has to say about a text that it refuses, instead of "invalid value"."""

    def parsed(text: str) -> T:
        try:
            return parse(text)
        except ValueError as error:
            raise argparse.ArgumentTypeError(str(error)) from None

    return parsed


def _server(text: str) -> tuple[str, int]:
    return parse_address(text, DEFAULT_PORT)


def _readable_file(text: str) -> str:
    try:
        with open(text, "rb"):
            return text
    except OSError as error:
        raise ValueError(f"cannot read {text!r}: {error.strerror}") from None


def _room(text: str) -> str:
    return check_name(text, "room")


def _patience(text: str) -> float:
    return 0.0 if text == "0" else _seconds(text)


def _count(text: str) -> int:
    if not (text.isascii() and text.isdigit() and 0 < int(text) <= MAX_COUNT):
        raise ValueError(f"{text!r} is no count: a number from 1 to {MAX_COUNT}")
    return int(text)


def _seconds(text: str) -> float:
    seconds = float(text) if text.replace(".", "", 1).isdigit() else 0.0
    if not 0 < seconds <= MAX_IDLE_TIMEOUT:
        raise ValueError(f"{text!r} is no time: seconds, above 0 and up to {MAX_IDLE_TIMEOUT}")
    return seconds


if __name__ == "__main__":
    sys.exit(main())
