"""Which frame may stand in which packet (RFC 9000 §12.4, Table 3), and who gets it."""

from __future__ import annotations

import pytest

from quicmini.connection.frame_handlers import DISPATCH, ON_OTHER_PATH, refuse_frame
from quicmini.errors import TransportError, TransportErrorCode
from quicmini.recovery.sent import PacketNumberSpace
from quicmini.wire.frames import (
    Ack,
    Frame,
    HandshakeDone,
    NewToken,
)
from quicmini.wire.packet import PacketType
from tests.certificates import CertificateFiles
from tests.connection.attacker import core_of, forge
from tests.connection.pair import Pair

INITIAL, HANDSHAKE, APPLICATION = PacketNumberSpace


def ready(files: CertificateFiles, space: PacketNumberSpace) -> Pair:
    """A pair whose client reads packets of this space."""
    pair = Pair(files)
    if space is APPLICATION:
        pair.handshake()
        return pair
    pair.to_server(pair.from_client())
    flight = pair.from_server()
    if space is HANDSHAKE:
        pair.to_client(flight)
        pair.from_client()
    return pair


def test_variants_stand_where_their_frame_does() -> None:
    for packet_type in PacketType.INITIAL, PacketType.ZERO_RTT, PacketType.HANDSHAKE, PacketType.ONE_RTT:
        entries = DISPATCH[packet_type]
        assert (entries[0x02] is None) == (entries[0x03] is None), packet_type
        assert len({entries[0x08 + flags] for flags in range(8)}) == 1, packet_type
        assert entries[0x30] == entries[0x31], packet_type


@pytest.mark.parametrize(
    ("payload", "code", "frame_type"),
    [
        (b"\x08", TransportErrorCode.PROTOCOL_VIOLATION, 0x08),
        (b"\x1f", TransportErrorCode.FRAME_ENCODING_ERROR, 0x1F),
        (b"\x7f\xff", TransportErrorCode.FRAME_ENCODING_ERROR, 0x3FFF),
    ],
)
def test_what_is_wrong_with_a_frame_without_an_entry(payload: bytes, code: TransportErrorCode, frame_type: int) -> None:
    error = refuse_frame(b"\x01" + payload, 1)
    assert (error.error_code, error.frame_type) == (code, frame_type)


@pytest.mark.parametrize("payload", [b"\x40\x08", b"\x40"])
def test_a_frame_type_that_is_too_long_or_too_short(payload: bytes) -> None:
    with pytest.raises(TransportError):
        refuse_frame(payload, 0)


def test_an_acknowledgment_reaches_recovery_and_the_owner(server_files: CertificateFiles) -> None:
    pair = ready(server_files, APPLICATION)
    stream_id = pair.client.open_stream(True)
    assert stream_id is not None
    pair.client.write_stream(stream_id, b"x" * 3000, True)
    pair.from_client()
    assert pair.client.bytes_in_flight > 3000
    space = core_of(pair.client).spaces[APPLICATION]
    largest = space.next_packet_number - 1
    pair.to_client([forge(pair.server, Ack(((0, largest),), 0).encode())])
    assert core_of(pair.client).recovery.spaces[APPLICATION].largest_acked == largest
    assert pair.client.bytes_in_flight == 0
    assert pair.client.all_acknowledged


def test_the_ack_delay_is_scaled_by_the_peers_exponent(server_files: CertificateFiles) -> None:
    """RFC 9000 §19.3: microseconds, shifted. It makes the sample shorter."""
    pair = ready(server_files, APPLICATION)
    rtt = core_of(pair.client).recovery.rtt
    before = rtt.smoothed
    core_of(pair.client).recovery.ack_delay_exponent = 10
    pair.client.open_stream(True)
    pair.client.write_stream(2, b"x")
    pair.from_client()
    pair.now += 0.030
    largest = core_of(pair.client).spaces[APPLICATION].next_packet_number - 1
    pair.to_client([forge(pair.server, Ack(((largest, largest),), 20).encode())])
    assert rtt.latest == pytest.approx(0.030)
    assert rtt.smoothed == pytest.approx(before + (0.030 - 0.020480 - before) / 8)  # RFC 9002 §5.3


def test_any_acknowledgment_of_a_handshake_packet_shows_that_the_address_is_validated(
    server_files: CertificateFiles,
) -> None:
    """RFC 9002 §6.2.2.1: even of a packet that was taken for lost in the meantime."""
    pair = ready(server_files, HANDSHAKE)
    recovery = core_of(pair.client).recovery
    recovery.spaces[HANDSHAKE].clear()
    assert not recovery.peer_completed_address_validation
    pair.to_client([forge(pair.server, Ack(((0, 0),), 0).encode() + bytes(4), HANDSHAKE)])
    assert recovery.peer_completed_address_validation


@pytest.mark.parametrize("frame", [NewToken(b"token"), HandshakeDone()])
def test_what_only_a_server_may_send(server_files: CertificateFiles, frame: Frame) -> None:
    """RFC 9000 §19.7, §19.20: a client's is a violation, a server's may come again and again."""
    pair = ready(server_files, APPLICATION)
    for _ in range(3):
        pair.to_client([forge(pair.server, frame.encode() + bytes(4))])
    assert pair.client.error is None
    pair.to_server([forge(pair.client, frame.encode() + bytes(4))])
    assert pair.server.error is not None
    assert pair.server.error.error_code == TransportErrorCode.PROTOCOL_VIOLATION


def test_another_path_takes_the_same_frames_and_notes_those_that_do_not_probe() -> None:
    """RFC 9000 §9.1: PATH_CHALLENGE, PATH_RESPONSE, NEW_CONNECTION_ID and PADDING."""
    same = []
    for frame_type in range(256):
        usual, other = DISPATCH[PacketType.ONE_RTT][frame_type], DISPATCH[ON_OTHER_PATH][frame_type]
        assert (usual is None) == (other is None)
        if usual is not None and other is not None:
            assert (usual[0], usual[2]) == (other[0], other[2])
            if usual[1] is other[1]:
                same.append(frame_type)
    assert same == [0x00, 0x18, 0x1A, 0x1B]
