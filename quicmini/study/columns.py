"""Values behind their names, in columns that fit the width."""

from __future__ import annotations

from collections.abc import Iterator
from textwrap import wrap

from quicmini.study.terminal import WIDTH, Ink, printable

__all__ = ["LINE", "LONGEST", "ROOM", "Value", "in_columns", "show_value"]

Value = bytes | int | str

ROOM = WIDTH - 5  # columns
LONGEST = 96  # bytes that are shown in full
LINE = 32  # bytes that are shown on one line


def show_value(value: Value, width: int = 2 * LINE) -> list[str]:
    """The lines of a value: bytes in hexadecimal, the middle left out where they are many; text up to `width`."""
    if not isinstance(value, bytes):
        return wrap(printable(str(value)), width) or ["(empty)"]
    if len(value) > LONGEST:
        return [value[:LINE].hex(), f"… {len(value) - LINE - 4} bytes … {value[-4:].hex()}"]
    return [value[at : at + LINE].hex() for at in range(0, len(value), LINE)] or ["(empty)"]


def in_columns(
    name: str, value: Value, note: str, ink: Ink, *, column: int, left: str = "", meaning: str = ""
) -> Iterator[str]:
    """The lines of a name, its value and a note, which goes below where there is no room behind the value.

    column: where values start; a longer name has a line of its own. left: what stands in front of the name.
    meaning: of the value, for `Ink`; empty: nothing is coloured but the note. What is shown leaves 5 columns of the
    width for an indentation.
    """
    note = printable(note)
    first, *others = show_value(value, ROOM - column)
    indent = " " * column
    visible = len(left) + len(name)
    start = f"{left}{ink('name', name) if meaning else name}"
    if visible >= column:
        yield start
        start = indent
    else:
        start += " " * (column - visible)
    fits = not others and column + len(first) + 2 + len(note) <= ROOM
    shown = [ink(meaning, line) if meaning else line for line in (first, *others)]
    yield start + shown[0] + (f"  {ink('faint', note)}" if note and fits else "")
    yield from (indent + line for line in shown[1:])
    if note and not fits:
        yield from (indent + ink("faint", line) for line in wrap(note, ROOM - column))
