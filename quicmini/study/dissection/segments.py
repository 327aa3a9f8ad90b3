"""Several datagrams in one: what a capture has where the sender hands many to the kernel in one call (UDP_SEGMENT).

Captures on the sender's machine, and of the loopback interface, see them before they are cut apart. All have the same
size but for the last, and only the first packet with a short header that opens with a size tells which.
"""

from __future__ import annotations

from collections.abc import Iterator

__all__ = ["Segments"]

_MAX_SEGMENTS = 128  # that Linux takes in one call
_SMALLEST = 21  # bytes: less is no packet with a short header (RFC 9001 §5.4.2)

_MAX_IN_VAIN = 500_000
"""Sizes that are tried in vain, before only those are that have been found: that takes some seconds."""


class Segments:
    """The sizes that have been found so far, and the right to look for more."""

    def __init__(self) -> None:
        self._known: list[int] = []  # the latest first
        self._in_vain = 0

    def sizes(self, total: int) -> Iterator[int]:
        """What the first of several datagrams may measure that have `total` bytes together, the likeliest first."""
        yield from (size for size in tuple(self._known) if size < total)
        if self._in_vain < _MAX_IN_VAIN:
            others = range(max(_SMALLEST, total // _MAX_SEGMENTS), total)
            yield from others
            self._in_vain += len(others)  # whoever has found one does not come back

    def found(self, size: int) -> None:
        """This is one of them."""
        if size in self._known:
            self._known.remove(size)
        self._known.insert(0, size)
