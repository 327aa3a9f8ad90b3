"""What an observer is told, and that nothing else is different for it."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable
from dataclasses import asdict, replace
from itertools import count, pairwise
from pathlib import Path
from typing import Any, TypeVar

import pytest

from quicmini.config import Config
from quicmini.connection import occurrences as told
from quicmini.connection import receive
from quicmini.connection.connection import Connection
from quicmini.connection.occurrences import CongestionState, Phase
from quicmini.connection.watched import WatchedConnection
from quicmini.crypto.keys import EncryptionLevel
from quicmini.errors import ApplicationError, IdleTimeoutError, TransportError
from quicmini.observe.qlog_events import DROP_TRIGGERS
from quicmini.wire.frames import Ack, Stream, parse_frames
from quicmini.wire.packet import VERSION_1, VERSION_2, LongHeader, PacketType, parse_long_header
from tests.certificates import CertificateFiles
from tests.connection.attacker import forge
from tests.connection.pair import CLIENT, Pair
from tests.connection.roaming import REBOUND, Roaming, transfer

T = TypeVar("T")


class Watcher:
    """Keeps what it is told, for both sides of a pair."""

    def __init__(self) -> None:
        self.told: dict[bool, list[tuple[float, object]]] = {True: [], False: []}
        self.original_cids: set[bytes] = set()

    def __call__(self, original_cid: bytes, is_client: bool) -> Callable[[float, object], None]:
        self.original_cids.add(original_cid)
        return lambda now, occurrence: self.told[is_client].append((now, occurrence))

    def all(self, kind: type[T], *, client: bool = True) -> list[T]:
        return [occurrence for _, occurrence in self.told[client] if isinstance(occurrence, kind)]


@pytest.fixture
def watcher() -> Watcher:
    return Watcher()


def watched(files: CertificateFiles, watcher: Watcher, make: type[Pair] = Pair, **options: Any) -> Any:
    configs = {
        side: replace(options.pop(side, Config()), observer=watcher) for side in ("client_config", "server_config")
    }
    return make(files, **configs, **options)


def scenario(pair: Pair) -> list[tuple[bool, bytes]]:
    """A transfer with losses, and everything that was sent."""
    pair.handshake()
    numbers = count()
    pair.drop = lambda to_server, datagram: next(numbers) % 23 == 22
    stream_id = pair.client.open_stream(False)
    assert stream_id is not None
    for _ in range(10):
        pair.client.write_stream(stream_id, bytes(50_000))
        pair.run(seconds=0.5)
        while pair.server.read_stream(stream_id, 1 << 20):
            pass
    pair.client.update_keys()
    pair.run(seconds=1)
    pair.client.close(7, "enough", now=pair.now)
    pair.run(seconds=5)
    return pair.sent


def test_unwatched_a_connection_has_no_part_that_watches(server_files: CertificateFiles) -> None:
    pair = Pair(server_files)
    pair.handshake()
    assert type(pair.client) is type(pair.server) is Connection


def test_watched_it_sends_the_same(ed25519_files: CertificateFiles, watcher: Watcher) -> None:
    plain, pair = Pair(ed25519_files), watched(ed25519_files, watcher)
    lengths = [[(to_server, len(datagram)) for to_server, datagram in scenario(each)] for each in (plain, pair)]
    assert lengths[0] == lengths[1]  # the key exchange is another one in each run
    assert isinstance(pair.client, WatchedConnection)
    assert asdict(plain.client.stats()) == asdict(pair.client.stats())
    assert asdict(plain.server.stats()) == asdict(pair.server.stats())


def test_every_packet_is_told_once(server_files: CertificateFiles, watcher: Watcher) -> None:
    pair = watched(server_files, watcher)
    datagrams = scenario(pair)
    for client, side in (True, pair.client), (False, pair.server):
        stats = side.stats()
        sent = watcher.all(told.PacketSent, client=client)
        assert len(sent) == stats.packets_sent
        assert sum(packet.size for packet in sent) == stats.bytes_sent
        assert sum(packet.size for packet in sent) == sum(len(data) for to, data in datagrams if to is client)
        received = watcher.all(told.PacketReceived, client=client)
        assert len(received) == stats.packets_received
        assert len(watcher.all(told.PacketLost, client=client)) == stats.packets_lost
        assert len(watcher.all(told.PacketDropped, client=client)) == sum(stats.packets_dropped.values())
        of_the_peer = {(packet.header, packet.payload, packet.size) for packet in
                       watcher.all(told.PacketSent, client=not client)}  # fmt: skip
        for packet in received:
            assert (packet.header, packet.payload, packet.size) in of_the_peer
    assert pair.client.stats().packets_lost > 5


def test_times_never_go_back(server_files: CertificateFiles, watcher: Watcher) -> None:
    scenario(watched(server_files, watcher))
    for records in watcher.told.values():
        times = [now for now, _ in records]
        assert times == sorted(times)
        assert times[-1] > 2


def test_a_connection_from_its_beginning_to_its_end(server_files: CertificateFiles, watcher: Watcher) -> None:
    pair = watched(server_files, watcher)
    scenario(pair)
    assert len(watcher.original_cids) == 1
    for client in True, False:
        assert isinstance(watcher.told[client][0][1], told.ConnectionStarted)
        phases = [change.new for change in watcher.all(told.PhaseChanged, client=client)]
        end = Phase.CLOSING if client else Phase.DRAINING
        assert [phase for phase in phases if phase is not Phase.COMPLETE] == [
            Phase.STARTED, Phase.CONFIRMED, end, Phase.CLOSED,
        ]  # fmt: skip
        (ended,) = watcher.all(told.Ended, client=client)
        assert isinstance(ended.error, ApplicationError)
        assert (ended.error.error_code, ended.error.reason, ended.error.remote) == (7, "enough", not client)
        (protocol,) = watcher.all(told.ApplicationProtocolChosen, client=client)
        assert (protocol.protocol, protocol.resumed) == ("test", False)
        (update,) = watcher.all(told.KeysUpdated, client=client)
        assert update == (1, not client)
        own, peers = sorted(watcher.all(told.ParametersSet, client=client), key=lambda event: not event.own)
        assert own.own
        assert not peers.own
        (others,) = (event for event in watcher.all(told.ParametersSet, client=not client) if event.own)
        assert peers.parameters == others.parameters


def test_keys_come_and_go(server_files: CertificateFiles, watcher: Watcher) -> None:
    watched(server_files, watcher).handshake()
    for client in True, False:
        changes = watcher.all(told.KeysChanged, client=client)
        for level in EncryptionLevel.INITIAL, EncryptionLevel.HANDSHAKE:
            for sending in True, False:
                assert [change.available for change in changes if change[:2] == (level, sending)] == [True, False]
        assert {change[1:] for change in changes if change.level is EncryptionLevel.ONE_RTT} == {
            (True, True),
            (False, True),
        }


def test_frames_and_losses_can_be_followed(server_files: CertificateFiles, watcher: Watcher) -> None:
    scenario(watched(server_files, watcher))
    sent = {packet.header.packet_number: packet for packet in watcher.all(told.PacketSent)
            if packet.header.packet_type is PacketType.ONE_RTT}  # fmt: skip
    for lost in watcher.all(told.PacketLost):
        assert lost.packet_type is PacketType.ONE_RTT
        assert lost.packet_number in sent
    offsets = {
        frame.offset
        for packet in watcher.all(told.PacketReceived, client=False)
        for frame in parse_frames(packet.payload)
        if isinstance(frame, Stream)
    }
    assert len(offsets) > 100
    assert any(isinstance(frame, Ack) for packet in watcher.all(told.PacketReceived)
               for frame in parse_frames(packet.payload))  # fmt: skip
    first, *changes = watcher.all(told.MetricsChanged)
    assert first.old is None
    assert first.new.min_rtt is None
    assert first.new.ssthresh is None
    assert all(change.old == before.new != change.new for before, change in pairwise([first, *changes]))
    assert changes[-1].new.ssthresh is not None
    assert {change.new.pto_count for change in changes} > {0}


def test_congestion_control_goes_through_its_states(server_files: CertificateFiles, watcher: Watcher) -> None:
    scenario(watched(server_files, watcher))
    changes = watcher.all(told.CongestionChanged)
    slow, recovery, avoidance = CongestionState
    assert [change.new for change in changes[:3]] == [slow, recovery, avoidance]
    assert [change.old for change in changes] == [None, *(change.new for change in changes[:-1])]
    assert {change.new for change in changes[1:]} == {recovery, avoidance}
    assert [change.new for change in watcher.all(told.CongestionChanged, client=False)] == [slow]


def test_drops_name_the_packet(server_files: CertificateFiles, watcher: Watcher) -> None:
    pair = watched(server_files, watcher)
    pair.handshake()
    datagram = forge(pair.client, b"\x01\x00")
    for data in datagram, datagram, datagram[:-1] + bytes([datagram[-1] ^ 1]), b"\xc0" + bytes(4):
        pair.server.receive_datagrams([data], CLIENT, pair.now)
    duplicate, broken, malformed = watcher.all(told.PacketDropped, client=False)[-3:]
    assert (duplicate.reason, broken.reason, malformed.reason) == ("duplicate", "undecryptable", "malformed header")
    for dropped in duplicate, broken:
        assert dropped.header is not None
        assert dropped.header.packet_type is PacketType.ONE_RTT
        assert dropped.size == len(datagram)
    assert duplicate.header is not None
    assert duplicate.header.packet_number is not None
    assert malformed[1:] == (None, 5)


def test_packets_before_their_keys(server_files: CertificateFiles, watcher: Watcher) -> None:
    pair = watched(server_files, watcher)
    pair.to_server(pair.from_client())
    (datagram,) = pair.from_server()
    header = parse_long_header(datagram, 0)
    assert isinstance(header, LongHeader)
    pair.to_client([datagram[header.end :]])
    buffered = watcher.all(told.PacketBuffered)
    assert {packet.header.packet_type for packet in buffered} == {PacketType.HANDSHAKE}
    assert watcher.all(told.PacketReceived) == []
    pair.to_client([datagram[: header.end]])
    assert watcher.all(told.PacketBuffered) == buffered
    assert [packet.header.packet_type for packet in watcher.all(told.PacketReceived)] == [
        PacketType.INITIAL,
        *(packet.header.packet_type for packet in buffered),
    ]


def test_retry_and_versions(server_files: CertificateFiles, watcher: Watcher) -> None:
    pair = watched(
        server_files,
        watcher,
        client_config=Config(versions=(VERSION_2, VERSION_1)),
        server_config=Config(versions=(VERSION_1,), retry=True),
    )
    pair.handshake()
    negotiation, retry = watcher.all(told.PacketReceived)[:2]
    assert negotiation.header.packet_type is PacketType.VERSION_NEGOTIATION
    assert VERSION_1 in negotiation.versions
    assert retry.header.packet_type is PacketType.RETRY
    assert retry.header.token
    assert [choice.version for choice in watcher.all(told.VersionChosen)] == [VERSION_2, VERSION_1]
    assert [choice.version for choice in watcher.all(told.VersionChosen, client=False)] == [VERSION_1]
    assert len(watcher.original_cids) == 1


@pytest.mark.parametrize("lost", [False, True])
def test_early_data(server_files: CertificateFiles, watcher: Watcher, lost: bool) -> None:
    first = Pair(server_files, server_config=Config(early_data=True))
    first.handshake()
    options: dict[str, Any] = {
        "server_context": first.server_context,
        "session": first.client.session,
        "early_data": True,
    }
    pair = watched(server_files, watcher, server_config=Config(early_data=True), **options)
    stream_id = pair.client.open_stream(False)
    pair.client.write_stream(stream_id, bytes(3000), True)
    if lost:
        numbers = count()
        pair.drop = lambda to_server, datagram: to_server and next(numbers) == 1
    pair.run(seconds=2)
    early = [packet for packet in watcher.all(told.PacketSent) if packet.header.packet_type is PacketType.ZERO_RTT]
    assert sum(packet.size for packet in early) > 3000
    assert {packet.packet_type for packet in watcher.all(told.PacketLost)} == ({PacketType.ZERO_RTT} if lost else set())
    assert [change[1:] for change in watcher.all(told.KeysChanged) if change.level is EncryptionLevel.ZERO_RTT] == [
        (True, True),
        (True, False),
    ]
    (protocol,) = watcher.all(told.ApplicationProtocolChosen)
    assert protocol.resumed
    (restored,) = watcher.all(told.ParametersRestored)
    assert restored.parameters.initial_max_data == Config().max_data
    assert watcher.all(told.ParametersRestored, client=False) == []


def test_a_path_that_changes(server_files: CertificateFiles, watcher: Watcher) -> None:
    pair = watched(server_files, watcher, Roaming)
    pair.handshake()
    pair.sockets[None] = REBOUND
    transfer(pair, pair.client, pair.server, 100_000, seconds=0.1)
    (change,) = watcher.all(told.PathChanged, client=False)
    assert (change.number, change.remote, change.local) == (1, REBOUND, None)
    assert watcher.all(told.PathChanged) == []


def test_connection_ids_mtu_and_ecn(server_files: CertificateFiles, watcher: Watcher) -> None:
    pair = watched(server_files, watcher)
    scenario(pair)
    pair.server.stats()
    assert watcher.all(told.EcnChanged)
    mtu = watcher.all(told.MtuChanged)
    assert [change.old for change in mtu][:1] == [1200]
    assert all(before.new == after.old for before, after in pairwise(mtu))

    watcher = Watcher()
    pair = watched(server_files, watcher)
    pair.handshake()
    pair.server.renew_connection_ids()
    pair.run(seconds=0.5)
    pair.client.open_stream(False)
    pair.client.write_stream(0, b"x")
    pair.run(seconds=0.5)
    theirs = [change for change in watcher.all(told.ConnectionIdChanged) if not change.own]
    ours = [change for change in watcher.all(told.ConnectionIdChanged, client=False) if change.own]
    assert [change[1:] for change in theirs][-1] == [change[1:] for change in ours][-1]


def test_silence_ends_it(server_files: CertificateFiles, watcher: Watcher) -> None:
    pair = watched(server_files, watcher)
    pair.handshake()
    pair.drop = lambda to_server, datagram: True
    pair.run(seconds=60)
    (ended,) = watcher.all(told.Ended)
    assert isinstance(ended.error, IdleTimeoutError)
    assert watcher.all(told.PhaseChanged)[-1] == (Phase.CONFIRMED, Phase.CLOSED)


def test_a_fault_ends_it(server_files: CertificateFiles, watcher: Watcher) -> None:
    pair = watched(server_files, watcher)
    pair.handshake()
    pair.client.abort("out of order", now=pair.now)
    (ended,) = watcher.all(told.Ended)
    assert isinstance(ended.error, TransportError)


def test_an_observer_that_fails_is_left_alone(server_files: CertificateFiles, caplog: pytest.LogCaptureFixture) -> None:
    calls = []

    def observer(now: float, occurrence: object) -> None:
        calls.append(occurrence)
        if len(calls) == 7:
            raise LookupError("nobody knows")

    pair = Pair(server_files, client_config=Config(observer=lambda cid, is_client: observer))
    with caplog.at_level(logging.WARNING):
        pair.handshake()
    assert len(calls) == 7
    assert len(caplog.records) == 1
    assert pair.client.handshake_confirmed


def test_an_observer_that_cannot_be_made(server_files: CertificateFiles, caplog: pytest.LogCaptureFixture) -> None:
    def make(original_cid: bytes, is_client: bool) -> Callable[[float, object], None]:
        raise LookupError("nobody knows")

    with caplog.at_level(logging.WARNING):
        pair = Pair(server_files, client_config=Config(observer=make))
    pair.handshake()
    assert type(pair.client) is Connection
    assert len(caplog.records) == 1


def test_every_reason_to_drop_has_a_name_in_qlog() -> None:
    source = Path(receive.__file__).read_text()
    reasons = set(re.findall(r'count_dropped\("([^"]+)"\)', source))
    after = source[source.index("def _reason_to_drop") :]
    body = after[: after.index("\n    def ", 9)]
    reasons |= set(re.findall(r'return "([^"]+)"', body))
    assert len(reasons) >= 14
    assert reasons == set(DROP_TRIGGERS)
