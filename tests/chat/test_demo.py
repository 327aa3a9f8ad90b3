"""The demo: the main job in one command."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

from chat.demo import PATIENCE, SCRIPT
from tests.chat.processes import run


def test_demo() -> None:
    result = run("demo")
    assert result.returncode == 0, result.stderr
    assert result.stderr == ""
    for turn in SCRIPT:
        for speaker, text in turn.lines:
            assert result.stdout.count(f"  [{speaker}]: {text}\n") == 2
    for row in ("handshake", "cipher", "packets sent", "bytes sent", "round trip"):
        assert f"\n  {row}" in result.stdout
    assert "TLS_AES_128_GCM_SHA256" in result.stdout
    assert max(map(len, result.stdout.splitlines())) <= 100
    assert PATIENCE < 15


def test_it_shows_loss_and_retransmission() -> None:
    output = run("demo").stdout
    for row in ("datagrams thrown away: out, in", "packets lost", "bytes retransmitted"):
        (counts,) = re.findall(rf"^  {row} +(.*)$", output, re.MULTILINE)
        alice, bob = (int(each.partition(", ")[0].replace(",", "")) for each in re.split(r" {2,}", counts))
        assert alice > 0, row
        assert bob > 0, row
    assert re.search(r"✗ thrown away, Alice → server: (\d+ \+ )*[1-9]\d\d", output)
    assert re.search(r"✗ thrown away, Bob → server: (\d+ \+ )*[1-9]\d\d", output)
    assert "all 6 messages reached both people all the same" in output


def test_it_leaves_nothing_behind(tmp_path: Path) -> None:
    environment = {**os.environ, "TMPDIR": str(tmp_path), "HOME": str(tmp_path)}
    command = [sys.executable, "-m", "chat", "demo"]
    subprocess.run(command, env=environment, capture_output=True, check=True)
    assert list(tmp_path.iterdir()) == []


def test_its_reader_goes() -> None:
    command = f"{sys.executable} -m chat demo | head -n 1"
    result = subprocess.run(["bash", "-c", f"{command}; exit ${{PIPESTATUS[0]}}"], capture_output=True, text=True)
    assert result.returncode == 141
    assert result.stdout.count("\n") == 1
    assert result.stderr == ""
