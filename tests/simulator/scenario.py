"""The settings of one run, and the command that shows it."""

from __future__ import annotations

import dataclasses
import random
from dataclasses import dataclass

__all__ = ["Scenario"]


@dataclass(frozen=True)
class Scenario:
    """Settings of a run: the command line of `python -m tests.simulator` is made of these fields.

    loss, duplicate, corrupt: probabilities. delay, jitter: seconds one way. bandwidth: bits a second, 0: no limit;
    queue: bytes before the bottleneck. noise: forged datagrams a second towards each side. streams: of each type,
    opened by each side; size: the most bytes on each. window: flow control, bytes; lazy: slow readers. max_streams: the
    limit for streams of each type open at once. aborts: how likely a direction of a stream is given up by either end.
    blackhole: so many seconds nothing passes, from 0.1 s on. cut: the connection is closed at that time, whatever is
    under way. vanish: from that time on nothing passes any more.
    """

    seed: int
    loss: float = 0.0
    duplicate: float = 0.0
    corrupt: float = 0.0
    delay: float = 0.02
    jitter: float = 0.0
    bandwidth: float = 0.0
    queue: int = 64_000
    noise: float = 0.0
    streams: int = 2
    size: int = 20_000
    window: int = 1_000_000
    max_streams: int = 100
    aborts: float = 0.0
    blackhole: float = 0.0
    cut: float = 0.0
    vanish: float = 0.0
    lazy: bool = False

    @classmethod
    def drawn(cls, seed: int, *, worst_loss: float = 0.3) -> Scenario:
        """Everything is drawn from the seed: most runs have several faults at once."""
        choose = random.Random(f"scenario {seed}")

        def sometimes(value: float) -> float:
            return round(value, 3) if choose.random() < 0.6 else 0.0

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
        )

    def command(self) -> str:
        """The command that shows this run."""
        words = ["python -m tests.simulator"]
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            if value != field.default:
                words.append(f"--{field.name.replace('_', '-')}" + ("" if value is True else f" {value}"))
        return " ".join(words)
