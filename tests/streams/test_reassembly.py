"""Reassembly: pieces in any order, and what a peer can make it hold."""

from __future__ import annotations

import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quicmini.errors import TransportError, TransportErrorCode
from quicmini.streams.reassembly import MAX_FRAGMENTS, MAX_FRAGMENTS_TOGETHER, FragmentCount, Reassembly

TEXT = bytes(range(256)) * 8


def test_in_order() -> None:
    buffer = Reassembly()
    buffer.insert(0, b"abc")
    buffer.insert(3, b"def")
    assert (buffer.end, buffer.readable) == (6, 6)
    assert buffer.read(100) == b"abcdef"
    assert (buffer.end, buffer.readable, buffer.read(100)) == (6, 0, b"")


def test_gap_hides_what_follows() -> None:
    buffer = Reassembly()
    buffer.insert(3, b"def")
    assert (buffer.end, buffer.readable, buffer.read(10)) == (0, 0, b"")
    buffer.insert(0, b"abc")
    assert (buffer.end, buffer.readable, buffer.read(10)) == (6, 6, b"abcdef")


@pytest.mark.parametrize(
    "pieces",
    [
        [(0, 4), (0, 4), (4, 8)],  # twice
        [(4, 8), (4, 8), (0, 4)],  # twice, ahead
        [(0, 5), (3, 8)],  # overlap with what is in order
        [(3, 8), (0, 5)],  # overlap with what is ahead
        [(2, 4), (5, 7), (1, 8), (0, 1)],  # one covers many
        [(6, 8), (4, 6), (2, 4), (0, 2)],  # backwards
        [(6, 8), (0, 2), (3, 4), (2, 3), (4, 6)],
        [(0, 8), (2, 5)],  # old news
    ],
)
def test_orders(pieces: list[tuple[int, int]]) -> None:
    buffer = Reassembly()
    for start, stop in pieces:
        buffer.insert(start, TEXT[start:stop])
    assert (buffer.end, buffer.readable, buffer.read(100)) == (8, 8, TEXT[:8])


def test_reads_of_any_size() -> None:
    buffer = Reassembly()
    for start in range(0, 2048, 32):
        buffer.insert(start, TEXT[start : start + 32])
    parts: list[bytes] = []
    while part := buffer.read(len(parts) + 1):
        assert len(part) <= len(parts) + 1
        parts.append(part)
    assert b"".join(parts) == TEXT


def test_part_of_a_piece_then_all() -> None:
    buffer = Reassembly()
    buffer.insert(0, TEXT)
    buffer.insert(2048, TEXT)
    assert buffer.read(10) + buffer.read(5000) == TEXT + TEXT


def test_empty_data_changes_nothing() -> None:
    buffer = Reassembly()
    buffer.insert(0, b"")
    buffer.insert(7, b"")
    assert (buffer.end, buffer.readable) == (0, 0)


def test_clear() -> None:
    buffer = Reassembly()
    buffer.insert(0, b"abc")
    buffer.insert(9, b"z")
    buffer.clear()
    assert (buffer.end, buffer.readable, buffer.read(9)) == (3, 0, b"")


def test_too_many_fragments() -> None:
    buffer = Reassembly()
    for index in range(MAX_FRAGMENTS):
        buffer.insert(2 * index + 1, b"x")
    with pytest.raises(TransportError) as caught:
        buffer.insert(2 * MAX_FRAGMENTS + 1, b"x")
    assert caught.value.error_code == TransportErrorCode.INTERNAL_ERROR
    assert caught.value.frame_type == 0x08


def test_too_many_fragments_together() -> None:
    """Streams share a count, which goes down with every gap that is filled and every stream that is given up."""
    fragments = FragmentCount()
    full = MAX_FRAGMENTS_TOGETHER // MAX_FRAGMENTS
    buffers = [Reassembly(fragments) for _ in range(full + 1)]
    for buffer in buffers[:full]:
        for index in range(MAX_FRAGMENTS):
            buffer.insert(2 * index + 1, b"x")
    assert fragments.total == MAX_FRAGMENTS_TOGETHER
    with pytest.raises(TransportError) as caught:
        buffers[full].insert(1, b"x")
    assert caught.value.error_code == TransportErrorCode.INTERNAL_ERROR
    buffers[0].insert(0, b"x" * 3)
    buffers[1].clear()
    for index in range(MAX_FRAGMENTS):
        buffers[2].insert(2 * index, b"x")
    buffers[full].clear()
    assert fragments.total == MAX_FRAGMENTS * (full - 2) - 2


def test_fragments_that_touch_are_one() -> None:
    buffer = Reassembly()
    for index in range(1, 2 * MAX_FRAGMENTS):
        buffer.insert(index, b"x")
    buffer.insert(0, b"x")
    assert buffer.end == 2 * MAX_FRAGMENTS


def test_single_bytes_do_not_cost_an_object_each() -> None:
    buffer = Reassembly()
    for offset in range(20_000):
        buffer.insert(offset, b"x")
    held = sum(sys.getsizeof(piece) for piece in buffer._pieces)
    assert held < 1.2 * 20_000
    assert buffer.read(20_000) == b"x" * 20_000


def test_nothing_is_held_once_gaps_are_closed() -> None:
    buffer = Reassembly()
    buffer.insert(1000, b"x")
    buffer.insert(0, bytes(1000))
    buffer.read(2000)
    assert buffer._ahead is None
    assert not buffer._pieces


@pytest.mark.parametrize(
    ("offset", "data"), [(1, b"X"), (3, b"dXf"), (8, b"hX"), (0, b"aX"), (1, b"bcdefghij"[:8] + b"X")]
)
def test_a_contradiction_is_noticed_while_it_waits(offset: int, data: bytes) -> None:
    """RFC 9000 §2.2. Where nothing had come yet, anything may."""
    buffer = Reassembly()
    buffer.insert(1, b"bc")
    buffer.insert(4, b"ef")
    buffer.insert(9, b"j")
    with pytest.raises(TransportError) as caught:
        buffer.insert(offset, data)
    assert (caught.value.error_code, caught.value.frame_type) == (TransportErrorCode.PROTOCOL_VIOLATION, 0x08)


@pytest.mark.parametrize(("offset", "data"), [(3, b"D"), (6, b"GHI"), (3, b"DefGHIj"), (10, b"K"), (1, b"bcDef")])
def test_what_fills_a_gap_contradicts_nothing(offset: int, data: bytes) -> None:
    buffer = Reassembly()
    buffer.insert(1, b"bc")
    buffer.insert(4, b"ef")
    buffer.insert(9, b"j")
    buffer.insert(offset, data)


@given(st.lists(st.tuples(st.integers(0, 300), st.integers(0, 80), st.integers(0, 90)), max_size=60))
@settings(deadline=None, max_examples=150)
def test_against_a_model(steps: list[tuple[int, int, int]]) -> None:
    """The model: a set of offsets that have come, and how far the reader is."""
    buffer, have, position = Reassembly(), set[int](), 0
    for offset, length, wanted in steps:
        buffer.insert(offset, TEXT[offset : offset + length])
        have.update(range(offset, offset + length))
        end = next(at for at in range(400) if at not in have)
        assert (buffer.end, buffer.readable) == (end, end - position)
        data = buffer.read(wanted)
        assert data == TEXT[position : min(position + wanted, end)]
        position += len(data)
