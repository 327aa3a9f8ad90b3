"""The cursor that makes fields."""

from __future__ import annotations

import pytest

from quicmini.study.field_reader import FieldReader, Unreadable
from quicmini.study.fields import Field


def test_what_is_read_becomes_fields() -> None:
    reader = FieldReader(b"..\x40\x25\x00\x07rest", 2, section="RFC 9000 §16")
    assert reader.varint("Number") == 37
    mark = reader.mark()
    assert reader.number("Size", 2, show=hex) == 7
    assert reader.octets("Octets", 2, "RFC 9000 §1", bytes.hex) == b"re"
    reader.collapse("Both", mark, "together")
    assert reader.rest("Rest") == b"st"
    assert reader.fields == [
        Field("Number", 2, b"\x40\x25", "37", "RFC 9000 §16"),
        Field(
            "Both",
            4,
            b"\x00\x07re",
            "together",
            "RFC 9000 §16",
            (
                Field("Size", 4, b"\x00\x07", "0x7", "RFC 9000 §16"),
                Field("Octets", 6, b"re", "7265", "RFC 9000 §1"),
            ),
        ),
        Field("Rest", 8, b"st", "", "RFC 9000 §16"),
    ]


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"", "truncated: Number needs 1 byte, 0 are left (byte 0)"),
        (b"\xc0123", "truncated: Number needs 8 bytes, 4 are left (byte 0)"),
    ],
)
def test_a_number_that_is_cut(data: bytes, why: str) -> None:
    reader = FieldReader(data)
    with pytest.raises(Unreadable) as caught:
        reader.varint("Number")
    assert (str(caught.value), reader.fields, reader.position) == (why, [], 0)


def test_nothing_is_read_beyond_the_end() -> None:
    reader = FieldReader(b"\x40\x25", end=1)
    with pytest.raises(Unreadable):
        reader.varint("Number")
    with pytest.raises(Unreadable):
        reader.octets("Octets", 2)
