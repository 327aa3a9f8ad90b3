"""0-RTT: accepted, lost, overtaken, or not asked for at all (RFC 9001 §4.6)."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from quicmini.config import Config
from quicmini.connection.early_data import RETENTION
from quicmini.connection.state import ConnectionState
from quicmini.errors import TransportErrorCode
from quicmini.recovery.sent import PacketNumberSpace
from quicmini.wire.frames import Ping, Stream
from quicmini.wire.packet import VERSION_1, VERSION_2, PacketType
from tests.certificates import CertificateFiles
from tests.connection.attacker import core_of, forge
from tests.connection.early import EARLY, HELLO, HIGHER, LOW, Early, forge_early, types, write
from tests.connection.pair import SERVER, Pair

APPLICATION = PacketNumberSpace.APPLICATION
Code = TransportErrorCode


def test_data_goes_with_the_first_flight_and_is_read_at_once(early: Early) -> None:
    pair = early.pair()
    assert pair.client.sends_early_data
    stream_id = write(pair)
    flight = pair.from_client()
    assert types(flight) == [PacketType.INITIAL, PacketType.ZERO_RTT]
    assert [len(datagram) for datagram in flight] == [1200]
    pair.to_server(flight)
    assert pair.server.state is ConnectionState.HANDSHAKING
    assert pair.server.read_stream(stream_id, 100) == HELLO
    assert pair.server.came_early(stream_id)
    pair.handshake()
    assert pair.client.early_data_accepted is pair.server.early_data_accepted is True
    assert pair.client.all_acknowledged
    assert pair.client.stats().retransmitted_bytes == 0


def test_the_server_answers_before_the_handshake_is_complete(early: Early) -> None:
    """Half a round trip saved: its first flight has the ACK of the early data, and data of its own."""
    pair = early.pair()
    stream_id = write(pair)
    pair.to_server(pair.from_client())
    pair.server.write_stream(stream_id, b"answer", True)
    flight = pair.from_server()
    assert PacketType.ONE_RTT in types(flight)
    pair.to_client(flight)
    assert pair.client.read_stream(stream_id, 100) == b"answer"
    assert pair.client.all_acknowledged


def test_answers_to_early_data_keep_to_what_an_address_may_get(early: Early) -> None:
    """RFC 9000 §8.1: the first flight may be a replay, sent from an address that is not its sender's."""
    pair = early.pair()
    stream_id = write(pair)
    flight = pair.from_client()
    pair.to_server(flight)
    pair.server.write_stream(stream_id, bytes(100_000), True)
    answers = pair.from_server()
    for _ in range(10):  # nor when the server gets impatient
        pair.now += 1.0
        pair.server.handle_timeout(pair.now)
        answers += pair.from_server()
    assert PacketType.ONE_RTT in types(answers)
    assert sum(map(len, answers)) <= 3 * sum(map(len, flight))


def test_more_early_data_than_one_datagram_takes(early: Early) -> None:
    pair = early.pair()
    stream_id = write(pair, bytes(8000))
    flight = pair.from_client()
    assert types(flight)[1:] == [PacketType.ZERO_RTT] * len(flight)
    pair.to_server(flight)
    assert pair.server.read_stream(stream_id, 10000) == bytes(8000)


def test_early_data_keeps_to_the_congestion_window(early: Early) -> None:
    pair = early.pair()
    write(pair, bytes(100_000))
    sent = sum(map(len, pair.from_client()))
    assert sent <= core_of(pair.client).recovery.congestion.window
    pair.run(seconds=5.0)
    assert pair.client.all_acknowledged


def test_what_comes_with_the_handshake_done_is_no_early_data(early: Early) -> None:
    pair = early.pair()
    before = write(pair)
    pair.handshake()
    after = write(pair)
    pair.run()
    assert pair.server.came_early(before)
    assert not pair.server.came_early(after)
    assert core_of(pair.client).spaces[APPLICATION].packet_type is PacketType.ONE_RTT


def test_there_is_no_early_data_unless_it_is_asked_for(early: Early, server_files: CertificateFiles) -> None:
    resumed = Pair(server_files, session=early.session, server_context=early.first.server_context, server_config=EARLY)
    assert not resumed.client.sends_early_data
    assert resumed.client.open_stream(False) is None
    resumed.handshake()
    assert resumed.client.session_resumed
    assert resumed.client.early_data_accepted is None


def test_a_session_without_early_data_sends_none(server_files: CertificateFiles) -> None:
    pair = Early(server_files, server_config=Config()).pair()
    assert not pair.client.sends_early_data
    pair.handshake()
    assert pair.client.early_data_accepted is None


def test_a_session_with_damaged_parameters_sends_none(early: Early) -> None:
    early.session = replace(early.session, transport_parameters=b"\x04\x01\xff")
    pair = early.pair()
    assert not pair.client.sends_early_data
    pair.handshake()
    assert pair.client.state is ConnectionState.CONNECTED


@pytest.mark.parametrize("lost", range(8))
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"refused": True},
        {"server_config": Config(retry=True, early_data=True)},
        {"server_config": Config(versions=(VERSION_2, VERSION_1), early_data=True)},
        {"server_config": Config(versions=(VERSION_2,), early_data=True)},
    ],
    ids=["accepted", "refused", "Retry", "compatible version", "other version"],
)
def test_any_datagram_may_be_lost(early: Early, options: dict[str, Any], lost: int) -> None:
    pair = early.pair(**options)
    stream_id = write(pair, bytes(3000))
    pair.drop = lambda to_server, datagram: len(pair.sent) == lost + 1
    pair.run(seconds=10.0)
    assert pair.server.read_stream(stream_id, 5000) == bytes(3000)
    assert pair.client.all_acknowledged


def test_early_data_keeps_the_original_version(server_files: CertificateFiles) -> None:
    """RFC 9369 §4.1."""
    early = Early(server_files)
    pair = early.pair(server_config=Config(versions=(VERSION_2, VERSION_1), early_data=True))
    stream_id = write(pair)
    pair.handshake()
    assert core_of(pair.client).version == VERSION_2
    assert pair.client.early_data_accepted is True
    assert pair.server.read_stream(stream_id, 100) == HELLO


def test_a_session_decides_about_the_first_version(server_files: CertificateFiles) -> None:
    """RFC 9369 §5: a ticket of version 2 is of no use in version 1."""
    both = Config(versions=(VERSION_2, VERSION_1), initial_version=VERSION_1, early_data=True)
    early = Early(server_files, client_config=both, server_config=both)
    assert early.session.version == VERSION_2
    pair = early.pair()
    stream_id = write(pair)
    pair.to_server(pair.from_client())
    assert core_of(pair.server).versions.original == VERSION_2
    assert pair.server.read_stream(stream_id, 100) == HELLO


def test_early_data_goes_again_after_a_retry(early: Early) -> None:
    """RFC 9000 §17.2.5.3: in new packets, whose numbers go on."""
    pair = early.pair(server_config=Config(retry=True, early_data=True))
    stream_id = write(pair)
    first = pair.from_client()
    pair.to_server(first)
    pair.to_client(pair.from_server())
    second = pair.from_client()
    assert types(second) == types(first) == [PacketType.INITIAL, PacketType.ZERO_RTT]
    assert core_of(pair.client).spaces[APPLICATION].next_packet_number == 2
    pair.to_server(second)
    assert pair.server.read_stream(stream_id, 100) == HELLO
    pair.handshake()
    assert pair.client.early_data_accepted is True


# Packets that come too early, too late, or to the wrong side


def test_early_data_that_overtakes_the_initial(early: Early) -> None:
    pair = early.pair()
    stream_id = write(pair, bytes(3000))
    first, *rest = pair.from_client()
    pair.to_server(rest)
    assert len(pair.server_endpoint._overtaken) == len(rest)
    pair.to_server([first])
    assert pair.server.read_stream(stream_id, 5000) == bytes(3000)
    assert len(pair.server_endpoint._overtaken) == 0


def test_a_server_without_early_data_keeps_nothing(early: Early) -> None:
    pair = early.pair(refused=True)
    write(pair, bytes(3000))
    first, *rest = pair.from_client()
    pair.to_server(rest)
    assert len(pair.server_endpoint._overtaken) == 0
    pair.to_server([first])
    pair.run(seconds=1.0)
    assert pair.client.all_acknowledged


def test_early_packets_are_read_for_a_while_after_the_handshake(early: Early) -> None:
    """RFC 9001 §4.9.3: they may have been overtaken."""
    pair = early.pair()
    write(pair)
    late = forge_early(pair, Stream(4, 0, b"late", True).encode())
    later = forge_early(pair, Stream(8, 0, b"later", True).encode())
    # Once the client has heard of the server's acknowledgments, what it sent before them counts as seen.
    pair.drop = lambda to_server, datagram: to_server and pair._server is not None and pair.server.handshake_confirmed
    pair.run(seconds=0.01)
    pair.to_server([late])
    assert pair.server.read_stream(4, 100) == b"late"
    assert not pair.server.came_early(4)  # the handshake has shown that it is no replay
    pair.now += RETENTION * core_of(pair.server).recovery.pto_base() + 1.0
    pair.to_server([later])
    assert pair.server.stats().packets_dropped == {"0-RTT": 1}


def test_an_early_packet_may_come_behind_more_data_than_was_allowed_early(server_files: CertificateFiles) -> None:
    """What came in 1-RTT packets meanwhile was sent under today's limits."""
    early = Early(server_files, server_config=LOW)
    pair = early.pair(server_config=HIGHER)
    late = forge_early(pair, Stream(4, 0, b"late", True).encode())
    pair.drop = lambda to_server, datagram: to_server and pair._server is not None and pair.server.handshake_confirmed
    pair.run(seconds=0.01)
    pair.to_server([forge(pair.client, Stream(0, 0, bytes(LOW.max_data + 1), True).encode())])
    pair.to_server([late])
    assert pair.server.error is None
    assert pair.server.read_stream(4, 100) == b"late"


def test_d15_a_client_reads_no_early_data(early: Early) -> None:
    pair = early.pair()
    write(pair)
    packet = forge_early(pair, Ping().encode())
    pair.client.receive_datagrams([packet], SERVER, pair.now)
    assert pair.client.stats().packets_dropped == {"0-RTT": 1}
    assert pair.client.error is None
