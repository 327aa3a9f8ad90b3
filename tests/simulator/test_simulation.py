"""Handshakes and transfers over bad networks, hundreds of seeds: intact, within the rules, and the same every time."""

from __future__ import annotations

import dataclasses
import re
import subprocess
import sys

import pytest

from quicmini.connection.endpoint import ClientSettings, ServerSettings
from tests.simulator.credentials import settings
from tests.simulator.scenario import Result, Scenario, SimulationFailed, TraceLine, run

Settings = tuple[ClientSettings, ServerSettings]


@pytest.fixture(scope="session")
def sides(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """The TLS settings of all runs."""
    return settings(tmp_path_factory.mktemp("simulator"))


@pytest.mark.parametrize("seed", range(300))
def test_any_mixture_of_faults(sides: Settings, seed: int) -> None:
    """Loss up to 30 %, duplication, reordering, corruption, narrow links, forged datagrams, small windows."""
    run(Scenario.drawn(seed), *sides)


@pytest.mark.parametrize("seed", range(1000, 1100))
def test_thirty_percent_loss(sides: Settings, seed: int) -> None:
    result = run(Scenario(seed, loss=0.3), *sides)
    assert result.client.packets_lost + result.server.packets_lost > 0


@pytest.mark.parametrize("seed", range(2000, 2030))
def test_every_fault_at_once(sides: Settings, seed: int) -> None:
    worst = Scenario(
        seed,
        loss=0.3,
        duplicate=0.2,
        corrupt=0.1,
        jitter=0.1,
        bandwidth=1e6,
        queue=8000,
        noise=50,
        window=3000,
        lazy=True,
    )
    run(worst, *sides)


@pytest.mark.parametrize("seed", range(3000, 3020))
def test_garbage_costs_nothing(sides: Settings, seed: int) -> None:
    """RFC 9000 §5.2: forged datagrams disturb nobody; at most one last ACK is a delay (25 ms) later."""
    quiet = Scenario(seed, delay=0.02, size=60_000)
    calm = run(quiet, *sides)
    noisy = run(dataclasses.replace(quiet, noise=1000.0), *sides)
    assert sum(line.what == "receives" for line in noisy.trace) > sum(line.what == "receives" for line in calm.trace)
    assert noisy.seconds < calm.seconds + 0.03
    for side in (noisy.client, noisy.server):
        assert sum(side.packets_dropped.values()) > 20
        assert side.packets_lost == 0
        assert side.retransmitted_bytes == 0


def test_a_link_is_filled(sides: Settings) -> None:
    """Congestion control comes near what the link carries, although the other direction is full, too."""
    result = run(Scenario(1, bandwidth=20e6, queue=100_000, size=1_000_000), *sides)
    carried = max(result.client.bytes_sent, result.server.bytes_sent) * 8 / 20e6
    assert result.seconds < 1.25 * carried


def test_without_faults_nothing_is_lost_or_sent_twice(sides: Settings) -> None:
    result = run(Scenario(1, size=100_000), *sides)
    for side in (result.client, result.server):
        assert side.packets_lost == 0
        assert side.retransmitted_bytes == 0
        assert side.packets_dropped == {}


def everything(seed: int) -> Scenario:
    return Scenario(seed, loss=0.2, duplicate=0.1, corrupt=0.05, jitter=0.03, bandwidth=5e6, noise=20, lazy=True)


def test_the_same_seed_gives_the_same_run(sides: Settings) -> None:
    runs = [run(everything(seed), *sides) for seed in (5, 5, 6)]
    assert len(runs[0].trace) > 100
    assert runs[0].trace == runs[1].trace
    assert runs[0].client == runs[1].client
    assert runs[0].trace != runs[2].trace


def test_a_failed_run_says_how_to_see_it(sides: Settings) -> None:
    trace: list[TraceLine] = []
    with pytest.raises(SimulationFailed, match=re.escape("see it: python -m tests.simulator --seed 4 --loss 1.0")):
        run(Scenario(4, loss=1.0), *sides, trace=trace)
    assert "sends" in {line.what for line in trace}


def command_line(scenario: Scenario) -> str:
    words = scenario.command().split()
    assert words[0] == "python"
    return subprocess.run([sys.executable, *words[1:]], capture_output=True, text=True, check=True, timeout=60).stdout


def test_the_command_line_replays_the_run(sides: Settings) -> None:
    scenario = everything(7)
    result: Result = run(scenario, *sides)
    shown = command_line(scenario)
    assert f"intact after {result.seconds:.3f} virtual seconds" in shown
    assert shown.count("\n") >= len(result.trace)
    assert f"{result.trace[-1].time:12.6f}  {result.trace[-1].host}" in shown
