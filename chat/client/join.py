"""`join`: from the options of the command line to the exit status."""

from __future__ import annotations

import argparse
import dataclasses
import json
import logging
import os
import queue
import signal
import sys
import threading
from collections.abc import Callable
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple, Protocol, TextIO, TypeAlias

from chat import passwords, problems
from chat.address import format_address
from chat.client.events import Ended, Event, State, StateChanged
from chat.client.json_lines import JsonFace
from chat.client.keeper import NotConfirmed, NoWelcome
from chat.client.lines import read_lines
from chat.client.plain import PlainFace
from chat.client.sentences import messages
from chat.client.session import Session
from chat.client.wire import Connect, QuicDial, QuicWire
from chat.exchange import chat_config
from chat.logs import log_of
from chat.message import ALPN_PROTOCOLS
from chat.problems import Problem
from chat.recording import recording
from chat.trust import Trust
from quicmini import ConnectionClosed
from quicmini.config import Capture

__all__ = ["join"]

logger = logging.getLogger("chat")

KEEP_ALIVE = 5.0  # seconds of silence before a sign of life: a server that was restarted answers that it knows nothing
MAX_EVENTS = 1000  # that wait to be shown; then nothing more is received
PIPE_PATIENCE = 30.0  # seconds for which a program's connection is tried to be made again; a person decides themselves

# Why a session ended, for the person, who was connected or not.
ToProblem: TypeAlias = Callable[[Exception, bool], Problem]


class _End(NamedTuple):
    """Why a session is over, and whether it was ever connected."""

    error: Exception | None
    connected: bool


class Face(Protocol):
    """How a session is shown. not_sent: how much of what was typed has been refused."""

    not_sent: int

    def show(self, event: Event) -> None:
        """Show one event."""


def join(options: argparse.Namespace) -> int:
    """Take part in a chat until the end of stdin.

    Raises Problem, KeyboardInterrupt (after SIGTERM too) and, when nobody reads stdout any more, BrokenPipeError.
    """
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    if bool(options.cert) != bool(options.key):
        raise Problem("--cert and --key go together: a certificate is no use without its private key")
    interface = _has_interface(options)
    trust = Trust(options.state_dir, options.ca, options.insecure, options.cert, options.key)
    try:
        password = passwords.given(options.password_file)
    except ValueError as error:
        raise Problem(str(error)) from error
    with recording(options.pcapng) as capture:
        while True:
            try:
                return _join(options, trust, password, capture, interface=interface)
            except Problem as problem:
                if not problems.wants_password(problem.__cause__):
                    raise
                if password and _is_terminal(sys.stdin):
                    logger.error("the password is wrong")
                if not (password := passwords.ask(format_address(options.server))):
                    raise


def _join(options: argparse.Namespace, trust: Trust, password: str, capture: Capture | None, *, interface: bool) -> int:
    events: queue.Queue[Event] = queue.Queue(MAX_EVENTS)
    on_terminal = _is_terminal(sys.stdin)
    session = Session(
        QuicDial(_connect(options, trust, capture)),
        options.nick,
        events.put,
        room=options.room,
        password=password,
        patience=(None if on_terminal else PIPE_PATIENCE) if options.patience is None else options.patience,
    )
    show = _converse if interface else _show
    try:
        return show(options, session, events, partial(_problem, options.server, trust))
    except Problem as problem:
        if session.unconfirmed and not isinstance(problem.__cause__, NotConfirmed):
            logger.warning("%s", f"not confirmed by the server: {messages(session.unconfirmed)}")
        raise
    finally:
        if options.stats and isinstance(session.wire, QuicWire):
            _write_stats(session.wire, options.stats)


def _has_interface(options: argparse.Namespace) -> bool:
    """Whether there is a terminal for the interface, and prompt_toolkit, and nobody wants lines."""
    if options.plain or options.json or not (_is_terminal(sys.stdin) and _is_terminal(sys.stdout)):
        return False
    if os.environ.get("TERM", "dumb") == "dumb":
        return False
    if find_spec("prompt_toolkit") is None:
        logger.info("lines only; for the terminal interface: pip install prompt_toolkit (--plain: no more of this)")
        return False
    return True


def _is_terminal(stream: TextIO | None) -> bool:
    return stream is not None and stream.isatty()


def _connect(options: argparse.Namespace, trust: Trust, capture: Capture | None) -> Connect:
    """`quicmini.connect`, as the options want it, to the right server."""
    return partial(
        trust.connect,
        options.server,
        alpn_protocols=ALPN_PROTOCOLS,
        close_timeout=None,  # the idle timeout decides when a server that acknowledges nothing is gone
        config=chat_config(capture=capture, keep_alive_interval=KEEP_ALIVE),
    )


def _converse(options: argparse.Namespace, session: Session, events: queue.Queue[Event], problem: ToProblem) -> int:
    """Show the terminal interface until somebody leaves. Raises Problem if the session has not ended well."""
    from chat.client.tui.terminal import LogLines, Terminal

    with LogLines() as log:
        _start(options, session)
        terminal = Terminal(session, events, format_address(options.server), log)
        error = terminal.run()
    if error is not None:
        raise problem(error, terminal.connected) from error
    return 0


def _show(options: argparse.Namespace, session: Session, events: queue.Queue[Event], problem: ToProblem) -> int:
    """Show what happens as lines until the session is over. Raises Problem if it has not ended well."""
    conversing = options.plain or _is_terminal(sys.stdin)
    out = sys.stdout
    face: Face = JsonFace(out=out) if options.json else PlainFace(session, conversing=conversing, out=out)
    _start(options, session)
    try:
        end = _show_events(session, events, face, commands=conversing or options.json)
    except (Problem, BrokenPipeError, KeyboardInterrupt):
        session.leave()
        raise
    if end.error is not None:
        raise problem(end.error, end.connected) from end.error
    return 1 if face.not_sent else 0


def _show_events(session: Session, events: queue.Queue[Event], face: Face, *, commands: bool) -> _End:
    connected = False
    while True:
        event = events.get()
        if isinstance(event, StateChanged) and event.state is State.CONNECTED and not connected and session.wire:
            connected = True
            log = log_of(session.wire.id)
            log.info("connected to %s as %s", format_address(session.wire.remote), session.nickname)
            if _is_terminal(sys.stdin):
                logger.info("each line that you type is a message, /help lists commands; Ctrl-D leaves")
            threading.Thread(target=_type, args=(session, commands), name="chat typist", daemon=True).start()
        face.show(event)
        if isinstance(event, Ended):
            return _End(event.error, connected)


def _start(options: argparse.Namespace, session: Session) -> None:
    if options.insecure:
        logger.warning("--insecure: whoever answers is trusted")
    session.start()


def _type(session: Session, commands: bool) -> None:
    """The thread that reads stdin: each line is said, or is a command if there are any."""
    take = session.command if commands else session.say
    for line in read_lines(sys.stdin.fileno()) if sys.stdin else ():
        take(line)
        if session.over:
            return
    session.finish()


def _problem(address: tuple[str, int], trust: Trust, error: Exception, connected: bool) -> Problem:
    """Why the session ended, for the person."""
    server = format_address(address)
    if (another := trust.explain(error, address)) is not None:
        return another
    match error:
        case Problem():
            return error
        case NoWelcome():
            return Problem(f"{server} does not let you in: {error}")
        case NotConfirmed():
            return Problem(str(error))
        case ConnectionClosed() if connected:
            return problems.of_talking(error, server)
        case OSError() if connected:
            return Problem(f"{server} cannot be reached any more: {problems.reason(error)}")
        case OSError() | ValueError():
            return problems.of_connecting(error, server)
    raise error


def _write_stats(wire: QuicWire, path: Path) -> None:
    """The connection's counters as JSON; times in seconds."""
    stats = {"cipher": wire.connection.cipher(), **dataclasses.asdict(wire.connection.stats())}
    try:
        path.write_text(json.dumps(stats, indent=1) + "\n")
    except OSError as error:
        raise Problem(f"cannot write {str(path)!r}: {error.strerror}") from error
