"""Ctrl-C while the modules of a command load, and commands without a stdout: no traceback."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

INTERRUPTED = 130  # the exit status, if the command had begun by the time


@pytest.mark.parametrize("command", ["quicmini", "chat"])
@pytest.mark.parametrize("module", ["quicmini.config", "quicmini.recovery.loss", "quicmini.sync.client"])
def test_an_interruption_is_quiet(command: str, module: str) -> None:
    """When that module has been loaded; what takes its time then is loading the rest."""
    arguments = {"quicmini": ["vectors"], "chat": ["join", "203.0.113.1", "-n", "zoe"]}[command]
    process = subprocess.Popen(
        [sys.executable, "-X", "importtime", "-m", command, *arguments], cwd=ROOT, stderr=subprocess.PIPE, text=True
    )
    assert process.stderr
    with process, process.stderr as printed:
        while not (line := printed.readline()).rstrip().endswith(f" {module}"):
            assert line
        process.send_signal(signal.SIGINT)
        rest = [line for line in printed if not line.startswith("import time:")]
    assert process.returncode in (-signal.SIGINT, INTERRUPTED)
    assert rest == []


@pytest.mark.parametrize("program", ["import quicmini", "import chat"])
def test_it_is_an_exception_in_any_other_program(program: str) -> None:
    check = "import signal; assert signal.getsignal(signal.SIGINT) is signal.default_int_handler"
    subprocess.run([sys.executable, "-c", f"{program}; {check}"], cwd=ROOT, check=True)


@pytest.mark.parametrize("command", ["quicmini", "chat"])
def test_an_interruption_that_is_ignored_stays_so(command: str) -> None:
    """As it is for what a shell has put into the background."""
    check = f"import {command}.__main__, signal; assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN"
    wrapper = f"import signal, sys; signal.signal(signal.SIGINT, signal.SIG_IGN); sys.argv[0] = '{command}'; {check}"
    subprocess.run([sys.executable, "-c", wrapper], cwd=ROOT, check=True)


@pytest.mark.parametrize("command", ["quicmini", "quicmini-chat"])
def test_the_scripts_count_too(command: str) -> None:
    """An interruption ends them while they load; as soon as they run it is an exception."""
    package = command.partition("-")[2] or command
    program = f"""
import signal, sys
sys.argv[0] = '/usr/bin/{command}'
import {package}.__main__
from quicmini import loading
assert signal.getsignal(signal.SIGINT) is signal.SIG_DFL
loading.over()
assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
"""
    subprocess.run([sys.executable, "-c", program], cwd=ROOT, check=True)


def test_no_stdout_is_one_sentence() -> None:
    command = 'exec "$0" -m quicmini vectors rfc9001-a4-retry >&-'
    run = subprocess.run(["sh", "-c", command, sys.executable], cwd=ROOT, stderr=subprocess.PIPE, check=False)
    assert (run.returncode, run.stderr) == (1, b"The output cannot be written: stdout is closed.\n")


def test_a_server_needs_no_stdout(tmp_path: Path) -> None:
    """It says what it has to say on stderr."""
    command = f'exec "$0" -m chat serve --port 0 --state-dir "{tmp_path}" >&-'
    with subprocess.Popen(
        ["sh", "-c", command, sys.executable], cwd=ROOT, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stderr
        while "listening on UDP" not in (line := process.stderr.readline()):
            assert line
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0
        assert "Traceback" not in process.stderr.read()
