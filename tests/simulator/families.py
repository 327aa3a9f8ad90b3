"""Families of scenarios, from a seed to a scenario: `python -m tests.simulator --family any --seeds 1000`."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from tests.simulator.scenario import Scenario

__all__ = ["FAMILIES"]

Family = Callable[[int], Scenario]

# Shares and lengths of bursts with which implementations are commonly tried against each other.
_BAD, _BURST = 0.3, 3

_handshake = partial(Scenario, delay=0.015, streams=1, size=1000, burst=_BURST)
_transfer = partial(Scenario, delay=0.015, streams=1, size=50_000, burst=_BURST)

FAMILIES: dict[str, Family] = {
    "any": Scenario.drawn,
    "handshakeloss": partial(_handshake, loss=_BAD),
    "handshakecorruption": partial(_handshake, corrupt=_BAD),
    "transferloss": partial(_transfer, loss=_BAD),
    "transfercorruption": partial(_transfer, corrupt=_BAD),
}
