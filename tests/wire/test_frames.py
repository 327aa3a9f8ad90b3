from __future__ import annotations

from typing import SupportsIndex, overload

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quicmini.errors import TransportError, TransportErrorCode
from quicmini.wire.frames import (
    FRAMES,
    Ack,
    Crypto,
    Datagram,
    Frame,
    FrameType,
    NewToken,
    Padding,
    Ping,
    Stream,
    encode_crypto_header,
    encode_stream_header,
    parse_frame,
    parse_frame_type,
    parse_frames,
)
from quicmini.wire.packet import PacketType
from quicmini.wire.varint import MAX_VARINT, encode_varint
from tests.wire import examples

BIGGEST_DATAGRAM = 65527  # bytes of UDP payload (RFC 9000 §18.2)


@pytest.mark.parametrize(("frame", "text"), examples.FRAMES)
def test_written_and_read_as_in_the_table(frame: Frame, text: str) -> None:
    data = bytes.fromhex(text)
    assert frame.encode() == data
    assert parse_frame(data, 0) == (frame, len(data))


@pytest.mark.parametrize(("frame", "text"), examples.READ_ONLY_FRAMES)
def test_read_though_written_otherwise(frame: Frame, text: str) -> None:
    data = bytes.fromhex(text)
    assert parse_frame(data, 0) == (frame, len(data))
    assert data != frame.encode()


@pytest.mark.parametrize(("frame", "text"), examples.FRAMES)
def test_read_in_the_middle_of_a_packet(frame: Frame, text: str) -> None:
    data = bytes.fromhex(text)
    payload = b"\x01" + data + b"\x01"
    assert parse_frame(payload, 1) == (frame, 1 + len(data))


@pytest.mark.parametrize(("frame", "text"), [pair for pair in examples.FRAMES if not isinstance(pair[0], Padding)])
def test_each_truncation_is_refused(frame: Frame, text: str) -> None:
    data = bytes.fromhex(text)
    for length in range(1, len(data)):
        with pytest.raises(TransportError) as caught:
            parse_frame(data[:length], 0)
        assert caught.value.error_code == TransportErrorCode.FRAME_ENCODING_ERROR
        assert caught.value.frame_type == data[0]


@pytest.mark.parametrize(("text", "error_code", "why"), examples.MALFORMED_FRAMES)
def test_malformed(text: str, error_code: int, why: str) -> None:
    with pytest.raises(TransportError) as caught:
        parse_frame(bytes.fromhex(text), 0)
    assert caught.value.error_code == error_code
    assert not caught.value.remote
    assert caught.value.reason


@pytest.mark.parametrize(("frame", "text"), examples.FRAMES)
def test_frames_have_the_types_they_are_listed_under(frame: Frame, text: str) -> None:
    data = bytes.fromhex(text)
    frame_type, pos = parse_frame_type(data, 0)
    assert FRAMES[frame_type].parse(data, pos, frame_type) == (frame, len(data))


@pytest.mark.parametrize("data", [b"", b"to the end", b"\x01\x02"])
def test_a_datagram_without_length_goes_up_to_the_end(data: bytes) -> None:
    """RFC 9221 §4."""
    frame = Datagram(data, with_length=False)
    assert frame.encode() == b"\x30" + data
    assert parse_frames(b"\x01" + frame.encode()) == [Ping(), frame]
    assert (frame.size, Datagram(data).size) == (len(frame.encode()), len(Datagram(data).encode()))


def test_all_frames_of_a_packet() -> None:
    payload = b"".join(frame.encode() for frame, _ in examples.FRAMES[1:])
    assert parse_frames(payload) == [frame for frame, _ in examples.FRAMES[1:]]
    assert parse_frames(b"") == []


def test_server_initial_of_rfc_9001_a3() -> None:
    payload = bytes.fromhex(
        "02000000000600405a020000560303eefce7f7b37ba1d1632e96677825ddf73988cfc79825df566dc5430b9a045a1200"
        "130100002e00330024001d00209d3c940d89690b84d08a60993c144eca684d1081287c834d5311bcf32bb9da1a002b00020304"
    )
    ack, crypto = parse_frames(payload)
    assert ack == Ack(((0, 0),), 0)
    assert isinstance(crypto, Crypto)
    assert (crypto.offset, len(crypto.data), crypto.data[:4]) == (0, 90, bytes.fromhex("02000056"))
    assert ack.encode() == payload[:5]
    assert encode_crypto_header(0, 90) == payload[5:9]


# RFC 9000 §12.4 Table 3, and RFC 9221 §4 for DATAGRAM: the types, the packets, the marks.
TABLE_3 = [
    ("PADDING", range(0x01), "IH01", "NP"),
    ("PING", range(0x01, 0x02), "IH01", ""),
    ("ACK", range(0x02, 0x04), "IH_1", "NC"),
    ("RESET_STREAM", range(0x04, 0x05), "__01", ""),
    ("STOP_SENDING", range(0x05, 0x06), "__01", ""),
    ("CRYPTO", range(0x06, 0x07), "IH_1", ""),
    ("NEW_TOKEN", range(0x07, 0x08), "___1", ""),
    ("STREAM", range(0x08, 0x10), "__01", "F"),
    ("MAX_DATA", range(0x10, 0x11), "__01", ""),
    ("MAX_STREAM_DATA", range(0x11, 0x12), "__01", ""),
    ("MAX_STREAMS", range(0x12, 0x14), "__01", ""),
    ("DATA_BLOCKED", range(0x14, 0x15), "__01", ""),
    ("STREAM_DATA_BLOCKED", range(0x15, 0x16), "__01", ""),
    ("STREAMS_BLOCKED", range(0x16, 0x18), "__01", ""),
    ("NEW_CONNECTION_ID", range(0x18, 0x19), "__01", "P"),
    ("RETIRE_CONNECTION_ID", range(0x19, 0x1A), "__01", ""),
    ("PATH_CHALLENGE", range(0x1A, 0x1B), "__01", "P"),
    ("PATH_RESPONSE", range(0x1B, 0x1C), "___1", "P"),
    ("CONNECTION_CLOSE", range(0x1C, 0x1D), "IH01", "N"),
    ("CONNECTION_CLOSE", range(0x1D, 0x1E), "__01", "N"),
    ("HANDSHAKE_DONE", range(0x1E, 0x1F), "___1", ""),
    ("DATAGRAM", range(0x30, 0x32), "__01", ""),
]
LETTERS = {
    "I": PacketType.INITIAL,
    "H": PacketType.HANDSHAKE,
    "0": PacketType.ZERO_RTT,
    "1": PacketType.ONE_RTT,
}


@pytest.mark.parametrize(("name", "types", "packets", "marks"), TABLE_3)
def test_table_3(name: str, types: range, packets: str, marks: str) -> None:
    for frame_type in types:
        spec = FRAMES[frame_type]
        assert spec.name == name
        assert spec.packets == {LETTERS[letter] for letter in packets if letter != "_"}
        assert spec.ack_eliciting == ("N" not in marks)
        assert spec.probing == ("P" in marks)


def test_no_frame_type_beyond_table_3() -> None:
    assert set(FRAMES) == {frame_type for line in TABLE_3 for frame_type in line[1]}
    assert set(FrameType) <= set(FRAMES)


sizes = st.sampled_from([0, 1, 63, 64, 2**14 - 1, 2**14, 2**30 - 1, 2**30, MAX_VARINT])


@given(sizes, sizes, st.integers(0, 2**16), st.booleans(), st.booleans())
@settings(deadline=None, max_examples=300)
def test_stream_header_is_the_shortest(stream_id: int, offset: int, length: int, fin: bool, with_length: bool) -> None:
    """The short cut for bulk transfers writes what the general case writes."""
    frame_type = 0x08 + 4 * (offset > 0) + 2 * with_length + fin
    fields = [stream_id] + [offset] * (offset > 0) + [length] * with_length
    expected = bytes((frame_type,)) + b"".join(map(encode_varint, fields))
    assert encode_stream_header(stream_id, offset, length, fin, with_length) == expected


@pytest.mark.parametrize(("stream_id", "offset"), [(-1, 0), (0, 2**62), (-1, 2**20), (2**62, 0)])
def test_stream_header_that_does_not_exist(stream_id: int, offset: int) -> None:
    with pytest.raises(ValueError, match="2\\*\\*62-1"):
        encode_stream_header(stream_id, offset, 1000, False)


def test_stream_fields_have_plain_types() -> None:
    frame, _ = parse_frame(b"\x0b\x00\x01a", 0)
    assert type(frame) is Stream
    assert type(frame.data) is bytes
    assert type(frame.fin) is bool


@given(st.lists(st.tuples(st.integers(0, 10**6), st.integers(0, 10**6)), min_size=1, max_size=80), sizes)
@settings(deadline=None, max_examples=100)
def test_ack_round_trip(steps: list[tuple[int, int]], delay: int) -> None:
    ranges, smallest = [], 0
    for gap, length in steps:  # from the lowest range up
        ranges.append((smallest, smallest + length))
        smallest += length + gap + 2
    ack = Ack(tuple(reversed(ranges)), delay)
    data = ack.encode()
    assert parse_frame(data, 0) == (ack, len(data))


def mutations() -> st.SearchStrategy[bytes]:
    """Bytes that look like frames: some from the table, some of them damaged, some noise."""
    pieces = st.sampled_from([bytes.fromhex(text) for _, text in examples.FRAMES + examples.READ_ONLY_FRAMES])
    damaged = st.builds(lambda piece, cut: piece[:cut], pieces, st.integers(0, 20))
    typed = st.builds(lambda kind, rest: bytes((kind,)) + rest, st.sampled_from(sorted(FRAMES)), st.binary(max_size=40))
    return st.lists(pieces | damaged | typed | st.binary(max_size=20), max_size=8).map(b"".join)


@given(st.binary(max_size=100) | mutations())
@settings(deadline=None, max_examples=500)
def test_any_bytes_give_frames_or_a_transport_error(payload: bytes) -> None:
    refusal = None
    try:
        frames = parse_frames(payload)
    except TransportError as error:
        refusal = error
    if refusal is not None:
        assert refusal.error_code in (TransportErrorCode.FRAME_ENCODING_ERROR, TransportErrorCode.PROTOCOL_VIOLATION)
        return
    again = b"".join(frame.encode() for frame in frames)
    assert parse_frames(again) == frames


class CountingBytes(bytes):
    """Counts how often it is looked at, and how many bytes are copied out of it."""

    reads = copied = 0

    @overload
    def __getitem__(self, key: SupportsIndex, /) -> int: ...
    @overload
    def __getitem__(self, key: slice, /) -> bytes: ...
    def __getitem__(self, key: SupportsIndex | slice, /) -> int | bytes:
        self.reads += 1
        if not isinstance(key, slice):
            return super().__getitem__(key)
        part = super().__getitem__(key)
        self.copied += len(part)
        return part


@pytest.mark.parametrize(
    "piece",
    [
        b"\x00\x01",
        b"\x00",
        b"\x08",
        b"\x0a\x00\x01a",
        b"\x0a\x04\x44\xb0" + bytes(1200),
        b"\x06\x00\x01a",
        b"\x02\x3f\x00\x02\x00\x00\x00\x00\x00",
        NewToken(b"token").encode(),
        b"\x1d\x00\x01a",
        b"\x31\x01a",
    ],
    ids=bytes.hex,
)
def test_work_is_linear_in_the_size_of_the_packet(piece: bytes) -> None:
    payload = CountingBytes(piece * (BIGGEST_DATAGRAM // len(piece)))
    parse_frames(payload)
    assert payload.copied <= len(payload)
    assert payload.reads <= 4 * len(payload)


def test_the_largest_possible_ack() -> None:
    count = (BIGGEST_DATAGRAM - 20) // 2
    head = b"\x02" + encode_varint(2 * count) + b"\x00" + encode_varint(count) + b"\x00"
    frame, _ = parse_frame(head + b"\x00\x00" * count, 0)
    assert isinstance(frame, Ack)
    assert len(frame.ranges) == count + 1
    assert frame.ranges[-1] == (0, 0)


def test_more_ack_ranges_than_bytes_are_refused_before_any_is_read() -> None:
    payload = CountingBytes(b"\x02\x3f\x00" + encode_varint(MAX_VARINT) + b"\x00" + bytes(60_000))
    with pytest.raises(TransportError, match="more ACK ranges than the packet holds"):
        parse_frame(payload, 0)
    assert payload.reads < 20
