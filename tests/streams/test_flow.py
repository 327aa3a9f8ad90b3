"""Flow control, with figures worked out by hand."""

from __future__ import annotations

import pytest

from quicmini.errors import TransportError, TransportErrorCode
from quicmini.streams.flow import ReceiveWindow, SendCredit
from quicmini.wire.varint import MAX_VARINT


def test_credit_only_grows() -> None:
    credit = SendCredit(100)
    assert credit.raise_limit(150)
    assert not credit.raise_limit(150)
    assert not credit.raise_limit(20)
    assert credit.limit == 150


def test_limit_is_included() -> None:
    window = ReceiveWindow(100)
    window.receive(100, 0x08)
    with pytest.raises(TransportError) as caught:
        window.receive(1, 0x08)
    assert caught.value.error_code == TransportErrorCode.FLOW_CONTROL_ERROR
    assert caught.value.frame_type == 0x08


def test_half_a_window() -> None:
    window = ReceiveWindow(100)
    window.receive(100, 0x08)
    assert not window.consume(49, drained=False)
    assert window.consume(1, drained=False)
    assert window.announce() == 150
    assert not window.consume(49, drained=False)
    assert window.consume(1, drained=True)
    assert window.announce() == 200


def test_drained_reader_beside_unread_data() -> None:
    """80 of 100 bytes lie unread elsewhere: a reader of the rest may never reach half a window."""
    window = ReceiveWindow(100)
    window.receive(80, 0x08)
    window.receive(9, 0x08)
    assert not window.consume(9, drained=True)  # the peer has 11 left
    window.receive(1, 0x08)
    assert not window.consume(1, drained=False)  # more to read: it will come back
    assert window.consume(0, drained=True)  # 10 read, 10 left
    assert window.announce() == 110


def test_growth_on_request() -> None:
    window = ReceiveWindow(100)
    can_grow = [window.can_grow]
    window.receive(1, 0x08)
    window.consume(1, drained=True)
    can_grow.append(window.can_grow)
    assert window.announce() == 101
    can_grow.append(window.can_grow)
    assert can_grow == [False, True, False]


def test_limit_stays_a_varint() -> None:
    window = ReceiveWindow(MAX_VARINT)
    window.receive(10, 0x08)
    window.consume(10, drained=True)
    assert window.announce() == MAX_VARINT


def test_no_window_at_all() -> None:
    window = ReceiveWindow(0)
    window.receive(0, 0x08)
    with pytest.raises(TransportError):
        window.receive(1, 0x08)
