"""The test session itself: in one process or in several, it runs the same tests and tells the same."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tests.conftest import PROCESSES, pytest_cmdline_main

ROOT = Path(__file__).resolve().parents[1]
SIMULATION = "tests/simulator/test_simulation.py"
TWO_TESTS = [f"{SIMULATION}::test_messages_arrive_and_some_are_lost", f"{SIMULATION}::test_a_link_is_filled"]


def told(*options: str) -> list[str]:
    """What a session with two tests of the simulator says about it."""
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *options, *TWO_TESTS]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True, timeout=300)
    return [line for line in done.stdout.splitlines() if line.startswith("simulator: ")]


def test_what_the_simulator_saw_is_told_once_for_all_processes() -> None:
    (line,) = told("-n", "2")
    assert line.startswith("simulator: 3 runs; at most ")
    assert told("-p", "no:xdist") == [line]


WHOLE, PART = pytest.Config.ArgsSource.TESTPATHS, pytest.Config.ArgsSource.ARGS


def options(source: pytest.Config.ArgsSource, **given: Any) -> SimpleNamespace:
    """What the hook makes of the command line's options."""
    option = SimpleNamespace(**{"numprocesses": None, "dist": "no", "loadscopereorder": True, "usepdb": False} | given)
    config: Any = SimpleNamespace(option=option, args_source=source)
    pytest_cmdline_main(config)
    return option


def test_the_whole_suite_is_shared_out() -> None:
    option = options(WHOLE)
    assert (option.numprocesses, option.dist) == (PROCESSES, "loadfile")


def test_the_command_line_has_the_last_word() -> None:
    assert options(WHOLE, numprocesses=0).numprocesses == 0
    assert options(WHOLE, usepdb=True).numprocesses is None
    assert options(WHOLE, numprocesses=2, dist="worksteal").dist == "worksteal"
    assert options(PART).numprocesses is None
    assert options(PART, numprocesses="auto").dist == "loadfile"
