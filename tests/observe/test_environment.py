"""SSLKEYLOGFILE and QLOGDIR: what they record, and what happens where they cannot."""

from __future__ import annotations

import logging
import os
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

import quicmini
from quicmini.config import Config
from quicmini.observe.environment import complete
from quicmini.observe.keylog import KeyLog, parse_key_log
from quicmini.observe.qlog import Qlog, flush
from quicmini.sync import recording
from tests.certificates import Authority, CertificateFiles
from tests.observe.qlog_schema import problems, read

ALPN = "test"
LABELS = {
    f"{side}_{what}" for side in ("CLIENT", "SERVER") for what in ("HANDSHAKE_TRAFFIC_SECRET", "TRAFFIC_SECRET_0")
}


@pytest.fixture
def talk(authority: Authority, server_files: CertificateFiles) -> Callable[[], None]:
    """A program that knows nothing of all this: a server and a client, and one word."""

    def run() -> None:
        with (
            quicmini.listen(
                ("127.0.0.1", 0), alpn_protocols=[ALPN], certfile=server_files.certfile, keyfile=server_files.keyfile
            ) as listener,
            quicmini.connect(listener.address, alpn_protocols=[ALPN], cafile=authority.cafile) as client,
        ):
            with client.open_stream() as stream:
                stream.sendall(b"word", end_stream=True)
            server = listener.accept(20)
            with server.accept_stream(20) as stream:
                assert stream.makefile("rb").read() == b"word"

    return run


def test_the_package_reads_the_environment() -> None:
    assert recording.from_environment is complete


@pytest.mark.parametrize("value", [None, ""])
def test_unset_or_empty_nothing_changes(value: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in "SSLKEYLOGFILE", "QLOGDIR":
        if value is None:
            monkeypatch.delenv(name, raising=False)
        else:
            monkeypatch.setenv(name, value)
    config = Config()
    assert complete(config) is config


def test_both_are_recorded(talk: Callable[[], None], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("SSLKEYLOGFILE", str(tmp_path / "keys.log"))
    monkeypatch.setenv("QLOGDIR", str(tmp_path / "qlog"))
    talk()
    talk()
    assert stat.S_IMODE((tmp_path / "keys.log").stat().st_mode) == 0o600
    lines = (tmp_path / "keys.log").read_text().splitlines()
    secrets = parse_key_log("\n".join(lines))
    assert len(secrets) == 2
    assert all(set(each) == LABELS for each in secrets.values())
    assert len(lines) == 2 * 2 * len(LABELS)  # of both sides
    flush()
    files = sorted((tmp_path / "qlog").iterdir())
    assert [file.name.rpartition("_")[2] for file in files] == ["client.sqlog", "server.sqlog"] * 2
    assert [problems(read(file)) for file in files] == [[]] * 4


def test_it_is_read_at_each_call(talk: Callable[[], None], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in "first", "second":
        monkeypatch.setenv("SSLKEYLOGFILE", str(tmp_path / name))
        talk()
    monkeypatch.delenv("SSLKEYLOGFILE")
    talk()
    assert [len(parse_key_log((tmp_path / name).read_text())) for name in ("first", "second")] == [1, 1]


def test_one_file_for_all_that_ask_for_the_same(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("SSLKEYLOGFILE", str(tmp_path / "keys.log"))
    monkeypatch.setenv("QLOGDIR", str(tmp_path))
    first, second = complete(Config()), complete(Config(idle_timeout=1.0))
    assert isinstance(first.keylog, KeyLog)
    assert isinstance(first.observer, Qlog)
    assert (first.keylog, first.observer) == (second.keylog, second.observer)


def test_what_the_program_says_itself_wins(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("SSLKEYLOGFILE", str(tmp_path / "keys.log"))
    monkeypatch.setenv("QLOGDIR", str(tmp_path / "qlog"))
    mine = Config(keylog=print, observer=lambda cid, is_client: print)
    assert complete(mine) is mine
    assert list(tmp_path.iterdir()) == []


def test_it_is_appended_to(talk: Callable[[], None], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "keys.log").write_text("# of another program\n")
    monkeypatch.setenv("SSLKEYLOGFILE", str(tmp_path / "keys.log"))
    talk()
    first, *others = (tmp_path / "keys.log").read_text().splitlines()
    assert first == "# of another program"
    assert len(others) == 2 * len(LABELS)


def full(path: Path) -> None:
    path.symlink_to("/dev/full")


def in_a_file(path: Path) -> None:
    path.parent.rmdir()
    path.parent.touch()


KEY_LOG = ("SSLKEYLOGFILE", "the key log {!r} that SSLKEYLOGFILE names")
OPEN_KEY_LOG = ("SSLKEYLOGFILE", "the key log {!r}")
QLOG = ("QLOGDIR", "qlog into {!r}")

# What is recorded, what is in the way, and what is said of it; the path is that of `place`, below.
OBSTACLES: dict[str, tuple[tuple[str, str], Callable[[Path], object], str]] = {
    "key log, a full disk": (OPEN_KEY_LOG, full, "No space left on device"),
    "key log, a directory": (KEY_LOG, Path.mkdir, "it is a directory"),
    "key log, a pipe that nobody reads": (KEY_LOG, os.mkfifo, "it is a pipe that nobody reads"),
    "key log, no directory": (KEY_LOG, lambda path: path.parent.rmdir(), "No such file or directory"),
    "key log, a file for a directory": (KEY_LOG, in_a_file, "a part of the path is no directory"),
    "qlog, a file": (QLOG, Path.touch, "it is no directory"),
    "qlog, a pipe": (QLOG, os.mkfifo, "it is no directory"),
    "qlog, a file above": (QLOG, in_a_file, "a part of the path is no directory"),
    "qlog, a device": (QLOG, lambda path: path.symlink_to("/dev/null"), "it is no directory"),
}


@pytest.mark.parametrize(("recording", "obstruct", "reason"), OBSTACLES.values(), ids=OBSTACLES.keys())
def test_what_cannot_be_written_is_told_once(
    recording: tuple[str, str],
    obstruct: Callable[[Path], object],
    reason: str,
    talk: Callable[[], None],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    variable, what = recording
    place = tmp_path / "place" / "recorded"
    place.parent.mkdir()
    obstruct(place)
    monkeypatch.setenv(variable, str(place))
    with caplog.at_level(logging.WARNING):
        talk()
        talk()
        flush()
    assert caplog.messages == [f"cannot write {what.format(str(place))}: {reason}; going on without it"]


PROGRAM = """
import sys
import quicmini
loaded = sorted(set(sys.modules) & {"quicmini.observe.qlog", "json"})
print(loaded)
"""


def test_off_it_is_not_even_loaded() -> None:
    result = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True)
    assert result.stdout == "[]\n"
