"""Cells of the matrix that are not green, and cannot be made so from this side: the reason, and what shows it."""

from __future__ import annotations

from typing import NamedTuple

from tests.interop.runner import Result

__all__ = ["EXPLAINED", "Explanation", "mark"]

Cell = tuple[str, str, str]  # case, client, server


class Explanation(NamedTuple):
    """reason: a fact about the other implementation. problems: what its packets show; nothing else is explained."""

    reason: str
    problems: frozenset[str]


_NO_ECN = "aioquic 1.7 does not know ECN: it sends its packets unmarked, and ACK frames of type 0x02 only"

_ACK_FIRST = Explanation(
    "aioquic 1.7, when its congestion window is full, acknowledges on the new path before it challenges it there",
    frozenset({"the first datagram to a new address has no PATH_CHALLENGE"}),
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
    ),
    ("ecn", "aioquic", "quicmini"): Explanation(
        _NO_ECN,
        frozenset({"the client marks no packet", "the client never reports marks", "the server never reports marks"}),
    ),
    ("ecn", "aioquic", "aioquic"): Explanation(
        _NO_ECN,
        frozenset(
            f"the {side} {problem}"
            for side in ("client", "server")
            for problem in ("marks no packet", "never reports marks")
        ),
    ),
}


def mark(result: Result) -> str:
    """What the matrix says of a cell: ok, explained, or FAILED."""
    if result.green:
        return "ok"
    explanation = EXPLAINED.get((result.case, result.client, result.server))
    explained = explanation is not None and explanation.problems.issuperset(result.problems) and result.problems
    return "explained" if explained else "FAILED"
