"""Cells of the matrix that are not green, and cannot be made so from this side: the reason, and what shows it."""

from __future__ import annotations

__all__ = ["EXPLAINED"]

Cell = tuple[str, str, str]  # case, client, server

_NO_ECN = "aioquic neither marks its packets nor reports marks: its exit status in this case is 127"

EXPLAINED: dict[Cell, str] = {
    ("ecn", "quicmini", "aioquic"): _NO_ECN,
    ("ecn", "aioquic", "quicmini"): _NO_ECN,
    ("ecn", "aioquic", "aioquic"): _NO_ECN,
}
