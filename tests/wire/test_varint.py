from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quicmini.errors import DecodeError
from quicmini.wire.varint import MAX_VARINT, decode_varint, encode_varint, varint_size

# RFC 9000 §A.1, and the ends of each size (§16 Table 4).
EXAMPLES = [
    (151_288_809_941_952_652, "c2197c5eff14e88c"),
    (494_878_333, "9d7f3e7d"),
    (15_293, "7bbd"),
    (37, "25"),
    (0, "00"),
    (63, "3f"),
    (64, "4040"),
    (16_383, "7fff"),
    (16_384, "80004000"),
    (1_073_741_823, "bfffffff"),
    (1_073_741_824, "c000000040000000"),
    (MAX_VARINT, "ffffffffffffffff"),
]


@pytest.mark.parametrize(("value", "text"), EXAMPLES)
def test_examples_are_read_and_written(value: int, text: str) -> None:
    data = bytes.fromhex(text)
    assert encode_varint(value) == data
    assert varint_size(value) == len(data)
    assert decode_varint(data, 0) == (value, len(data))
    assert decode_varint(b"\xff" + data + b"\xff", 1) == (value, 1 + len(data))


@pytest.mark.parametrize(("value", "text"), EXAMPLES)
def test_each_truncation_is_refused(value: int, text: str) -> None:
    data = bytes.fromhex(text)
    for length in range(len(data)):
        with pytest.raises(DecodeError):
            decode_varint(data[:length], 0)


def test_longer_than_needed_is_read() -> None:
    assert decode_varint(bytes.fromhex("4025"), 0) == (37, 2)  # RFC 9000 §A.1
    assert decode_varint(bytes.fromhex("80000025"), 0) == (37, 4)
    assert decode_varint(bytes.fromhex("c000000000000025"), 0) == (37, 8)


@pytest.mark.parametrize("value", [-1, -(2**70), MAX_VARINT + 1])
def test_what_has_no_encoding_is_refused(value: int) -> None:
    with pytest.raises(ValueError, match="2\\*\\*62-1"):
        encode_varint(value)
    with pytest.raises(ValueError, match="2\\*\\*62-1"):
        varint_size(value)


@given(st.integers(0, MAX_VARINT), st.binary(max_size=9))
@settings(deadline=None, max_examples=200)
def test_round_trip(value: int, after: bytes) -> None:
    data = encode_varint(value)
    assert len(data) == varint_size(value)
    assert decode_varint(data + after, 0) == (value, len(data))
