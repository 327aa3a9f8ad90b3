"""Two managers over a pipe that loses, repeats and reorders: everything arrives exactly once, and nothing is left."""

from __future__ import annotations

from collections import defaultdict
from random import Random
from typing import Any

import pytest

from quicmini.errors import StreamReset, StreamStopped
from quicmini.streams.events import StreamFinished, StreamOpened
from quicmini.streams.manager import StreamManager
from quicmini.wire.builder import PacketBuilder
from quicmini.wire.frames import Frame, parse_frames
from tests.streams.pair import deliver, events, limits, manager

STREAMS = 30
Key = tuple[int, int]  # (who writes, stream ID)


class Side:
    """A manager, its application, and what its application saw."""

    def __init__(self, is_client: bool, random: Random) -> None:
        self.number = 0 if is_client else 1
        granted = limits(data=3000, stream=1000, streams=3)
        self.manager = manager(is_client=is_client, local=granted, remote=granted, send_buffer_size=700)
        self.random = random
        self.to_open = STREAMS
        self.writing: dict[int, bytes] = {}  # what is still to be written
        self.reading: set[int] = set()
        self.finished: list[int] = []

    def data(self) -> bytes:
        return self.random.randbytes(self.random.choice((0, 1, 50, 800, 5000)))


class Pipe:
    """Both sides and the packets between them, which are delivered in any order."""

    def __init__(self, seed: int, abrupt: bool) -> None:
        self.random = Random(seed)
        self.abrupt = abrupt
        self.sides = (Side(True, self.random), Side(False, self.random))
        self.flying: list[tuple[Side, list[Frame], list[Any]]] = []  # to whom, what, and the sender's records
        self.written: dict[Key, bytes] = {}
        self.received: defaultdict[Key, bytearray] = defaultdict(bytearray)
        self.ended: set[Key] = set()
        self.broken: set[Key] = set()

    def start(self, side: Side, stream_id: int, *, write: bool, read: bool) -> None:
        if write:
            side.writing[stream_id] = data = side.data()
            self.written[side.number, stream_id] = data
        if read:
            side.reading.add(stream_id)

    def open(self, side: Side) -> None:
        unidirectional = self.random.random() < 0.5
        stream_id = side.manager.open(unidirectional)
        if stream_id is not None:
            side.to_open -= 1
            self.start(side, stream_id, write=True, read=not unidirectional)

    def write(self, side: Side) -> None:
        stream_id = self.random.choice(list(side.writing))
        key = (side.number, stream_id)
        if self.abrupt and self.random.random() < 0.05:
            side.manager.reset(stream_id, 1)
            self.broken.add(key)
            del side.writing[stream_id]
            return
        data = side.writing[stream_id]
        part = data[: self.random.choice((1, 100, 10_000))]
        try:
            taken = side.manager.write(stream_id, part, len(part) == len(data))
        except StreamStopped:
            self.broken.add(key)
            del side.writing[stream_id]
            return
        side.writing[stream_id] = data[taken:]
        if taken == len(data):
            del side.writing[stream_id]

    def read(self, side: Side) -> None:
        stream_id = self.random.choice(list(side.reading))
        key = (1 - side.number, stream_id)
        if self.abrupt and self.random.random() < 0.02:
            side.manager.stop_sending(stream_id, 2)
            self.broken.add(key)
            side.reading.discard(stream_id)
            return
        try:
            data = side.manager.read(stream_id, self.random.choice((1, 300, 10_000)))
        except StreamReset:
            assert key in self.broken
            side.reading.discard(stream_id)
            return
        if data is not None:
            self.received[key] += data
            if not data:
                self.ended.add(key)
                side.reading.discard(stream_id)

    def send(self, side: Side) -> None:
        builder = PacketBuilder(self.random.choice((60, 500, 1170)))
        side.manager.write_frames(builder)
        if not builder.empty:
            other = self.sides[1 - side.number]
            self.flying.append((other, parse_frames(builder.payload()), builder.records))

    def arrive(self) -> None:
        receiver, sent, records = self.flying.pop(self.random.randrange(len(self.flying)))
        fate = self.random.random()
        if fate >= 0.25:
            deliver(receiver.manager, sent)
        if fate >= 0.9:
            deliver(receiver.manager, sent)
        lost = fate < 0.35  # 0.25 to 0.35: arrived, but the acknowledgment did not
        for record in records:
            if lost:
                record[0].on_lost(record)
            else:
                record[0].on_acked(record)

    def handle_events(self, side: Side) -> None:
        for event in events(side.manager):
            if isinstance(event, StreamOpened):
                self.start(side, event.stream_id, write=not event.stream_id & 2, read=True)
            elif isinstance(event, StreamFinished):
                side.finished.append(event.stream_id)

    def done(self) -> bool:
        return not self.flying and not any(
            side.to_open or side.writing or side.reading or side.manager.has_frames for side in self.sides
        )

    def run(self) -> None:
        for _ in range(500_000):
            if self.done():
                return
            side = self.random.choice(self.sides)
            if side.to_open and self.random.random() < 0.1:
                self.open(side)
            if side.writing:
                self.write(side)
            if side.reading:
                self.read(side)
            self.send(side)
            while len(self.flying) > 8 or (self.flying and self.random.random() < 0.5):
                self.arrive()
            for each in self.sides:
                self.handle_events(each)
        raise AssertionError("stuck")


def left_over(of: StreamManager) -> object:
    table, context = of._table, of._context
    return (
        table._sending,
        table._receiving,
        list(context.ready),
        context._starved,
        list(context.control.queue),
        context.unacknowledged,
        of.all_acknowledged,
    )


@pytest.mark.parametrize("abrupt", [False, True])
@pytest.mark.parametrize("seed", range(12))
def test_everything_arrives_exactly_once(seed: int, abrupt: bool) -> None:
    pipe = Pipe(seed, abrupt)
    pipe.run()
    for key, data in pipe.written.items():
        if key in pipe.broken:
            assert data.startswith(pipe.received[key])
        else:
            assert pipe.received[key] == data
            assert key in pipe.ended
    for side in pipe.sides:
        assert left_over(side.manager) == ({}, {}, [], {}, [], 0, True)
        assert sorted(side.finished) == sorted({stream_id for _, stream_id in pipe.written})
        context, other = side.manager._context, pipe.sides[1 - side.number].manager._context
        assert context.credit.used == other.window.received == other.window.consumed
