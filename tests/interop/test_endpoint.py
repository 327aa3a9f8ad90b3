"""The endpoints' side of the convention that no green cell shows."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from quicmini.observe.keylog import parse_key_log
from quicmini.study.captures import read_capture
from tests.interop import aioquic_endpoint, endpoint
from tests.interop.certificates import write_certificates
from tests.interop.convention import UNSUPPORTED
from tests.observe.recorded import packets_of


@pytest.mark.parametrize("main", [endpoint.main, aioquic_endpoint.main])
@pytest.mark.parametrize("role", ["client", "server"])
def test_an_unknown_case_has_an_exit_status_of_its_own(
    monkeypatch: pytest.MonkeyPatch, main: Callable[[], int], role: str
) -> None:
    monkeypatch.setenv("ROLE", role)
    monkeypatch.setenv("TESTCASE", "http3")
    assert main() == UNSUPPORTED


@pytest.mark.parametrize(
    ("variables", "sentence"),
    [
        ({}, "ROLE must be client or server"),
        ({"ROLE": "client", "TESTCASE": "handshake", "REQUESTS": "example.net"}, "not a URL to fetch"),
        ({"ROLE": "client", "TESTCASE": "handshake"}, "REQUESTS must name a file"),
        ({"ROLE": "server", "TESTCASE": "handshake", "CERTS": "/nowhere"}, "/nowhere/cert.pem"),
    ],
)
def test_what_cannot_be_done_is_told_in_one_sentence(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], variables: dict[str, str], sentence: str
) -> None:
    for name in ("ROLE", "TESTCASE", "REQUESTS", "CERTS"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert endpoint.main() == 1
    complaint = capsys.readouterr().err
    assert sentence in complaint
    assert complaint.count("\n") == 1


def test_a_capture_that_cannot_be_written_is_told_in_one_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert endpoint.main(["--pcapng", str(tmp_path)]) == 1
    complaint = capsys.readouterr().err
    assert complaint == f"IsADirectoryError: [Errno 21] Is a directory: '{tmp_path}'\n"


def test_a_transfer_is_recorded_on_both_sides(tmp_path: Path) -> None:
    """With the names that the public runner's environment has, and `--pcapng`."""
    for folder in "certs", "www", "downloads":
        (tmp_path / folder).mkdir()
    write_certificates(tmp_path / "certs")
    (tmp_path / "www" / "file").write_bytes(bytes(200_000))
    names = {"WWW": "www", "DOWNLOADS": "downloads", "CERTS": "certs", "QLOGDIR": "qlog"}
    environment = {
        **os.environ,
        **{name: str(tmp_path / folder) for name, folder in names.items()},
        "SSLKEYLOGFILE": str(tmp_path / "keys"),
        "TESTCASE": "transfer",
    }
    command = [sys.executable, "-m", "tests.interop.endpoint", "--pcapng"]
    server = subprocess.Popen(
        [*command, str(tmp_path / "server.pcapng")],
        env={**environment, "ROLE": "server", "LISTEN": "127.0.0.1 0"},
        stdout=subprocess.PIPE,
        text=True,
    )
    with server:
        try:
            assert server.stdout is not None
            port = server.stdout.readline().rpartition(" ")[2].strip()
            client = {**environment, "ROLE": "client", "REQUESTS": f"https://127.0.0.1:{port}/file"}
            subprocess.run([*command, str(tmp_path / "client.pcapng")], env=client, check=True, timeout=60)
        finally:
            server.send_signal(signal.SIGTERM)
    assert server.returncode == 130
    assert (tmp_path / "downloads" / "file").read_bytes() == bytes(200_000)
    assert len(list((tmp_path / "qlog").glob("*_client.sqlog"))) == 1
    assert len(list((tmp_path / "qlog").glob("*_server.sqlog"))) == 1
    assert len(parse_key_log((tmp_path / "keys").read_text())) == 1
    for name in "client.pcapng", "server.pcapng":
        packets = packets_of(read_capture((tmp_path / name).read_bytes()))
        assert len(packets) > 200_000 / 65_536
        assert [str(packet) for packet in packets if packet.frames is None] == []
