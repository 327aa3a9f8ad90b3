"""Handshakes and transfers over bad networks, hundreds of seeds: intact, within the rules, and the same every time."""

from __future__ import annotations

import dataclasses
import random
import re
import subprocess
import sys

import pytest

from quicmini.connection.endpoint import ClientSettings, ServerSettings
from quicmini.connection.state import ConnectionStats
from quicmini.errors import IdleTimeoutError
from tests.simulator.credentials import settings
from tests.simulator.scenario import Scenario
from tests.simulator.simulation import IDLE_TIMEOUT, Result, SimulationFailed, TraceLine, run

Settings = tuple[ClientSettings, ServerSettings]


@pytest.fixture(scope="session")
def sides(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """The TLS settings of all runs."""
    return settings(tmp_path_factory.mktemp("simulator"))


def both(result: Result) -> tuple[ConnectionStats, ConnectionStats]:
    """The counters of client and server."""
    assert result.server is not None
    return result.client, result.server


@pytest.mark.parametrize("seed", range(300))
def test_any_mixture_of_faults(sides: Settings, seed: int) -> None:
    """Loss up to 30 %, duplication, reordering, corruption, narrow links, forged datagrams, small windows."""
    run(Scenario.drawn(seed), *sides)


@pytest.mark.parametrize("seed", [23451])
def test_seeds_that_found_something(sides: Settings, seed: int) -> None:
    """23451: a probe of one byte, padded for its sample, made a coalesced datagram one byte too long."""
    run(Scenario.drawn(seed), *sides)


@pytest.mark.parametrize("seed", range(1000, 1100))
def test_thirty_percent_loss(sides: Settings, seed: int) -> None:
    result = run(Scenario(seed, loss=0.3), *sides)
    assert sum(side.packets_lost for side in both(result)) > 0


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
    for side in both(noisy):
        assert sum(side.packets_dropped.values()) > 20
        assert side.packets_lost == 0
        assert side.retransmitted_bytes == 0


@pytest.mark.parametrize("seed", range(4000, 4050))
def test_closed_at_any_time(sides: Settings, seed: int) -> None:
    """RFC 9000 §10.2: in the handshake, in a transfer, with faults: both sides end, and know why."""
    scenario = Scenario.drawn(seed)
    run(dataclasses.replace(scenario, cut=random.Random(seed).uniform(0.001, 3.0)), *sides)


@pytest.mark.parametrize("seed", range(5000, 5020))
def test_a_network_that_vanishes(sides: Settings, seed: int) -> None:
    """RFC 9000 §10.1: both sides give up after the idle timeout, and not much later."""
    vanish = random.Random(seed).uniform(0.001, 0.3)
    result = run(Scenario(seed, vanish=vanish), *sides)
    assert isinstance(result.client_error, IdleTimeoutError)
    assert result.server_error is None or isinstance(result.server_error, IdleTimeoutError)
    assert IDLE_TIMEOUT <= result.trace[-1].time < IDLE_TIMEOUT + 5


def test_a_link_is_filled(sides: Settings) -> None:
    """Congestion control comes near what the link carries, although the other direction is full, too."""
    result = run(Scenario(1, bandwidth=20e6, queue=100_000, size=1_000_000), *sides)
    carried = max(side.bytes_sent for side in both(result)) * 8 / 20e6
    assert result.seconds < 1.25 * carried


def test_without_faults_nothing_is_lost_or_sent_twice(sides: Settings) -> None:
    result = run(Scenario(1, size=100_000), *sides)
    for side in both(result):
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
    assert f"as it should be; the end began after {result.seconds:.3f} s" in shown
    assert shown.count("\n") >= len(result.trace)
    assert f"{result.trace[-1].time:12.6f}  {result.trace[-1].host}" in shown
