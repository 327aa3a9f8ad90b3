"""No row is missing: checks of a receiver, E01 to E87, what it drops in silence, D01 to D22, and the grid's 84 cells.

A test is named for its row, or rows, and says which section of which RFC it is about.
"""

from __future__ import annotations

import ast
import re
from pathlib import Path

from tests.connection.test_frame_grid import TABLE_3, cells

HERE = Path(__file__).parent


def rows(letter: str, pattern: str) -> dict[int, list[str]]:
    """The tests of each row: their docstrings."""
    found: dict[int, list[str]] = {}
    for path in HERE.glob(pattern):
        for node in ast.parse(path.read_text()).body:
            if isinstance(node, ast.FunctionDef) and node.name.startswith(f"test_{letter}"):
                for number in re.findall(rf"_{letter}(\d\d)(?=_)", node.name):
                    found.setdefault(int(number), []).append(ast.get_docstring(node) or "")
    return found


def test_87_checks_of_a_receiver() -> None:
    found = rows("e", "receiver_checks/*.py")
    assert sorted(found) == list(range(1, 88))
    assert all("RFC 9000 §" in text for number, texts in found.items() for text in texts if number < 70)
    assert all("RFC 9001 §" in text for number, texts in found.items() for text in texts if number >= 70)


def test_22_silent_drops() -> None:
    found = rows("d", "test_silent_drops.py")
    assert sorted(found) == list(range(1, 23))
    assert all(re.search(r"RFC 900[01] §", text) for texts in found.values() for text in texts)


def test_84_cells() -> None:
    grid = [(frame.encode()[0], packet) for frame, packet, _ in cells(TABLE_3)]
    assert len(grid) == len(set(grid)) == 84
