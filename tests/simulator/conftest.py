"""Runs for the tests, and what they have seen together."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.simulator.checks import AMPLIFICATION
from tests.simulator.credentials import settings
from tests.simulator.scenario import Scenario
from tests.simulator.simulation import Result, TraceLine, run

Simulate = Callable[..., Result]

RATIOS = pytest.StashKey[list[float]]()


def pytest_configure(config: pytest.Config) -> None:
    config.stash[RATIOS] = []


@pytest.fixture(scope="session")
def simulate(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Simulate:
    """Do a run of a scenario, and note how much it amplified."""
    sides = settings(tmp_path_factory.mktemp("simulator"))
    ratios = request.config.stash[RATIOS]

    def simulate(scenario: Scenario, trace: list[TraceLine] | None = None) -> Result:
        result = run(scenario, *sides, trace=trace)
        ratios.append(result.amplification)
        assert result.amplification <= AMPLIFICATION
        return result

    return simulate


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Say what the largest ratio was: a rule that is never put to the test proves nothing."""
    if ratios := config.stash[RATIOS]:
        terminalreporter.write_line(
            f"simulator: {len(ratios)} runs; at most {max(ratios):.3f} times what an address not validated had sent "
            f"was sent to it ({AMPLIFICATION} are allowed)"
        )
