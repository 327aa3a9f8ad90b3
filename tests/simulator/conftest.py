"""Runs for the tests; what they have seen together is told at the end of the session."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.simulator.checks import AMPLIFICATION
from tests.simulator.credentials import settings
from tests.simulator.scenario import Scenario
from tests.simulator.simulation import Result, TraceLine, run
from tests.simulator.tally import TALLY

Simulate = Callable[..., Result]


@pytest.fixture(scope="session")
def simulate(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Simulate:
    """Do a run of a scenario, and note how much it amplified."""
    sides = settings(tmp_path_factory.mktemp("simulator"))
    tally = request.config.stash[TALLY]

    def simulate(scenario: Scenario, trace: list[TraceLine] | None = None) -> Result:
        result = run(scenario, *sides, trace=trace)
        tally.add(result.amplification)
        assert result.amplification <= AMPLIFICATION
        return result

    return simulate
