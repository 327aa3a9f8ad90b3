"""`serve` and `join`: from the options of the command line to the exit status."""

from __future__ import annotations

import argparse
import dataclasses
import datetime
import json
import logging
import os
import signal
import sys
import threading
from pathlib import Path

from chat import problems
from chat.address import format_address
from chat.certificates import WILDCARD_ADDRESSES, CertificateFiles, fingerprint, kept_certificate
from chat.client import Session, read_lines
from chat.exchange import chat_config
from chat.message import ALPN_PROTOCOL
from chat.problems import Problem
from chat.recording import recording
from chat.server import Server
from quicmini import Connection, ConnectionClosed, Listener, connect, listen
from quicmini.config import Capture

__all__ = ["join", "serve"]

logger = logging.getLogger("chat")

STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM)


def serve(options: argparse.Namespace) -> int:
    """Run a server until SIGINT or SIGTERM, then close every connection. Raises Problem."""
    # Blocked here, so in every thread, and fetched below: a signal interrupts nothing that is under way.
    signal.pthread_sigmask(signal.SIG_BLOCK, STOP_SIGNALS)
    with recording(options.pcapng) as capture:
        _serve(Server(_listen(options, capture)))
    return 0


def _serve(server: Server) -> None:
    accepting = threading.Thread(target=_accept, args=(server,), name="chat server", daemon=True)
    accepting.start()
    stopped_by = signal.sigwait(STOP_SIGNALS)
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


def _listen(options: argparse.Namespace, capture: Capture | None) -> Listener:
    try:
        files = _certificate(options)
        listener = listen(
            (options.bind, options.port),
            alpn_protocols=[ALPN_PROTOCOL],
            certfile=str(files.certfile),
            keyfile=str(files.keyfile),
            config=chat_config(options.idle_timeout, capture),
        )
    except (OSError, ValueError) as error:
        raise problems.of_listening(error, format_address((options.bind, options.port))) from error
    logger.info("certificate %s, SHA-256 fingerprint %s", files.certfile, fingerprint(files.certfile))
    logger.info("join with: python -m chat join %s", _join_arguments(options, listener.address, files))
    logger.info("listening on UDP %s", format_address(listener.address))
    return listener


def _join_arguments(options: argparse.Namespace, address: tuple[str, int], files: CertificateFiles) -> str:
    """How a client on this machine joins, under a name that the server's certificate has."""
    host, port = address
    if options.cert:
        trust = f"--ca {files.certfile} unless the system trusts it"
        return f"NAME:{port} -n NICK (NAME: one that the certificate is for; {trust})"
    name = format_address(("localhost" if host in WILDCARD_ADDRESSES else host, port))
    return f"{name} -n NICK --ca {files.certfile}"


def _certificate(options: argparse.Namespace) -> CertificateFiles:
    if options.cert and options.key:
        return CertificateFiles(Path(options.cert), Path(options.key))
    if options.cert or options.key:
        raise Problem("--cert and --key go together: a certificate is no use without its private key")
    return kept_certificate(options.state_dir, options.bind, datetime.datetime.now(datetime.UTC))


def join(options: argparse.Namespace) -> int:
    """Take part in a chat until the end of stdin.

    Raises Problem, KeyboardInterrupt (after SIGTERM too) and, when nobody reads stdout any more, BrokenPipeError.
    """
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with recording(options.pcapng) as capture:
        return _join(options, capture)


def _join(options: argparse.Namespace, capture: Capture | None) -> int:
    server = format_address(options.server)
    connection = _connect(options, server, capture)
    logger.info("connected to %s as %s", format_address(connection.remote_address), options.nick)
    if sys.stdin and sys.stdin.isatty():
        logger.info("each line that you type is a message; Ctrl-D leaves")
    session = Session(connection, options.nick)
    try:
        session.say(read_lines(sys.stdin.fileno()) if sys.stdin else iter(()))
        session.receive(lambda line: print(line, flush=True))
    except ConnectionClosed as error:
        raise problems.of_talking(error, server) from error
    except (BrokenPipeError, KeyboardInterrupt):
        session.leave()
        raise
    finally:
        if options.stats:
            _write_stats(connection, options.stats)
    return 1 if session.not_sent else 0


def _connect(options: argparse.Namespace, server: str, capture: Capture | None) -> Connection:
    if options.insecure:
        logger.warning("--insecure: whoever answers is trusted")
    try:
        return connect(
            options.server,
            alpn_protocols=[ALPN_PROTOCOL],
            cafile=options.ca,
            verify=not options.insecure,
            close_timeout=None,  # the idle timeout decides when a server that acknowledges nothing is gone
            config=chat_config(capture=capture),
        )
    except (OSError, ValueError) as error:
        raise problems.of_connecting(error, server) from error


def _write_stats(connection: Connection, path: Path) -> None:
    """The connection's counters as JSON; times in seconds."""
    stats = {"cipher": connection.cipher(), **dataclasses.asdict(connection.stats())}
    try:
        path.write_text(json.dumps(stats, indent=1) + "\n")
    except OSError as error:
        raise Problem(f"cannot write {str(path)!r}: {error.strerror}") from error
