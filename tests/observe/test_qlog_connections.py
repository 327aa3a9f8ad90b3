"""Real connections of every kind, recorded: their files are as the drafts want them, and hold what qvis reads."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from quicmini.config import Config
from quicmini.observe.qlog import Qlog, flush
from quicmini.wire.frames import Ping, StopSending
from quicmini.wire.packet import VERSION_1, VERSION_2, LongHeader, parse_long_header
from tests.certificates import CertificateFiles
from tests.connection.attacker import forge
from tests.connection.pair import Pair
from tests.connection.roaming import REBOUND, Roaming, transfer
from tests.connection.test_watched import scenario as transfer_with_losses
from tests.observe.qlog_schema import EVENTS, problems, read

NOON = datetime(2024, 2, 29, 12, tzinfo=UTC)

Make = Callable[..., Any]


def noise(make: Make) -> None:
    """A duplicate, a corrupt packet, and one that is none."""
    pair = make()
    pair.handshake()
    datagram = forge(pair.client, Ping().encode() + bytes(20))
    for data in datagram, datagram, datagram[:-1] + bytes([datagram[-1] ^ 1]), b"\xc0" + bytes(4):
        pair.to_server([data])


def out_of_order(make: Make) -> None:
    """The server's Handshake packets come before its Initial packet."""
    pair = make()
    pair.to_server(pair.from_client())
    (datagram,) = pair.from_server()
    initial = parse_long_header(datagram, 0)
    assert isinstance(initial, LongHeader)
    pair.to_client([datagram[initial.end :]])
    pair.run(seconds=1)


def retry_and_versions(make: Make) -> None:
    """Version Negotiation, then a Retry."""
    make(
        client_config=Config(versions=(VERSION_2, VERSION_1)), server_config=Config(versions=(VERSION_1,), retry=True)
    ).handshake()


def early_data(make: Make) -> None:
    first = make(server_config=Config(early_data=True))
    first.handshake()
    pair = make(
        server_config=Config(early_data=True),
        server_context=first.server_context,
        session=first.client.session,
        early_data=True,
    )
    pair.client.write_stream(pair.client.open_stream(False), bytes(3000), True)
    pair.run(seconds=2)


def migration(make: Make) -> None:
    """A NAT gives the client another port; the server renews its connection IDs."""
    pair = make(Roaming)
    pair.handshake()
    pair.sockets[None] = REBOUND
    transfer(pair, pair.client, pair.server, 100_000, seconds=0.1)
    pair.server.renew_connection_ids()
    transfer(pair, pair.client, pair.server, 1000, seconds=0.1)


def streams(make: Make) -> None:
    """Streams are reset and stopped, and a datagram is sent."""
    datagrams = Config(max_datagram_frame_size=1200)
    pair = make(client_config=datagrams, server_config=datagrams)
    pair.handshake()
    for _ in range(2):
        pair.client.write_stream(pair.client.open_stream(False), bytes(1000))
    pair.run(seconds=0.1)
    pair.client.reset_stream(0, 9)
    pair.server.stop_sending(4, 8)
    pair.client.send_datagram(b"unreliable")
    pair.run(seconds=0.1)


def violation(make: Make) -> None:
    """The server is told to stop sending on a stream that only the client sends on."""
    pair = make()
    pair.handshake()
    pair.to_server([forge(pair.client, StopSending(2, 0).encode())])
    pair.run(seconds=5)


def silence(make: Make) -> None:
    pair = make()
    pair.handshake()
    pair.run(seconds=100)


CONNECTIONS = {
    each.__name__: each
    for each in (noise, out_of_order, retry_and_versions, early_data, migration, streams, violation, silence)
} | {"transfer_with_losses": lambda make: transfer_with_losses(make())}


def record(files: CertificateFiles, directory: Path, connection: Callable[[Make], object]) -> list[list[Any]]:
    """The records of each file that a connection, or several, leave behind."""

    def make(kind: type[Pair] = Pair, **options: Any) -> Pair:
        number = len(list(directory.iterdir()))
        observer = Qlog(directory / str(number), lambda: NOON)
        configs = {side: options.pop(side, Config()) for side in ("client_config", "server_config")}
        watched = {side: replace(config, observer=observer) for side, config in configs.items()}
        pair = kind(files, **watched, **options)
        pairs.append(pair)
        return pair

    pairs: list[Pair] = []
    connection(make)
    for pair in pairs:  # ends the files
        for side in pair.client, pair.server:
            side.abort("enough", now=pair.now)
    flush()
    return [read(path) for path in sorted(directory.rglob("*.sqlog"))]


@pytest.fixture(scope="module")
def recorded(server_files: CertificateFiles, tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[list[Any]]]:
    return {
        name: record(server_files, tmp_path_factory.mktemp(name), connection)
        for name, connection in CONNECTIONS.items()
    }


@pytest.mark.parametrize("name", CONNECTIONS)
def test_all_are_as_the_drafts_want_them(name: str, recorded: dict[str, list[list[Any]]]) -> None:
    assert len(recorded[name]) >= 2
    for records in recorded[name]:
        assert problems(records) == []


def test_every_event_happens(recorded: dict[str, list[list[Any]]]) -> None:
    names = {record["name"] for files in recorded.values() for records in files for record in records[1:]}
    assert names == set(EVENTS)


# Without these, a view of qvis is empty: (event, what all of them have).
READ_BY_QVIS = {
    "transport:packet_sent": ("header.packet_type", "header.packet_number", "raw.length", "frames"),
    "transport:packet_received": ("header.packet_type", "raw.length"),
    "transport:parameters_set": ("owner", "initial_max_data", "initial_max_stream_data_uni"),
    "recovery:packet_lost": ("header.packet_type", "header.packet_number", "trigger"),
    "connectivity:connection_state_updated": ("new",),
}
FRAMES_READ_BY_QVIS = {
    "stream": ("stream_id", "offset", "length"),
    "crypto": ("offset", "length"),
    "ack": ("acked_ranges", "ack_delay"),
    "padding": ("length",),
    "connection_close": ("error_code",),
}
METRICS_READ_BY_QVIS = {
    "congestion_window", "bytes_in_flight", "min_rtt", "smoothed_rtt", "latest_rtt", "ssthresh",
}  # fmt: skip


def has(data: Any, path: str) -> bool:
    for name in path.split("."):
        if name not in data:
            return False
        data = data[name]
    return True


def test_what_qvis_reads_is_there(recorded: dict[str, list[list[Any]]]) -> None:
    everything = [
        (record["name"], record["data"]) for files in recorded.values() for log in files for record in log[1:]
    ]
    for name, paths in READ_BY_QVIS.items():
        assert all(has(data, path) for event, data in everything if event == name for path in paths)
    frames = [frame for _, data in everything for frame in data.get("frames", ())]
    assert {frame["frame_type"] for frame in frames} >= FRAMES_READ_BY_QVIS.keys()
    for frame in frames:
        assert all(path in frame for path in FRAMES_READ_BY_QVIS.get(frame["frame_type"], ()))
    metrics = [data for event, data in everything if event == "recovery:metrics_updated"]
    assert {name for data in metrics for name in data} >= METRICS_READ_BY_QVIS
