"""What the faces have in common: whose name is in a text, and in which colour it is written."""

from __future__ import annotations

import hashlib
import os
import re
import sys
from collections.abc import Mapping
from typing import TextIO

from chat.text import name_key

__all__ = ["BELL", "NICK_COLOURS", "colours_wanted", "mentions", "nick_colour", "painted"]

BELL = "\a"

# Colours of the terminal's 256 that can be read on black and on white; the person's terminal decides what they are.
NICK_COLOURS = (25, 28, 31, 61, 64, 67, 91, 94, 97, 124, 127, 130, 133, 136, 161, 166)


def nick_colour(nickname: str) -> int:
    """One of NICK_COLOURS: the same for a name on every day and on every machine, however it is capitalised."""
    digest = hashlib.sha256(name_key(nickname).encode("utf-8", "replace")).digest()
    return NICK_COLOURS[digest[0] % len(NICK_COLOURS)]


def painted(text: str, nickname: str) -> str:
    """`text` between the escape sequences for the colour of `nickname`."""
    return f"\x1b[38;5;{nick_colour(nickname)}m{text}\x1b[39m"


def colours_wanted(stream: TextIO = sys.stdout, environment: Mapping[str, str] = os.environ) -> bool:
    """Whether there is a terminal that shows colours, and a person who wants them (https://no-color.org)."""
    return stream.isatty() and not environment.get("NO_COLOR") and environment.get("TERM") != "dumb"


def mentions(text: str, nickname: str) -> bool:
    """Whether the name stands in the text as a word of its own, however it is capitalised."""
    name = re.escape(name_key(nickname))
    return re.search(rf"(?<!\w){name}(?!\w)", name_key(text)) is not None
