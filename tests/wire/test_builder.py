from __future__ import annotations

import pytest

from quicmini.wire.builder import PacketBuilder, Record


class Owner:
    """Remembers what comes back to it."""

    def __init__(self) -> None:
        self.acked: list[Record] = []
        self.lost: list[Record] = []

    def on_acked(self, record: Record) -> None:
        self.acked.append(record)

    def on_lost(self, record: Record) -> None:
        self.lost.append(record)


def test_empty() -> None:
    builder = PacketBuilder(100)
    assert builder.empty
    assert builder.payload() == b""
    assert builder.room == 100
    assert not builder.ack_eliciting


def test_ack_asks_for_no_ack() -> None:
    builder = PacketBuilder(10)
    builder.add_non_eliciting(b"ack")
    assert not builder.ack_eliciting
    assert not builder.empty
    assert builder.room == 7


def test_frames_in_order_with_their_records() -> None:
    owner = Owner()
    builder = PacketBuilder(10)
    builder.add_non_eliciting(b"ack", (owner, 1))
    builder.add(b"stream", (owner, 2))
    builder.add(b"p")
    assert builder.ack_eliciting
    assert not builder.empty
    assert builder.payload() == b"ackstreamp"
    assert builder.room == 0
    assert builder.records == [(owner, 1), (owner, 2)]


def test_what_does_not_fit_is_refused() -> None:
    builder = PacketBuilder(4)
    builder.add(b"1234")
    with pytest.raises(ValueError, match="1 bytes too long"):
        builder.add(b"5")


def test_records_go_back_to_their_owner() -> None:
    owner = Owner()
    builder = PacketBuilder(10)
    builder.add(b"a", (owner, "a"))
    builder.add(b"b", (owner, "b"))
    acked, lost = builder.records
    acked[0].on_acked(acked)
    lost[0].on_lost(lost)
    assert owner.acked == [(owner, "a")]
    assert owner.lost == [(owner, "b")]
