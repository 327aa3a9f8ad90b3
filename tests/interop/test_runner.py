"""What the runner says of runs that go wrong."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from quicmini.study.link.scenario import Direction
from tests.interop import runner
from tests.interop.cases import CASES
from tests.interop.checks import Check, Evidence
from tests.interop.runner import run_case
from tests.observe.qlog_schema import problems, read

HANDSHAKE = CASES["handshake"]


def test_a_case_that_an_endpoint_cannot_do_is_no_failure_but_not_green() -> None:
    result = run_case(replace(HANDSHAKE, client="http3"), "quicmini", "quicmini")
    assert (result.problems, result.unsupported) == ([], "the client quicmini cannot do it")
    assert not result.green
    result = run_case(replace(HANDSHAKE, server="http3"), "quicmini", "aioquic")
    assert result.unsupported == "the server aioquic cannot do it"


@pytest.mark.parametrize("role", ["client", "server"])
def test_qlog_is_written_where_the_convention_says(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, role: str) -> None:
    monkeypatch.setenv("QLOGDIR", str(tmp_path))
    sides = ("quicmini", "aioquic") if role == "client" else ("aioquic", "quicmini")
    assert run_case(HANDSHAKE, *sides).green
    (path,) = tmp_path.glob(f"*_{role}.sqlog")
    records = read(path)
    assert problems(records) == []
    assert records[0]["trace"]["vantage_point"]["type"] == role


def test_a_server_that_does_not_start(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(runner.IMPLEMENTATIONS, "nothing", "tests.interop.no_such_module")
    (problem,) = run_case(HANDSHAKE, "quicmini", "nothing").problems
    assert problem.startswith("the server nothing did not start:")


def test_a_client_that_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(runner.IMPLEMENTATIONS, "nothing", "tests.interop.no_such_module")
    (problem,) = run_case(HANDSHAKE, "nothing", "quicmini").problems
    assert problem.startswith("the client's exit status is 1:")


def test_a_client_that_is_never_done() -> None:
    nothing_passes = HANDSHAKE.scenario.symmetric(Direction(loss=1.0, burst=10**9))
    case = replace(HANDSHAKE, scenario=nothing_passes, timeout=1)
    assert run_case(case, "quicmini", "quicmini").problems == ["the client was not done after 1 seconds"]


def test_a_check_that_fails_is_told_and_one_that_cannot_look_is_told_too(tmp_path: Path) -> None:
    def dissatisfied(evidence: Evidence) -> list[str]:
        return ["this is wrong", "that is wrong"]

    def helpless(evidence: Evidence) -> list[str]:
        raise KeyError("nothing to look at")

    checks: tuple[Check, ...] = (dissatisfied, helpless)
    result = run_case(replace(HANDSHAKE, checks=checks), "quicmini", "quicmini", keep=tmp_path)
    assert result.problems == ["this is wrong", "that is wrong", "helpless: KeyError('nothing to look at')"]
    kept = tmp_path / "handshake-quicmini-quicmini"
    assert "INITIAL" in (kept / "packets.txt").read_text()
    assert (kept / "capture.pcap").stat().st_size > 1200
