"""Which packet carried which bytes first: so that a diagram can say what is sent again."""

from __future__ import annotations

from bisect import bisect_right

from quicmini.study.trace.frames import Span
from quicmini.study.trace.rows import Again, Packet

__all__ = ["History"]

_Key = tuple[str, str]


class History:
    """The bytes that each side has sent on each stream, and in the CRYPTO frames of each packet number space.

    For each of them two lists side by side: where a piece of the data begins, and where it ends and in which packet
    it was. Pieces are in order and do not overlap.
    """

    def __init__(self) -> None:
        self._starts: dict[_Key, list[int]] = {}
        self._pieces: dict[_Key, list[tuple[int, Packet]]] = {}

    def add(self, packet: Packet, space: str) -> list[Again]:
        """Note what a packet carries; what of it was sent before."""
        again: list[Again] = []
        for span in packet.spans:
            again += self._add_span(packet, span, space)
        return again

    def _add_span(self, packet: Packet, span: Span, space: str) -> list[Again]:
        key = packet.sender, f"stream {span.stream}" if span.stream is not None else f"crypto {space}"
        starts, pieces = self._starts.setdefault(key, []), self._pieces.setdefault(key, [])
        at = max(bisect_right(starts, span.start) - 1, 0)
        if at < len(starts) and pieces[at][0] <= span.start:
            at += 1
        again: list[Again] = []
        start = span.start
        while start < span.stop:
            if at == len(starts) or starts[at] >= span.stop:
                stop = span.stop
            elif starts[at] > start:
                stop = starts[at]
            else:
                end, first = pieces[at]
                stop = min(end, span.stop)
                again.append(Again(span._replace(start=start, stop=stop), first))
                start, at = stop, at + 1
                continue
            starts.insert(at, start)
            pieces.insert(at, (stop, packet))
            start, at = stop, at + 1
        return _joined(again)


def _joined(found: list[Again]) -> list[Again]:
    """Neighbours from one packet as one."""
    joined: list[Again] = []
    for each in found:
        last = joined[-1] if joined else None
        if last is not None and last.first is each.first and last.span.stop == each.span.start:
            joined[-1] = Again(last.span._replace(stop=each.span.stop), each.first)
        else:
            joined.append(each)
    return joined
