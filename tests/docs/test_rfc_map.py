"""The map of the RFCs is the one that the code's citations give."""

from __future__ import annotations

from pathlib import Path

from tests.docs.citations import Citation
from tests.docs.rfc_map import PATH, places, render


def test_it_is_up_to_date() -> None:
    assert PATH.read_text(encoding="utf-8") == render(), "run: python -m tests.docs"


def test_each_place_is_named_once(tmp_path: Path) -> None:
    (tmp_path / "package" / "floor").mkdir(parents=True)
    (tmp_path / "package" / "one.py").write_text('"""RFC 9000 §4.1, §4.1, §5."""')
    (tmp_path / "package" / "floor" / "two.py").write_text("# RFC 9000 §4.1\n")
    assert places(tmp_path, "package") == {
        Citation("9000", "4.1"): ["floor/two.py", "one.py"],
        Citation("9000", "5"): ["one.py"],
    }


def test_a_citation_gets_into_its_row(tmp_path: Path) -> None:
    for package in "quicmini", "tests":
        (tmp_path / package).mkdir()
    (tmp_path / "quicmini" / "packet.py").write_text("# RFC 9000 §17.2.5\n")
    (tmp_path / "tests" / "test_packet.py").write_text("# RFC 9000 §17.2.5\n")
    page = render(tmp_path)
    assert "| 17.2.5 | Retry Packet | `packet.py` | `test_packet.py` |" in page
    assert "| 17.2.4 | Handshake Packet |  |  |" in page
    assert "1 of 208 sections are cited." in page
