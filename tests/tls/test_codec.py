"""Numbers and vectors of the presentation language."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from quicmini.tls.codec import Reader, encode_u16_list, encode_vector
from quicmini.tls.codes import Alert
from tests.tls.peers import error_of


def test_numbers_and_vectors_in_turn() -> None:
    reader = Reader(bytes.fromhex("01 0203 02 aabb 0004 1301 1302"), "example")
    assert (reader.number(1), reader.number(2), reader.vector(1), reader.u16_list(2)) == (
        1,
        0x0203,
        b"\xaa\xbb",
        (0x1301, 0x1302),
    )
    assert reader.at_end
    reader.finish()


def test_what_is_encoded_is_read_again() -> None:
    assert Reader(encode_vector(3, b"abc"), "example").vector(3) == b"abc"
    assert Reader(encode_u16_list(1, (1, 2)), "example").u16_list(1) == (1, 2)


@pytest.mark.parametrize(
    ("data", "read"),
    [
        (b"", lambda reader: reader.number(1)),
        (b"\1", lambda reader: reader.number(2)),
        (b"\3ab", lambda reader: reader.vector(1)),
        (b"", lambda reader: reader.vector(1)),
        (b"\0", lambda reader: reader.vector(2)),
        (b"\0", lambda reader: reader.vector(1, minimum=1)),
        (b"\0\0", lambda reader: reader.u16_list(2)),
        (b"\0\3abc", lambda reader: reader.u16_list(2)),
        (b"\0", lambda reader: reader.finish()),
    ],
)
def test_what_does_not_fit_is_a_decode_error(data: bytes, read: Callable[[Reader], object]) -> None:
    error = error_of(read, Reader(data, "example"))
    assert error.error_code == 0x100 + Alert.DECODE_ERROR
    assert "example" in error.reason
