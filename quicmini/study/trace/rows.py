"""What a diagram consists of, from top to bottom: packets, and notes about what a side does or finds out."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import NamedTuple

from quicmini.study.trace.frames import Span

__all__ = ["CLIENT", "SERVER", "Again", "Fate", "Note", "Packet", "Recovery", "Row", "other"]

CLIENT, SERVER = "client", "server"


def other(side: str) -> str:
    """The peer of a side."""
    return SERVER if side == CLIENT else CLIENT


class Fate(Enum):
    """What became of a packet, as far as the logs tell."""

    UNKNOWN = "unknown"
    ARRIVED = "arrived"
    LOST = "lost"


class Recovery(NamedTuple):
    """A sender's view of the path (RFC 9002 §A.3, §B.2): bytes, milliseconds; None as long as it is not said."""

    window: int | None = None
    in_flight: int | None = None
    rtt: float | None = None


class Again(NamedTuple):
    """Data that was sent before, and the packet that it was sent in first."""

    span: Span
    first: Packet


@dataclass(slots=True, eq=False)
class Packet:
    """A packet on its way. Times in milliseconds, sizes in bytes.

    time: when it was sent; where only its receiver has a log: when it came. arrival: when it came, None where that is
    not in a log. acknowledged: its sender knows that it came. declared_lost: its sender takes it for lost. missing: by
    its receiver's log it did not come. dropped: it came, and was of no use. phase: of the 1-RTT keys (RFC 9001 §6).
    """

    time: float
    sender: str
    kind: str
    number: int | None = None
    size: int = 0
    texts: list[str] = field(default_factory=list)
    kinds: frozenset[str] = frozenset()
    spans: list[Span] = field(default_factory=list)
    phase: int | None = None
    version: str = ""
    arrival: float | None = None
    seen_leaving: bool = True
    acknowledged: bool = False
    declared_lost: bool = False
    missing: bool = False
    dropped: bool = False
    again: list[Again] = field(default_factory=list)
    recovery: Recovery | None = None

    @property
    def name(self) -> str:
        """As it is spoken of: 1RTT 7."""
        return self.kind if self.number is None else f"{self.kind} {self.number}"

    @property
    def fate(self) -> Fate:
        if self.arrival is not None or self.acknowledged or self.dropped:
            return Fate.ARRIVED
        return Fate.LOST if self.declared_lost or self.missing else Fate.UNKNOWN


@dataclass(slots=True, eq=False)
class Note:
    """Something that is no packet. meaning: its colour (`Ink`). detail: only shown to those who want to see everything.

    lost: the packets that the side has declared lost, all at once; why: which rule said so.
    """

    time: float
    side: str
    text: str
    meaning: str = "value"
    detail: bool = False
    lost: list[Packet] = field(default_factory=list)
    why: str = ""


Row = Packet | Note
