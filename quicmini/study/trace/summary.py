"""A story in two lines: how much went which way, how much of it was lost, and how much was sent twice."""

from __future__ import annotations

from collections.abc import Iterator

from quicmini.study.terminal import Ink
from quicmini.study.trace.rows import CLIENT, SERVER, Fate, Packet
from quicmini.study.trace.story import Story

__all__ = ["LEGEND", "summary"]

LEGEND = (
    "▶ arrived, after + ms   ✗ lost   ▷ nobody knows   ↻ sent again   STREAM 4[0:9]: its bytes 0 to 8",
    "cwnd, in flight: bytes; rtt: milliseconds, smoothed; all three as the side knows them that sends",
)


def summary(story: Story, ink: Ink) -> Iterator[str]:
    """The lines."""
    for side in (CLIENT, SERVER):
        packets = [row for row in story.rows if isinstance(row, Packet) and row.sender == side]
        lost = sum(packet.fate is Fate.LOST for packet in packets)
        again = sum(each.span.stop - each.span.start for packet in packets for each in packet.again)
        parts = [
            f"{len(packets):,} packets",
            f"{sum(packet.size for packet in packets):,} bytes",
            ink("bad", f"{lost:,} lost") if lost else "none lost",
            f"{again:,} bytes of data sent again" if again else "nothing sent again",
        ]
        if packets:
            yield f"{ink(side, f'from the {side}:')} {', '.join(parts)}"
