"""What was found out about a server, in sections of names and values."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from quicmini.connection.ecn import EcnState
from quicmini.connection.state import ConnectionStats
from quicmini.study.columns import in_columns
from quicmini.study.probe.verdict import Verdict
from quicmini.study.probe.watch import Watch
from quicmini.study.terminal import Ink
from quicmini.study.versions import numbered_version
from quicmini.sync.inquiry import Answer

__all__ = ["Line", "certificate", "handshake", "later", "parameters", "path", "show", "versions"]

_ECN = {
    EcnState.TESTING: "not known: too little was sent",
    EcnState.UNKNOWN: "not known: too little was sent",
    EcnState.CAPABLE: "works: the server reports the marks on what it receives",
    EcnState.FAILED: "does not work: the server, or the path, does not report the marks",
}


class Line(NamedTuple):
    """A name and what was found; `note` says more, or where to read on. meaning: of the value, for `Ink`."""

    name: str
    value: str
    note: str = ""
    meaning: str = "value"


def show(title: str, lines: list[Line], ink: Ink) -> Iterator[str]:
    """A section as text; there is one line at least."""
    yield ""
    yield ink("title", title)
    column = 4 + max(len(line.name) for line in lines)
    for name, value, note, meaning in lines:
        yield from in_columns(name, value, note, ink, column=column, left="  ", meaning=meaning)


def versions(answer: Answer | None, watch: Watch) -> list[Line]:
    """Which there are, and which one the connection has."""
    offered = ", ".join(map(numbered_version, answer.versions)) if answer else "no answer to the question"
    lines = [Line("offered", offered, "in Version Negotiation (RFC 9000 §6.1)")]
    if watch.refused_versions:
        refused = ", ".join(map(numbered_version, watch.refused_versions))
        lines.append(Line("refused the first try", f"offers {refused}", "RFC 9000 §6.2"))
    if watch.first("ServerHello") is not None and watch.version is not None:
        lines.append(Line("in use", numbered_version(watch.version)))
    return lines


def handshake(watch: Watch, stats: ConnectionStats, protocol: str | None, offered: tuple[str, ...]) -> list[Line]:
    """How it went."""
    asked = watch.first("CertificateRequest") is not None
    retry = "yes: it has clients prove their address first" if watch.retry else "no"
    return [
        Line("Retry", retry, "RFC 9000 §8.1.2"),
        Line("cipher suite", _found(watch, "ServerHello", "cipher_suite")),
        Line("group", _group(watch)),
        Line("ALPN", protocol or "none", f"of {', '.join(offered)}"),
        Line("client certificate", "asked for" if asked else "not asked for"),
        Line("time", _milliseconds(stats.handshake_time), "until it was complete, one round trip or more"),
    ]


def _found(watch: Watch, message: str, name: str) -> str:
    """The value of a field of a message."""
    found = watch.first(message)
    fields = found.field.walk() if found else ()
    return next((field.value for field in fields if field.name == name), "")


def _group(watch: Watch) -> str:
    group = _found(watch, "ServerHello", "group")
    if watch.first("HelloRetryRequest") is not None:
        return f"{group}, after a HelloRetryRequest: no key share was of a group that the server takes"
    return group


def certificate(watch: Watch, verdict: Verdict) -> list[Line]:
    """The chain, the server's own first, and whether it is good."""
    lines = []
    message = watch.first("Certificate")
    entries = [field for field in message.field.walk() if field.name == "CertificateEntry"] if message else []
    for number, entry in enumerate(entries):
        subject, *others = entry.value.split("; ")
        lines.append(Line(f"certificate {number}", subject))
        lines += [Line("", other) for other in others]
    lines.append(Line("signed the handshake", _found(watch, "CertificateVerify", "algorithm"), "RFC 9846 §4.5.2"))
    lines.append(Line("verdict", "good" if verdict.good else "BAD", verdict.reason, "good" if verdict.good else "bad"))
    return lines


def parameters(watch: Watch) -> list[Line]:
    """The server's transport parameters, in the order in which they came."""
    message = watch.first("EncryptedExtensions")
    fields = message.field.walk() if message else ()
    extension = next((field for field in fields if field.name == "quic_transport_parameters"), None)
    children = extension.children[2:] if extension else ()  # behind its type and length
    return [Line(field.name, field.value, field.section) for field in children]


def path(answer: Answer | None, watch: Watch, stats: ConnectionStats) -> list[Line]:
    """The way to the server."""
    rtt = f"{_milliseconds(stats.min_rtt)} at least, {_milliseconds(stats.smoothed_rtt)} smoothed"
    lines = [Line("RTT", rtt, "RFC 9002 §5")]
    if answer is not None:
        lines.append(Line("of the version question", _milliseconds(answer.rtt)))
        tried = f"of {', '.join(map(str, answer.tried))} that were tried"
        lines.append(Line("largest datagram", f"{answer.largest:,} bytes", tried))
    lines.append(Line("ECN", _ECN[watch.ecn], "RFC 9000 §13.4.2"))
    return lines


def later(watch: Watch) -> list[Line]:
    """What makes the next connection cheaper."""
    tickets = watch.all("NewSessionTicket")
    early = any("allows early data" in ticket.field.value for ticket in tickets)
    goods = ", ".join(dict.fromkeys(ticket.field.value.split(",")[0] for ticket in tickets))
    sizes = ", ".join(f"{len(token)} bytes" for token in watch.tokens)
    return [
        Line("session tickets", f"{len(tickets)}, {goods}" if tickets else "none came", "RFC 9846 §4.7.1"),
        Line("0-RTT", "offered" if early else "not offered", "RFC 9001 §4.6.1"),
        Line("token for the address", sizes or "none came", "NEW_TOKEN (RFC 9000 §8.1.3)"),
    ]


def _milliseconds(seconds: float | None) -> str:
    return "not known" if seconds is None else f"{seconds * 1000:.2f} ms"
