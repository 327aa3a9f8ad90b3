"""ControlFrames: made when sent, made anew when lost."""

from __future__ import annotations

from quicmini.streams.control import ControlFrames
from quicmini.wire.builder import PacketBuilder
from tests.streams.pair import acknowledge, lose


class Source:
    """Makes frames of one byte: how often it was asked."""

    def __init__(self) -> None:
        self.made = 0
        self.arrived = 0
        self.needed = True

    def frame(self) -> bytes | None:
        self.made += 1
        return bytes((self.made,)) if self.needed else None

    def acked(self) -> None:
        self.arrived += 1


def written(control: ControlFrames, room: int = 100) -> PacketBuilder:
    builder = PacketBuilder(room)
    control.write(builder)
    return builder


def test_asked_twice_sent_once() -> None:
    control, source = ControlFrames(), Source()
    control.request(source.frame)
    control.request(source.frame)
    assert written(control).parts == [b"\x01"]
    assert written(control).empty
    control.request(source.frame)
    assert written(control).parts == [b"\x02"]


def test_lost_frame_is_made_anew() -> None:
    control, source = ControlFrames(), Source()
    control.request(source.frame, source.acked)
    lose(written(control).records)
    again = written(control)
    assert again.parts == [b"\x02"]
    acknowledge(again.records)
    assert source.arrived == 1


def test_no_longer_needed() -> None:
    control, source = ControlFrames(), Source()
    control.request(source.frame)
    records = written(control).records
    source.needed = False
    lose(records)
    assert written(control).empty
    assert not control.queue


def test_waits_for_room() -> None:
    control, first, second = ControlFrames(), Source(), Source()
    control.request(first.frame)
    control.request(second.frame)
    assert written(control, room=63).empty  # NEW_CONNECTION_ID and NEW_TOKEN nearly fill 64 bytes
    assert written(control, room=64).parts == [b"\x01"]
    assert (first.made, second.made) == (1, 0)
    assert written(control).parts == [b"\x01"]


def test_close_is_for_good() -> None:
    control, source = ControlFrames(), Source()
    control.request(source.frame)
    records = written(control).records
    control.request(source.frame)
    control.close()
    lose(records)
    assert not control.queue
