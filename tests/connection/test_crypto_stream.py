"""The handshake bytes of one level (RFC 9000 §7.5, §19.6)."""

from __future__ import annotations

import pytest

from quicmini.connection.crypto_stream import CRYPTO_BUFFER_SIZE, CryptoStream
from quicmini.errors import TransportError, TransportErrorCode
from quicmini.streams.reassembly import MAX_FRAGMENTS
from quicmini.wire.builder import PacketBuilder
from quicmini.wire.frames import Crypto, Frame, parse_frames


def packet(stream: CryptoStream, room: int = 1000) -> PacketBuilder:
    builder = PacketBuilder(room)
    stream.write_frames(builder)
    return builder


def frames(stream: CryptoStream, room: int = 1000) -> list[Frame]:
    return parse_frames(packet(stream, room).payload())


def test_bytes_come_out_in_order() -> None:
    stream = CryptoStream()
    assert stream.receive(Crypto(2, b"cd")) == b""
    assert stream.receive(Crypto(0, b"ab")) == b"abcd"
    assert stream.receive(Crypto(1, b"bc")) == b""  # again
    assert stream.receive(Crypto(3, b"de")) == b"e"
    assert stream.received == 5


def test_nothing_new_comes_after_the_end_of_a_level() -> None:
    """RFC 9001 §4.1.3: what was sent again may still arrive."""
    stream = CryptoStream()
    stream.receive(Crypto(0, b"all"))
    stream.finish()
    assert stream.receive(Crypto(1, b"ll")) == b""
    for late in (Crypto(1, b"ll the same"), Crypto(100, b"behind a gap")):
        with pytest.raises(TransportError) as caught:
            stream.receive(late)
        assert (caught.value.error_code, caught.value.frame_type) == (TransportErrorCode.PROTOCOL_VIOLATION, 0x06)


def test_a_level_does_not_end_with_a_gap() -> None:
    stream = CryptoStream()
    stream.receive(Crypto(1, b"ab"))
    with pytest.raises(TransportError) as caught:
        stream.finish()
    assert caught.value.error_code == TransportErrorCode.PROTOCOL_VIOLATION


def test_contradictions_are_no_matter_of_space() -> None:
    stream = CryptoStream()
    stream.receive(Crypto(1, b"ab"))
    with pytest.raises(TransportError) as caught:
        stream.receive(Crypto(1, b"ax"))
    assert (caught.value.error_code, caught.value.frame_type) == (TransportErrorCode.PROTOCOL_VIOLATION, 0x06)


def test_the_buffer_has_an_end() -> None:
    """RFC 9000 §7.5: it counts from what TLS has read."""
    stream = CryptoStream()
    stream.receive(Crypto(CRYPTO_BUFFER_SIZE - 1, b"x"))
    with pytest.raises(TransportError) as caught:
        stream.receive(Crypto(CRYPTO_BUFFER_SIZE, b"x"))
    assert (caught.value.error_code, caught.value.frame_type) == (TransportErrorCode.CRYPTO_BUFFER_EXCEEDED, 0x06)


def test_the_end_moves_with_what_was_read() -> None:
    stream = CryptoStream()
    for start in range(0, 3 * CRYPTO_BUFFER_SIZE, 1024):
        assert stream.receive(Crypto(start, bytes(1024))) == bytes(1024)


def test_crumbs_are_counted() -> None:
    """Whatever the size of the buffer: each piece that waits costs something as well."""
    stream = CryptoStream()
    for number in range(1, MAX_FRAGMENTS + 1):
        stream.receive(Crypto(2 * number, b"x"))
    with pytest.raises(TransportError) as caught:
        stream.receive(Crypto(2 * (MAX_FRAGMENTS + 1), b"x"))
    assert (caught.value.error_code, caught.value.frame_type) == (TransportErrorCode.CRYPTO_BUFFER_EXCEEDED, 0x06)


def test_data_is_cut_to_the_room_there_is() -> None:
    stream = CryptoStream()
    stream.send(b"a" * 100)
    first, second = frames(stream, 57), frames(stream)
    assert first == [Crypto(0, b"a" * 50)]
    assert second == [Crypto(50, b"a" * 50)]
    assert not stream.has_frames


def test_a_packet_without_room_stays_empty() -> None:
    stream = CryptoStream()
    stream.send(b"a" * 100)
    assert packet(stream, 10).empty
    assert stream.has_frames


def test_what_was_lost_is_sent_again_and_what_arrived_is_not() -> None:
    stream = CryptoStream()
    stream.send(b"a" * 50 + b"b" * 50)
    first, second = packet(stream, 57), packet(stream)
    stream.on_acked(second.records[0])
    stream.on_lost(first.records[0])
    stream.on_lost(second.records[0])
    assert frames(stream) == [Crypto(0, b"a" * 50)]


@pytest.mark.parametrize("room", [24, 100, 1200, 16_383])
@pytest.mark.parametrize("offset", [0, 63, 64, 16_383, 16_384])
def test_a_frame_fits_whatever_the_length_of_its_numbers(room: int, offset: int) -> None:
    stream = CryptoStream()
    stream.send(bytes(offset))
    while stream.has_frames:
        packet(stream)
    stream.send(bytes(20_000))
    assert packet(stream, room).room >= 0
