"""Path MTU discovery: what is tried, what is used, and how it notices that it was wrong (RFC 9000 §14.3, RFC 8899)."""

from __future__ import annotations

import pytest

from quicmini.config import Config
from quicmini.connection.mtu import (
    BASE_SIZE,
    BLACK_HOLE_LOSSES,
    BLACK_HOLE_PAUSE,
    BLACK_HOLE_TIMEOUTS,
    LARGEST_SIZE,
    MAX_PROBES,
    PROBE_AFTER,
    RAISE_INTERVAL,
    PathMtu,
)
from quicmini.connection.paths import Path
from quicmini.recovery.loss import Recovery
from quicmini.recovery.sent import SentPacket
from tests.certificates import CertificateFiles
from tests.connection.attacker import core_of
from tests.connection.pair import Pair

BULK = 400_000  # bytes


class Sizes(Recovery):
    """Remembers what is used: `used`."""

    def __init__(self) -> None:
        super().__init__(BASE_SIZE, 0.1)
        self.used: list[int] = []

    def set_max_datagram_size(self, size: int) -> None:
        super().set_max_datagram_size(size)
        self.used.append(size)


def some_path(size: int = BASE_SIZE) -> Path:
    return Path(("192.0.2.1", 443), size, validated=True)


class Search:
    """The owner of the search alone, on a path that carries so much."""

    def __init__(self, carries: int, *, size: int = BASE_SIZE) -> None:
        self.carries = carries
        recovery = Sizes()
        self.used = recovery.used
        self.probes: list[int] = []
        self.now = 0.0
        self.mtu = PathMtu(some_path(size), recovery, enabled=True)

    def search(self) -> None:
        """Answer every probe until none is due."""
        while self.now >= self.mtu.probe_at and (size := self.mtu.next_probe(self.now)):
            self.probes.append(size)
            record = self.mtu.begin_probe(self.now)
            assert len(self.probes) < 100, "the search never ends"
            if size <= self.carries:
                self.mtu.on_acked(record)
            else:
                self.mtu.on_lost(record)


def packet(size: int, number: int = 0) -> SentPacket:
    return SentPacket(number, 1.0, size, True, True, [])


# What paths carry, and what is found: the size itself, or little less.
FOUND = [
    (BASE_SIZE, BASE_SIZE),
    (1210, BASE_SIZE),
    (1280, 1280),
    (1372, 1372),
    (1400, 1400),
    (1451, 1451),
    (1452, 1452),
    (1460, 1452),
    (1472, 1472),
    (2000, 1472),
    (8952, 8952),
    (9000, 8952),
    (16_376, 16_376),
    (65_507, 16_376),
]


@pytest.mark.parametrize(("carries", "found"), FOUND)
def test_what_the_search_finds(carries: int, found: int) -> None:
    path = Search(carries)
    path.mtu.start(path.now)
    path.search()
    assert found - 16 < path.mtu.size <= found
    assert path.mtu.size <= carries
    if path.used:
        assert path.used == sorted(path.used)
        assert path.used[-1] == path.mtu.size
    assert all(path.probes.count(size) == (1 if size <= carries else MAX_PROBES) for size in path.probes)


@pytest.mark.parametrize("limit", [BASE_SIZE, 1300, 1452, 1500, 4000, 20_000])
def test_the_peers_limit_bounds_the_search(limit: int) -> None:
    """RFC 9000 §18.2, max_udp_payload_size."""
    path = Search(65_535)
    path.mtu.limit(limit)
    path.mtu.start(path.now)
    path.search()
    assert path.mtu.size == min(limit, LARGEST_SIZE)
    assert max(path.probes, default=0) <= limit


def test_a_limit_below_the_present_size() -> None:
    path = Search(65_535, size=9000)
    path.mtu.limit(4000)
    assert path.used == [4000]


def test_a_probe_that_is_lost_by_chance_is_repeated() -> None:
    path = Search(1472)
    path.mtu.start(path.now)
    for _ in range(MAX_PROBES - 1):
        size = path.mtu.next_probe(path.now)
        path.mtu.on_lost(path.mtu.begin_probe(path.now))
    assert path.mtu.next_probe(path.now) == size
    path.search()
    assert path.mtu.size == 1472


def test_one_probe_at_a_time() -> None:
    path = Search(1472)
    path.mtu.start(path.now)
    path.mtu.begin_probe(path.now)
    assert path.mtu.probe_at > path.now + 1e9


def test_a_finished_search_is_repeated_in_case_the_path_has_changed() -> None:
    path = Search(1400)
    path.mtu.start(path.now)
    path.search()
    assert path.mtu.probe_at == RAISE_INTERVAL
    path.carries = 9000
    path.now = RAISE_INTERVAL
    path.search()
    assert path.mtu.size == 8952


def raised_path() -> Search:
    path = Search(1472)
    path.mtu.start(path.now)
    path.search()
    assert path.mtu.raised
    return path


def test_large_packets_lost_again_and_again_are_a_black_hole() -> None:
    """RFC 8899 §4.3: small ones get through, so that no probe timeout would tell."""
    path = raised_path()
    for _ in range(BLACK_HOLE_LOSSES - 1):
        path.mtu.on_packets_lost([packet(1472)])
        path.mtu.on_packets_acked([packet(100)])
    assert path.mtu.size == 1472
    path.mtu.on_packets_lost([packet(60), packet(1472)])
    assert path.mtu.size == BASE_SIZE == path.used[-1]
    assert not path.mtu.suspected
    assert path.mtu.probe_at == 1.0 + BLACK_HOLE_PAUSE


def test_large_packets_that_arrive_in_between_are_none() -> None:
    path = raised_path()
    for _ in range(10):
        path.mtu.on_packets_lost([packet(1472)])
        assert path.mtu.suspected
        path.mtu.on_packets_acked([packet(100), packet(1472)])
        assert not path.mtu.suspected
    assert path.mtu.size == 1472


def test_neither_lost_probes_nor_small_packets_are_a_sign_of_a_black_hole() -> None:
    path = raised_path()
    for _ in range(10):
        path.mtu.on_packets_lost([packet(BASE_SIZE), packet(8952)])
    assert path.mtu.size == 1472


def test_probe_timeouts_in_a_row_are_a_black_hole() -> None:
    path = raised_path()
    path.mtu.on_timeouts(BLACK_HOLE_TIMEOUTS - 1, 5.0)
    assert path.mtu.size == 1472
    path.mtu.on_timeouts(BLACK_HOLE_TIMEOUTS, 5.0)
    assert path.mtu.size == BASE_SIZE
    path.now = 5.0 + BLACK_HOLE_PAUSE
    path.search()
    assert path.mtu.size == 1472


# In a connection


def connected(files: CertificateFiles, carries: int, config: Config | None = None) -> Pair:
    """A pair whose path drops in silence what is larger."""
    pair = Pair(files, client_config=config, server_config=config)
    pair.handshake()
    pair.drop = lambda to_server, datagram: len(datagram) > carries
    return pair


def upload(pair: Pair, size: int = BULK, *, shrink: int | None = None) -> None:
    """Bytes from the client to the server, and all of them arrive. shrink: what the path carries after the first."""
    stream_id = pair.client.open_stream(True)
    assert stream_id is not None
    written, read = pair.client.write_stream(stream_id, b"!"), 0
    pair.run(seconds=0.05)
    if shrink is not None:
        pair.drop = lambda to_server, datagram: len(datagram) > shrink
    give_up = pair.now + 60
    while read < size:
        assert pair.now < give_up, "the transfer never ends"
        written += pair.client.write_stream(stream_id, bytes(size - written), True) if written < size else 0
        pair.run(seconds=0.05)
        read += len(pair.server.read_stream(stream_id, size) or b"")


@pytest.mark.parametrize("carries", [1200, 1400, 1452, 1472, 9000, 16_376])
def test_a_transfer_finds_what_its_path_carries(server_files: CertificateFiles, carries: int) -> None:
    pair = connected(server_files, carries)
    upload(pair)
    upload(pair)
    size = core_of(pair.client).path.max_datagram_size
    assert carries - 60 < size <= carries
    assert core_of(pair.client).recovery.congestion.max_datagram_size == size
    assert core_of(pair.server).path.max_datagram_size == BASE_SIZE  # it has sent nothing to speak of


def test_lost_probes_are_no_sign_of_congestion(server_files: CertificateFiles) -> None:
    """RFC 9000 §14.4."""
    pair = connected(server_files, 1200)
    upload(pair)
    congestion = core_of(pair.client).recovery.congestion
    assert pair.client.stats().packets_lost >= MAX_PROBES
    assert congestion.slow_start_threshold > 1e9


def test_short_connections_are_not_bothered(server_files: CertificateFiles) -> None:
    pair = connected(server_files, 65_535)
    upload(pair, PROBE_AFTER // 2)
    assert max(len(datagram) for _, datagram in pair.sent) <= BASE_SIZE


def test_a_path_that_shrinks_in_mid_transfer(server_files: CertificateFiles) -> None:
    """What is small gets through all the time; nothing is lost for good."""
    pair = connected(server_files, 1472)
    upload(pair)
    assert core_of(pair.client).path.max_datagram_size == 1472
    upload(pair, shrink=1300)
    assert core_of(pair.client).path.max_datagram_size == BASE_SIZE


def test_discovery_can_be_switched_off(server_files: CertificateFiles) -> None:
    pair = connected(server_files, 65_535, Config(path_mtu_discovery=False, max_datagram_size=1300))
    upload(pair)
    assert max(len(datagram) for _, datagram in pair.sent) <= 1300


def test_probes_are_acknowledged_and_larger_than_all_before(server_files: CertificateFiles) -> None:
    pair = connected(server_files, 65_535)
    upload(pair)
    sizes = sorted({len(datagram) for to_server, datagram in pair.sent if to_server})
    assert sizes[-1] == LARGEST_SIZE
    assert {1452, 1472, 8952} <= set(sizes)


def test_another_path_is_searched_anew() -> None:
    """RFC 9000 §9.4: from what is known of it."""
    path = raised_path()
    path.mtu.on_packets_lost([packet(1472)])
    path.now, path.carries = 100.0, 1452
    path.mtu.on_new_path(some_path(), path.now)
    assert (path.mtu.size, path.mtu.suspected) == (BASE_SIZE, False)
    path.search()
    assert path.mtu.size == 1452


def test_what_became_of_the_probes_of_another_path_says_nothing() -> None:
    path = Search(BASE_SIZE)
    path.mtu.start(path.now)
    path.mtu.next_probe(path.now)
    acked, *lost = [path.mtu.begin_probe(path.now) for _ in range(1 + MAX_PROBES)]
    path.mtu.on_new_path(some_path(), path.now)
    path.mtu.on_acked(acked)
    for record in lost:
        path.mtu.on_lost(record)
    assert path.mtu.size == BASE_SIZE
    assert path.used == []
    path.carries = 1472
    path.search()
    assert path.mtu.size == 1472


def test_small_messages_need_no_larger_datagrams(server_files: CertificateFiles) -> None:
    """However many they are. A probe would only take the room of their window, until it is acknowledged."""
    pair = Pair(server_files)
    pair.handshake()
    stream = pair.client.open_stream(False)
    assert stream is not None
    for _ in range(PROBE_AFTER // 500):
        pair.client.write_stream(stream, bytes(1000))
        pair.run(seconds=0.001)
    assert core_of(pair.client).path.bytes_sent > PROBE_AFTER
    assert max(len(datagram) for to_server, datagram in pair.sent if to_server) <= BASE_SIZE
