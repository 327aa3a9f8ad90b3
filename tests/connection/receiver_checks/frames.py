"""What a receiver must check: the rows about frames, packets and streams (RFC 9000); see its neighbours."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from quicmini.config import Config
from quicmini.connection.crypto_stream import CRYPTO_BUFFER_SIZE
from quicmini.connection.state import Address
from quicmini.errors import TransportErrorCode
from quicmini.recovery.sent import PacketNumberSpace
from quicmini.wire.frames import (
    FRAMES,
    Ack,
    Crypto,
    Frame,
    HandshakeDone,
    MaxStreamData,
    NewToken,
    PathResponse,
    Ping,
    ResetStream,
    StopSending,
    Stream,
    StreamDataBlocked,
)
from quicmini.wire.varint import MAX_VARINT, encode_varint
from tests.certificates import CertificateFiles
from tests.connection.attacker import core_of, forge
from tests.connection.duel import Duel
from tests.connection.pair import CLIENT, Pair
from tests.wire.examples import FRAMES as FRAME_EXAMPLES

Code = TransportErrorCode
INITIAL, HANDSHAKE, APPLICATION = PacketNumberSpace

ROLES = pytest.mark.parametrize("victim_is_server", [True, False], ids=["server", "client"])


# Streams and flow control


def test_e01_other_data_at_the_same_offset(duel: Duel) -> None:
    """RFC 9000 §2.2: it may be noticed, and is for data that waits behind a gap."""
    assert duel.hit(Stream(duel.peers_bidi, 10, b"first"), Stream(duel.peers_bidi, 12, b"rst again")) is None
    assert duel.hit(Stream(duel.peers_bidi, 8, b"no first")) == Code.PROTOCOL_VIOLATION


def test_e02_more_than_max_data(server_files: CertificateFiles, duel: Duel) -> None:
    """RFC 9000 §4.1, §19.9: the sum over all streams, those that were reset included."""
    limit, window = Config().max_data, Config().max_stream_data
    assert limit < 2 * window
    assert duel.hit(Stream(duel.peers_bidi, window - 1, b"x")) is None
    assert duel.hit(ResetStream(duel.peers_bidi + 4, 0, limit - window)) is None
    assert duel.hit(Stream(duel.peers_bidi + 8, 0, b"x")) == Code.FLOW_CONTROL_ERROR


def test_e02_a_reset_beyond_max_data(duel: Duel) -> None:
    """RFC 9000 §4.5: its final size counts as data does."""
    assert duel.hit(Stream(duel.peers_bidi, Config().max_stream_data - 1, b"x")) is None
    assert duel.hit(ResetStream(duel.peers_bidi + 4, 0, Config().max_stream_data)) == Code.FLOW_CONTROL_ERROR


def test_e03_more_than_max_stream_data(duel: Duel) -> None:
    """RFC 9000 §4.1, §19.10."""
    window = Config().max_stream_data
    assert duel.hit(Stream(duel.peers_bidi, window - 1, b"x")) is None
    assert duel.hit(Stream(duel.peers_bidi, window, b"x")) == Code.FLOW_CONTROL_ERROR


SIZES: dict[str, tuple[Frame, Frame]] = {
    "another FIN": (Stream(0, 6, b"", True), Stream(0, 5, b"", True)),
    "another reset": (ResetStream(0, 0, 5), ResetStream(0, 0, 6)),
    "a reset after a FIN": (Stream(0, 5, b"", True), ResetStream(0, 0, 6)),
    "a FIN after a reset": (ResetStream(0, 0, 6), Stream(0, 5, b"", True)),
    "a FIN before data": (Stream(0, 5, b"12345"), Stream(0, 7, b"1", True)),
    "a reset before data": (Stream(0, 5, b"12345"), ResetStream(0, 0, 9)),
}


@pytest.mark.parametrize(("first", "second"), SIZES.values(), ids=SIZES.keys())
def test_e04_the_final_size_changes(server_files: CertificateFiles, first: Frame, second: Frame) -> None:
    """RFC 9000 §4.5."""
    duel = Duel(server_files, victim_is_server=True)
    assert duel.hit(first) is None
    assert duel.hit(first) is None
    assert duel.hit(second) == Code.FINAL_SIZE_ERROR


def test_e05_data_at_the_final_size(duel: Duel) -> None:
    """RFC 9000 §4.5."""
    assert duel.hit(Stream(duel.peers_bidi, 0, b"12345", True)) is None
    assert duel.hit(Stream(duel.peers_bidi, 5, b"6")) == Code.FINAL_SIZE_ERROR


@pytest.mark.parametrize("frame_type", [0x12, 0x13])
def test_e07_max_streams_above_2_60(duel: Duel, frame_type: int) -> None:
    """RFC 9000 §4.6, §19.11."""
    assert duel.hit(bytes([frame_type]) + encode_varint(2**60)) is None
    assert duel.hit(bytes([frame_type]) + encode_varint(2**60 + 1)) == Code.FRAME_ENCODING_ERROR


@pytest.mark.parametrize("make", [lambda n: Stream(n, 0, b"x"), lambda n: ResetStream(n, 0, 0)])
def test_e08_a_stream_beyond_the_limit(duel: Duel, make: Callable[[int], Frame]) -> None:
    """RFC 9000 §4.6, §19.11."""
    beyond = duel.peers_uni + 4 * Config().max_streams_uni
    assert duel.hit(make(beyond - 4)) is None
    assert duel.hit(make(beyond)) == Code.STREAM_LIMIT_ERROR


@pytest.mark.parametrize(
    "make", [lambda n: StopSending(n, 0), lambda n: MaxStreamData(n, 9), lambda n: StreamDataBlocked(n, 0)]
)
def test_e08_other_frames_for_a_stream_beyond_the_limit(duel: Duel, make: Callable[[int], Frame]) -> None:
    """RFC 9000 §4.6: whichever frame names it, for either of its directions."""
    beyond = duel.peers_bidi + 4 * Config().max_streams_bidi
    assert duel.hit(make(beyond - 4)) is None
    assert duel.hit(make(beyond)) == Code.STREAM_LIMIT_ERROR


# The handshake


@ROLES
@pytest.mark.parametrize("space", [INITIAL, HANDSHAKE])
def test_e18_more_crypto_data_than_can_wait(
    server_files: CertificateFiles, victim_is_server: bool, space: PacketNumberSpace
) -> None:
    """RFC 9000 §7.5."""
    duel = Duel(server_files, victim_is_server=victim_is_server, space=space)
    start = 0 if space is INITIAL else duel.crypto_offset(HANDSHAKE)
    last = start + CRYPTO_BUFFER_SIZE - 1
    assert duel.hit(Crypto(last, b"x"), bytes(10), space=space) is None
    assert duel.hit(Crypto(last + 1, b"x"), bytes(10), space=space) == Code.CRYPTO_BUFFER_EXCEEDED


@pytest.mark.parametrize(("source", "delay"), [(("198.51.100.7", 1), 0.0), (CLIENT, 60.0)])
def test_e19_an_invalid_retry_token(server_files: CertificateFiles, source: Address, delay: float) -> None:
    """RFC 9000 §8.1.2: another client's, or one that is too old; there is no connection yet that could close."""
    pair = Pair(server_files, server_config=Config(retry=True))
    pair.exchange()
    assert core_of(pair.client).token
    pair.now += delay
    pair.to_server(pair.from_client(), source)
    pair.to_client(pair.from_server())
    error = pair.client.error
    assert error is not None
    assert (error.error_code, error.remote) == (Code.INVALID_TOKEN, True)


# Packets and frames


@ROLES
@pytest.mark.parametrize("space", PacketNumberSpace)
def test_e22_a_packet_without_frames(
    server_files: CertificateFiles, victim_is_server: bool, space: PacketNumberSpace
) -> None:
    """RFC 9000 §12.4."""
    duel = Duel(server_files, victim_is_server=victim_is_server, space=space)
    packet = duel.forge(space=space)
    # An Initial needs a datagram of 1200 bytes: what fills it belongs to no packet.
    duel.deliver([packet + bytes(1200 - len(packet))] if space is INITIAL else [packet])
    assert duel.verdict() == Code.PROTOCOL_VIOLATION


@ROLES
@pytest.mark.parametrize("space", [INITIAL, HANDSHAKE])
@pytest.mark.parametrize("frame", [HandshakeDone(), PathResponse(bytes(8)), Stream(0, 0, b"x")])
def test_e23_a_frame_in_the_wrong_packet(
    server_files: CertificateFiles, victim_is_server: bool, space: PacketNumberSpace, frame: Frame
) -> None:
    """RFC 9000 §12.4, §12.5; `test_frame_grid` has them all."""
    duel = Duel(server_files, victim_is_server=victim_is_server, space=space)
    assert duel.hit(frame, bytes(10), space=space) == Code.PROTOCOL_VIOLATION


@pytest.mark.parametrize("frame_type", [b"\x1f", b"\x40\x40", b"\xff" * 8])
def test_e24_an_unknown_frame_type(duel: Duel, frame_type: bytes) -> None:
    """RFC 9000 §12.4."""
    assert duel.hit(frame_type, bytes(4)) == Code.FRAME_ENCODING_ERROR


@pytest.mark.parametrize("frame", [b"\x40\x01", b"\x80\x00\x00\x01", b"\xc0" + bytes(6) + b"\x01"])
def test_e25_a_frame_type_longer_than_needed(duel: Duel, frame: bytes) -> None:
    """RFC 9000 §12.4."""
    assert duel.hit(frame, bytes(4)) == Code.PROTOCOL_VIOLATION


@pytest.mark.parametrize("beyond", [0, 1000])
def test_e27_an_acknowledgment_of_what_was_never_sent(duel: Duel, beyond: int) -> None:
    """RFC 9000 §13.1."""
    number = core_of(duel.victim).spaces[APPLICATION].next_packet_number + beyond
    assert duel.hit(Ack(((number, number),), 0)) == Code.PROTOCOL_VIOLATION


def test_e27_an_acknowledgment_of_a_number_that_was_left_out(duel: Duel) -> None:
    """RFC 9000 §21.4: left out to catch just this."""
    core = core_of(duel.victim)
    space = core.spaces[APPLICATION]
    left_out = space.next_packet_number
    core.recovery.on_packet_number_skipped(APPLICATION, left_out)
    space.next_packet_number += 1
    duel.victim.open_stream(True)
    duel.victim.write_stream(duel.own_uni, b"x")
    assert duel.answers()
    assert duel.hit(Ack(((left_out + 1, left_out + 1),), 0)) is None
    assert duel.hit(Ack(((left_out, left_out + 1),), 0)) == Code.PROTOCOL_VIOLATION


def test_e28_an_initial_in_a_small_datagram(server_files: CertificateFiles) -> None:
    """RFC 9000 §14.1: dropped, by a server that does not know the client yet and by one that does."""
    pair = Pair(server_files)
    flight = pair.from_client()
    small = forge(pair.client, Ping().encode(), INITIAL, padded=False)
    pair.to_server([small])
    assert pair.server_endpoint.dropped == {"small datagram": 1}
    pair.to_server(flight)
    pair.to_server([forge(pair.client, Ping().encode(), INITIAL, padded=False)])
    assert pair.server.stats().packets_dropped == {"Initial in a small datagram": 1}
    assert pair.server.error is None


@ROLES
@pytest.mark.parametrize("space", [INITIAL, HANDSHAKE])
def test_e29_reserved_bits_of_a_long_header(
    server_files: CertificateFiles, victim_is_server: bool, space: PacketNumberSpace
) -> None:
    """RFC 9000 §17.2."""
    duel = Duel(server_files, victim_is_server=victim_is_server, space=space)
    assert duel.hit(Ping(), bytes(10), space=space, reserved_bits=True) == Code.PROTOCOL_VIOLATION


def test_e30_a_servers_initial_with_a_token(server_files: CertificateFiles) -> None:
    """RFC 9000 §17.2.2: discarded, which is the other choice."""
    duel = Duel(server_files, victim_is_server=False, space=INITIAL)
    assert duel.hit(Ping(), space=INITIAL, token=b"token") is None
    assert duel.dropped == {"a server's token": 1}


@ROLES
def test_e31_other_frames_in_an_initial(server_files: CertificateFiles, victim_is_server: bool) -> None:
    """RFC 9000 §17.2.2."""
    for frame_type, spec in FRAMES.items():
        if frame_type not in (0x00, 0x01, 0x02, 0x03, 0x06, 0x1C):
            duel = Duel(server_files, victim_is_server=victim_is_server, space=INITIAL)
            assert duel.hit(bytes([frame_type]), bytes(40), space=INITIAL) == Code.PROTOCOL_VIOLATION, spec.name


@ROLES
def test_e33_other_frames_in_a_handshake_packet(server_files: CertificateFiles, victim_is_server: bool) -> None:
    """RFC 9000 §17.2.4."""
    for frame_type, spec in FRAMES.items():
        if frame_type not in (0x00, 0x01, 0x02, 0x03, 0x06, 0x1C):
            duel = Duel(server_files, victim_is_server=victim_is_server, space=HANDSHAKE)
            assert duel.hit(bytes([frame_type]), bytes(40), space=HANDSHAKE) == Code.PROTOCOL_VIOLATION, spec.name


def test_e34_another_client_hello_after_a_retry(server_files: CertificateFiles) -> None:
    """RFC 9000 §17.2.5.3: a server may notice. This one keeps nothing of the first, and the second is a good one: there
    are clients (aioquic 1.7 is one) that make a new one after each Retry, and whom noticing would shut out."""
    pair = Pair(server_files, server_config=Config(retry=True))
    pair.exchange()
    other = Pair(server_files, client_alpn=("another", "test"))
    core, crypto = core_of(pair.client), core_of(other.client).spaces[INITIAL].crypto
    assert crypto.has_frames
    core.spaces[INITIAL].crypto = crypto
    pair.to_server(pair.from_client())
    assert pair.server.error is None
    assert pair.from_server()


def test_e35_reserved_bits_of_a_short_header(duel: Duel) -> None:
    """RFC 9000 §17.3.1."""
    assert duel.hit(Ping(), reserved_bits=True) == Code.PROTOCOL_VIOLATION


# Frames with impossible contents


@pytest.mark.parametrize("ranges", ["00 01", "01 00 02", "01 02 00 00", "01 00 00 02"])
def test_e46_an_acknowledgment_of_a_negative_number(duel: Duel, ranges: str) -> None:
    """RFC 9000 §19.3.1. The packet numbers 0 and 1 were sent."""
    ack = b"\x02\x01\x00" if ranges.count(" ") > 1 else b"\x02\x00\x00"
    assert duel.hit(ack + bytes.fromhex(ranges)) == Code.FRAME_ENCODING_ERROR


def test_e47_a_reset_of_a_stream_that_only_this_side_sends_on(duel: Duel) -> None:
    """RFC 9000 §19.4."""
    duel.victim.open_stream(True)
    assert duel.hit(ResetStream(duel.own_uni, 0, 0)) == Code.STREAM_STATE_ERROR


def test_e48_stop_sending_for_a_stream_that_this_side_has_not_opened(duel: Duel) -> None:
    """RFC 9000 §19.5."""
    duel.victim.open_stream(False)
    assert duel.hit(StopSending(duel.own_bidi, 0)) is None
    assert duel.hit(StopSending(duel.own_bidi + 4, 0)) == Code.STREAM_STATE_ERROR


def test_e49_stop_sending_for_a_stream_that_this_side_does_not_send_on(duel: Duel) -> None:
    """RFC 9000 §19.5."""
    assert duel.hit(StopSending(duel.peers_uni, 0)) == Code.STREAM_STATE_ERROR


def test_e50_crypto_data_beyond_2_62(duel: Duel) -> None:
    """RFC 9000 §19.6."""
    assert duel.hit(b"\x06" + encode_varint(MAX_VARINT) + b"\x01x") == Code.FRAME_ENCODING_ERROR


def test_e51_an_empty_token(server_files: CertificateFiles) -> None:
    """RFC 9000 §19.7."""
    duel = Duel(server_files, victim_is_server=False)
    assert duel.hit(b"\x07\x00") == Code.FRAME_ENCODING_ERROR


def test_e52_a_client_sends_new_token(server_files: CertificateFiles) -> None:
    """RFC 9000 §19.7."""
    duel = Duel(server_files, victim_is_server=True)
    assert duel.hit(NewToken(b"token")) == Code.PROTOCOL_VIOLATION


def test_e53_data_for_a_stream_that_this_side_has_not_opened(duel: Duel) -> None:
    """RFC 9000 §19.8."""
    duel.victim.open_stream(False)
    assert duel.hit(Stream(duel.own_bidi, 0, b"x")) is None
    assert duel.hit(Stream(duel.own_bidi + 4, 0, b"x")) == Code.STREAM_STATE_ERROR


def test_e54_data_for_a_stream_that_only_this_side_sends_on(duel: Duel) -> None:
    """RFC 9000 §19.8."""
    duel.victim.open_stream(True)
    assert duel.hit(Stream(duel.own_uni, 0, b"x")) == Code.STREAM_STATE_ERROR


def test_e55_stream_data_beyond_2_62(duel: Duel) -> None:
    """RFC 9000 §19.8."""
    frame = b"\x0e" + encode_varint(duel.peers_bidi) + encode_varint(MAX_VARINT) + b"\x01x"
    assert duel.hit(frame) == Code.FRAME_ENCODING_ERROR


def test_e56_max_stream_data_for_a_stream_that_this_side_has_not_opened(duel: Duel) -> None:
    """RFC 9000 §19.10."""
    duel.victim.open_stream(False)
    assert duel.hit(MaxStreamData(duel.own_bidi, 5)) is None
    assert duel.hit(MaxStreamData(duel.own_bidi + 4, 5)) == Code.STREAM_STATE_ERROR


def test_e57_max_stream_data_for_a_stream_that_this_side_does_not_send_on(duel: Duel) -> None:
    """RFC 9000 §19.10."""
    assert duel.hit(MaxStreamData(duel.peers_uni, 5)) == Code.STREAM_STATE_ERROR


def test_e58_stream_data_blocked_for_a_stream_that_only_this_side_sends_on(duel: Duel) -> None:
    """RFC 9000 §19.13."""
    duel.victim.open_stream(True)
    assert duel.hit(StreamDataBlocked(duel.own_uni, 5)) == Code.STREAM_STATE_ERROR


@pytest.mark.parametrize("frame_type", [0x16, 0x17])
def test_e59_streams_blocked_above_2_60(duel: Duel, frame_type: int) -> None:
    """RFC 9000 §19.14."""
    assert duel.hit(bytes([frame_type]) + encode_varint(2**60)) is None
    assert duel.hit(bytes([frame_type]) + encode_varint(2**60 + 1)) == Code.FRAME_ENCODING_ERROR


def test_e68_a_client_sends_handshake_done(server_files: CertificateFiles) -> None:
    """RFC 9000 §19.20."""
    duel = Duel(server_files, victim_is_server=True)
    assert duel.hit(HandshakeDone()) == Code.PROTOCOL_VIOLATION


# One example of each frame type without its last byte.
TRUNCATED = {octets[0]: octets[:-1] for octets in map(bytes.fromhex, dict(FRAME_EXAMPLES).values()) if octets[0] > 0x01}
TRUNCATED = {frame_type: payload for frame_type, payload in TRUNCATED.items() if len(payload) > 1}


@pytest.mark.parametrize("payload", TRUNCATED.values(), ids=lambda payload: f"type {payload[0]:#04x}")
def test_e69_a_truncated_frame(duel: Duel, payload: bytes) -> None:
    """RFC 9000 §20.1: one byte is missing at the end of the packet."""
    assert duel.hit(payload) == Code.FRAME_ENCODING_ERROR
