"""`docs/rfc-map.md`: which modules and which tests are about which section, read from what they cite."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from tests.docs.citations import ROOT, TABLES, Citation, citations

__all__ = ["PATH", "Places", "places", "render"]

PATH = ROOT / "docs" / "rfc-map.md"

TITLES = {
    "9000": "RFC 9000: QUIC: A UDP-Based Multiplexed and Secure Transport",
    "9001": "RFC 9001: Using TLS to Secure QUIC",
    "9002": "RFC 9002: QUIC Loss Detection and Congestion Control",
}
INTRODUCTION = """\
# Where the RFCs are in the code

For each section of the three RFCs that are QUIC, the modules (below `quicmini/`) and the tests (below `tests/`) that
cite it. Made by `python -m tests.docs` from the citations in the code, such as `RFC 9000 §17.2`; a test fails where
this page is not up to date, and where a section is cited that does not exist.

Where nothing is cited, there is often nothing to do: introductions, examples, considerations, registries. Else look at
the sections above and below: a rule is cited where it is stated in full.
"""

Places = dict[Citation, list[str]]


def places(root: Path, package: str) -> Places:
    """Where the modules of a package cite what: paths within the package, in order. This package is no matter."""
    found: Places = {}
    for path in sorted((root / package).glob("**/*.py")):
        if path.parent == ROOT / "tests" / "docs":
            continue
        for citation in sorted(set(citations(path.read_text(encoding="utf-8")))):
            found.setdefault(citation, []).append(path.relative_to(root / package).as_posix())
    return found


def render(root: Path = ROOT) -> str:
    """The whole page."""
    modules, tests = places(root, "quicmini"), places(root, "tests")
    parts = [INTRODUCTION]
    for document, title in TITLES.items():
        table = TABLES[document]
        cited = sum(Citation(document, section) in modules | tests for section in table)
        parts.append(f"## {title}\n\n{cited} of {len(table)} sections are cited.\n")
        rows = [
            f"| {section} | {name} | {_cell(modules.get(Citation(document, section), ()))} "
            f"| {_cell(tests.get(Citation(document, section), ()))} |"
            for section, name in table.items()
        ]
        parts.append("\n".join(("| § | Title | Modules | Tests |", "| --- | --- | --- | --- |", *rows)) + "\n")
    return "\n".join(parts)


def _cell(paths: Iterable[str]) -> str:
    return "<br>".join(f"`{path}`" for path in paths)
