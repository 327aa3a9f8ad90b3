"""Long transfers in few lines: of packets with nothing but data and acknowledgements, the first and last are shown."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field

from quicmini.study.trace.frames import range_text
from quicmini.study.trace.rows import CLIENT, Fate, Note, Packet, Row

__all__ = ["Elider", "Prologue", "Run"]

# How many of a run's packets are shown at its beginning and at its end.
FIRST, LAST = 6, 2

# How many packets there must be between them for a line that stands for them.
LEAST = 5

# Milliseconds without a packet, after which something new begins.
PAUSE = 250.0

_ORDINARY = frozenset({"stream", "ack", "padding", "datagram", "max_data", "max_stream_data", "ping"})


@dataclass
class Run:
    """Packets that are not shown one by one."""

    packets: list[Packet] = field(default_factory=list)

    def texts(self) -> Iterator[str]:
        """A line for each direction."""
        for arrow, from_client in (("─▶", True), ("◀─", False)):
            packets = [packet for packet in self.packets if (packet.sender == CLIENT) is from_client]
            if packets:
                yield _summary(packets, arrow)


def _summary(packets: list[Packet], arrow: str) -> str:
    numbers = [packet.number for packet in packets if packet.number is not None]
    size = sum(span.stop - span.start for packet in packets for span in packet.spans)
    streams = {span.stream for packet in packets for span in packet.spans if span.stream is not None}
    count = f"{len(packets)} more packet{'s' if len(packets) > 1 else ''} {arrow}"
    parts = [f"{count} {packets[0].kind} {range_text(min(numbers), max(numbers))}" if numbers else count]
    if streams:
        where = f"stream {min(streams)}" if len(streams) == 1 else f"{len(streams)} streams"
        parts.append(f"{size:,} bytes on {where}")
    else:
        parts.append("ACK")
    return ", ".join(parts)


@dataclass
class Prologue:
    """A handshake that is not shown packet by packet."""

    rows: list[Row]

    def texts(self) -> Iterator[str]:
        """One line."""
        packets = [row for row in self.rows if isinstance(row, Packet)]
        there = sum(packet.sender == CLIENT for packet in packets)
        yield f"the handshake: {there} packets ─▶, {len(packets) - there} packets ◀─ (in full: --all)"


class Elider:
    """Passes rows on; of long runs of ordinary ones a `Run` instead of most of them."""

    def __init__(self) -> None:
        self._seen = 0  # ordinary ones in a row
        self._time = 0.0  # of the last one
        self._run = Run()
        self._last: deque[Packet] = deque()

    def feed(self, row: Row) -> Iterator[Row | Run]:
        """What can be shown now."""
        if isinstance(row, Note) and row.detail:
            return
        if not isinstance(row, Packet) or not _is_ordinary(row):
            yield from self.flush()
            self._seen = 0
            yield row
            return
        if row.time - self._time > PAUSE:
            yield from self.flush()
            self._seen = 0
        self._time = row.time
        self._seen += 1
        if self._seen <= FIRST:
            yield row
            return
        self._last.append(row)
        if len(self._last) > LAST:
            self._run.packets.append(self._last.popleft())

    @property
    def held(self) -> int:
        """How many packets are not shown yet."""
        return len(self._run.packets) + len(self._last)

    def flush(self) -> Iterator[Row | Run]:
        """What was held back."""
        if len(self._run.packets) >= LEAST:
            yield self._run
        else:  # a line about them would save none
            yield from self._run.packets
        yield from self._last
        self._run = Run()
        self._last.clear()


def _is_ordinary(packet: Packet) -> bool:
    return packet.kind == "1RTT" and packet.fate is not Fate.LOST and not packet.again and packet.kinds <= _ORDINARY
