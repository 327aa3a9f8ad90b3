"""Fields: where they end, and what they consist of."""

from __future__ import annotations

from quicmini.study.fields import Field, unreadable


def test_a_field_ends_where_its_bytes_end() -> None:
    assert Field("Version", 1, bytes(4), "0x00000001", "RFC 9000 §17.2").end == 5


def test_the_walk_is_in_reading_order() -> None:
    leaves = Field("a", 0, b"a", "", ""), Field("b", 1, b"b", "", "")
    assert [field.name for field in Field("all", 0, b"ab", "", "", leaves).walk()] == ["all", "a", "b"]


def test_what_could_not_be_read_says_why() -> None:
    assert unreadable(3, b"\xff", "the length is truncated") == (
        "unreadable",
        3,
        b"\xff",
        "the length is truncated",
        "",
        (),
    )
