"""qlog files: what the drafts ask of them, what is in them, and what happens where they cannot be written."""

from __future__ import annotations

import logging
import subprocess
import sys
import threading
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from quicmini.config import Config
from quicmini.connection.connection import Connection
from quicmini.connection.occurrences import ConnectionStarted, Ended, Phase, PhaseChanged
from quicmini.errors import ConnectionClosedOK
from quicmini.observe import qlog as qlog_module
from quicmini.observe.qlog import Qlog, flush
from tests.certificates import CertificateFiles
from tests.connection.pair import Pair
from tests.connection.test_watched import scenario
from tests.observe.qlog_schema import problems, read
from tests.sync.helpers import PATIENCE, until

NOON = datetime(2024, 2, 29, 12, tzinfo=UTC)
START = ConnectionStarted(("192.0.2.1", 443), None, b"\1" * 8, b"\2" * 8)
CID = bytes(range(8))
NAME = f"{CID.hex()}_client.sqlog"


def recorded(files: CertificateFiles, directory: Path, **options: Any) -> Pair:
    config = Config(observer=Qlog(directory, lambda: NOON))
    return Pair(files, client_config=config, server_config=config, **options)


def files_of(directory: Path) -> tuple[list[Any], list[Any]]:
    """The records of the one client and of the one server."""
    flush()
    (client,), (server,) = directory.glob("*_client.sqlog"), directory.glob("*_server.sqlog")
    assert client.name.removesuffix("_client.sqlog") == server.name.removesuffix("_server.sqlog")
    return read(client), read(server)


def data_of(records: list[Any], name: str) -> list[Any]:
    return [record["data"] for record in records[1:] if record["name"] == name]


@pytest.fixture
def both(server_files: CertificateFiles, tmp_path: Path) -> tuple[Pair, list[Any], list[Any]]:
    """A transfer with losses, a key update and a close, and what both sides have recorded of it."""
    pair = recorded(server_files, tmp_path / "new" / "directory")
    scenario(pair)
    return (pair, *files_of(tmp_path / "new" / "directory"))


def test_the_files_are_what_the_drafts_ask_for(both: tuple[Pair, list[Any], list[Any]]) -> None:
    for records in both[1:]:
        assert problems(records) == []


def test_the_head_says_what_it_is_about(both: tuple[Pair, list[Any], list[Any]]) -> None:
    for role, records in zip(("client", "server"), both[1:], strict=True):
        trace = records[0]["trace"]
        assert trace["vantage_point"]["type"] == role
        assert trace["common_fields"]["group_id"] == both[1][0]["trace"]["common_fields"]["group_id"]
        assert records[1]["time"] == NOON.timestamp() * 1000
        assert records[1]["name"] == "connectivity:connection_started"


def test_the_kind_of_file_is_said_at_its_beginning(tmp_path: Path) -> None:
    Qlog(tmp_path)(CID, True)(0.0, Ended(ConnectionClosedOK()))
    flush()
    start = (tmp_path / NAME).read_text()[:256]
    for field in (
        '"file_schema":"urn:ietf:params:qlog:file:sequential"',
        '"serialization_format":"application/qlog+json-seq"',
        '"qlog_format":"JSON-SEQ"',
        '"qlog_version":"0.3"',
    ):
        assert field in start


def test_packets_and_losses_are_all_there(both: tuple[Pair, list[Any], list[Any]]) -> None:
    pair, *sides = both
    for connection, records in zip((pair.client, pair.server), sides, strict=True):
        stats = connection.stats()
        sent = data_of(records, "transport:packet_sent")
        assert len(sent) == stats.packets_sent
        assert sum(packet["raw"]["length"] for packet in sent) == stats.bytes_sent
        assert len(data_of(records, "transport:packet_received")) == stats.packets_received
        assert len(data_of(records, "recovery:packet_lost")) == stats.packets_lost
    numbers = {packet["header"]["packet_number"] for packet in data_of(sides[0], "transport:packet_sent")}
    lost = data_of(sides[0], "recovery:packet_lost")
    assert {packet["header"]["packet_number"] for packet in lost} < numbers
    assert {packet["trigger"] for packet in lost} >= {"reordering_threshold"}


def test_what_one_side_receives_the_other_has_sent(both: tuple[Pair, list[Any], list[Any]]) -> None:
    for sender, receiver in (both[1], both[2]), (both[2], both[1]):
        sent = data_of(sender, "transport:packet_sent")
        received = data_of(receiver, "transport:packet_received")
        assert received
        assert all(packet in sent for packet in received)
        assert [data for data in data_of(sender, "transport:parameters_set") if data["owner"] == "local"] == [
            data | {"owner": "local", "initiator": "local"}
            for data in data_of(receiver, "transport:parameters_set")
            if data["owner"] == "remote"
        ]


def test_streams_are_recorded_without_their_data(both: tuple[Pair, list[Any], list[Any]]) -> None:
    frames = [
        frame
        for packet in data_of(both[2], "transport:packet_received")
        for frame in packet["frames"]
        if frame["frame_type"] == "stream"
    ]
    covered = set()
    for frame in frames:
        covered |= set(range(frame["offset"], frame["offset"] + frame["length"]))
    assert covered == set(range(500_000))
    assert all(frame["raw"]["length"] == frame["length"] for frame in frames)


def test_states_keys_and_the_end(both: tuple[Pair, list[Any], list[Any]]) -> None:
    states = [data["new"] for data in data_of(both[1], "connectivity:connection_state_updated")]
    assert states == ["handshake_started", "handshake_complete", "handshake_confirmed", "closing", "closed"]
    for records, owner, trigger in (both[1], "local", "local_update"), (both[2], "remote", "remote_update"):
        (closed,) = data_of(records, "connectivity:connection_closed")
        assert closed == {
            "owner": owner,
            "initiator": owner,
            "application_error": "unknown",
            "application_code": 7,
            "error_code": 7,
            "reason": "enough",
            "trigger": "application",
        }
        updated = data_of(records, "security:key_updated")
        assert {data["key_type"] for data in updated} == {
            f"{who}_{level}_secret" for who in ("client", "server") for level in ("initial", "handshake", "1rtt")
        }
        (update,) = (data for data in updated if data["trigger"] != "tls")
        assert (update["key_phase"], update["trigger"]) == (1, trigger)
        assert len(data_of(records, "security:key_discarded")) == 4


def test_metrics_are_recorded_when_they_change(both: tuple[Pair, list[Any], list[Any]]) -> None:
    first, *later = data_of(both[1], "recovery:metrics_updated")
    assert first == {
        "smoothed_rtt": 333,
        "rtt_variance": 166.5,
        "pto_count": 0,
        "congestion_window": 12000,
        "bytes_in_flight": 0,
    }
    known = dict(first)
    for metrics in later:
        assert metrics
        assert all(known.get(name) != value for name, value in metrics.items())
        known |= metrics
    assert known.keys() == first.keys() | {"min_rtt", "latest_rtt", "ssthresh"}


# The file


def times_of(path: Path) -> list[float]:
    """Of the events, in milliseconds since NOON."""
    return [record["time"] - NOON.timestamp() * 1000 for record in read(path)[1:]]


def test_it_is_written_soon_without_being_asked(tmp_path: Path) -> None:
    trace = Qlog(tmp_path, lambda: NOON)(CID, True)
    trace(10.0, START)
    until((tmp_path / NAME).exists)
    trace(10.1, START)
    until(lambda: (tmp_path / NAME).read_text().count("\n") == 3)
    assert times_of(tmp_path / NAME) == [0, 100]


def test_many_connections_share_the_thread_that_writes(tmp_path: Path) -> None:
    qlog = Qlog(tmp_path)
    traces = [qlog(bytes([number]), True) for number in range(50)]
    for now in range(3):
        for trace in traces:
            trace(now, START)
    flush()
    files = sorted(tmp_path.iterdir())
    assert [file.name for file in files] == [f"{number:02x}_client.sqlog" for number in range(50)]
    assert [len(read(file)) for file in files] == [4] * 50
    assert [thread.name for thread in threading.enumerate()].count("quicmini qlog") == 1


def test_a_disk_that_does_not_answer_holds_up_nobody(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """What cannot be written ends the file, with one warning; what can, is."""
    answers = threading.Event()
    asked = threading.Event()
    qlog = Qlog(tmp_path, lambda: NOON)
    append = qlog.append

    def wait(name: str, text: str, *, first: bool) -> bool:
        asked.set()
        assert answers.wait(PATIENCE)
        return append(name, text, first=first)

    flush()
    monkeypatch.setattr(qlog, "append", wait)
    monkeypatch.setattr(qlog_module._background, "_capacity", 10_000)
    trace = qlog(CID, True)
    trace(0.0, START)
    assert asked.wait(PATIENCE)
    with caplog.at_level(logging.WARNING):
        for now in range(1, 1000):
            trace(now, START)
    answers.set()
    (message,) = caplog.messages
    assert message.endswith("it grows faster than it can be written; going on without it")
    written = len(read(tmp_path / NAME))
    assert 2 < written < 200
    assert times_of(tmp_path / NAME) == [1000 * now for now in range(written - 1)]


PROGRAM = """
import sys
from quicmini.observe.qlog import Qlog
from quicmini.connection.occurrences import ConnectionStarted

trace = Qlog(sys.argv[1])(b"cid", True)
trace(0.0, ConnectionStarted(("192.0.2.1", 443), None, bytes(8), bytes(8)))
"""


def test_the_end_of_the_program_completes_the_file(tmp_path: Path) -> None:
    subprocess.run([sys.executable, "-c", PROGRAM, str(tmp_path)], check=True)
    (path,) = tmp_path.iterdir()
    assert len(read(path)) == 2


def test_it_is_complete_at_the_end(tmp_path: Path) -> None:
    trace = Qlog(tmp_path)(CID, True)
    trace(10.0, START)
    trace(10.0, Ended(ConnectionClosedOK()))
    assert len(read(tmp_path / NAME)) == 3
    trace(10.0, PhaseChanged(Phase.CLOSING, Phase.CLOSED))
    trace(10.0, START)
    assert [record["name"] for record in read(tmp_path / NAME)[1:]] == [
        "connectivity:connection_started",
        "connectivity:connection_closed",
        "connectivity:connection_state_updated",
    ]
    assert problems(read(tmp_path / NAME)) == []


def test_a_clock_that_goes_back_does_not_show(tmp_path: Path) -> None:
    trace = Qlog(tmp_path, lambda: NOON)(CID, True)
    for now in 10.0, 11.0, 10.5, 12.0:
        trace(now, START)
    assert times_of(tmp_path / NAME) == [0, 1000, 1000, 2000]


def test_an_old_file_is_replaced(tmp_path: Path) -> None:
    (tmp_path / NAME).write_text("of another connection")
    trace = Qlog(tmp_path)(CID, True)
    trace(10.0, START)
    trace(11.0, START)
    assert len(read(tmp_path / NAME)) == 3


def test_a_directory_that_cannot_be_made_is_told_once(
    server_files: CertificateFiles, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").touch()
    with caplog.at_level(logging.WARNING):
        pair = recorded(server_files, tmp_path / "file" / "qlog")
        scenario(pair)
        flush()
    (record,) = caplog.records
    assert "cannot write qlog" in record.getMessage()
    assert pair.server.stats().bytes_received > 500_000


def test_a_full_disk_is_told_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / NAME).symlink_to("/dev/full")
    qlog = Qlog(tmp_path)
    with caplog.at_level(logging.WARNING):
        for _ in range(2):
            trace = qlog(CID, True)
            for now in range(5):
                trace(now, START)
                flush()
    assert len(caplog.records) == 1


def test_a_disk_that_goes_in_the_middle_is_told_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    directory = tmp_path / "qlog"
    trace = Qlog(directory)(CID, True)
    trace(0.0, START)
    flush()
    (directory / NAME).rename(tmp_path / NAME)
    directory.rmdir()
    with caplog.at_level(logging.WARNING):
        for now in range(1, 4):
            trace(now, START)
            flush()
    reason = "No such file or directory"
    assert caplog.messages == [f"cannot write qlog into {str(directory)!r}: {reason}; going on without it"]
    assert len(read(tmp_path / NAME)) == 2


def test_off_nothing_is_there(server_files: CertificateFiles) -> None:
    assert Config().observer is None
    pair = Pair(server_files)
    pair.handshake()
    assert type(pair.client) is type(pair.server) is Connection
