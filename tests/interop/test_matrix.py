"""A small version of the interoperability matrix: `python -m tests.interop` runs all of it."""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor

import pytest

from tests.interop.__main__ import main
from tests.interop.cases import CASES
from tests.interop.runner import Result, run_case

SCALE = 0.05

OURS, AIOQUIC = "quicmini", "aioquic"

# Case, client, server.
CELLS = [
    *((name, OURS, OURS) for name in CASES if name not in {
        "retry", "resumption", "zerortt", "keyupdate", "ecn", "v2", "rebind-port", "rebind-addr", "connectionmigration",
    }),
    ("multiplexing", OURS, AIOQUIC),
    ("multiplexing", AIOQUIC, OURS),
    ("amplificationlimit", OURS, AIOQUIC),
    ("amplificationlimit", AIOQUIC, OURS),
]  # fmt: skip

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
def test_a_cell_is_green(cells: dict[Cell, Future[Result]], cell: Cell) -> None:
    result = cells[cell].result()
    assert (result.problems, result.unsupported) == ([], "")


def test_the_command_line(capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["--case", "handshake", "--case", "ecn", "--client", AIOQUIC, "--server", OURS, "--jobs", "2"]
    assert main(arguments) == 0  # one is green, the other is explained
    output = capsys.readouterr().out.splitlines()
    assert [line.split()[-1] for line in output if line.startswith(("handshake ", "ecn "))] == ["ok", "explained"]
