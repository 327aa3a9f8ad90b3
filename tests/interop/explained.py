"""Cells of the matrix that are not green, and cannot be made so from this side: the reason, and what shows it."""

from __future__ import annotations

from typing import NamedTuple

__all__ = ["EXPLAINED", "Explanation"]

Cell = tuple[str, str, str]  # case, client, server


class Explanation(NamedTuple):
    """reason: a fact about the other implementation. problems: what its packets show; nothing else is explained."""

    reason: str
    problems: frozenset[str]


_NO_ECN = "aioquic 1.7 does not know ECN: it sends its packets unmarked, and ACK frames of type 0x02 only"

EXPLAINED: dict[Cell, Explanation] = {
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
