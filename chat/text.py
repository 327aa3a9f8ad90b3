"""Text that people have written: made harmless for a screen or a log, and what is a name among it."""

from __future__ import annotations

import unicodedata

__all__ = ["MAX_NAME_LENGTH", "RESERVED_NAMES", "SERVER_NAME", "check_name", "name_key", "printable"]

MAX_NAME_LENGTH = 32  # characters of a nickname or of a room's name
PIECE = 256  # characters
SERVER_NAME = "server"  # what the server calls itself
RESERVED_NAMES = frozenset({SERVER_NAME, "system", "*"})  # nobody's nickname: as `name_key` gives them


def printable(text: str) -> str:
    """`text` with everything that could move a cursor, forge a line or run a terminal's escapes made visible.

    Control characters become their pictures (␛ for ESC); line separators, bidirectional overrides and the like U+FFFD.
    """
    return text if text.isprintable() else "".join(map(_visible, text))


def check_name(text: str, what: str = "nickname") -> str:
    """`text`, if it can be a nickname or a room's name (`what` says which, for people).

    Raises ValueError, with a sentence, if it cannot. Whether somebody else has it is not looked at.
    """
    if not 0 < len(text) <= MAX_NAME_LENGTH or text != text.strip() or printable(text) != text or "\t" in text:
        raise ValueError(
            f"{printable(text[: 2 * MAX_NAME_LENGTH])!r} is no {what}: 1 to {MAX_NAME_LENGTH} characters, none of them "
            "a control character, and no space at either end"
        )
    return text


def name_key(name: str) -> str:
    """What two names have in common if people would take them for the same: `Zoë`, `ZOË` and their decomposed forms.

    A long text, where names are looked for, is read in pieces: many accents in a row take time that grows with the
    square of their number.
    """
    pieces = (name[start : start + PIECE] for start in range(0, len(name), PIECE))
    return "".join(unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", piece).casefold()) for piece in pieces)


def _visible(character: str) -> str:
    code = ord(character)
    if character == "\t":
        return character
    if code < 0x20:
        return chr(0x2400 + code)
    if code == 0x7F:
        return "␡"
    hidden = unicodedata.category(character) in _HIDDEN or code in _BIDIRECTIONAL
    return "\N{REPLACEMENT CHARACTER}" if hidden else character


_HIDDEN = {"Cc", "Cs", "Zl", "Zp"}
_BIDIRECTIONAL = {0x200E, 0x200F, 0x061C, *range(0x202A, 0x202F), *range(0x2066, 0x206A)}
