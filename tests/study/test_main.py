"""The command line as a whole."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from quicmini.__main__ import COMMANDS, main

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("command", COMMANDS)
def test_each_command_has_help(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as exit_:
        main([command, "--help"])
    assert exit_.value.code == 0
    text = capsys.readouterr().out
    assert COMMANDS[command].HELP in " ".join(text.split())
    assert f"  python -m quicmini {command}" in text


@pytest.mark.parametrize("argv", [[], ["no-such-command"]])
def test_a_wrong_command_is_exit_code_2(argv: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as exit_:
        main(argv)
    assert exit_.value.code == 2
    assert capsys.readouterr().err.startswith("usage: quicmini")


def test_python_dash_m_passes_the_exit_status_on() -> None:
    command = [sys.executable, "-m", "quicmini", "vectors", "nothing-of-that-name"]
    assert subprocess.run(command, cwd=ROOT, capture_output=True, check=False, timeout=60).returncode == 2


def test_a_reader_that_has_gone_is_no_traceback() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    command = [sys.executable, "-m", "quicmini", "vectors", "rfc9001-a4-retry"]
    run = subprocess.run(command, cwd=ROOT, stdout=writing, stderr=subprocess.PIPE, check=False, timeout=60)
    os.close(writing)
    assert (run.returncode, run.stderr) == (141, b"")


def test_a_full_disk_is_one_sentence() -> None:
    command = [sys.executable, "-m", "quicmini", "vectors", "rfc9001-a4-retry"]
    with open("/dev/full", "wb") as full:
        run = subprocess.run(command, cwd=ROOT, stdout=full, stderr=subprocess.PIPE, check=False, timeout=60)
    assert (run.returncode, run.stderr) == (1, b"The output cannot be written: No space left on device.\n")


def test_an_interruption_is_no_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(arguments: object) -> int:
        raise KeyboardInterrupt

    monkeypatch.setattr(COMMANDS["vectors"], "run", interrupted)
    assert main(["vectors"]) == 130
