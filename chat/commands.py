"""`serve`: from the options of the command line to the exit status."""

from __future__ import annotations

import argparse
import dataclasses
import gc
import logging
import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

from chat import problems, ticket_keys
from chat.address import format_address
from chat.certificates import WILDCARD_ADDRESSES, CertificateFiles
from chat.exchange import chat_config
from chat.identity import Identity, announce
from chat.message import ALPN_PROTOCOLS
from chat.problems import Problem
from chat.recording import recording
from chat.server import Server
from chat.server.admission import Admission
from chat.server.bus import Bus, BusError
from chat.server.history import MEMORY_LIMIT, History
from chat.server.limits import RateLimit
from chat.server.open_bus import open_bus
from chat.state import kept_secret, private_directory
from quicmini import Listener, listen
from quicmini.config import Capture

__all__ = ["serve"]

logger = logging.getLogger("chat")

HISTORY_FILE = "history.sqlite3"
RESET_KEY_FILE = "reset.key"
STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM)
SIGNALS = (*STOP_SIGNALS, signal.SIGHUP)


def serve(options: argparse.Namespace) -> int:
    """Run a server until SIGINT or SIGTERM, then close every connection; SIGHUP has it read its certificate, the
    clients' authorities and the password again.

    Raises Problem.
    """
    # Blocked here, so in every thread, and fetched below: a signal interrupts nothing that is under way.
    signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
    on_terminal = sys.stderr.isatty()
    identity = _identity(options)
    admission = _admission(options, identity)
    with recording(options.pcapng) as capture:
        bus = _bus(options)
        listener = _listen(options, identity, capture)
        server = _server(options, identity, admission, listener, bus)
        with ticket_keys.changing(options.state_dir, listener.replace_ticket_keys):
            _serve(server, partial(identity.reload, listener, admission), on_terminal=on_terminal)
    return 0


def _server(
    options: argparse.Namespace, identity: Identity, admission: Admission, listener: Listener, bus: Bus | None
) -> Server:
    try:
        history = _history(options)
    except (OSError, ValueError) as error:
        listener.close()
        raise problems.of_listening(error, format_address((options.bind, options.port))) from error
    files = identity.files()
    announce(files)
    logger.info("join with: python -m chat join %s", _join_arguments(options, listener.address))
    logger.info("listening on UDP %s", format_address(listener.address))
    make_limit = partial(RateLimit, options.burst, options.rate)
    return Server(listener, history, admission=admission, bus=bus, make_limit=make_limit)


def _admission(options: argparse.Namespace, identity: Identity) -> Admission:
    try:
        password = identity.password()
    except ValueError as error:
        raise Problem(str(error)) from error
    return Admission(max_clients=options.max_clients, max_per_address=options.max_per_address, password=password)


def _bus(options: argparse.Namespace) -> Bus | None:
    """What joins this server with others, if anything does."""
    if options.bus is None:
        return None
    try:
        return open_bus(options.bus)
    except BusError as error:
        raise Problem(str(error)) from error


def _history(options: argparse.Namespace) -> History:
    """What was said, kept in the state directory or not at all."""
    if options.no_history:
        return History(None, min(options.history_limit, MEMORY_LIMIT))
    return History(private_directory(options.state_dir) / HISTORY_FILE, options.history_limit)


def _serve(server: Server, reload: Callable[[], None], *, on_terminal: bool) -> None:
    gc.collect()
    gc.freeze()  # what is there now stays: to look at it again and again would take longer than a message does
    accepting = threading.Thread(target=_accept, args=(server,), name="chat server", daemon=True)
    accepting.start()
    while (stopped_by := signal.sigwait(SIGNALS)) == signal.SIGHUP:
        if on_terminal and not sys.stderr.isatty():
            break  # the terminal itself has gone, which this signal is for as well
        reload()
    signal.pthread_sigmask(signal.SIG_UNBLOCK, STOP_SIGNALS)  # a second one ends the process at once
    logger.info("%s: closing every connection", signal.Signals(stopped_by).name)
    server.close()
    accepting.join()


def _accept(server: Server) -> None:
    try:
        server.serve()
    except BaseException:
        os.kill(os.getpid(), signal.SIGTERM)  # the main thread waits for nothing else
        raise


def _listen(options: argparse.Namespace, identity: Identity, capture: Capture | None) -> Listener:
    try:
        files = identity.files()
        return listen(
            (options.bind, options.port),
            alpn_protocols=list(ALPN_PROTOCOLS),
            certfile=str(files.certfile),
            keyfile=str(files.keyfile),
            client_cafile=options.client_ca,
            config=dataclasses.replace(
                chat_config(options.idle_timeout, capture),
                early_data=True,
                stateless_reset_key=kept_secret(options.state_dir, RESET_KEY_FILE),
                ticket_keys=ticket_keys.kept_keys(options.state_dir, time.time()),
            ),
        )
    except (OSError, ValueError) as error:
        raise problems.of_listening(error, format_address((options.bind, options.port))) from error


def _join_arguments(options: argparse.Namespace, address: tuple[str, int]) -> str:
    """How somebody on this machine joins for the first time: the server is known by its key from then on."""
    host, port = address
    name = format_address(("localhost" if host in WILDCARD_ADDRESSES else host, port))
    return f"{name} -n NICK{' --cert FILE --key FILE' if options.client_ca else ''}"


def _identity(options: argparse.Namespace) -> Identity:
    if bool(options.cert) != bool(options.key):
        raise Problem("--cert and --key go together: a certificate is no use without its private key")
    own = CertificateFiles(Path(options.cert), Path(options.key)) if options.cert else None
    return Identity(own, options.state_dir, options.bind, options.client_ca, options.password_file)
