"""What the runs of a test session have seen together, whichever process did them."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from tests.simulator.checks import AMPLIFICATION

__all__ = ["TALLY", "Tally"]


@dataclass
class Tally:
    """How many runs there were, and the largest ratio of bytes sent to bytes received of an address not validated."""

    runs: int = 0
    ratio: float = 0.0

    def add(self, ratio: float, runs: int = 1) -> None:
        """Count runs whose largest ratio this was."""
        self.runs += runs
        self.ratio = max(self.ratio, ratio)

    def __str__(self) -> str:
        return (
            f"simulator: {self.runs} runs; at most {self.ratio:.3f} times what an address not validated had sent was "
            f"sent to it ({AMPLIFICATION} are allowed)"
        )


TALLY = pytest.StashKey[Tally]()
