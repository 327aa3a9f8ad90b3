"""The order of one session's messages, and what may wait."""

from __future__ import annotations

import itertools

import pytest

from chat.message import Message
from chat.server.sequence import MAX_REORDERED, MAX_REORDERED_SIZE, Sequence


def message(seq: int, size: int = 1) -> Message:
    return Message("", "x" * size, seq=seq)


@pytest.mark.parametrize("order", list(itertools.permutations(range(1, 6))))
def test_every_order(order: tuple[int, ...]) -> None:
    sequence = Sequence()
    sequence.begin(0)
    out = [each.seq for seq in order for _ in range(2) for each in sequence.take(message(seq))]
    assert out == [1, 2, 3, 4, 5]


def test_nothing_comes_out_before_it_begins() -> None:
    sequence = Sequence()
    assert [sequence.take(message(seq)) for seq in (3, 5, 4, 1)] == [[]] * 4
    assert [each.seq for each in sequence.begin(2)] == [3, 4, 5]
    assert sequence.take(message(1)) == []
    assert [each.seq for each in sequence.take(message(6))] == [6]


@pytest.mark.parametrize(("count", "size"), [(MAX_REORDERED, 1), (16, MAX_REORDERED_SIZE // 16)])
def test_what_waits_has_a_limit(count: int, size: int) -> None:
    sequence = Sequence()
    sequence.begin(0)
    for seq in range(2, count + 2):
        sequence.take(message(seq, size))
    with pytest.raises(OverflowError, match=f"{count} messages wait"):
        sequence.take(message(count + 2, size))
    assert len(sequence.take(message(1))) == count + 1
    sequence.take(message(count + 3, size))


def test_all_that_a_message_carries_counts() -> None:
    sequence = Sequence()
    for seq in range(2, 18):
        sequence.take(Message("n" * (MAX_REORDERED_SIZE // 32), "", seq=seq, store="s" * (MAX_REORDERED_SIZE // 32)))
    with pytest.raises(OverflowError, match="16 messages wait"):
        sequence.take(message(18))
