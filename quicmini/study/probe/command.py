"""`python -m quicmini probe`: what a QUIC server is like, found out with one handshake."""

from __future__ import annotations

import sys
from argparse import ArgumentParser, Namespace
from typing import NamedTuple
from urllib.parse import urlsplit

from quicmini.config import Config
from quicmini.errors import ConnectionClosed
from quicmini.study.probe import report
from quicmini.study.probe.problems import explain
from quicmini.study.probe.verdict import Verdict, judge
from quicmini.study.probe.watch import Watch
from quicmini.study.terminal import Ink
from quicmini.sync.client import connect
from quicmini.sync.connection import Connection
from quicmini.sync.deadline import Deadline
from quicmini.sync.inquiry import Answer, ask_versions
from quicmini.tls.certificates import TrustStore, load_trust_store
from quicmini.tls.verification import parse_server_name

__all__ = ["EXAMPLE", "HELP", "add_arguments", "run"]

HELP = "make a handshake with a QUIC server and tell what it is like"
EXAMPLE = "python -m chat serve & sleep 2\npython -m quicmini probe localhost:4242 --insecure; kill $!"

# What is offered unless somebody names it: HTTP/3, HTTP/0.9 of the interop runner, DNS over QUIC, and the chat.
PROTOCOLS = ("h3", "hq-interop", "doq", "quicmini-chat/1", "simpleproto")

# How long to wait for what comes after the handshake, tickets and such: seconds, round trips; and how often to look.
PATIENCE, ROUND_TRIPS, GLANCE = 0.3, 4, 0.05


class Target(NamedTuple):
    """Whom to ask, and how. name: what the certificate has to be for."""

    host: str
    port: int
    name: str
    protocols: tuple[str, ...]
    trust: TrustStore
    timeout: float

    @property
    def address(self) -> str:
        """Host and port, as people write them."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def add_arguments(parser: ArgumentParser) -> None:
    """Describe the command's arguments."""
    parser.add_argument("address", metavar="HOST:PORT", help="the server; an IPv6 address is written [::1]:443")
    parser.add_argument(
        "--alpn",
        action="append",
        metavar="NAME",
        help=f"offer this protocol, may be repeated (default: {', '.join(PROTOCOLS)})",
    )
    parser.add_argument("--cafile", metavar="FILE", help="trust the certificates in this PEM file, not the system's")
    parser.add_argument("--name", metavar="HOST", help="ask for this server name, and expect it in the certificate")
    parser.add_argument("--insecure", action="store_true", help="exit with 0 even if the certificate is bad")
    parser.add_argument("--timeout", type=float, default=10.0, metavar="SECONDS", help="for the handshake (default 10)")


def run(arguments: Namespace) -> int:
    """Print what there is to know. Exit status: 0 the handshake went well and the certificate is good, 1 it did not or
    is not, 2 for arguments that cannot work."""
    try:
        target = _target(arguments)
    except (OSError, ValueError) as error:
        print(error, file=sys.stderr)
        return 2
    ink = Ink.on(sys.stdout)
    watch = Watch()
    print(f"{ink('title', target.address)} over UDP", flush=True)
    answer: Answer | None = None
    try:
        try:
            answer = ask_versions((target.host, target.port))
            print(f"answers from {answer.remote[0]}, port {answer.remote[1]}")
        except TimeoutError:
            pass  # not every server tells; perhaps a handshake gets an answer
        verdict = _shake_hands(target, answer, watch, ink)
    except (OSError, ConnectionClosed) as error:
        if answer is not None:
            _print("Versions", report.versions(answer, watch), ink)
        print(explain(error, target.address, target.protocols, answer), file=sys.stderr)
        return 1
    return 0 if verdict.good or arguments.insecure else 1


def _target(arguments: Namespace) -> Target:
    """What the arguments say; ValueError or OSError, with a sentence, if they cannot work."""
    host, port = _parse_address(arguments.address)
    if not arguments.timeout > 0:
        raise ValueError(f"--timeout must be above 0 seconds (got {arguments.timeout:g})")
    try:
        trust = load_trust_store(arguments.cafile)
    except OSError as error:
        raise ValueError(f"cannot read the trusted certificates: {error}; name a PEM file with --cafile") from None
    name = arguments.name or host
    parse_server_name(name)
    protocols = tuple(arguments.alpn or PROTOCOLS)
    if not all(1 <= len(protocol.encode()) <= 255 for protocol in protocols):
        raise ValueError("a protocol for --alpn has 1 to 255 bytes, such as h3")
    return Target(host, port, name, protocols, trust, arguments.timeout)


def _parse_address(text: str) -> tuple[str, int]:
    """Host and port; ValueError, with a sentence, for anything else."""
    try:
        parts = urlsplit(f"//{text}")
        host, port = parts.hostname, parts.port
    except ValueError:
        host = port = None
    if not host or not port or "@" in text or "/" in text:
        raise ValueError(f"{text!r} is no HOST:PORT: expected something like example.org:443 or [::1]:443")
    return host, port


def _shake_hands(target: Target, answer: Answer | None, watch: Watch, ink: Ink) -> Verdict:
    """Connect, wait for what follows, and report. A bad certificate ends nothing."""
    connection = connect(
        answer.remote[:2] if answer is not None else (target.host, target.port),
        alpn_protocols=target.protocols,
        server_hostname=target.name,
        verify=False,
        open_timeout=target.timeout,
        close_timeout=0,
        config=Config(observer=watch),
    )
    with connection:
        _wait_for_more(connection, watch)
        stats, protocol = connection.stats(), connection.selected_alpn_protocol()
    verdict = judge(watch, target.name, target.trust)
    _print("Versions", report.versions(answer, watch), ink)
    _print("Handshake", report.handshake(watch, stats, protocol, target.protocols), ink)
    _print("Certificate", report.certificate(watch, verdict), ink)
    _print("Transport parameters of the server", report.parameters(watch), ink)
    _print("Path", report.path(answer, watch, stats), ink)
    _print("For the next connection", report.later(watch), ink)
    return verdict


def _wait_for_more(connection: Connection, watch: Watch) -> None:
    """Tickets, tokens, the confirmation: until all is there, the patience is over, or the connection."""
    deadline = Deadline(max(PATIENCE, ROUND_TRIPS * connection.stats().smoothed_rtt))
    while not (watch.confirmed and watch.tokens and watch.all("NewSessionTicket")) and deadline.remaining():
        try:
            connection.recv_datagram(timeout=GLANCE)  # none is expected: the connection goes on meanwhile
        except TimeoutError:
            pass
        except ConnectionClosed:
            return


def _print(title: str, lines: list[report.Line], ink: Ink) -> None:
    for line in report.show(title, lines, ink):
        print(line)
