"""How a connection ends (RFC 9000 §10)."""

from __future__ import annotations

import pytest

from quicmini.connection.lifecycle import MAX_REASON_LENGTH, Lifecycle, error_of
from quicmini.connection.state import ConnectionState
from quicmini.errors import (
    ApplicationError,
    ConnectionClosed,
    ConnectionClosedOK,
    HandshakeError,
    IdleTimeoutError,
    TransportError,
    TransportErrorCode,
)
from quicmini.wire.frames import ConnectionClose


def test_closing_lasts_three_probe_timeouts() -> None:
    lifecycle = Lifecycle()
    lifecycle.close(ConnectionClosedOK(), now=10.0, pto=0.5)
    assert lifecycle.state is ConnectionState.CLOSING
    assert lifecycle.close_pending
    assert lifecycle.deadline == 11.5


def test_the_first_reason_counts() -> None:
    lifecycle = Lifecycle()
    first = ApplicationError(7)
    lifecycle.close(first, 0.0, 1.0)
    lifecycle.close(ApplicationError(8), 0.0, 1.0)
    lifecycle.drain(ApplicationError(9, remote=True), 0.0, 1.0)
    assert lifecycle.error is first
    assert lifecycle.state is ConnectionState.DRAINING
    assert not lifecycle.close_pending


def test_nothing_is_sent_while_draining() -> None:
    lifecycle = Lifecycle()
    lifecycle.drain(ConnectionClosedOK(remote=True), 0.0, 1.0)
    for _ in range(10):
        lifecycle.on_datagram(2.0)
    assert not lifecycle.close_pending
    assert lifecycle.deadline == 3.0


def test_answers_while_closing_back_off() -> None:
    """RFC 9000 §10.2.1: a decreasing rate, here the 1st, 3rd, 7th, 15th … datagram."""
    lifecycle = Lifecycle()
    lifecycle.close(ConnectionClosedOK(), 0.0, 1.0)
    answered = []
    for number in range(1, 40):
        lifecycle.close_pending = False
        lifecycle.on_datagram(1.0)
        if lifecycle.close_pending:
            answered.append(number)
    assert answered == [1, 3, 7, 15, 31]


def test_what_was_under_way_already_is_not_answered() -> None:
    """Within a probe timeout nobody can have missed the CONNECTION_CLOSE."""
    lifecycle = Lifecycle()
    lifecycle.close(ConnectionClosedOK(), 10.0, 1.0)
    lifecycle.close_pending = False
    lifecycle.on_datagram(10.99)
    assert not lifecycle.close_pending
    lifecycle.on_datagram(11.0)
    assert lifecycle.close_pending


def test_termination_is_final() -> None:
    lifecycle = Lifecycle()
    error = IdleTimeoutError()
    lifecycle.terminate(error)
    lifecycle.close(ConnectionClosedOK(), 0.0, 1.0)
    lifecycle.drain(ConnectionClosedOK(), 0.0, 1.0)
    assert lifecycle.state is ConnectionState.TERMINATED
    assert lifecycle.error is error
    assert lifecycle.deadline is None


@pytest.mark.parametrize(
    ("error", "in_application_data", "in_handshake"),
    [
        (ApplicationError(7, "why"), (7, None, "why"), (TransportErrorCode.APPLICATION_ERROR, 0, "")),
        (ConnectionClosedOK(0, "bye"), (0, None, "bye"), (TransportErrorCode.APPLICATION_ERROR, 0, "")),
        (TransportError(3, "too much", 8), (3, 8, "too much"), (3, 8, "too much")),
        (HandshakeError(0x12A, "expired", 6), (0x12A, 6, "expired"), (0x12A, 6, "expired")),
    ],
)
def test_what_the_frame_says(
    error: ConnectionClosed,
    in_application_data: tuple[int, int | None, str],
    in_handshake: tuple[int, int | None, str],
) -> None:
    lifecycle = Lifecycle()
    lifecycle.close(error, 0.0, 1.0)
    assert lifecycle.close_frame(application_data=True) == in_application_data
    assert lifecycle.close_frame(application_data=False) == in_handshake


def test_a_long_reason_is_cut_between_characters() -> None:
    lifecycle = Lifecycle()
    lifecycle.close(ApplicationError(1, "€" * 1000), 0.0, 1.0)
    reason = lifecycle.close_frame(application_data=True).reason
    assert reason == "€" * (MAX_REASON_LENGTH // 3)


def test_a_reason_that_no_bytes_can_say_is_sent_all_the_same() -> None:
    """A file name with bytes that are no UTF-8, in an exception's text, must not keep the peer from hearing."""
    lifecycle = Lifecycle()
    lifecycle.close(ApplicationError(1, "no such file: \udcff"), 0.0, 1.0)
    assert lifecycle.close_frame(application_data=True).reason == "no such file: ?"


@pytest.mark.parametrize(
    ("frame", "kind"),
    [
        (ConnectionClose(0, None, "bye"), ConnectionClosedOK),
        (ConnectionClose(9, None, "no"), ApplicationError),
        (ConnectionClose(0, 0, ""), ConnectionClosedOK),
        (ConnectionClose(10, 8, "wrong"), TransportError),
        (ConnectionClose(0x178, 6, "alpn"), HandshakeError),
    ],
)
def test_what_the_peers_frame_means(frame: ConnectionClose, kind: type[ConnectionClosed]) -> None:
    error = error_of(frame)
    assert type(error) is kind
    assert error.remote
    assert (error.error_code, error.reason) == (frame.error_code, frame.reason)
