"""SendBuffer: what is given out, what is held, what is given out again."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from quicmini.streams.send_buffer import SendBuffer

TEXT = bytes(range(251)) * 200


def filled(*chunks: bytes) -> SendBuffer:
    buffer = SendBuffer()
    for chunk in chunks:
        buffer.write(chunk)
    return buffer


def test_takes_in_order() -> None:
    buffer = filled(b"hello", b"world")
    assert buffer.take(3) == (0, b"hel")
    assert buffer.take(4) == (3, b"lowo")
    assert buffer.take(100) == (7, b"rld")
    assert buffer.take(100) == (10, b"")
    assert not buffer.has_data


def test_takes_across_large_chunks() -> None:
    buffer = filled(TEXT[:10_000], TEXT[10_000:20_000], TEXT[20_000:30_000])
    taken: list[bytes] = []
    while buffer.has_data:
        offset, data = buffer.take(7777)
        assert offset == sum(map(len, taken))
        taken.append(data)
    assert [len(data) for data in taken] == [7777, 7777, 7777, 6669]
    assert b"".join(taken) == TEXT[:30_000]


def test_writes_after_everything_was_taken() -> None:
    buffer = filled(b"ab")
    assert buffer.take(9) == (0, b"ab")
    buffer.write(b"cd")
    assert buffer.take(9) == (2, b"cd")
    buffer.on_acked(0, 4)
    buffer.write(b"ef")
    assert buffer.take(9) == (4, b"ef")


def test_lost_data_goes_first() -> None:
    buffer = filled(b"abcdefghij")
    buffer.take(3), buffer.take(3)
    buffer.on_lost(0, 3)
    assert buffer.take(2) == (0, b"ab")
    assert buffer.take(2) == (2, b"c")
    assert buffer.take(9) == (6, b"ghij")
    assert not buffer.has_data


def test_nothing_fits() -> None:
    buffer = filled(b"abc")
    assert buffer.take(0) == (0, b"")
    assert buffer.take_new(-5) == (0, b"")
    buffer.take(3)
    buffer.on_lost(0, 3)
    assert buffer.take(0)[1] == b""
    assert buffer.take_lost(-1)[1] == b""
    assert buffer.has_data


def test_acknowledged_data_is_not_lost() -> None:
    buffer = filled(b"abcdef")
    buffer.take(6)
    buffer.on_acked(2, 2)
    buffer.on_lost(2, 2)
    assert not buffer.has_data
    buffer.on_lost(0, 2)
    buffer.on_acked(0, 2)  # it had arrived after all
    assert not buffer.has_data
    assert buffer.start == 4


def test_releases_what_is_acknowledged() -> None:
    buffer = filled(*(TEXT[:10_000] for _ in range(10)))
    while buffer.has_data:
        buffer.take(1000)
    assert sum(map(len, buffer._chunks)) == 100_000
    for offset in range(0, 95_000, 1000):
        buffer.on_acked(offset, 1000)
        assert sum(map(len, buffer._chunks)) <= 100_000 - offset // 10_000 * 10_000
    assert sum(map(len, buffer._chunks)) == 10_000
    buffer.on_acked(95_000, 5000)
    assert buffer._chunks == []
    assert (buffer.start, buffer.end) == (100_000, 100_000)


def test_acknowledged_out_of_order() -> None:
    buffer = filled(b"abcdefgh")
    buffer.take(8)
    buffer.on_acked(6, 2)
    buffer.on_acked(2, 2)
    assert buffer.start == 0
    buffer.on_acked(0, 2)
    assert buffer.start == 4
    buffer.on_acked(4, 2)
    assert buffer.start == 8


def test_small_writes_are_joined() -> None:
    buffer = SendBuffer()
    for byte in TEXT:
        buffer.write(bytes((byte,)))
    assert len(buffer._chunks) < 20
    assert buffer.take(len(TEXT)) == (0, TEXT)


def test_clear_keeps_what_was_sent() -> None:
    buffer = filled(b"abcdef")
    buffer.take(4)
    buffer.on_lost(0, 2)
    buffer.clear()
    assert (buffer.sent, buffer.end, buffer.has_data) == (4, 4, False)


STEP = st.one_of(
    st.tuples(st.just("write"), st.integers(0, 5000)),
    st.tuples(st.just("take"), st.integers(1, 2500)),
    st.tuples(st.just("acked"), st.integers(0, 1000)),
    st.tuples(st.just("lost"), st.integers(0, 1000)),
)


@given(st.lists(STEP, max_size=120))
@settings(deadline=None, max_examples=150)
def test_against_a_network(steps: list[tuple[str, int]]) -> None:
    """Whatever is taken is right, and in the end the peer has every byte."""
    buffer, written = SendBuffer(), 0
    flying: list[tuple[int, bytes]] = []
    arrived = set[int]()

    def take(limit: int) -> None:
        offset, data = buffer.take(limit)
        assert data == TEXT[offset : offset + len(data)]
        assert len(data) <= limit
        if data:
            flying.append((offset, data))

    for step, number in steps:
        if step == "write" and written + number <= len(TEXT):
            buffer.write(TEXT[written : written + number])
            written += number
        elif step == "take":
            take(number)
        elif step in ("acked", "lost") and flying:
            offset, data = flying.pop(number % len(flying))
            if step == "acked":
                arrived.update(range(offset, offset + len(data)))
                buffer.on_acked(offset, len(data))
            else:
                buffer.on_lost(offset, len(data))
    while flying or buffer.has_data:
        take(1000)
        offset, data = flying.pop(0)
        arrived.update(range(offset, offset + len(data)))
        buffer.on_acked(offset, len(data))
    assert arrived == set(range(written))
    assert (buffer.start, buffer.sent, buffer.end) == (written, written, written)
    assert buffer._chunks == []


def test_rewinds_to_the_beginning() -> None:
    """Nothing of it has arrived: it is given out once more, and what was written since follows."""
    buffer = filled(TEXT[:10_000], TEXT[10_000:20_000])
    assert buffer.take(15_000) == (0, TEXT[:15_000])
    buffer.on_lost(0, 1000)
    buffer.rewind()
    buffer.write(TEXT[20_000:21_000])
    assert buffer.take(12_000) == (0, TEXT[:12_000])
    assert buffer.take(12_000) == (12_000, TEXT[12_000:21_000])
    assert not buffer.has_data


def test_rewinds_what_was_cleared_to_nothing() -> None:
    buffer = filled(b"given up")
    buffer.take(5)
    buffer.clear()
    buffer.rewind()
    assert (buffer.start, buffer.sent, buffer.end) == (0, 0, 0)
    assert not buffer.has_data
