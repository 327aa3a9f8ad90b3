"""The idle timeout and the keep-alive (RFC 9000 §10.1)."""

from __future__ import annotations

import pytest

from quicmini.connection.timers import HANDSHAKE_TIMEOUT, IdleTimer


@pytest.mark.parametrize(
    ("ours", "theirs", "negotiated"), [(30, 10, 10), (10, 30, 10), (30, 0, 30), (0, 30, 30), (0, 0, 0)]
)
def test_the_smaller_timeout_counts_and_zero_is_none(ours: float, theirs: float, negotiated: float) -> None:
    timer = IdleTimer(ours, None, now=0.0)
    timer.negotiate(theirs)
    timer.on_handshake_complete()
    assert timer.timeout == negotiated
    assert timer.deadline(0.1) == (negotiated or None)


def test_three_probe_timeouts_are_always_waited_for() -> None:
    assert IdleTimer(1.0, None, now=5.0).deadline(2.0) == 11.0


def test_only_the_first_packet_sent_since_one_was_received_restarts_it() -> None:
    timer = IdleTimer(10.0, None, now=0.0)
    timer.on_ack_eliciting_sent(3.0)
    timer.on_ack_eliciting_sent(8.0)
    assert timer.deadline(0.1) == 13.0
    timer.on_packet_received(9.0)
    assert timer.deadline(0.1) == 19.0
    timer.on_ack_eliciting_sent(9.5)
    assert timer.deadline(0.1) == 19.5


@pytest.mark.parametrize(("interval", "timeout", "due"), [(5, 30, 5), (29, 30, 15), (20, 0, 20)])
def test_keep_alive_is_never_later_than_half_the_timeout(interval: float, timeout: float, due: float) -> None:
    assert IdleTimer(timeout, interval, now=0.0).keep_alive_deadline() == due


def test_without_an_interval_there_is_no_keep_alive() -> None:
    assert IdleTimer(30.0, None, now=0.0).keep_alive_deadline() is None


def test_one_unanswered_ping_is_enough() -> None:
    timer = IdleTimer(30.0, 5.0, now=0.0)
    timer.on_ack_eliciting_sent(5.0)
    assert timer.keep_alive_deadline() is None
    timer.on_packet_received(5.1)
    assert timer.keep_alive_deadline() == pytest.approx(10.1)


def test_a_ping_that_cannot_be_sent_is_asked_for_once() -> None:
    """Its deadline would stay in the past, and whoever waits for it would never sleep."""
    timer = IdleTimer(30.0, 5.0, now=0.0)
    timer.on_keep_alive()
    assert timer.keep_alive_deadline() is None
    assert timer.deadline(0.1) == 30.0
    timer.on_packet_received(5.1)
    assert timer.keep_alive_deadline() == pytest.approx(10.1)


def test_a_handshake_has_its_time() -> None:
    """RFC 9000 §21.6: however often the peer is heard."""
    timer = IdleTimer(20.0, None, now=0.0)
    for second in range(int(HANDSHAKE_TIMEOUT)):
        timer.on_packet_received(second)
        assert timer.expired(second, 0.1) == ""
    assert timer.deadline(0.1) == timer.soonest == HANDSHAKE_TIMEOUT
    assert "handshake" in timer.expired(HANDSHAKE_TIMEOUT, 0.1)


@pytest.mark.parametrize(("timeout", "patience"), [(0.0, HANDSHAKE_TIMEOUT), (5.0, 5.0), (100.0, 100.0)])
def test_who_never_gives_up_does_so_in_the_handshake(timeout: float, patience: float) -> None:
    timer = IdleTimer(timeout, None, now=0.0)
    assert timer.deadline(0.1) == timer.soonest == patience
    timer.on_handshake_complete()
    assert timer.deadline(0.1) == (timeout or None)
