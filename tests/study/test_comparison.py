"""How a mismatch is shown."""

from __future__ import annotations

from functools import partial

import pytest

from quicmini.study.comparison import Comparison, same
from quicmini.study.tls_fields import dissect_message
from quicmini.tls.messages import Finished
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


FINISHED = Finished(bytes(range(32))).encode()


@pytest.mark.parametrize(
    ("offset", "lines"),
    [
        (0, ["it lies in Finished > msg_type, its only byte (RFC 9846 §4)",
             "which should say 'Finished (0x14)', and is msg_type '0xeb'"]),
        (3, ["it lies in Finished > length, byte 3 of 3 (RFC 9846 §4)", "which should say '32', and is length '223'"]),
        (8, ["it lies in Finished > verify_data, byte 5 of 32 (RFC 9846 §4.5.3)"]),
    ],
)  # fmt: skip
def test_the_field_that_differs(offset: int, lines: list[str]) -> None:
    damaged = bytearray(FINISHED)
    damaged[offset] ^= 0xFF
    layout = partial(dissect_message, offset=0)
    assert Comparison("value", FINISHED, bytes(damaged), layout).difference()[3:] == lines


def test_a_value_that_ends_too_early() -> None:
    layout = partial(dissect_message, offset=0)
    assert Comparison("value", FINISHED, FINISHED + b"x", layout).difference()[2:] == [
        "first differing byte: offset 36; expected 36 bytes, actual 37",
        "it lies in Finished, after its end (RFC 9846 §4.5.3)",
    ]


def test_of_long_values_what_stands_around_the_difference_is_shown() -> None:
    expected = bytes(200)
    actual = bytes(150) + b"\xff" + bytes(49)
    assert Comparison("value", expected, actual).difference() == [
        f"expected … {'00' * 32} …",
        f"actual   … {'00' * 8}ff{'00' * 23} …",
        "first differing byte: offset 150, expected 00, actual ff",
    ]


def test_same_reads_the_kind_of_value_that_was_computed() -> None:
    values = Values({"octets": "00ff", "number": 7})
    assert same(values, "octets", b"\x00\xff").matches
    assert same(values, "octets", 255).matches
    assert same(values, "number", 7).matches
    assert not same(values, "number", 8).matches
    with pytest.raises(ValueError, match="'missing'"):
        same(values, "missing", b"")
