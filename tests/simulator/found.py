"""Runs that once went wrong, each with what was wrong."""

from __future__ import annotations

from tests.simulator.scenario import Scenario

__all__ = ["FOUND"]

FOUND = (
    # A probe of one byte, padded for its sample, made a coalesced datagram one byte too long.
    Scenario(
        23451,
        loss=0.24,
        duplicate=0.114,
        corrupt=0.073,
        delay=0.0111,
        jitter=0.041,
        bandwidth=1e6,
        queue=16_000,
        streams=5,
        size=30_000,
        window=20_000,
        aborts=0.234,
        blackhole=5.0,
    ),
)
