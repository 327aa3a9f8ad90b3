"""Starts the processes, lets the implementations take turns, and gathers medians."""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

from tests.bench.work import IMPLEMENTATIONS, Case, Options
from tests.certificates import CertificateFiles

__all__ = ["BenchmarkFailed", "Outcome", "measure"]

TIMEOUT = 120  # seconds for one measurement: a limit against hangs


class BenchmarkFailed(Exception):
    """A process did not do its work."""


@dataclass
class Outcome:
    """What all rounds of a case came to: rates, in the case's unit."""

    case: Case
    rates: dict[str, list[float]] = field(default_factory=lambda: {name: [] for name in IMPLEMENTATIONS})

    def median(self, implementation: str) -> float:
        return statistics.median(self.rates[implementation])

    @property
    def ratio(self) -> float:
        """How many times faster quicmini is than aioquic, median over median."""
        return self.median("quicmini") / self.median("aioquic")


def measure(cases: Sequence[Case], files: CertificateFiles, rounds: int) -> list[Outcome]:
    """All rounds of all cases; who goes first changes from round to round. Raises BenchmarkFailed."""
    outcomes = [Outcome(case) for case in cases]
    for number in range(rounds):
        for outcome in outcomes:
            for implementation in IMPLEMENTATIONS if number % 2 == 0 else reversed(IMPLEMENTATIONS):
                rate = outcome.case.rate(_seconds(implementation, outcome.case, files))
                outcome.rates[implementation].append(rate)
                _progress(
                    f"round {number + 1}/{rounds}  {outcome.case.name:10} {implementation:9} {rate:10,.0f} "
                    f"{outcome.case.unit}"
                )
    return outcomes


def _seconds(implementation: str, case: Case, files: CertificateFiles) -> float:
    options = Options(case.name, case.count, files.certfile, files.keyfile, files.cafile, case.clients)
    with _server(implementation, options) as port:
        command = _command(implementation, "client", replace(options, port=port))
        client = subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT, check=False)
    if client.returncode:
        raise BenchmarkFailed(f"{implementation}, {case.name}: the client failed\n{client.stderr}")
    return float(_line(client.stdout)["seconds"])


@contextmanager
def _server(implementation: str, options: Options) -> Iterator[int]:
    """A server process; gives its port. It ends when its standard input does."""
    command = _command(implementation, "server", options)
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdin is not None
        assert server.stdout is not None
        try:
            yield int(_line(server.stdout.readline())["port"])
        finally:
            server.stdin.close()
            try:
                server.wait(TIMEOUT)
            except subprocess.TimeoutExpired:
                server.kill()
                raise BenchmarkFailed(f"{implementation}, {options.case}: the server does not end") from None


def _command(implementation: str, role: str, options: Options) -> list[str]:
    return [sys.executable, "-m", f"tests.bench.{implementation}_side", role, options.to_json()]


def _line(text: str) -> dict[str, Any]:
    try:
        values: dict[str, Any] = json.loads(text)
    except json.JSONDecodeError:
        raise BenchmarkFailed(f"a process said {text!r}") from None
    return values


def _progress(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
