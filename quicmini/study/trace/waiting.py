"""Head-of-line blocking: when each message came, and when it could be read."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from quicmini.study.terminal import Ink
from quicmini.study.trace.frames import Span
from quicmini.study.trace.rows import CLIENT, Fate, Packet
from quicmini.study.trace.takes import Take

__all__ = ["Delivery", "blocking", "comparison", "deliveries"]

_BAR = 28  # columns for the longest wait


class Delivery(NamedTuple):
    """A message's way. Times in milliseconds.

    sent: when it was, for the first time. arrived: when the last of its bytes came. readable: when all that is before
    it on its stream was there as well (RFC 9000 §2.2). lost: it had to be sent again.
    """

    sent: float
    arrived: float
    readable: float
    lost: bool

    @property
    def waited(self) -> float:
        """How long it lay there and could not be read."""
        return self.readable - self.arrived


def deliveries(take: Take, messages: Sequence[Span]) -> list[Delivery]:
    """What became of the client's messages, each some bytes of a stream. ValueError for one that did not come."""
    return [_delivery(take.packets(CLIENT), message) for message in messages]


def blocking(apart: Sequence[Delivery], together: Sequence[Delivery]) -> str | None:
    """A sentence about who waited for the lost message: nobody where each has a stream of its own, all after it where
    they share one. None if that is not what happened.
    """
    lost = [index for index, each in enumerate(apart) if each.lost]
    if len(lost) != 1 or lost != [index for index, each in enumerate(together) if each.lost]:
        return None
    after = range(lost[0] + 1, len(together))
    if any(each.waited > 0 for each in apart) or not all(together[index].waited > 0 for index in after):
        return None
    longest = max(together[index].waited for index in after)
    return (
        f"message {lost[0] + 1} was lost both times; on one stream the {len(after)} messages after it waited for it, "
        f"for {longest:.1f} ms at most, and on streams of their own none did."
    )


def _delivery(packets: list[Packet], message: Span) -> Delivery:
    carriers = [packet for packet in packets if any(_overlap(span, message) for span in packet.spans)]
    before = message._replace(start=0)
    return Delivery(
        min((packet.time for packet in carriers), default=0.0),
        _complete(packets, message),
        _complete(packets, before),
        any(packet.fate is Fate.LOST for packet in carriers),
    )


def _complete(packets: list[Packet], wanted: Span) -> float:
    """When the last of these bytes came."""
    missing = {(wanted.start, wanted.stop)}
    for packet in sorted(packets, key=lambda packet: packet.arrival or 0.0):
        for span in packet.spans:
            if packet.arrival is not None and span.stream == wanted.stream:
                missing = {piece for gap in missing for piece in _without(gap, span)}
                if not missing:
                    return packet.arrival
    raise ValueError(f"{wanted} did not arrive")


def _without(gap: tuple[int, int], span: Span) -> Iterator[tuple[int, int]]:
    start, stop = gap
    if span.start > start:
        yield start, min(stop, span.start)
    if span.stop < stop:
        yield max(start, span.stop), stop


def _overlap(one: Span, other: Span) -> bool:
    return one.stream == other.stream and one.start < other.stop and other.start < one.stop


def comparison(columns: dict[str, list[Delivery]], ink: Ink) -> Iterator[str]:
    """The messages of several takes side by side, as bars: on the way, and waiting for another message."""
    longest = max(each.readable - each.sent for found in columns.values() for each in found)
    width = _BAR + 16
    yield ink("title", "When each message could be read: milliseconds after it was sent")
    yield "           " + "".join(f"{name:<{width}}" for name in columns).rstrip()
    for index, row in enumerate(zip(*columns.values(), strict=True)):
        yield f"message {index + 1}  " + "".join(_bar(each, longest, width, ink) for each in row).rstrip()
    yield ink("faint", "░ on its way   █ it is there, and cannot be read: what is before it on its stream is missing")


def _bar(each: Delivery, longest: float, width: int, ink: Ink) -> str:
    way = max(round((each.arrived - each.sent) / longest * _BAR), 1)
    wait = round(each.waited / longest * _BAR)
    text = f" {each.readable - each.sent:.1f}{' lost' if each.lost else ''}"
    blank = " " * (width - way - wait - len(text))
    return ink("faint", "░" * way) + ink("bad", "█" * wait) + (ink("bad", text) if each.lost else text) + blank
