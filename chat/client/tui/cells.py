"""Text in cells of a terminal: how many columns each character takes, where a row is broken, what is cut off."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable
from typing import NamedTuple, TypeAlias

from prompt_toolkit.utils import get_cwidth

from chat.text import printable

__all__ = ["Fragments", "cells", "columns", "elided", "pieces", "wrapped"]

Fragments: TypeAlias = list[tuple[str, str]]  # style and text, as prompt_toolkit has them

TAB = 4  # columns
MAX_MARKS = 8  # combining characters on one that they combine with
MIN_WIDTH = 8  # columns of a text that is indented

ZERO_WIDTH_JOINER = "\u200d"
REGIONAL_INDICATORS = range(0x1F1E6, 0x1F200)  # letters, of which two make a flag
SKIN_TONES = range(0x1F3FB, 0x1F400)

# Variation selectors, tags, and what is never seen: terminals do not agree on how they change what is before them.
_UNSEEN = {0xAD, 0x200B, 0x2060, 0xFEFF, *range(0xFE00, 0xFE10), *range(0xE0000, 0xE0080)}


class Cell(NamedTuple):
    """One character with the marks on it."""

    text: str
    width: int
    style: str = ""


def pieces(text: str) -> list[str]:
    """For each character of a text what is shown for it, which cannot harm the terminal; "" if that is nothing.

    Terminals disagree on the width of emoji that are made of several; they are shown one by one, flags as letters, so
    that what follows is where it is thought to be on every terminal.
    """
    shown = []
    before, marks = "", 0  # what stands here alone, and how many marks are on it
    for character in printable(text):
        piece = " " * TAB if character == "\t" else _piece(character, before)
        if piece and not get_cwidth(piece):
            marks += 1
            piece = piece if before and marks <= MAX_MARKS else ""
        elif piece:
            before, marks = piece[-1], 0
        shown.append(piece)
    return shown


def cells(text: str, style: str = "") -> list[Cell]:
    """The cells of a text."""
    found: list[Cell] = []
    for piece in filter(None, pieces(text)):
        if width := get_cwidth(piece[0]):
            found += [Cell(piece[0], width, style)] * len(piece)
        else:
            found[-1] = found[-1]._replace(text=found[-1].text + piece)
    return found


def columns(text: str) -> int:
    """How many columns a text takes on one row."""
    return len(text) if text.isascii() and "\t" not in text else sum(cell.width for cell in cells(text))


def elided(text: str, width: int) -> str:
    """As much of a text as fits into so many columns; with … at its end if that is not all."""
    kept, used = [], 0
    for cell in (all_cells := cells(text)):
        used += cell.width
        kept.append((cell.text, used))
    if used <= width:
        return "".join(cell.text for cell in all_cells)
    return "".join(text for text, end in kept if end < width) + ("…" if width > 0 else "")


def wrapped(fragments: Iterable[tuple[str, str]], width: int, indent: int = 0) -> list[Fragments]:
    """Rows of at most so many columns, all but the first indented; broken at spaces, and beside wide characters."""
    if width - indent < MIN_WIDTH:
        indent = 0
    line = [cell for style, text in fragments for cell in cells(text, style)]
    rows: list[Fragments] = []
    start, room = 0, width
    while start < len(line) or not rows:
        end = _row_end(line, start, room)
        row = _merged(line[start:end])
        rows.append([("", " " * indent), *row] if rows and indent else row)
        while end < len(line) and line[end].text == " ":
            end += 1
        start, room = end, width - indent
    return rows


def _piece(character: str, before: str) -> str:
    if character.isascii():
        return character
    code = ord(character)
    if code in REGIONAL_INDICATORS:
        return chr(ord("A") + code - REGIONAL_INDICATORS.start)
    changes_symbol = character == ZERO_WIDTH_JOINER or code in SKIN_TONES
    if code in _UNSEEN or (changes_symbol and before and unicodedata.category(before) == "So"):
        return ""
    return character


def _row_end(line: list[Cell], start: int, room: int) -> int:
    """Where the row that begins at `start` ends."""
    used, end = 0, start
    for index in range(start, len(line)):
        cell, before = line[index], line[index - 1]
        if index > start and (2 in (cell.width, before.width) or " " in (cell.text, before.text)):
            end = index
        used += cell.width
        if used > room:
            return end if end > start else max(index, start + 1)
    return len(line)


def _merged(row: list[Cell]) -> Fragments:
    """Cells as fragments, without the spaces at the end."""
    while row and row[-1].text == " ":
        row = row[:-1]
    fragments: Fragments = []
    for cell in row:
        if fragments and fragments[-1][0] == cell.style:
            fragments[-1] = cell.style, fragments[-1][1] + cell.text
        else:
            fragments.append((cell.style, cell.text))
    return fragments
