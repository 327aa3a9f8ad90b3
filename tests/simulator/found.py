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
    # A server marked what was to prove the client's new address, and the network dropped it for that, for ever.
    Scenario(
        246,
        loss=0.248,
        duplicate=0.194,
        delay=0.0106,
        ecn="dropped",
        rebindings=10,
        every=0.127,
        retry=True,
        early=True,
        messages=10,
        server_versions="21",
        window=20_000,
        max_streams=3,
        size=30_000,
    ),
    # The server had no connection ID left for the client's new address, and the client did not hear it at the old one.
    Scenario(
        24,
        loss=0.209,
        corrupt=0.051,
        delay=0.1724,
        jitter=0.093,
        queue=16_000,
        ecn="dropped",
        migrations=10,
        every=0.37,
        retry=True,
        early=True,
        refuse_early=True,
        streams=5,
        size=3000,
        max_streams=3,
    ),
    # A keep-alive PING had to wait for the congestion window, and its timer fired again and again.
    Scenario(
        151,
        loss=0.2,
        corrupt=0.09,
        delay=0.0,
        bandwidth=1e5,
        queue=4000,
        asymmetry=0.2,
        mark=0.063,
        blackhole=5.0,
        blackhole_from=0.229,
        leap=0.503,
        rebindings=10,
        key_updates=3,
        every=0.361,
        early=True,
        streams=5,
        size=3000,
        aborts=0.034,
        messages=10,
        client_versions="1",
        window=2000,
        max_streams=3,
    ),
)
