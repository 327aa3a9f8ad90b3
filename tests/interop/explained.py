"""Cells of the matrix that are not green, and cannot be made so from this side: the reason, and what shows it."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from quicmini.wire.frames import Ack
from quicmini.wire.packet import PacketType
from tests.interop.dissect import Packet
from tests.interop.result import Result

__all__ = ["EXPLAINED", "Explanation", "mark"]

Cell = tuple[str, str, str]  # case, client, server


class Explanation(NamedTuple):
    """reason: a fact about the other implementation. problems: what its packets show; nothing else is explained.
    shows: finds the packet that shows it, which is printed."""

    reason: str
    problems: frozenset[str]
    shows: Callable[[list[Packet]], Packet | None]


def _unmarked_ack(*, to_server: bool) -> Callable[[list[Packet]], Packet | None]:
    """An unmarked 1-RTT packet of that direction, with an ACK that reports no marks."""

    def shows(packet: Packet) -> bool:
        without_counts = any(isinstance(frame, Ack) and frame.ecn is None for frame in packet.frames or ())
        here = packet.to_server == to_server and packet.packet_type is PacketType.ONE_RTT
        return here and without_counts and not packet.captured.ecn

    return lambda packets: next(filter(shows, packets), None)


def _first_to_a_new_address(packets: list[Packet]) -> Packet | None:
    first = packets[0].captured.path
    return next((packet for packet in packets if not packet.to_server and packet.captured.path != first), None)


def _encrypted_extensions(packets: list[Packet]) -> Packet | None:
    """The server's transport parameters are in its first Handshake packet."""
    its = (packet for packet in packets if not packet.to_server and packet.packet_type is PacketType.HANDSHAKE)
    return next(its, None)


_NO_ECN = "aioquic 1.7 does not know ECN: it sends its packets unmarked, and ACK frames of type 0x02 only"

_ACK_FIRST = Explanation(
    "aioquic 1.7, when its congestion window is full, acknowledges on the new path before it challenges it there",
    frozenset({"the first datagram to a new address has no PATH_CHALLENGE"}),
    _first_to_a_new_address,
)

_NO_PREFERENCE = Explanation(
    "an aioquic 1.7 server has no preferred address to announce, so that nobody moves",
    frozenset(
        {
            "the server announces no preferred address",
            "the server saw one path only",
            "the client stayed where it was",
        }
    ),
    _encrypted_extensions,
)

EXPLAINED: dict[Cell, Explanation] = {
    ("connectionmigration", "quicmini", "aioquic"): _NO_PREFERENCE,
    ("connectionmigration", "aioquic", "aioquic"): _NO_PREFERENCE,
    ("rebind-port", "quicmini", "aioquic"): _ACK_FIRST,
    ("rebind-addr", "quicmini", "aioquic"): _ACK_FIRST,
    ("rebind-port", "aioquic", "aioquic"): _ACK_FIRST,
    ("rebind-addr", "aioquic", "aioquic"): _ACK_FIRST,
    ("ecn", "quicmini", "aioquic"): Explanation(
        _NO_ECN,
        frozenset({"the server marks no packet", "the client never reports marks", "the server never reports marks"}),
        _unmarked_ack(to_server=False),
    ),
    ("ecn", "aioquic", "quicmini"): Explanation(
        _NO_ECN,
        frozenset({"the client marks no packet", "the client never reports marks", "the server never reports marks"}),
        _unmarked_ack(to_server=True),
    ),
    ("ecn", "aioquic", "aioquic"): Explanation(
        _NO_ECN,
        frozenset(
            f"the {side} {problem}"
            for side in ("client", "server")
            for problem in ("marks no packet", "never reports marks")
        ),
        _unmarked_ack(to_server=False),
    ),
}


def mark(result: Result) -> str:
    """What the matrix says of a cell: ok, explained, or FAILED."""
    if result.green:
        return "ok"
    explanation = EXPLAINED.get((result.case, result.client, result.server))
    explained = explanation is not None and explanation.problems.issuperset(result.problems) and result.problems
    return "explained" if explained else "FAILED"
