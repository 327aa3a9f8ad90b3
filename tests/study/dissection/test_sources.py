"""Hexadecimal as people have it, and where one datagram ends and the next begins."""

from __future__ import annotations

import pytest

from quicmini.study.dissection.sources import InputError, parse_hex, read_inputs

LONG = "c0" * 40


@pytest.mark.parametrize("text", ["c000ff", "C0 00 FF", "c0:00:ff", "0xc0, 0x00, 0xff", "0xc000ff\n", "c0\n00\nff"])
def test_ways_to_write_bytes(text: str) -> None:
    assert parse_hex(text) == [b"\xc0\x00\xff"]


def test_long_lines_are_datagrams() -> None:
    assert parse_hex(f"{LONG}\nc1c1\n\n{LONG}") == [bytes.fromhex(LONG), b"\xc1\xc1", bytes.fromhex(LONG)]


def test_short_lines_are_one_datagram_up_to_a_blank_line() -> None:
    assert parse_hex("\nc0\nc1\n\n  \nc2\n") == [b"\xc0\xc1", b"\xc2"]


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("c0\nc0g0", "'g' in line 2"),
        ("c0c", "datagram 1 has an odd number of digits, 3"),
        (" \n:", "no digits"),
    ],
)
def test_what_is_not_hexadecimal(text: str, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        parse_hex(text)


def test_several_inputs_are_numbered_through() -> None:
    assert [(each.number, each.data) for each in read_inputs(["c0\n\nc1", "c2"]).datagrams] == [
        (1, b"\xc0"), (2, b"\xc1"), (3, b"\xc2")
    ]  # fmt: skip


def test_what_cannot_be_a_file_name_either() -> None:
    with pytest.raises(InputError, match="neither a file that exists nor hexadecimal"):
        read_inputs(["\0"])
    with pytest.raises(InputError, match="x…' is neither"):
        read_inputs(["x" * 5000])
