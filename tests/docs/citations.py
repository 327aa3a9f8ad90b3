"""Which sections of which RFC a text cites, and which sections there are.

Citations look like `RFC 9000 §17.2`, with more sections behind it: `RFC 9000 §4.1, §19.9`. A section without an RFC,
as in a comment of its own, belongs to whatever document was named last before it in the same file.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

__all__ = ["ROOT", "TABLES", "Citation", "citations", "missing"]

ROOT = Path(__file__).resolve().parents[2]

# By RFC, its table of contents: section -> title.
TABLES: dict[str, dict[str, str]] = {
    path.stem.removeprefix("rfc"): {
        number: title for number, _, title in (line.partition(" ") for line in path.read_text().splitlines())
    }
    for path in sorted(Path(__file__).with_name("sections").glob("rfc*.txt"))
}

_TOKEN = re.compile(
    r"(?P<document>RFCs? \d{4,5}\b|draft-[a-z0-9-]+|\b(?:FIPS |ECMA-|SP |X\.)[\d-]+)"
    r"|(?:§ ?|\bAppendix )(?P<section>[A-Z](?:\.\d+)*\b|\d+(?:\.\d+)*)"
)


class Citation(NamedTuple):
    """document: "9000" for an RFC, else its name; "" if none was named. section: such as "17.2" or "A.3"."""

    document: str
    section: str


def citations(text: str) -> Iterator[Citation]:
    """All sections that a text cites, in its order."""
    document = ""
    for found in _TOKEN.finditer(text):
        if found["document"]:
            document = found["document"].removeprefix("RFC ")
        else:
            yield Citation(document, found["section"])


def missing(text: str) -> list[str]:
    """Sections that a text cites, but that are not there, of the RFCs whose contents are known."""
    return [
        f"RFC {document} §{section}"
        for document, section in citations(text)
        if document in TABLES and section not in TABLES[document]
    ]
