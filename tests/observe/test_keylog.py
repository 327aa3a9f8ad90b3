"""The key log's file, and what a connection puts into it."""

from __future__ import annotations

import logging
import os
import stat
from pathlib import Path

import pytest

from quicmini.config import Config
from quicmini.observe.keylog import KeyLog, parse_key_log
from tests.certificates import CertificateFiles
from tests.connection.pair import Pair

HANDSHAKE_LABELS = {
    "CLIENT_HANDSHAKE_TRAFFIC_SECRET",
    "SERVER_HANDSHAKE_TRAFFIC_SECRET",
    "CLIENT_TRAFFIC_SECRET_0",
    "SERVER_TRAFFIC_SECRET_0",
}


def test_a_line_for_each_secret(tmp_path: Path) -> None:
    path = tmp_path / "keys.log"
    with KeyLog(path) as log:
        log("CLIENT_TRAFFIC_SECRET_0", b"\x01\x02", b"\xfe")
        log("SERVER_TRAFFIC_SECRET_0", b"\x01\x02", b"\xff")
    assert path.read_text() == "CLIENT_TRAFFIC_SECRET_0 0102 fe\nSERVER_TRAFFIC_SECRET_0 0102 ff\n"


def test_it_is_appended_to_and_for_its_owner_only(tmp_path: Path) -> None:
    path = tmp_path / "keys.log"
    for label in ("A", "B"):
        with KeyLog(path) as log:
            log(label, b"\1", b"\2")
    assert path.read_text() == "A 01 02\nB 01 02\n"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_closed_it_writes_nothing(tmp_path: Path) -> None:
    log = KeyLog(tmp_path / "keys.log")
    log.close()
    log.close()
    log("A", b"\1", b"\2")
    assert (tmp_path / "keys.log").read_text() == ""


def test_a_full_disk_is_no_error_and_told_once(caplog: pytest.LogCaptureFixture) -> None:
    with KeyLog("/dev/full") as log, caplog.at_level(logging.WARNING):
        log("A", b"\1", b"\2")
        log("B", b"\1", b"\2")
    assert caplog.messages == ["cannot write the key log '/dev/full': No space left on device; going on without it"]


def test_a_pipe_whose_reader_sleeps_is_not_waited_for(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "pipe"
    os.mkfifo(path)
    reader = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    lines = 2000  # more than a pipe holds
    with KeyLog(path) as log, caplog.at_level(logging.WARNING):
        for _ in range(lines):
            log("A", bytes(32), bytes(32))
        (message,) = caplog.messages
        assert message.endswith("its reader does not keep up; going on without it")
        arrived = os.read(reader, 1 << 20)
        log("B", bytes(32), bytes(32))
    arrived += os.read(reader, 1 << 20)
    os.close(reader)
    text = arrived.decode()
    assert text.endswith(f"B {bytes(32).hex()} {bytes(32).hex()}\n")
    assert 100 < text.count("\n") < lines


def test_a_line_that_was_torn_does_not_tear_the_next(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "keys.log"
    write = os.write
    with KeyLog(path) as log:
        monkeypatch.setattr(os, "write", lambda fd, data: write(fd, data[:5]))
        log("TORN", b"\1", b"\2")
        monkeypatch.undo()
        log("A", b"\1", b"\2")
        log("B", b"\1", b"\2")
    assert path.read_text() == "TORN \nA 01 02\nB 01 02\n"


def test_a_file_that_cannot_be_written_is_an_error_at_once(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        KeyLog(tmp_path / "no such directory" / "keys.log")


def test_what_was_written_can_be_read() -> None:
    text = "# made by hand\n\nA 0102 fe\nB 0102 ff\nA 0304 00\n"
    assert parse_key_log(text) == {b"\1\2": {"A": b"\xfe", "B": b"\xff"}, b"\3\4": {"A": b"\0"}}


@pytest.mark.parametrize("text", ["A 01", "A 01 02 03", "A xx 02", "A 01 zz"])
def test_what_is_no_key_log_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"key log|fromhex"):
        parse_key_log(text)


def test_both_sides_of_a_connection_log_the_same_secrets(server_files: CertificateFiles, tmp_path: Path) -> None:
    paths = [tmp_path / "client.log", tmp_path / "server.log"]
    with KeyLog(paths[0]) as client_log, KeyLog(paths[1]) as server_log:
        pair = Pair(
            server_files,
            client_config=Config(keylog=client_log),
            server_config=Config(keylog=server_log),
        )
        pair.handshake()
    client, server = (parse_key_log(path.read_text()) for path in paths)
    assert client == server
    ((client_random, secrets),) = client.items()
    assert len(client_random) == 32
    assert secrets.keys() == HANDSHAKE_LABELS
    assert len(set(secrets.values())) == len(HANDSHAKE_LABELS)
