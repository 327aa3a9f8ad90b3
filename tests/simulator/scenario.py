"""The settings of one run, and the command that shows it."""

from __future__ import annotations

import dataclasses
import random
from dataclasses import dataclass

__all__ = ["Scenario"]


@dataclass(frozen=True)
class Scenario:
    """Settings of a run: the command line of `python -m tests.simulator` is made of these fields.

    The network. loss, duplicate, corrupt: shares of the datagrams. burst: losses and corruption come in runs of 1 to so
    many datagrams, 0: each for itself. delay, jitter: seconds one way. bandwidth: bits a second, 0: no limit; queue:
    bytes before the bottleneck. asymmetry: the way to the server is so many times longer, and narrower. mtu: larger
    datagrams vanish, 0: none; mtu_from: seconds after which they do. mark: a share of the datagrams is marked because
    of congestion (RFC 3168); ecn: marks are "kept", "bleached", or whatever has one is "dropped". blackhole: so many
    seconds nothing passes, after blackhole_from, towards "server", "client" or "both" ways. vanish: from that time on
    nothing passes any more. noise: forged datagrams a second towards each side.

    The hosts. stall: each stands still once for so many seconds; leap: each one's clock leaps once by so many.
    rebindings: so many times the client's NAT gives it another port, or another host as well (new_host). migrations: so
    many times the client moves to another socket. key_updates: so many times each side asks for new keys. every:
    seconds between two of these, on average. retry: the server sends Retry. again: so many more connections, one after
    the other, each with what the one before has left. early: those begin with 0-RTT data; refuse_early: the server does
    not take it.

    The applications. streams: of each type, opened by each side; size: the most bytes on each. lazy: slow readers.
    aborts: how likely a direction of a stream is given up by either end. messages: DATAGRAM frames that each side
    sends. cut: the connection is closed at that time, whatever is under way.

    The settings. client_versions, server_versions: "1", "2", "12" or "21", in order of preference. window: flow
    control, bytes; max_streams: the limit for streams of each type open at once.
    """

    seed: int
    loss: float = 0.0
    duplicate: float = 0.0
    corrupt: float = 0.0
    burst: int = 0
    delay: float = 0.02
    jitter: float = 0.0
    bandwidth: float = 0.0
    queue: int = 64_000
    asymmetry: float = 1.0
    mtu: int = 0
    mtu_from: float = 0.0
    mark: float = 0.0
    ecn: str = "kept"
    blackhole: float = 0.0
    blackhole_from: float = 0.1
    blackhole_way: str = "both"
    vanish: float = 0.0
    noise: float = 0.0
    stall: float = 0.0
    leap: float = 0.0
    rebindings: int = 0
    new_host: bool = False
    migrations: int = 0
    key_updates: int = 0
    every: float = 0.2
    retry: bool = False
    again: int = 0
    early: bool = False
    refuse_early: bool = False
    streams: int = 2
    size: int = 20_000
    lazy: bool = False
    aborts: float = 0.0
    messages: int = 0
    cut: float = 0.0
    client_versions: str = "12"
    server_versions: str = "12"
    window: int = 1_000_000
    max_streams: int = 100

    @classmethod
    def drawn(cls, seed: int, *, worst_loss: float = 0.3) -> Scenario:
        """Everything is drawn from the seed: most runs have several faults at once."""
        choose = random.Random(f"scenario {seed}")

        def sometimes(value: float) -> float:
            return round(value, 3) if choose.random() < 0.6 else 0.0

        rebindings = choose.choice((0, 0, 0, 3, 10))
        return cls(
            seed=seed,
            loss=sometimes(choose.uniform(0, worst_loss)),
            duplicate=sometimes(choose.uniform(0, 0.2)),
            corrupt=sometimes(choose.uniform(0, 0.1)),
            delay=round(choose.choice((0.0, 0.001, 0.02, 0.15, 0.4)) * choose.uniform(0.5, 1.5), 4),
            jitter=round(sometimes(choose.uniform(0, 0.1)), 4),
            bandwidth=choose.choice((0.0, 1e5, 1e6, 1e7)),
            queue=choose.choice((4_000, 16_000, 64_000)),
            noise=sometimes(choose.uniform(1, 50)),
            streams=choose.choice((1, 2, 5)),
            size=choose.choice((10, 3_000, 30_000)),
            window=choose.choice((2_000, 20_000, 1_000_000)),
            max_streams=choose.choice((1, 3, 100)),
            lazy=choose.random() < 0.3,
            aborts=round(choose.choice((0.0, 0.0, 0.0, choose.random())), 3),
            blackhole=choose.choice((0.0, 0.0, 0.0, 0.5, 5.0)),
            burst=choose.choice((0, 0, 3)),
            asymmetry=choose.choice((1.0, 1.0, 5.0, 0.2)),
            mtu=choose.choice((0, 0, 1200, 1300)),
            mtu_from=round(sometimes(choose.uniform(0, 2)), 3),
            blackhole_from=round(choose.uniform(0, 1), 3),
            blackhole_way=choose.choice(("both", "server", "client")),
            stall=round(choose.choice((0.0, 0.0, 0.0, choose.uniform(0, 5))), 3),
            leap=round(choose.choice((0.0, 0.0, 0.0, choose.uniform(0, 5))), 3),
            key_updates=choose.choice((0, 0, 3, 10)),
            every=round(choose.uniform(0.05, 1), 3),
            retry=choose.random() < 0.3,
            again=choose.choice((0, 0, 0, 1)),
            mark=sometimes(choose.uniform(0, 0.1)),
            ecn=choose.choice(("kept", "kept", "bleached", "dropped")),
            messages=choose.choice((0, 0, 10, 200)),
            client_versions=choose.choice(("1", "12", "12", "21")),
            server_versions=choose.choice(("1", "12", "12", "21")),
            early=choose.random() < 0.7,
            refuse_early=choose.random() < 0.2,
            rebindings=rebindings,
            new_host=choose.random() < 0.5,
            migrations=0 if rebindings else choose.choice((0, 0, 1, 3)),
        )

    def command(self) -> str:
        """The command that shows this run."""
        words = ["python -m tests.simulator"]
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            if value != field.default:
                words.append(f"--{field.name.replace('_', '-')}" + ("" if value is True else f" {value}"))
        return " ".join(words)
