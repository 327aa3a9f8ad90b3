"""Whole connections: the handshake, streams, time and the end (RFC 9000 §7, §10; RFC 9001 §4)."""

from __future__ import annotations

import pytest

from quicmini.config import Config
from quicmini.connection.events import (
    ConnectionTerminated,
    HandshakeCompleted,
    StreamOpened,
    StreamReadable,
    StreamsAvailable,
)
from quicmini.connection.state import ConnectionState
from quicmini.errors import (
    ApplicationError,
    ConnectionClosedOK,
    HandshakeError,
    IdleTimeoutError,
    StreamReset,
    StreamStopped,
    VersionNegotiationError,
)
from quicmini.wire.packet import encode_version_negotiation
from tests.certificates import CertificateFiles
from tests.connection.attacker import core_of
from tests.connection.pair import CLIENT, SERVER, Pair, events


@pytest.fixture
def pair(server_files: CertificateFiles) -> Pair:
    return Pair(server_files)


@pytest.fixture
def connected(pair: Pair) -> Pair:
    pair.handshake()
    assert pair.client.state is pair.server.state is ConnectionState.CONNECTED
    return pair


def test_both_sides_hear_of_the_handshake(pair: Pair) -> None:
    pair.run(seconds=0.1)
    assert events(pair.client)[0] == HandshakeCompleted("test")
    assert events(pair.server) == [HandshakeCompleted("test")]
    assert pair.client.cipher_suite == pair.server.cipher_suite == "TLS_AES_128_GCM_SHA256"
    assert pair.client.alpn_protocol == pair.server.alpn_protocol == "test"
    assert pair.client.peer_certificate is not None
    assert pair.server.peer_certificate is None


def test_initial_datagrams_have_1200_bytes(pair: Pair) -> None:
    """RFC 9000 §14.1: the client's always, the server's where they elicit an ACK."""
    first = pair.from_client()
    assert [len(datagram) for datagram in first] == [1200]
    pair.to_server(first)
    assert len(pair.from_server()[0]) == 1200


def test_keys_are_discarded_with_the_handshake(connected: Pair) -> None:
    """RFC 9001 §4.9."""
    for side in (connected.client, connected.server):
        initial, handshake, application = core_of(side).spaces
        assert initial.discarded
        assert handshake.discarded
        assert [initial.sealer, initial.opener, handshake.sealer, handshake.opener] == [None] * 4
        assert application.sealer is not None


@pytest.mark.parametrize("suite", [0x1301, 0x1302, 0x1303])
def test_every_cipher_suite(server_files: CertificateFiles, suite: int) -> None:
    pair = Pair(server_files, client_config=Config(cipher_suites=(suite,)))
    pair.handshake()
    assert transfer(pair, b"x" * 10_000) == b"x" * 10_000


@pytest.mark.parametrize("group", [0x001D, 0x0017, 0x0018])
def test_every_group(server_files: CertificateFiles, group: int) -> None:
    pair = Pair(server_files, client_config=Config(groups=(group,)))
    pair.handshake()
    assert pair.client.state is ConnectionState.CONNECTED


def test_a_group_that_only_the_server_prefers_costs_a_retry(server_files: CertificateFiles) -> None:
    """HelloRetryRequest: the client offers X25519 first, the server takes nothing but P-384 (RFC 9846 §4.2.4)."""
    pair = Pair(server_files, server_config=Config(groups=(0x0018,)))
    pair.handshake()
    assert pair.client.state is ConnectionState.CONNECTED


def states(pair: Pair) -> tuple[ConnectionState, ConnectionState]:
    return pair.client.state, pair.server.state


def transfer(pair: Pair, data: bytes) -> bytes:
    """Bytes from the client to the server on a new stream, to the end."""
    stream_id = pair.client.open_stream(False)
    assert stream_id is not None
    received = b""
    while True:
        taken = pair.client.write_stream(stream_id, data, True)
        data = data[taken:]
        pair.run(seconds=0.05)
        while chunk := pair.server.read_stream(stream_id, 1 << 20):
            received += chunk
        if chunk == b"":
            return received


def test_a_stream_carries_data_and_its_end(connected: Pair) -> None:
    data = bytes(range(256)) * 4000
    assert transfer(connected, data) == data


def test_more_than_every_window(server_files: CertificateFiles) -> None:
    small = Config(max_data=20_000, max_stream_data=10_000, send_buffer_size=5_000)
    pair = Pair(server_files, client_config=small, server_config=small)
    pair.handshake()
    data = bytes(range(256)) * 500
    assert transfer(pair, data) == data


def test_peer_streams_are_announced(connected: Pair) -> None:
    stream_id = connected.client.open_stream(False)
    assert stream_id == 0
    connected.client.write_stream(stream_id, b"hello", True)
    connected.run()
    assert events(connected.server)[:2] == [StreamOpened(0), StreamReadable(0)]
    assert connected.server.read_stream(0, 100) == b"hello"
    assert connected.server.read_stream(0, 100) == b""


def test_waiting_for_stream_credit(server_files: CertificateFiles) -> None:
    pair = Pair(server_files, server_config=Config(max_streams_uni=1))
    pair.handshake()
    stream_id = pair.client.open_stream(True)
    assert stream_id is not None
    assert pair.client.open_stream(True) is None
    pair.client.write_stream(stream_id, b"x", True)
    pair.run(seconds=0.1)
    events(pair.client)
    assert pair.server.read_stream(stream_id, 10) == b"x"
    assert pair.server.read_stream(stream_id, 10) == b""
    pair.run(seconds=0.1)
    assert StreamsAvailable(True) in events(pair.client)
    assert pair.client.open_stream(True) is not None


def test_reset_and_stop_sending(connected: Pair) -> None:
    stream_id = connected.client.open_stream(False)
    assert stream_id is not None
    connected.client.write_stream(stream_id, b"x")
    connected.run()
    connected.client.reset_stream(stream_id, 7)
    connected.server.stop_sending(stream_id, 8)
    connected.server.write_stream(stream_id, b"y")
    connected.client.stop_sending(stream_id, 9)
    connected.run(seconds=0.1)
    with pytest.raises(StreamStopped) as stopped:
        connected.server.write_stream(stream_id, b"more")
    assert stopped.value.error_code == 9


def test_the_reader_hears_of_a_reset(connected: Pair) -> None:
    stream_id = connected.client.open_stream(True)
    assert stream_id is not None
    connected.client.write_stream(stream_id, b"x")
    connected.client.reset_stream(stream_id, 7)
    connected.run(seconds=0.1)
    with pytest.raises(StreamReset) as reset:
        connected.server.read_stream(stream_id, 10)
    assert reset.value.error_code == 7


def test_application_close_reaches_the_peer(connected: Pair) -> None:
    connected.client.close(7, "done", now=connected.now)
    connected.run()
    assert states(connected) == (ConnectionState.CLOSING, ConnectionState.DRAINING)
    (own,), (theirs,) = events(connected.client), events(connected.server)
    assert isinstance(own, ConnectionTerminated)
    assert isinstance(theirs, ConnectionTerminated)
    assert isinstance(theirs.error, ApplicationError)
    assert (theirs.error.error_code, theirs.error.reason, theirs.error.remote) == (7, "done", True)
    assert not own.error.remote
    connected.run(seconds=10)
    assert states(connected) == (ConnectionState.TERMINATED, ConnectionState.TERMINATED)
    assert connected.client.next_timeout() is None


def test_what_arrived_can_be_read_after_the_end(connected: Pair) -> None:
    stream_id = connected.client.open_stream(False)
    assert stream_id is not None
    connected.client.write_stream(stream_id, b"last words", True)
    connected.run()
    connected.client.close(now=connected.now)
    connected.run()
    assert isinstance(connected.server.error, ConnectionClosedOK)
    assert connected.server.read_stream(stream_id, 100) == b"last words"
    with pytest.raises(ConnectionClosedOK):
        connected.server.write_stream(stream_id, b"too late")


def test_late_packets_are_answered_with_the_close(connected: Pair) -> None:
    """RFC 9000 §10.2.1: at a decreasing rate."""
    connected.client.close(now=connected.now)
    connected.drop = lambda to_server, datagram: True
    connected.run()
    connected.drop = lambda to_server, datagram: False
    connected.now += core_of(connected.client).recovery.pto_base()
    answers = 0
    for _ in range(20):
        connected.to_client([b"\x40" + core_of(connected.client).local_cids.handshake_cid + bytes(40)])
        answers += len(connected.from_client())
    assert answers == 4  # after the 1st, 3rd, 7th and 15th


def test_a_silent_peer_is_given_up(server_files: CertificateFiles) -> None:
    pair = Pair(server_files, client_config=Config(idle_timeout=5.0))
    pair.handshake()
    pair.run(seconds=4.8)
    assert states(pair) == (ConnectionState.CONNECTED, ConnectionState.CONNECTED)
    pair.run(seconds=1.0)
    assert states(pair) == (ConnectionState.TERMINATED, ConnectionState.TERMINATED)
    assert isinstance(pair.client.error, IdleTimeoutError)
    assert not isinstance(pair.client.error, TimeoutError)


def test_keep_alive_keeps_a_connection(server_files: CertificateFiles) -> None:
    pair = Pair(server_files, client_config=Config(idle_timeout=5.0, keep_alive_interval=60.0))
    pair.handshake()
    pair.run(seconds=60.0)
    assert pair.client.state is pair.server.state is ConnectionState.CONNECTED


def test_no_common_protocol(server_files: CertificateFiles) -> None:
    """RFC 9001 §8.1: no_application_protocol, and both sides know."""
    pair = Pair(server_files, client_alpn=("other",))
    pair.run(seconds=1.0)
    for side in (pair.client, pair.server):
        assert isinstance(side.error, HandshakeError)
        assert side.error.error_code == 0x0178
        assert side.error.remote == side.is_client


def test_a_certificate_for_another_name(server_files: CertificateFiles) -> None:
    pair = Pair(server_files, server_name="example.com")
    pair.run(seconds=1.0)
    assert isinstance(pair.client.error, HandshakeError)
    assert "example.com" in str(pair.client.error)
    assert isinstance(pair.server.error, HandshakeError)
    assert pair.server.error.remote


@pytest.mark.parametrize("lost", [[0], [1], [2], [3], [0, 1], [1, 2], [1, 3], [2, 3, 4], [0, 2, 4, 6, 8]])
def test_a_handshake_with_lost_datagrams(pair: Pair, lost: list[int]) -> None:
    count = {"datagrams": -1}

    def drop(to_server: bool, datagram: bytes) -> bool:
        count["datagrams"] += 1
        return count["datagrams"] in lost

    pair.drop = drop
    pair.run(seconds=20.0)
    assert pair.client.state is pair.server.state is ConnectionState.CONNECTED
    assert transfer(pair, b"x" * 5000) == b"x" * 5000


def test_a_lost_packet_is_made_good(connected: Pair) -> None:
    dropped: list[bytes] = []

    def drop(to_server: bool, datagram: bytes) -> bool:
        if to_server and len(dropped) < 5:
            dropped.append(datagram)
            return True
        return False

    connected.drop = drop
    data = bytes(range(256)) * 400
    assert transfer(connected, data) == data
    stats = connected.client.stats()
    assert stats.packets_lost >= 1
    assert stats.retransmitted_bytes > 0


def test_an_unvalidated_address_gets_three_times_its_bytes_at_most(rsa_files: CertificateFiles) -> None:
    """RFC 9000 §8.1: the client falls silent, the server may not go on for ever."""
    pair = Pair(rsa_files)
    pair.to_server(pair.from_client())
    while (due := pair.server.next_timeout()) is not None:
        pair.from_server()
        pair.now = max(pair.now, due)
        pair.server.handle_timeout(pair.now)
    assert isinstance(pair.server.error, IdleTimeoutError)
    sent = sum(len(datagram) for to_server, datagram in pair.sent if not to_server)
    assert 0 < sent <= 3 * 1200


def test_version_negotiation(pair: Pair) -> None:
    """RFC 9000 §6.1, §6.2: the client's first packet in a version that the server does not know, and the answer."""
    (initial,) = pair.from_client()
    foreign = initial[:1] + (0x1A2A3A4A).to_bytes(4) + initial[5:]
    pair.to_server([foreign])
    (answer,) = pair.from_server()
    assert answer[1:5] == bytes(4)
    assert len(answer) < len(initial)
    pair.to_client([answer])  # lists version 1, which was offered: dropped
    assert pair.client.state is ConnectionState.HANDSHAKING
    core = core_of(pair.client)
    other = encode_version_negotiation(core.local_cids.handshake_cid, core.original_destination_cid, [0x1A2A3A4A])
    pair.to_client([other])
    assert isinstance(pair.client.error, VersionNegotiationError)
    assert "0x1a2a3a4a" in str(pair.client.error)


def test_version_negotiation_comes_too_late(connected: Pair) -> None:
    core = core_of(connected.client)
    packet = encode_version_negotiation(core.local_cids.handshake_cid, core.original_destination_cid, [0x1A2A3A4A])
    connected.to_client([packet])
    assert connected.client.state is ConnectionState.CONNECTED
    assert connected.client.stats().packets_dropped == {"Version Negotiation": 1}


def test_a_foreign_address_is_not_listened_to_by_a_client(connected: Pair) -> None:
    stream_id = connected.server.open_stream(True)
    assert stream_id is not None
    connected.server.write_stream(stream_id, b"x", True)
    connected.to_client(connected.from_server(), source=("203.0.113.9", 9))
    assert events(connected.client) == []
    assert connected.client.stats().packets_dropped == {"unknown address": 1}


def test_the_state_of_the_endpoint_goes_with_the_connection(connected: Pair) -> None:
    connected.server_endpoint.forget(connected.server)
    connected.client_endpoint.forget(connected.client)
    assert not connected.server_endpoint._connections
    assert not connected.client_endpoint._connections
    assert CLIENT != SERVER


def test_a_server_that_accepts_no_more_says_so(pair: Pair) -> None:
    pair.server_endpoint.accepting = False
    pair.run(seconds=1.0)
    assert pair.client.error is not None
    assert pair.client.error.error_code == 0x02
    assert pair.client.error.remote
