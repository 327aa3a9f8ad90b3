"""The benchmark measures what it says it does: each case runs, in small, with both implementations."""

from __future__ import annotations

import dataclasses
import json

import pytest

from tests.bench.__main__ import as_json, table
from tests.bench.runner import BenchmarkFailed, Outcome, measure
from tests.bench.work import CASES, Case
from tests.certificates import CertificateFiles

SMALL = {"download": 200_000, "upload": 200_000, "echo": 3, "echo-100": 100, "handshake": 2, "chat": 3}


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_each_case_runs_with_both(case: Case, server_files: CertificateFiles) -> None:
    small = dataclasses.replace(case, count=SMALL[case.name], clients=min(case.clients, 3))
    (outcome,) = measure([small], server_files, rounds=1)
    assert {name: len(rates) for name, rates in outcome.rates.items()} == {"quicmini": 1, "aioquic": 1}
    assert all(rates[0] > 0 for rates in outcome.rates.values())


def test_a_client_that_fails_is_no_result(server_files: CertificateFiles) -> None:
    wrong = dataclasses.replace(server_files, cafile=server_files.keyfile)
    with pytest.raises(BenchmarkFailed, match="the client failed"):
        measure([dataclasses.replace(CASES[0], count=1)], wrong, rounds=1)


def test_medians_and_ratio() -> None:
    outcome = Outcome(CASES[0], {"quicmini": [10.0, 900.0, 30.0], "aioquic": [5.0, 10.0, 15.0]})
    assert outcome.ratio == 3
    assert "30" in table([outcome], 3).splitlines()[1]
    parsed = json.loads(as_json([outcome], 3))["results"][0]
    assert parsed["quicmini"] == {"median": 30, "rounds": [10, 900, 30]}
    assert parsed["ratio"] == 3
