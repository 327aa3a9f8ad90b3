"""Explicit Congestion Notification: what is marked, what is believed, what is reported (RFC 9000 §13.4)."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from quicmini.config import Config
from quicmini.connection.connection import Connection
from quicmini.connection.ecn import LASTING_TIMEOUTS, TESTING_PACKETS, TESTING_TIMEOUTS, EcnState
from quicmini.connection.state import ConnectionState
from quicmini.recovery.sent import PacketNumberSpace
from quicmini.wire.frames import Ack, EcnCounts
from tests.certificates import CertificateFiles
from tests.connection.attacker import core_of, forge
from tests.connection.pair import Pair
from tests.connection.test_connection import transfer

ECT_1, ECT_0, CE = 1, 2, 3
APPLICATION = PacketNumberSpace.APPLICATION


@pytest.fixture
def pair(server_files: CertificateFiles) -> Pair:
    return Pair(server_files)


def state(connection: Connection) -> EcnState:
    return core_of(connection).ecn.state


def marks(connection: Connection) -> int:
    return core_of(connection).ecn.codepoint


def send(pair: Pair, size: int = 10) -> None:
    """Something from the client that has to be acknowledged, on a stream of its own."""
    stream_id = pair.client.open_stream(True)
    assert stream_id is not None
    pair.client.write_stream(stream_id, bytes(size), True)


def test_a_path_that_leaves_the_mark_alone(pair: Pair) -> None:
    pair.handshake()
    assert state(pair.client) is state(pair.server) is EcnState.CAPABLE
    assert marks(pair.client) == marks(pair.server) == ECT_0
    assert transfer(pair, bytes(100_000)) == bytes(100_000)
    assert state(pair.client) is state(pair.server) is EcnState.CAPABLE
    reported = core_of(pair.client).ecn._marks[APPLICATION].counts
    assert reported.ect0 > 50
    assert reported.ect1 == reported.ce == 0


@pytest.mark.parametrize("remarked", [0, ECT_1], ids=["not-ECT", "ECT(1)"])
def test_a_path_that_changes_the_mark(pair: Pair, remarked: int) -> None:
    """RFC 9000 §13.4.2.1: what is erased, or made another, is not reported, and no packet is marked any more."""
    pair.remark = lambda to_server, ecn: remarked if ecn and to_server else ecn
    pair.handshake()
    assert state(pair.client) is EcnState.FAILED
    assert marks(pair.client) == 0
    assert state(pair.server) is EcnState.CAPABLE  # the other direction is another matter
    assert transfer(pair, bytes(20_000)) == bytes(20_000)


def test_a_path_that_drops_what_is_marked(pair: Pair) -> None:
    """RFC 9000 §13.4.2: the handshake is only delayed."""
    pair.drop = lambda to_server, datagram: to_server and marks(pair.client) != 0
    pair.run(seconds=10.0)
    assert pair.client.state is pair.server.state is ConnectionState.CONNECTED
    assert state(pair.client) is EcnState.UNKNOWN
    lost = [datagram for to_server, datagram in pair.sent if to_server][: 2 * TESTING_TIMEOUTS]
    assert pair.client.stats().bytes_sent > sum(map(len, lost))
    assert transfer(pair, bytes(20_000)) == bytes(20_000)
    assert state(pair.client) is EcnState.UNKNOWN


def test_a_path_that_begins_to_drop_what_is_marked(pair: Pair) -> None:
    pair.handshake()
    assert state(pair.client) is EcnState.CAPABLE
    pair.drop = lambda to_server, datagram: to_server and marks(pair.client) != 0
    send(pair, 20_000)
    timeouts = []
    while state(pair.client) is EcnState.CAPABLE:
        timeouts.append(core_of(pair.client).recovery.pto_count)
        pair.run(seconds=0.01)
    assert max(timeouts) == LASTING_TIMEOUTS - 1
    pair.run(seconds=5.0)
    assert len(pair.server.read_stream(2, 1 << 20) or b"") == 20_000
    assert state(pair.client) is EcnState.UNKNOWN


def test_no_more_than_ten_packets_are_marked_before_the_first_answer(server_files: CertificateFiles) -> None:
    """RFC 9000 §A.4. What follows is marked again as soon as one of them is acknowledged."""
    pair = Pair(server_files)
    pair.handshake()
    core_of(pair.client).ecn.on_new_path()
    sent = []
    for _ in range(2 * TESTING_PACKETS):
        send(pair)
        (transmit,) = pair.client.datagrams_to_send(pair.now)
        sent.append(transmit)
    assert [transmit.ecn for transmit in sent] == [ECT_0] * TESTING_PACKETS + [0] * TESTING_PACKETS
    assert state(pair.client) is EcnState.UNKNOWN
    for transmit in sent:
        pair.server.receive_datagrams([transmit.payload], ("192.0.2.1", 50000), pair.now, transmit.ecn)
    pair.run()
    assert state(pair.client) is EcnState.CAPABLE
    assert marks(pair.client) == ECT_0
    assert transfer(pair, bytes(20_000)) == bytes(20_000)
    assert state(pair.client) is EcnState.CAPABLE


def test_a_mark_of_congestion_halves_the_window(pair: Pair) -> None:
    """RFC 9002 §7.1: without the loss of a single packet; at most once each round trip."""
    pair.handshake()
    window = pair.client.stats().congestion_window
    pair.remark = lambda to_server, ecn: CE if to_server else ecn
    for _ in range(4):
        send(pair)
    pair.run()
    assert pair.client.stats().congestion_window == window // 2
    assert pair.client.stats().packets_lost == 0
    assert state(pair.client) is EcnState.CAPABLE
    pair.now += 1.0
    send(pair)
    pair.run()
    assert pair.client.stats().congestion_window == window // 4


def test_no_marks_when_they_are_switched_off(server_files: CertificateFiles) -> None:
    pair = Pair(server_files, client_config=Config(ecn=False))
    pair.handshake()
    core_of(pair.client).ecn.on_new_path()
    assert marks(pair.client) == 0
    assert state(pair.client) is EcnState.FAILED
    assert state(pair.server) is EcnState.CAPABLE  # marks are reported all the same (RFC 9000 §13.4.1)


def test_marks_of_packets_that_waited_for_their_keys_are_reported(pair: Pair) -> None:
    pair.to_server(pair.from_client())
    flight = pair.from_server()
    pair.to_client(flight[-1:])
    pair.to_client(flight[:-1])
    pair.run(seconds=0.1)
    assert state(pair.server) is EcnState.CAPABLE


Counts = Callable[[EcnCounts, int], EcnCounts | None]

# What the peer says (given what it said last, and how many packets it acknowledges), and what is made of it.
REPORTS: list[tuple[str, Counts, EcnState]] = [
    ("as many as there were", lambda last, new: last._replace(ect0=last.ect0 + new), EcnState.CAPABLE),
    ("some met congestion", lambda last, new: EcnCounts(last.ect0 + new - 1, 0, last.ce + 1), EcnState.CAPABLE),
    ("nothing", lambda last, new: None, EcnState.FAILED),
    ("no more than before", lambda last, new: last, EcnState.FAILED),
    ("fewer than there were", lambda last, new: last._replace(ect0=last.ect0 + new - 1), EcnState.FAILED),
    ("fewer than before", lambda last, new: EcnCounts(last.ect0 - 1, 0, last.ce + new + 1), EcnState.FAILED),
    ("more than there were", lambda last, new: last._replace(ect0=last.ect0 + 1000), EcnState.FAILED),
    ("ECT(1)", lambda last, new: EcnCounts(last.ect0 + new, 1, last.ce), EcnState.FAILED),
]


@pytest.mark.parametrize(("report", "expected"), [row[1:] for row in REPORTS], ids=[row[0] for row in REPORTS])
def test_what_the_peer_reports_is_checked(pair: Pair, report: Counts, expected: EcnState) -> None:
    """RFC 9000 §13.4.2.1."""
    pair.handshake()
    core = core_of(pair.client)
    last = core.ecn._marks[APPLICATION].counts
    first = core.spaces[APPLICATION].next_packet_number
    for _ in range(5):
        send(pair)
        pair.from_client()
    ack = Ack(((first, first + 4),), 0, report(last, 5))
    pair.to_client([forge(pair.server, ack.encode())])
    assert pair.client.error is None
    assert state(pair.client) is expected


def test_an_older_report_is_no_reason_to_fail(pair: Pair) -> None:
    """RFC 9000 §13.4.2.1: only ACK frames that raise the largest acknowledged number are looked at."""
    pair.handshake()
    core = core_of(pair.client)
    last = core.ecn._marks[APPLICATION].counts
    first = core.spaces[APPLICATION].next_packet_number
    for _ in range(3):
        send(pair)
        pair.from_client()
    newer = Ack(((first + 2, first + 2),), 0, last._replace(ect0=last.ect0 + 2))
    older = Ack(((first, first + 1),), 0, last._replace(ect0=last.ect0 + 1))
    for ack in (newer, older):
        pair.to_client([forge(pair.server, ack.encode())])
        assert state(pair.client) is EcnState.CAPABLE
