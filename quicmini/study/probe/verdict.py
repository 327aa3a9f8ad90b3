"""Is the certificate good? Asked after the handshake, so that a bad one does not end it."""

from __future__ import annotations

from typing import NamedTuple

from quicmini.errors import HandshakeError
from quicmini.study.probe.watch import Watch
from quicmini.sync.clock import calendar
from quicmini.tls.certificates import TrustStore
from quicmini.tls.messages import HEADER_SIZE, Certificate
from quicmini.tls.verification import authenticated_key, parse_server_name

__all__ = ["Verdict", "judge"]


class Verdict(NamedTuple):
    """reason: for a good one what was checked, for a bad one the check that failed."""

    good: bool
    reason: str


def judge(watch: Watch, server_name: str, trust: TrustStore) -> Verdict:
    """The same checks that `quicmini.connect` makes (RFC 5280 §6, RFC 9525 §6). ValueError if that is no name."""
    message = watch.first("Certificate")
    if message is None:
        return Verdict(False, "the server has shown none")
    try:
        chain = tuple(entry.data for entry in Certificate.parse(message.data[HEADER_SIZE:]).entries)
        authenticated_key(chain, parse_server_name(server_name), trust, calendar())
    except HandshakeError as error:
        return Verdict(False, error.reason)
    return Verdict(True, f"valid now, for {server_name}, by an authority that is trusted; it has signed the handshake")
