"""The sentence for each way in which a probe can fail."""

from __future__ import annotations

import pytest

from quicmini.errors import (
    HandshakeError,
    IdleTimeoutError,
    StatelessResetError,
    TransportError,
    TransportErrorCode,
    VersionNegotiationError,
)
from quicmini.study.probe.problems import explain
from quicmini.sync.inquiry import Answer

ANSWER = Answer(("192.0.2.1", 443), (1,), 0.01, 1200, (1200,))


@pytest.mark.parametrize(
    ("error", "answer", "start"),
    [
        (ConnectionRefusedError(111, "refused"), None, "nobody listens on UDP host:443 (ICMP: port unreachable)"),
        (HandshakeError(0x100 + 120, "", remote=True), ANSWER, "host:443 speaks none of the application protocols"),
        (HandshakeError(0x100 + 40, "no", remote=True), ANSWER, "the handshake with host:443 failed: the peer closed"),
        (VersionNegotiationError(), ANSWER, "host:443 speaks another version of QUIC: the server speaks none"),
        (TimeoutError(), None, "no answer from UDP host:443"),
        (TimeoutError(), ANSWER, "host:443 tells its versions, but does not answer the handshake"),
        (IdleTimeoutError(), ANSWER, "host:443 tells its versions, but does not answer the handshake"),
        (StatelessResetError(), None, "the handshake with host:443 failed: the peer no longer knows"),
        (
            TransportError(TransportErrorCode.CONNECTION_REFUSED, remote=True),
            None,
            "the handshake with host:443 failed",
        ),
        (OSError(101, "Network is unreachable"), None, "cannot reach host:443: Network is unreachable; check"),
        (OSError("host has no address"), None, "cannot reach host:443: host has no address; check"),
    ],
)
def test_each_failure_has_a_sentence(error: Exception, answer: Answer | None, start: str) -> None:
    sentence = explain(error, "host:443", ("h3",), answer)
    assert sentence.startswith(start)
    assert "\n" not in sentence


def test_what_the_server_says_has_no_effect_on_a_terminal() -> None:
    error = TransportError(0x0A, "\x1b]0;title\x07", remote=True)
    assert r"(\x1b]0;title\x07)" in explain(error, "host:443", ("h3",), None)
