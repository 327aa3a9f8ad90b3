"""One sending part with the connection around it: what the tests of `streams.send` share."""

from __future__ import annotations

from quicmini.streams.context import StreamContext
from quicmini.streams.send import SendStream
from quicmini.wire.builder import PacketBuilder
from quicmini.wire.frames import Frame, parse_frames
from tests.streams.pair import Exact, acknowledge, lose

ID = 8


class Bench:
    """One stream, the connection around it, and the packets that were sent."""

    def __init__(
        self, limit: int = 1000, credit: int = 1000, send_buffer_size: int = 1000, send_buffer_total: int = 10**6
    ) -> None:
        self.ended: list[int] = []
        self.context = StreamContext(1000, send_buffer_size, send_buffer_total)
        self.context.raise_credit(credit)
        self.stream = SendStream(ID, limit, self.context, self.ended.append)
        self.packets: list[PacketBuilder] = []

    def send(self, room: int = 1170) -> Exact[Frame]:
        """The frames of the next packet."""
        builder = PacketBuilder(room)
        self.context.write_frames(builder)
        self.packets.append(builder)
        return Exact(parse_frames(builder.payload()))

    def acknowledge(self, index: int = -1) -> None:
        acknowledge(self.packets.pop(index).records)

    def lose(self, index: int = -1) -> None:
        lose(self.packets.pop(index).records)

    def write(self, data: bytes = b"hello", fin: bool = False) -> None:
        self.stream.write(data, fin)

    def finish(self) -> None:
        self.stream.write(b"", True)

    def reset(self) -> None:
        self.stream.reset(7)

    def stop(self) -> None:
        self.stream.on_stop_sending(9)

    def send_all(self) -> None:
        self.send()

    def lose_all(self) -> None:
        while self.packets:
            self.lose(0)

    def acknowledge_all(self) -> None:
        while self.packets:
            self.acknowledge(0)
