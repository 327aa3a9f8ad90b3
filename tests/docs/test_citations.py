"""Every section that the code, the tests and the documents cite is there, and all of them are found."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.docs.citations import ROOT, TABLES, Citation, citations, missing

FILES = sorted(
    path
    for pattern in (
        "quicmini/**/*.py",
        "chat/**/*.py",
        "tests/**/*.py",
        "vectors/**/*.py",
        "docs/*.md",
        "vectors/*.md",
        "*.md",
    )
    for path in ROOT.glob(pattern)
    if path != Path(__file__)  # which is about those that are not there
)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("RFC 9000 §17.2", [("9000", "17.2")]),
        ("RFC 9000 §4.1, §19.9 and RFC 9001 §5", [("9000", "4.1"), ("9000", "19.9"), ("9001", "5")]),
        ("RFC 9002 §A.3. More", [("9002", "A.3")]),
        ("RFC 9001 Appendix A.2", [("9001", "A.2")]),
        ("RFC 9000 §5.1.2.\n# and later: §10.3", [("9000", "5.1.2"), ("9000", "10.3")]),
        ("RFC 9000, draft-ietf-quic-qlog-main-schema §8", [("draft-ietf-quic-qlog-main-schema", "8")]),
        ("RFC 9000, FIPS 203 §7", [("FIPS 203", "7")]),
        ("§9 of nothing", [("", "9")]),
        ("RFC 9000 says a lot", []),
    ],
)
def test_citations_are_found(text: str, found: list[tuple[str, str]]) -> None:
    assert list(citations(text)) == [Citation(*each) for each in found]


def test_sections_that_are_not_there_are_found() -> None:
    assert missing("RFC 9000 §17.2, §17.9, RFC 9001 §A.6, RFC 1 §1") == ["RFC 9000 §17.9", "RFC 9001 §A.6"]


def test_the_tables_are_complete() -> None:
    assert {document: len(table) for document, table in TABLES.items()} == {
        "8999": 12,
        "9000": 208,
        "9001": 72,
        "9002": 71,
        "9369": 22,
        "9846": 134,
    }
    assert TABLES["9000"]["19.15"] == "NEW_CONNECTION_ID Frames"
    assert TABLES["9001"]["A.5"] == "ChaCha20-Poly1305 Short Header Packet"
    assert TABLES["9002"]["6.2.2.1"] == "Before Address Validation"
    assert TABLES["9846"]["4.3.11.2"] == "PSK Binder"


@pytest.mark.parametrize("path", FILES, ids=[path.relative_to(ROOT).as_posix() for path in FILES])
def test_what_is_cited_is_there(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert missing(text) == []
    assert [section for document, section in citations(text) if not document] == []
