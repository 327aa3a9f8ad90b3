"""How a mismatch is shown."""

from __future__ import annotations

import pytest

from quicmini.study.comparison import Comparison, same
from vectors import Values


@pytest.mark.parametrize(
    ("expected", "actual", "last_line"),
    [
        (b"\x01\x02\x03", b"\x01\xff\x03", "first differing byte: offset 1, expected 02, actual ff"),
        (b"\x01\x02", b"\x01\x02\x03", "first differing byte: offset 2; expected 2 bytes, actual 3"),
        (b"\x01", b"", "actual   (empty)"),
        (16, 24, "actual   24"),
        ("one", "two", "actual   two"),
    ],
)
def test_difference(expected: bytes | int | str, actual: bytes | int | str, last_line: str) -> None:
    comparison = Comparison("value", expected, actual)
    assert not comparison.matches
    assert last_line in comparison.difference()


def test_same_reads_the_kind_of_value_that_was_computed() -> None:
    values = Values({"octets": "00ff", "number": 7})
    assert same(values, "octets", b"\x00\xff").matches
    assert same(values, "octets", 255).matches
    assert same(values, "number", 7).matches
    assert not same(values, "number", 8).matches
    with pytest.raises(ValueError, match="'missing'"):
        same(values, "missing", b"")
