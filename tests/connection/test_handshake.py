"""TLS and QUIC in the handshake: keys, connection IDs, transport parameters (RFC 9000 §7, RFC 9001 §4)."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from quicmini.config import Config
from quicmini.connection.events import HandshakeCompleted
from quicmini.connection.handshake import Handshake
from quicmini.connection.state import ConnectionState
from quicmini.crypto.keys import CIPHER_SUITES, EncryptionLevel
from quicmini.crypto.protection import Sealer
from quicmini.errors import TransportError, TransportErrorCode
from quicmini.recovery.sent import PacketNumberSpace
from quicmini.tls.events import CryptoData, KeysReady, PeerTransportParameters, TlsEvent
from quicmini.wire.builder import PacketBuilder
from quicmini.wire.frames import ConnectionClose, Crypto, Frame, NewConnectionId, RetireConnectionId, parse_frames
from quicmini.wire.transport_parameters import PreferredAddress, TransportParameters
from tests.certificates import CertificateFiles
from tests.connection.attacker import core_of, forge
from tests.connection.pair import Pair, events

Code = TransportErrorCode
INITIAL, HANDSHAKE, APPLICATION = PacketNumberSpace
SUITE = CIPHER_SUITES[0x1301]


class ScriptedTls:
    """Says what a test lets it say; remembers what it was given."""

    def __init__(self) -> None:
        self.client_random = bytes(32)
        self.version = 1
        self.heard: list[tuple[EncryptionLevel, bytes]] = []
        self.said: list[TlsEvent] = []

    def receive(self, level: EncryptionLevel, data: bytes) -> None:
        self.heard.append((level, data))

    def events(self) -> list[TlsEvent]:
        said, self.said = self.said, []
        return said


@pytest.fixture
def pair(server_files: CertificateFiles) -> Pair:
    return Pair(server_files)


@pytest.fixture
def tls() -> ScriptedTls:
    return ScriptedTls()


@pytest.fixture
def client(pair: Pair, tls: ScriptedTls) -> Handshake:
    """A client that has heard the server's first packet."""
    handshake = Handshake(core_of(pair.client), lambda: tls)
    handshake.expected_source_cid = b"server's"
    return handshake


def parameters_for(handshake: Handshake) -> TransportParameters:
    """What a server that saw the same packets would say."""
    return TransportParameters(
        initial_source_connection_id=handshake.expected_source_cid,
        original_destination_connection_id=handshake._core.original_destination_cid,
    )


def test_crypto_bytes_reach_tls_in_order_and_with_their_level(client: Handshake, tls: ScriptedTls) -> None:
    client.on_crypto(INITIAL, Crypto(3, b"lo"), 0.0)
    assert tls.heard == []
    client.on_crypto(INITIAL, Crypto(0, b"hel"), 0.0)
    client.on_crypto(HANDSHAKE, Crypto(0, b"flight"), 0.0)
    client.on_crypto(APPLICATION, Crypto(0, b"ticket"), 0.0)
    assert tls.heard == [
        (EncryptionLevel.INITIAL, b"hello"),
        (EncryptionLevel.HANDSHAKE, b"flight"),
        (EncryptionLevel.ONE_RTT, b"ticket"),
    ]


def test_what_tls_says_waits_at_its_level(client: Handshake, tls: ScriptedTls) -> None:
    tls.said = [CryptoData(EncryptionLevel.HANDSHAKE, b"finished")]
    client.follow_tls(0.0)
    assert [space.crypto.has_frames for space in client._core.spaces] == [True, True, False]  # Initial: ClientHello


def test_each_direction_gets_its_own_keys(client: Handshake, tls: ScriptedTls) -> None:
    space = client._core.spaces[APPLICATION]
    tls.said = [KeysReady(EncryptionLevel.ONE_RTT, SUITE, b"s" * 32, b"r" * 32)]
    client.follow_tls(0.0)
    assert space.sealer is not None
    assert space.opener is not None
    header = b"\x41" + bytes(10)
    expected = Sealer(SUITE, b"s" * 32, client._core.version).seal(header, 0, b"payload")
    assert space.sealer.seal(header, 0, b"payload") == expected
    theirs = Sealer(SUITE, b"r" * 32, client._core.version).seal(header, 0, b"payload")
    assert space.opener.open(theirs, 9, *space.opener.unmask(theirs, 9)[::2], 0) == b"payload"


def test_data_that_tls_never_read_forbids_the_next_keys(client: Handshake, tls: ScriptedTls) -> None:
    """RFC 9001 §4.1.3: a gap was left, and what lies behind it would have been skipped."""
    client.on_crypto(INITIAL, Crypto(100, b"behind a gap"), 0.0)
    tls.said = [KeysReady(EncryptionLevel.HANDSHAKE, SUITE, bytes(32), bytes(32))]
    with pytest.raises(TransportError) as caught:
        client.follow_tls(0.0)
    assert (caught.value.error_code, caught.value.frame_type) == (Code.PROTOCOL_VIOLATION, 0x06)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("initial_source_connection_id", None),
        ("initial_source_connection_id", b"another"),
        ("original_destination_connection_id", None),
        ("original_destination_connection_id", b"another"),
        ("retry_source_connection_id", b"no Retry came"),
    ],
)
def test_connection_ids_are_checked_against_the_packets(
    client: Handshake, tls: ScriptedTls, field: str, value: bytes | None
) -> None:
    """RFC 9000 §7.3: whoever changed the IDs of a packet on its way is found out."""
    change: dict[str, Any] = {field: value}
    parameters = replace(parameters_for(client), **change)
    tls.said = [PeerTransportParameters(parameters.encode())]
    with pytest.raises(TransportError) as caught:
        client.follow_tls(0.0)
    assert caught.value.error_code == Code.TRANSPORT_PARAMETER_ERROR
    assert field in caught.value.reason


def test_the_peers_parameters_reach_their_owners(client: Handshake, tls: ScriptedTls) -> None:
    parameters = replace(
        parameters_for(client),
        max_idle_timeout=5000,
        max_ack_delay=100,
        ack_delay_exponent=7,
        initial_max_streams_bidi=1,
        stateless_reset_token=b"0123456789abcdef",
    )
    tls.said = [PeerTransportParameters(parameters.encode())]
    client.follow_tls(0.0)
    core = client._core
    assert core.idle.timeout == 5.0
    assert core.recovery.max_ack_delay == 0.1
    assert core.recovery.ack_delay_exponent == 7
    assert core.remote_cids.is_reset(bytes(30) + b"0123456789abcdef")
    assert core.streams.open(False) == 0
    assert core.streams.open(False) is None


def test_a_preferred_address_brings_the_id_number_one(client: Handshake, tls: ScriptedTls) -> None:
    """RFC 9000 §5.1.1: it is an ID like others, even for a client that stays where it is."""
    preferred = PreferredAddress(bytes(4), 0, bytes(16), 0, b"preferred", b"0123456789abcdef")
    tls.said = [PeerTransportParameters(replace(parameters_for(client), preferred_address=preferred).encode())]
    client.follow_tls(0.0)
    core = client._core
    core.remote_cids.on_new(NewConnectionId(2, 2, b"the only one left", bytes(16)))
    assert _control_frames(client) == [RetireConnectionId(0), RetireConnectionId(1)]


def _control_frames(handshake: Handshake) -> list[Frame]:
    builder = PacketBuilder(1000)
    handshake._core.streams.control.write(builder)
    return parse_frames(builder.payload())


def test_a_small_peer_gets_small_datagrams(server_files: CertificateFiles) -> None:
    """RFC 9000 §18.2, max_udp_payload_size: a limit, whatever this side would like."""
    pair = Pair(server_files, client_config=Config(max_datagram_size=1452))
    tls = ScriptedTls()
    handshake = Handshake(core_of(pair.client), lambda: tls)
    handshake.expected_source_cid = b"server's"
    tls.said = [PeerTransportParameters(replace(parameters_for(handshake), max_udp_payload_size=1300).encode())]
    handshake.follow_tls(0.0)
    assert handshake._core.path.max_datagram_size == 1300
    assert handshake._core.recovery.congestion.max_datagram_size == 1300


def test_the_client_waits_for_handshake_done(pair: Pair) -> None:
    """RFC 9001 §4.1.2: complete is not yet confirmed, but for a server."""
    pair.to_server(pair.from_client())
    pair.to_client(pair.from_server())
    assert events(pair.client) == [HandshakeCompleted("test")]
    pair.to_server(pair.from_client())
    client, server = core_of(pair.client), core_of(pair.server)
    assert server.spaces[HANDSHAKE].discarded
    assert server.recovery.handshake_confirmed
    assert not client.spaces[HANDSHAKE].discarded
    assert not client.recovery.handshake_confirmed
    pair.to_client(pair.from_server())
    assert client.spaces[HANDSHAKE].discarded
    assert client.recovery.handshake_confirmed


def test_nothing_follows_a_close(pair: Pair) -> None:
    """A Finished behind a CONNECTION_CLOSE, in the same packet, does not bring the connection back to life."""
    pair.to_server(pair.from_client())
    pair.to_client(pair.from_server())
    finished = _finished(pair)
    pair.to_server([forge(pair.client, ConnectionClose(0x0A, 0, "over").encode() + finished.encode(), HANDSHAKE)])
    assert pair.server.state is ConnectionState.DRAINING
    assert not any(isinstance(event, HandshakeCompleted) for event in events(pair.server))


def _finished(pair: Pair) -> Crypto:
    """The client's last handshake message, which nobody has sent yet."""
    builder = PacketBuilder(1000)
    core_of(pair.client).spaces[HANDSHAKE].crypto.write_frames(builder)
    (frame,) = parse_frames(builder.payload())
    assert isinstance(frame, Crypto)
    return frame


@pytest.mark.parametrize("size", [1200, 1452, 3601, 9000, 65527])
def test_any_datagram_size_gets_through_a_handshake(server_files: CertificateFiles, size: int) -> None:
    """A datagram longer than three times what the client sent may not be what the server waits for (RFC 9000 §8.1)."""
    config = Config(max_datagram_size=size, path_mtu_discovery=False)
    pair = Pair(server_files, client_config=config, server_config=config)
    pair.run(seconds=0.1)
    assert pair.client.state is pair.server.state is ConnectionState.CONNECTED
    stream_id = pair.client.open_stream(True)
    assert stream_id is not None
    pair.client.write_stream(stream_id, bytes(200_000), True)
    pair.run(seconds=2.0)
    assert pair.server.read_stream(stream_id, 1 << 20) == bytes(200_000)
    assert max(len(datagram) for _, datagram in pair.sent) <= size
