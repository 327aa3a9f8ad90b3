"""What a peer can do wrong, and what is dropped in silence (RFC 9000 §12, §17, §19; RFC 9001 §5.5, §5.7)."""

from __future__ import annotations

import random

import pytest

from quicmini.config import Config
from quicmini.connection.events import ConnectionTerminated, HandshakeCompleted, StreamReadable
from quicmini.connection.receive import MAX_UNDECRYPTABLE
from quicmini.connection.state import ConnectionState
from quicmini.errors import StatelessResetError, TransportError, TransportErrorCode
from quicmini.recovery.sent import PacketNumberSpace
from quicmini.wire.frames import (
    Ack,
    ConnectionClose,
    Crypto,
    Frame,
    HandshakeDone,
    MaxStreamData,
    MaxStreams,
    NewConnectionId,
    NewToken,
    PathChallenge,
    PathResponse,
    Ping,
    ResetStream,
    RetireConnectionId,
    StopSending,
    Stream,
    parse_frames,
)
from tests.certificates import CertificateFiles
from tests.connection.attacker import core_of, forge
from tests.connection.pair import Pair, events

Code = TransportErrorCode
CLIENT_ONLY_STREAM, SERVER_ONLY_STREAM = 2, 3  # unidirectional, RFC 9000 §2.1
LIMIT = Config().max_streams_bidi
WINDOW = Config().max_stream_data

TOO_MANY_CIDS = b"".join(NewConnectionId(n, 0, bytes([n] * 8), bytes([n] * 16)).encode() for n in range(4, 9))


@pytest.fixture
def pair(server_files: CertificateFiles) -> Pair:
    pair = Pair(server_files)
    pair.handshake()
    return pair


def attack(pair: Pair, payload: bytes, *, reserved_bits: bool = False) -> TransportError:
    """The client sends a 1-RTT packet; the server must close, and tell the client the same."""
    pair.to_server([forge(pair.client, payload, reserved_bits=reserved_bits)])
    pair.to_client(pair.from_server())
    error, told = pair.server.error, pair.client.error
    assert isinstance(error, TransportError)
    assert isinstance(told, TransportError)
    assert not error.remote
    assert told.remote
    assert (told.error_code, told.frame_type, told.reason) == (error.error_code, error.frame_type, error.reason)
    return error


TO_SERVER: list[tuple[Code, Frame | bytes]] = [
    (Code.PROTOCOL_VIOLATION, b""),
    (Code.FRAME_ENCODING_ERROR, b"\x1f"),
    (Code.FRAME_ENCODING_ERROR, b"\x40\x40"),
    (Code.FRAME_ENCODING_ERROR, b"\xff"),
    (Code.PROTOCOL_VIOLATION, b"\x40\x01"),  # PING, in two bytes
    (Code.FRAME_ENCODING_ERROR, b"\x08"),
    (Code.PROTOCOL_VIOLATION, Ack(((0, 1000),), 0)),
    (Code.FRAME_ENCODING_ERROR, b"\x02\x01\x00\x00\x05"),
    (Code.STREAM_STATE_ERROR, ResetStream(SERVER_ONLY_STREAM, 0, 0)),
    (Code.STREAM_STATE_ERROR, StopSending(1, 0)),
    (Code.STREAM_STATE_ERROR, StopSending(CLIENT_ONLY_STREAM, 0)),
    (Code.STREAM_STATE_ERROR, Stream(1, 0, b"x", False)),
    (Code.STREAM_STATE_ERROR, Stream(SERVER_ONLY_STREAM, 0, b"x", False)),
    (Code.STREAM_STATE_ERROR, MaxStreamData(1, 5)),
    (Code.STREAM_STATE_ERROR, MaxStreamData(CLIENT_ONLY_STREAM, 5)),
    (Code.STREAM_LIMIT_ERROR, Stream(4 * LIMIT, 0, b"x", False)),
    (Code.FLOW_CONTROL_ERROR, Stream(0, WINDOW, b"x", False)),
    (Code.FINAL_SIZE_ERROR, Stream(0, 0, b"xy", True).encode() + Stream(0, 1, b"yz", True).encode()),
    (Code.FINAL_SIZE_ERROR, Stream(0, 10, b"x", False).encode() + ResetStream(0, 0, 5).encode()),
    (Code.FRAME_ENCODING_ERROR, b"\x12" + (2**60 + 1 | 0xC0 << 56).to_bytes(8)),
    (Code.PROTOCOL_VIOLATION, NewToken(b"token")),
    (Code.PROTOCOL_VIOLATION, HandshakeDone()),
    (Code.PROTOCOL_VIOLATION, PathResponse(bytes(8))),
    (Code.PROTOCOL_VIOLATION, RetireConnectionId(0)),
    (Code.PROTOCOL_VIOLATION, RetireConnectionId(7)),
    (Code.FRAME_ENCODING_ERROR, b"\x18\x01\x02\x08" + bytes(24)),  # retire_prior_to above the sequence number
    (Code.CONNECTION_ID_LIMIT_ERROR, TOO_MANY_CIDS),
    (Code.CRYPTO_BUFFER_EXCEEDED, Crypto(1 << 20, b"x")),
]


@pytest.mark.parametrize(("code", "frames"), TO_SERVER, ids=lambda value: repr(value)[:60])
def test_a_violation_closes_with_the_right_code(pair: Pair, code: Code, frames: Frame | bytes) -> None:
    payload = frames if isinstance(frames, bytes) else frames.encode()
    assert attack(pair, payload).error_code == code


def test_a_tls_key_update_is_an_unexpected_message(pair: Pair) -> None:
    """RFC 9001 §6: QUIC has its own."""
    assert attack(pair, Crypto(0, b"\x18\x00\x00\x01\x00").encode()).error_code == 0x010A


def test_reserved_bits_of_a_short_header(pair: Pair) -> None:
    assert attack(pair, Ping().encode(), reserved_bits=True).error_code == Code.PROTOCOL_VIOLATION


@pytest.mark.parametrize(
    "frame", [Stream(0, 0, b"x", False), MaxStreams(5, True), HandshakeDone(), ConnectionClose(0, None, "")]
)
def test_application_frames_do_not_belong_in_an_initial(server_files: CertificateFiles, frame: Frame) -> None:
    """RFC 9000 §12.4, Table 3."""
    pair = Pair(server_files)
    pair.to_server([forge(pair.client, frame.encode(), PacketNumberSpace.INITIAL)])
    assert isinstance(pair.server.error, TransportError)
    assert pair.server.error.error_code == Code.PROTOCOL_VIOLATION


def test_reserved_bits_of_a_long_header(server_files: CertificateFiles) -> None:
    pair = Pair(server_files)
    pair.to_server([forge(pair.client, Ping().encode(), PacketNumberSpace.INITIAL, reserved_bits=True)])
    assert isinstance(pair.server.error, TransportError)
    assert pair.server.error.error_code == Code.PROTOCOL_VIOLATION


# Dropped in silence


def alive_and_dropped(pair: Pair) -> dict[str, int]:
    """The server lives, and another byte still goes through."""
    assert pair.server.state is ConnectionState.CONNECTED
    stream_id = pair.client.open_stream(False)
    assert stream_id is not None
    pair.client.write_stream(stream_id, b"alive", True)
    pair.run()
    assert StreamReadable(stream_id) in events(pair.server)
    return pair.server.stats().packets_dropped


def test_a_duplicate_packet_counts_once(pair: Pair) -> None:
    packet = forge(pair.client, Stream(0, 0, b"once", False).encode())
    pair.client.open_stream(False)
    for _ in range(3):
        pair.to_server([packet])
    assert pair.server.stats().packets_dropped == {"duplicate": 2}
    assert pair.server.read_stream(0, 100) == b"once"
    assert pair.server.read_stream(0, 100) is None


def test_a_packet_that_does_not_authenticate(pair: Pair) -> None:
    packet = bytearray(forge(pair.client, Ping().encode() + bytes(30)))
    packet[-1] ^= 1
    pair.to_server([bytes(packet)])
    assert alive_and_dropped(pair) == {"undecryptable": 1}


def test_too_many_packets_that_do_not_authenticate(server_files: CertificateFiles) -> None:
    """RFC 9001 §6.6: beyond the integrity limit, a forgery becomes likely."""
    pair = Pair(server_files, client_config=Config(cipher_suites=(0x1303,)))
    pair.handshake()
    garbage = b"\x40" + core_of(pair.server).local_cids.handshake_cid + bytes(40)
    core_of(pair.server).stats.packets_dropped["undecryptable"] = 2**36 - 1
    codes = []
    for _ in range(2):
        pair.to_server([garbage])
        codes.append(pair.server.error and pair.server.error.error_code)
    assert codes == [None, Code.AEAD_LIMIT_REACHED]


def test_a_packet_too_short_for_its_sample(pair: Pair) -> None:
    pair.to_server([forge(pair.client, Ping().encode() + bytes(30))[:20]])
    assert alive_and_dropped(pair) == {"undecryptable": 1}


def test_a_small_initial_is_no_beginning(server_files: CertificateFiles) -> None:
    """RFC 9000 §14.1."""
    pair = Pair(server_files)
    pair.to_server([forge(pair.client, Ping().encode(), PacketNumberSpace.INITIAL, padded=False)])
    assert pair.server_endpoint.dropped == {"small datagram": 1}
    assert pair.from_server() == []


def test_handshake_packets_after_their_keys_are_gone(server_files: CertificateFiles) -> None:
    pair = Pair(server_files)
    pair.to_server(pair.from_client())
    pair.to_client(pair.from_server())
    flight = pair.from_client()
    pair.to_server(flight)
    pair.run(seconds=0.1)
    assert "keys discarded" not in pair.server.stats().packets_dropped
    pair.to_server(flight)
    assert pair.server.stats().packets_dropped["keys discarded"] == 2  # an Initial and a Handshake packet
    assert pair.server.state is ConnectionState.CONNECTED


def test_another_address_proves_nothing_for_the_first(server_files: CertificateFiles) -> None:
    """RFC 9000 §8.1: who replays a client's packets gets no server to flood a third party, nor is the client harmed."""
    pair = Pair(server_files)
    pair.to_server(pair.from_client())
    pair.to_client(pair.from_server())
    flight = pair.from_client()
    pair.to_server(flight, source=("198.51.100.7", 4242))
    assert not any(isinstance(event, HandshakeCompleted) for event in events(pair.server))
    assert pair.server.stats().packets_dropped == {"unknown address": 1}
    pair.to_server(flight)
    assert any(isinstance(event, HandshakeCompleted) for event in events(pair.server))


def test_a_source_connection_id_cannot_change(server_files: CertificateFiles) -> None:
    """RFC 9000 §7.2: neither side's."""
    pair = Pair(server_files)
    pair.to_server(pair.from_client())
    pair.to_client(pair.from_server())
    for sender, deliver, receiver in (
        (pair.client, pair.to_server, pair.server),
        (pair.server, pair.to_client, pair.client),
    ):
        core = core_of(sender)
        own, core.local_cids.handshake_cid = core.local_cids.handshake_cid, b"changed!"
        deliver([forge(sender, Ping().encode() + bytes(20), PacketNumberSpace.HANDSHAKE)])
        core.local_cids.handshake_cid = own
        assert receiver.stats().packets_dropped == {"other source connection ID": 1}


def test_packets_before_their_keys_wait_within_a_bound(server_files: CertificateFiles) -> None:
    """RFC 9001 §5.7: 1-RTT packets are not processed before the handshake is complete."""
    pair = Pair(server_files)
    pair.to_server(pair.from_client())
    pair.to_client(pair.from_server())
    finished = pair.from_client()
    events(pair.client)
    packets = [forge(pair.client, Stream(0, n, b"x", False).encode()) for n in range(MAX_UNDECRYPTABLE + 5)]
    pair.to_server(packets)
    assert events(pair.server) == []
    assert pair.server.stats().packets_dropped == {"no keys yet": 5}
    pair.to_server(finished)
    assert pair.server.read_stream(0, 1000) == b"x" * MAX_UNDECRYPTABLE


def test_waiting_for_keys_is_a_delay_that_the_ack_tells(server_files: CertificateFiles) -> None:
    """RFC 9000 §13.2.5: it is large, and not likely to come again, and says nothing about the network."""
    pair = Pair(server_files)
    pair.to_server(pair.from_client())
    pair.to_client(pair.from_server())
    finished = pair.from_client()
    pair.to_server([forge(pair.client, Ping().encode())])
    pair.now += 3.0
    pair.to_server(finished)
    space = core_of(pair.client).spaces[PacketNumberSpace.APPLICATION]
    assert space.opener is not None
    acks: list[Ack] = []
    for datagram in pair.from_server():
        first_byte, truncated, length = space.opener.unmask(datagram, 9)
        payload = space.opener.open(datagram, 9, first_byte, length, truncated)
        acks += [frame for frame in parse_frames(payload) if isinstance(frame, Ack)]
    assert [ack.ack_delay * 8e-6 for ack in acks] == [3.0]


def test_a_path_challenge_is_answered(pair: Pair) -> None:
    pair.to_server([forge(pair.client, PathChallenge(b"12345678").encode())])
    space = core_of(pair.client).spaces[PacketNumberSpace.APPLICATION]
    assert space.opener is not None
    (answer,) = pair.from_server()
    assert len(answer) == 1200  # RFC 9000 §8.2.2: it proves that the path carries them, in this direction, too
    first_byte, truncated, length = space.opener.unmask(answer, 9)
    payload = space.opener.open(answer, 9, first_byte, length, truncated)
    assert PathResponse(b"12345678") in parse_frames(payload)


def test_an_early_path_challenge_is_answered_too(server_files: CertificateFiles) -> None:
    """Before the handshake is confirmed, datagrams are made in another way."""
    pair = Pair(server_files)
    pair.to_server(pair.from_client())
    pair.to_client(pair.from_server())
    pair.to_server(pair.from_client())
    pair.to_client([forge(pair.server, PathChallenge(b"12345678").encode())])
    assert max(map(len, pair.from_client())) == 1200


@pytest.mark.parametrize("destination", [None, b"whatever"], ids=["known ID", "random ID"])
def test_a_stateless_reset_ends_the_connection_without_a_word(pair: Pair, destination: bytes | None) -> None:
    """RFC 9000 §10.3.1: its connection ID tells nothing, the server has forgotten the client's."""
    core_of(pair.client).remote_cids.set_reset_token(b"0123456789abcdef")
    own = destination or core_of(pair.client).local_cids.handshake_cid
    pair.to_client([b"\x40" + own + bytes(20) + b"0123456789abcdef"])
    assert isinstance(pair.client.error, StatelessResetError)
    assert pair.client.state is ConnectionState.DRAINING
    assert pair.from_client() == []
    assert [type(event) for event in events(pair.client)] == [ConnectionTerminated]


@pytest.mark.parametrize("seed", range(20))
def test_garbage_disturbs_nobody(pair: Pair, seed: int) -> None:
    """Random bytes, alone and behind the headers of packets: dropped, counted, no exception."""
    rng = random.Random(seed)
    own = core_of(pair.server).local_cids.handshake_cid
    garbage = []
    for _ in range(100):
        data = rng.randbytes(rng.choice([0, 1, 5, 20, 21, 40, 1200, 1500]))
        garbage.append(rng.choice([data, b"\x40" + own + data, b"\xc3\x00\x00\x00\x01\x08" + own + data]))
    pair.to_server(garbage)
    dropped = sum(alive_and_dropped(pair).values()) + sum(pair.server_endpoint.dropped.values())
    assert dropped > 0
    assert pair.server.error is None
