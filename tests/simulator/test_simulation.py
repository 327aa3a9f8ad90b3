"""Handshakes and transfers over bad networks, hundreds of seeds: intact, within the rules, and the same every time."""

from __future__ import annotations

import dataclasses
import random
import re
import subprocess
import sys

import pytest

from quicmini.connection.state import ConnectionStats
from quicmini.errors import IdleTimeoutError
from tests.simulator.conftest import Simulate
from tests.simulator.families import FAMILIES
from tests.simulator.found import FOUND
from tests.simulator.scenario import Scenario
from tests.simulator.simulation import IDLE_TIMEOUT, Result, SimulationFailed, TraceLine


def both(result: Result) -> tuple[ConnectionStats, ConnectionStats]:
    """The counters of client and server."""
    assert result.server is not None
    return result.client, result.server


@pytest.mark.parametrize("first", range(0, 1000, 10))
def test_any_mixture_of_faults(simulate: Simulate, first: int) -> None:
    """A thousand seeds: see `Scenario` for what is drawn from them."""
    for seed in range(first, first + 10):
        simulate(Scenario.drawn(seed))


@pytest.mark.parametrize("scenario", FOUND, ids=lambda scenario: str(scenario.seed))
def test_runs_that_found_something(simulate: Simulate, scenario: Scenario) -> None:
    simulate(scenario)


@pytest.mark.parametrize("family", ["handshakeloss", "handshakecorruption", "transferloss", "transfercorruption"])
def test_thirty_percent_in_bursts_of_three(simulate: Simulate, family: str) -> None:
    """Fifty connections: their handshakes and their transfers, in either direction."""
    troubles = 0
    for seed in range(50):
        for side in both(simulate(FAMILIES[family](seed))):
            troubles += sum(side.packets_dropped.values()) + side.packets_lost
    assert troubles > 50


@pytest.mark.parametrize("seed", range(1000, 1030))
def test_thirty_percent_loss(simulate: Simulate, seed: int) -> None:
    result = simulate(Scenario(seed, loss=0.3))
    assert sum(side.packets_lost for side in both(result)) > 0


@pytest.mark.parametrize("seed", range(2000, 2010))
def test_every_fault_at_once(simulate: Simulate, seed: int) -> None:
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
    simulate(worst)


@pytest.mark.parametrize("seed", range(6000, 6010))
def test_keys_change_again_and_again(simulate: Simulate, seed: int) -> None:
    """RFC 9001 §6: both sides ask for it, at any time, while packets are lost and overtake each other."""
    scenario = Scenario(seed, loss=0.1, jitter=0.01, size=100_000, bandwidth=2e6, key_updates=10, every=0.1)
    client, server = both(simulate(scenario))
    assert client.key_updates == server.key_updates > 2


def count(result: Result, host: str, what: str) -> int:
    """How often that was in the trace."""
    return sum(line.host == host and line.what == what for line in result.trace)


@pytest.mark.parametrize("new_host", [False, True])
@pytest.mark.parametrize("seed", range(6100, 6105))
def test_a_transfer_over_ten_rebindings(simulate: Simulate, seed: int, new_host: bool) -> None:
    """RFC 9000 §9.3: the server follows, and every byte arrives."""
    scenario = Scenario(seed, size=200_000, bandwidth=1e6, queue=8000, rebindings=10, every=0.3, new_host=new_host)
    result = simulate(scenario)
    assert count(result, "nat", "rebinds") == 10
    assert count(result, "server", "PathChanged") >= 5  # unless one follows the other too soon to be noticed
    assert sum(side.packets_lost for side in both(result)) > 0


@pytest.mark.parametrize("seed", range(6200, 6210))
def test_a_transfer_over_ten_migrations(simulate: Simulate, seed: int) -> None:
    """RFC 9000 §9.2: from socket to socket, with a connection ID of its own for each (§9.5)."""
    result = simulate(Scenario(seed, size=200_000, bandwidth=1e6, queue=8000, migrations=10, every=0.3))
    assert count(result, "client", "migrates") == 10
    assert count(result, "client", "PathChanged") >= 5  # a newer one replaces what is not done
    assert count(result, "server", "PathChanged") >= count(result, "client", "PathChanged") - 1


@pytest.mark.parametrize("seed", range(7000, 7010))
def test_a_token_spares_the_next_connection_the_retry(simulate: Simulate, seed: int) -> None:
    """RFC 9000 §8.1.2, §8.1.3."""
    trace = simulate(Scenario(seed, retry=True, again=2, size=1000)).trace
    assert [line.what for line in trace].count("answers") == 1
    assert [line.what for line in trace if line.host == "client"].count("HandshakeCompleted") == 3


@pytest.mark.parametrize("seed", range(8000, 8010))
def test_sessions_are_resumed(simulate: Simulate, seed: int) -> None:
    """RFC 9846 §2.2: if the ticket has come, whatever else happens."""
    assert simulate(Scenario(seed, loss=0.1, jitter=0.02, again=1)).resumed
    assert not simulate(Scenario(seed)).resumed


@pytest.mark.parametrize("seed", range(8100, 8110))
def test_early_data_spares_a_round_trip(simulate: Simulate, seed: int) -> None:
    """RFC 9001 §4.6: and whatever becomes of it, all arrives once."""
    resumed = simulate(Scenario(seed, delay=0.1, size=500, again=1))
    early = simulate(Scenario(seed, delay=0.1, size=500, again=1, early=True))
    refused = simulate(Scenario(seed, delay=0.1, size=500, again=1, early=True, refuse_early=True))
    assert (resumed.early, early.early, refused.early) == (False, True, False)
    assert early.seconds < resumed.seconds - 0.15
    assert refused.seconds < resumed.seconds + 0.05


@pytest.mark.parametrize("seed", range(8200, 8220))
def test_early_data_and_noise(simulate: Simulate, seed: int) -> None:
    """RFC 9001 §9.2: strangers send whole first flights again, while they are under way and afterwards."""
    simulate(Scenario(seed, loss=0.2, jitter=0.05, noise=100.0, again=3, early=True, size=3000))


@pytest.mark.parametrize("client", ["1", "2", "12", "21"])
@pytest.mark.parametrize("server", ["1", "2", "12", "21"])
def test_versions(simulate: Simulate, client: str, server: str) -> None:
    """RFC 9368: whatever both sides speak, they find it; and if there is nothing, the client knows."""
    trace: list[TraceLine] = []
    scenario = Scenario(9000, loss=0.1, jitter=0.01, client_versions=client, server_versions=server)
    if set(client) & set(server):
        simulate(scenario, trace)
    else:
        with pytest.raises(SimulationFailed, match="VersionNegotiationError"):
            simulate(scenario, trace)
    negotiated = any(line.what == "answers" for line in trace)
    assert negotiated == (client[0] not in server)


def test_messages_arrive_and_some_are_lost(simulate: Simulate) -> None:
    """RFC 9221 §5.2: they are not sent again."""
    whole = simulate(Scenario(1, messages=50))
    assert (whole.client_messages, whole.server_messages) == (50, 50)
    holes = simulate(Scenario(1, messages=50, loss=0.3))
    assert 0 < holes.client_messages < 50
    assert 0 < holes.server_messages < 50


def test_marks_are_heeded_instead_of_losses(simulate: Simulate) -> None:
    """RFC 9002 §7.1: a mark slows the sender down, and nothing has to be sent again."""
    free = simulate(Scenario(1, size=300_000, streams=1))
    marked = simulate(Scenario(1, size=300_000, streams=1, mark=0.2))
    assert marked.seconds > 2 * free.seconds
    assert sum(side.retransmitted_bytes for side in both(marked)) == 0


@pytest.mark.parametrize("ecn", ["bleached", "dropped"])
def test_a_network_that_does_not_like_marks_costs_little(simulate: Simulate, ecn: str) -> None:
    """RFC 9000 §13.4.2: marking is given up."""
    free = simulate(Scenario(1, size=100_000))
    assert simulate(Scenario(1, size=100_000, ecn=ecn)).seconds < free.seconds + 10


@pytest.mark.parametrize("seed", range(3000, 3020))
def test_garbage_costs_nothing(simulate: Simulate, seed: int) -> None:
    """RFC 9000 §5.2: forged datagrams disturb nobody; at most one last ACK is a delay (25 ms) later."""
    quiet = Scenario(seed, delay=0.02, size=60_000)
    calm = simulate(quiet)
    noisy = simulate(dataclasses.replace(quiet, noise=1000.0))
    assert sum(line.what == "receives" for line in noisy.trace) > sum(line.what == "receives" for line in calm.trace)
    assert noisy.seconds < calm.seconds + 0.03
    for side in both(noisy):
        assert sum(side.packets_dropped.values()) > 20
        assert side.packets_lost == 0
        assert side.retransmitted_bytes == 0


@pytest.mark.parametrize("seed", range(4000, 4030))
def test_closed_at_any_time(simulate: Simulate, seed: int) -> None:
    """RFC 9000 §10.2: in the handshake, in a transfer, with faults: both sides end, and know why."""
    scenario = Scenario.drawn(seed)
    simulate(dataclasses.replace(scenario, cut=random.Random(seed).uniform(0.001, 3.0)))


@pytest.mark.parametrize("seed", range(5000, 5020))
def test_a_network_that_vanishes(simulate: Simulate, seed: int) -> None:
    """RFC 9000 §10.1: both sides give up after the idle timeout, and not much later."""
    vanish = random.Random(seed).uniform(0.001, 0.3)
    result = simulate(Scenario(seed, vanish=vanish))
    assert isinstance(result.client_error, IdleTimeoutError)
    assert result.server_error is None or isinstance(result.server_error, IdleTimeoutError)
    assert IDLE_TIMEOUT <= result.trace[-1].time < IDLE_TIMEOUT + 5


def test_a_link_is_filled(simulate: Simulate) -> None:
    """Congestion control comes near what the link carries, although the other direction is full, too."""
    result = simulate(Scenario(1, bandwidth=20e6, queue=100_000, size=1_000_000))
    carried = max(side.bytes_sent for side in both(result)) * 8 / 20e6
    assert result.seconds < 1.25 * carried


def test_without_faults_nothing_is_lost_or_sent_twice(simulate: Simulate) -> None:
    result = simulate(Scenario(1, size=100_000))
    for side in both(result):
        assert side.packets_lost == 0
        assert side.retransmitted_bytes == 0
        assert side.packets_dropped == {}


def everything(seed: int) -> Scenario:
    return Scenario(seed, loss=0.2, duplicate=0.1, corrupt=0.05, jitter=0.03, bandwidth=5e6, noise=20, lazy=True)


def test_the_same_seed_gives_the_same_run(simulate: Simulate) -> None:
    runs = [simulate(everything(seed)) for seed in (5, 5, 6)]
    assert len(runs[0].trace) > 100
    assert runs[0].trace == runs[1].trace
    assert runs[0].client == runs[1].client
    assert runs[0].trace != runs[2].trace


def test_a_failed_run_says_how_to_see_it(simulate: Simulate) -> None:
    trace: list[TraceLine] = []
    with pytest.raises(SimulationFailed, match=re.escape("see it: python -m tests.simulator --seed 4 --loss 1.0")):
        simulate(Scenario(4, loss=1.0), trace=trace)
    assert "sends" in {line.what for line in trace}


def command_line(scenario: Scenario) -> str:
    words = scenario.command().split()
    assert words[0] == "python"
    return subprocess.run([sys.executable, *words[1:]], capture_output=True, text=True, check=True, timeout=60).stdout


def test_the_command_line_replays_the_run(simulate: Simulate) -> None:
    scenario = everything(7)
    result: Result = simulate(scenario)
    shown = command_line(scenario)
    assert f"as it should be; the end began after {result.seconds:.3f} s" in shown
    assert shown.count("\n") >= len(result.trace)
    assert f"{result.trace[-1].time:12.6f}  {result.trace[-1].host}" in shown
