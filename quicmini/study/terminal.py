"""How the commands print: colours on a terminal only, and lines that fit.

Colours are asked for by what they mean, so that all commands look alike.
"""

from __future__ import annotations

import os
from typing import TextIO

__all__ = ["WIDTH", "Ink", "printable"]

WIDTH = 100  # columns that output is made for

# By meaning, SGR parameters (ECMA-48 §8.3.117).
_SGR = {
    "title": "1",
    "name": "36",
    "value": "33",
    "faint": "2",
    "good": "32",
    "bad": "1;31",
    "client": "34",
    "server": "35",
}


def printable(text: str) -> str:
    """What a peer has written, for a terminal: escape sequences and other controls are shown, and have no effect."""
    return "".join(letter if letter.isprintable() else letter.encode("unicode_escape").decode() for letter in text)


class Ink:
    """Colours text, or leaves it as it is.

    `Ink.on(stream)` colours on a terminal, unless NO_COLOR is set to anything (https://no-color.org) or TERM is dumb.
    """

    def __init__(self, coloured: bool) -> None:
        self.coloured = coloured

    @classmethod
    def on(cls, stream: TextIO) -> Ink:
        """As the stream and the environment want it."""
        return cls(stream.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb")

    def __call__(self, meaning: str, text: str) -> str:
        """meaning: title, name, value, faint, good, bad, client or server."""
        sgr = _SGR[meaning]
        return f"\x1b[{sgr}m{text}\x1b[0m" if self.coloured else text
