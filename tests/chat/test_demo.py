"""The demo: the main job in one command."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from chat.demo import PATIENCE, SCRIPT
from tests.chat.processes import run


def test_demo() -> None:
    result = run("demo")
    assert result.returncode == 0, result.stderr
    assert result.stderr == ""
    for speaker, text in SCRIPT:
        assert result.stdout.count(f"  [{speaker}]: {text}\n") == 2
    for row in ("handshake", "cipher", "packets sent", "bytes sent", "bytes retransmitted", "round trip"):
        assert f"\n  {row}" in result.stdout
    assert "TLS_AES_128_GCM_SHA256" in result.stdout
    assert PATIENCE < 15


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
