"""The cursor that makes fields, and bytes as people see them."""

from __future__ import annotations

import pytest

from quicmini.study.dissection.reading import FieldReader, Truncated, shown_bytes
from quicmini.study.fields import Field


def test_what_is_read_becomes_fields() -> None:
    reader = FieldReader(b"..\x40\x25\x00\x07rest", 2, section="RFC 9000 §16")
    assert reader.varint("Number") == 37
    mark = reader.mark()
    assert reader.number("Size", 2, hex) == 7
    assert reader.octets("Octets", 2, bytes.hex, "RFC 9000 §1") == b"re"
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
        (b"", "truncated: Number at offset 0 takes 1 bytes, 0 are left"),
        (b"\xc0123", "truncated: Number at offset 0 takes 8 bytes, 4 are left"),
    ],
)
def test_a_number_that_is_cut(data: bytes, why: str) -> None:
    reader = FieldReader(data)
    with pytest.raises(Truncated) as caught:
        reader.varint("Number")
    assert (str(caught.value), reader.fields, reader.position) == (why, [], 0)


def test_nothing_is_read_beyond_the_end() -> None:
    reader = FieldReader(b"\x40\x25", end=1)
    with pytest.raises(Truncated):
        reader.varint("Number")
    with pytest.raises(Truncated):
        reader.octets("Octets", 2)


@pytest.mark.parametrize(
    ("data", "shown"),
    [
        (b"", "0 bytes"),
        (b"h", "1 byte 'h'"),
        ("grüß dich\n".encode(), "12 bytes 'grüß dich\\n'"),
        (b"a" * 81, f"81 bytes '{'a' * 80}'…"),
        (b"a" + "ü".encode() * 60, f"121 bytes 'a{'ü' * 39}'…"),  # the cut goes through a letter
        (bytes(range(16)), "16 bytes"),
        (b"\x03Ada\x01\x05hello\x00", "12 bytes |·Ada··hello·|"),
        (b"\x1b[31mcoloured", "13 bytes |·[31mcoloured|"),
        (b"\x00\x01\x02abcd\x03", "8 bytes"),
    ],
)
def test_bytes_as_people_see_them(data: bytes, shown: str) -> None:
    assert shown_bytes(data) == shown
