"""Messages in DATAGRAM frames (RFC 9221)."""

from __future__ import annotations

from collections import deque

import pytest

from quicmini.config import Config
from quicmini.connection.connection import Connection
from quicmini.connection.datagrams import (
    MAX_QUEUED_DATAGRAMS,
    MAX_RECEIVED_BYTES,
    MAX_RECEIVED_DATAGRAMS,
    Datagrams,
)
from quicmini.connection.events import DatagramReceived, Event
from quicmini.errors import ConnectionClosedOK, TransportError, TransportErrorCode
from quicmini.wire.builder import PacketBuilder
from quicmini.wire.frames import Datagram, parse_frames
from tests.certificates import CertificateFiles
from tests.connection.attacker import core_of, forge
from tests.connection.pair import Pair, events

ROOM = 1200


@pytest.fixture
def pair(server_files: CertificateFiles) -> Pair:
    pair = Pair(server_files)
    pair.handshake()
    return pair


def received(connection: Connection) -> list[bytes]:
    messages = []
    while (message := connection.receive_datagram()) is not None:
        messages.append(message)
    return messages


def owner(limit: int = 65_535) -> tuple[Datagrams, deque[Event]]:
    """The owner of messages alone, whose peer takes as much as it does."""
    told: deque[Event] = deque()
    datagrams = Datagrams(limit, told)
    datagrams.remote_limit = limit
    return datagrams, told


def written(datagrams: Datagrams, room: int = ROOM) -> list[bytes]:
    builder = PacketBuilder(room)
    datagrams.write_frames(builder, ROOM)
    return [frame.data for frame in parse_frames(builder.payload()) if isinstance(frame, Datagram)]


def test_messages_go_both_ways(pair: Pair) -> None:
    messages = [b"", b"one", b"two" * 100, bytes(pair.client.max_datagram_payload)]
    for side in (pair.client, pair.server):
        for message in messages:
            side.send_datagram(message)
    pair.run()
    for side in (pair.client, pair.server):
        assert [event for event in events(side) if isinstance(event, DatagramReceived)] == [DatagramReceived()]
        assert received(side) == messages
        assert (side.stats().datagrams_sent, side.stats().datagrams_received) == (4, 4)


def test_a_message_is_told_of_again_when_all_were_read(pair: Pair) -> None:
    for _ in range(2):
        pair.client.send_datagram(b"hello")
        pair.run()
        assert DatagramReceived() in events(pair.server)
        assert received(pair.server) == [b"hello"]


def test_the_largest_message(pair: Pair) -> None:
    largest = pair.client.max_datagram_payload
    assert 1100 < largest < 1200
    with pytest.raises(ValueError, match=f"at most {largest}"):
        pair.client.send_datagram(bytes(largest + 1))
    pair.client.send_datagram(bytes(largest))
    pair.run()
    assert received(pair.server) == [bytes(largest)]
    assert max(len(datagram) for _, datagram in pair.sent) <= 1200


@pytest.mark.parametrize("limit", [1, 2, 20, 64, 65, 66, 67])
def test_the_peers_limit_counts_the_whole_frame(server_files: CertificateFiles, limit: int) -> None:
    """RFC 9221 §3."""
    pair = Pair(server_files, server_config=Config(max_datagram_frame_size=limit))
    pair.handshake()
    largest = pair.client.max_datagram_payload
    assert largest <= max(0, limit - 2)
    if limit > 1:
        pair.client.send_datagram(bytes(largest))
    pair.run()
    codes = []
    for size in (limit - 1, limit):
        pair.to_server([forge(pair.client, b"\x30" + bytes(size))])
        codes.append(pair.server.error and pair.server.error.error_code)
    assert codes == [None, TransportErrorCode.PROTOCOL_VIOLATION]


def test_nobody_sends_to_who_takes_none(server_files: CertificateFiles) -> None:
    """RFC 9221 §3: absent means 0 means none."""
    pair = Pair(server_files, server_config=Config(max_datagram_frame_size=0))
    pair.handshake()
    assert pair.client.max_datagram_payload == 0
    with pytest.raises(ValueError, match="takes no datagrams"):
        pair.client.send_datagram(b"")
    pair.to_server([forge(pair.client, Datagram(b"").encode())])
    assert isinstance(pair.server.error, TransportError)
    assert (pair.server.error.error_code, pair.server.error.frame_type) == (TransportErrorCode.PROTOCOL_VIOLATION, 0x31)


def test_what_is_lost_is_not_sent_again(pair: Pair) -> None:
    """RFC 9221 §5.2."""
    pair.client.send_datagram(b"lost")
    pair.from_client()
    for number in range(5):
        pair.client.send_datagram(b"%d" % number)
        pair.run(seconds=0.05)
    pair.run(seconds=2.0)
    assert received(pair.server) == [b"0", b"1", b"2", b"3", b"4"]
    assert pair.client.stats().datagrams_lost == 1


def test_messages_do_not_starve_streams_nor_the_other_way_round(pair: Pair) -> None:
    """As long as both have something to send, each fills every other packet."""
    recovery = core_of(pair.client).recovery
    stream_id = pair.client.open_stream(True)
    assert stream_id is not None
    pair.client.write_stream(stream_id, bytes(100_000))
    message = bytes(pair.client.max_datagram_payload)
    for _ in range(50):
        pair.client.send_datagram(message)
    recovery.congestion.window = 20 * 1200
    recovery.pacer.tokens = 1e9
    pair.to_server(pair.from_client())
    stream_bytes = len(pair.server.read_stream(stream_id, 1 << 20) or b"")
    message_bytes = sum(map(len, received(pair.server)))
    assert 0.5 < stream_bytes / message_bytes < 2.0


def test_a_flood_of_received_messages_drops_the_oldest(pair: Pair) -> None:
    for number in range(MAX_RECEIVED_DATAGRAMS + 10):
        pair.to_server([forge(pair.client, Datagram(b"%d" % number).encode())])
    assert received(pair.server) == [b"%d" % number for number in range(10, MAX_RECEIVED_DATAGRAMS + 10)]
    assert pair.server.stats().datagrams_dropped == 10
    assert len(events(pair.server)) == 1


def test_large_messages_are_bounded_by_their_bytes() -> None:
    datagrams, told = owner()
    for number in range(20):
        datagrams.on_datagram(Datagram(bytes([number]) * 60_000))
    kept = []
    while (message := datagrams.receive()) is not None:
        kept.append(message)
    assert sum(map(len, kept)) <= MAX_RECEIVED_BYTES
    assert len(kept) == MAX_RECEIVED_BYTES // 60_000
    assert kept[-1] == bytes([19]) * 60_000
    assert len(told) == 1


def test_a_flood_of_written_messages_drops_the_oldest() -> None:
    datagrams, _ = owner()
    for number in range(MAX_QUEUED_DATAGRAMS + 10):
        datagrams.send(b"%d" % number, ROOM)
    assert len(datagrams.queue) == MAX_QUEUED_DATAGRAMS
    assert datagrams.queue[0] == b"10"
    assert datagrams.dropped == 10


def test_what_does_not_fit_waits_for_the_next_packet_in_order() -> None:
    datagrams, _ = owner()
    for size in (100, 1000, 50):
        datagrams.send(bytes(size), ROOM)
    assert [len(data) for data in written(datagrams, 900)] == [100]
    assert [len(data) for data in written(datagrams)] == [1000, 50]


def test_what_no_longer_fits_the_path_is_dropped() -> None:
    datagrams, _ = owner()
    datagrams.send(bytes(1400), 1500)
    datagrams.send(b"small", ROOM)
    assert written(datagrams) == [b"small"]
    assert datagrams.dropped == 1


def test_messages_can_be_read_after_the_end_but_not_written(pair: Pair) -> None:
    pair.client.send_datagram(b"last words")
    waits = [not pair.client.all_acknowledged]  # it has not even left
    pair.run()
    waits.append(not pair.client.all_acknowledged)
    assert waits == [True, False]
    pair.client.close(now=pair.now)
    pair.run()
    assert received(pair.server) == [b"last words"]
    with pytest.raises(ConnectionClosedOK):
        pair.server.send_datagram(b"too late")
