"""A small version of the interoperability matrix: `python -m tests.interop` runs all of it."""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor

import pytest

from tests.interop.__main__ import main
from tests.interop.cases import CASES
from tests.interop.explained import mark
from tests.interop.result import Result
from tests.interop.runner import run_case

SCALE = 0.05

OURS, AIOQUIC = "quicmini", "aioquic"

# What there is no more to learn from in both roles, small as it is here; the whole matrix has it.
_OURS_ONLY = {
    "transfer",
    "longrtt",
    "chacha20",
    "multiplexing",
    "blackhole",
    "transferloss",
    "handshakeloss",
    "handshakecorruption",
    "transfercorruption",
    "ipv6",
    "rebind-addr",
}

# Case, client, server.
CELLS = [
    (name, client, server)
    for name in CASES
    for client, server in [(OURS, OURS), (OURS, AIOQUIC), (AIOQUIC, OURS)]
    if client == server or name not in _OURS_ONLY
]

Cell = tuple[str, str, str]


@pytest.fixture(scope="module")
def cells() -> dict[Cell, Future[Result]]:
    """All cells, several at a time: most of a run is waiting for a slow link."""
    with ThreadPoolExecutor(4) as pool:
        return {
            (name, client, server): pool.submit(run_case, CASES[name], client, server, scale=SCALE)
            for name, client, server in CELLS
        }


@pytest.mark.parametrize("cell", CELLS, ids="-".join)
def test_a_cell_is_green_or_explained(cells: dict[Cell, Future[Result]], cell: Cell) -> None:
    result = cells[cell].result()
    assert mark(result) != "FAILED", (result.problems, result.unsupported)


def test_the_command_line(capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["--case", "handshake", "--case", "ecn", "--client", AIOQUIC, "--server", OURS, "--jobs", "2"]
    assert main(arguments) == 0  # one is green, the other is explained
    output = capsys.readouterr().out.splitlines()
    assert [line.split()[-1] for line in output if line.startswith(("handshake ", "ecn "))] == ["ok", "explained"]
    [shown] = [line for line in output if line.startswith("    shown by: ")]
    assert "Ack(" in shown
    assert "ecn=None" in shown
    assert "ECT" not in shown


@pytest.mark.parametrize("scale", ["0", "-1", "nan"])
def test_no_work_at_all_is_no_success(scale: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["--scale", scale])
    assert "must be above 0" in capsys.readouterr().err
