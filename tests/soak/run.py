"""One run: servers, crowds of clients, and what befalls them, by the clock and by the seed."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic
from typing import NamedTuple

from tests.soak.checks import findings
from tests.soak.fleet import Fleet, Wear
from tests.soak.journal import Record, read
from tests.soak.process import CrowdProcess
from tests.soak.settings import Life, Settings

__all__ = ["Outcome", "run"]

WARM_UP = 5.0  # seconds
ABSENCE = 15.0  # seconds, at most, that a server of several is away when it was killed, or their bus
MEMORY_SHARE, MEMORY_MARGIN = 0.25, 16.0  # what memory may keep beyond what it was before: a share, and MB


@dataclass
class Outcome:
    """What came of a run. findings: what is not as it should be, a sentence each. wear: of each server."""

    settings: Settings
    findings: list[str] = field(default_factory=list)
    records: dict[str, Record] = field(default_factory=dict)
    kept: int = 0
    wear: list[Wear] = field(default_factory=list)
    server_deaths: int = 0
    bus_deaths: int = 0
    crowd_deaths: int = 0
    died: set[str] = field(default_factory=set)
    seconds: float = 0.0


class _Deed(NamedTuple):
    """Something that the conductor does, so many seconds after the beginning."""

    time: float
    do: Callable[[], None]


class _Run:
    def __init__(self, settings: Settings, directory: Path, stack: ExitStack) -> None:
        self.outcome = Outcome(settings)
        self._settings = settings
        self._directory = directory
        self._stack = stack
        self._chance = random.Random(settings.seed)
        self._fleet = Fleet(settings, directory, stack, self._chance)
        self._crowds: list[CrowdProcess] = []
        self._mortals: list[CrowdProcess] = []
        self._pause = threading.Event()
        self._curtains = 0  # of the warm-up, in each room

    def __call__(self) -> Outcome:
        outcome = self.outcome
        began = monotonic()
        self._warm_up()
        self._gather()
        self._live()
        self._settle([*self._crowds, *self._mortals])
        self._fleet.wait_until_quiet()
        outcome.wear, outcome.server_deaths = self._fleet.wear, self._fleet.deaths
        outcome.bus_deaths = self._fleet.bus.deaths if self._fleet.bus else 0
        outcome.findings += self._fleet.stop()
        outcome.seconds = monotonic() - began
        self._check()
        return outcome

    def _warm_up(self) -> None:
        """As many as will come later come, talk for a moment and go: what Python's memory has once been cut into for
        them it keeps for the next ones, and what is more than that afterwards is a leak."""
        settings = self._settings
        sizes = _shares(settings.clients, settings.crowd)
        self._curtains = 1 if self._fleet.bus else len(sizes)
        crowds = [self._crowd(f"w{number}", size, moves=0.0, blackouts=0.0) for number, size in enumerate(sizes)]
        for crowd in crowds:
            crowd.hear()
        self._pause.wait(min(WARM_UP, settings.seconds))
        self._settle(crowds)
        self._fleet.wait_until_quiet()

    def _gather(self) -> None:
        settings = self._settings
        mortals = int(settings.clients * settings.mortals)
        for number, size in enumerate(_shares(settings.clients - mortals, settings.crowd)):
            self._crowds.append(self._crowd(f"c{number}", size))
        if mortals:
            for number in range(groups := min(4, mortals)):
                size = mortals // groups + (number < mortals % groups)
                self._mortals.append(self._crowd(f"m{number}", size))
        for crowd in (*self._crowds, *self._mortals):
            if (word := crowd.hear()) != "there":
                self.outcome.findings.append(f"crowd {crowd.life.name} did not come: {word or 'it has died'}")

    def _crowd(self, name: str, size: int, **changes: float) -> CrowdProcess:
        settings = self._settings
        share = size / settings.clients
        rates = {"rate": settings.rate, "moves": settings.moves, "blackouts": settings.blackouts} | changes
        life = Life(
            name=name,
            seed=f"{settings.seed} {name}",
            ports=self._fleet.ports,
            cafile=self._fleet.cafile,
            journal=str(self._directory / f"{name}.journal"),
            clients=size,
            rooms=settings.rooms,
            loss=settings.loss,
            idle_timeout=settings.idle_timeout,
            heralds=self._fleet.bus is None,
            **{kind: rate * share for kind, rate in rates.items()},
        )
        crowd = CrowdProcess(life)
        self._stack.callback(crowd.end)
        return crowd

    def _deeds(self) -> list[_Deed]:
        """What is going to be done, and when: nothing in the first and the last moments."""
        settings, chance, fleet = self._settings, self._chance, self._fleet
        deeds = self._absences(settings.kill_server, fleet.kill, fleet.restore if fleet.bus else None)
        if fleet.bus:
            deeds += self._absences(settings.restart_redis, fleet.stop_bus, fleet.start_bus)
        deaths = int(settings.deaths * settings.seconds) if self._mortals else 0
        deeds += [_Deed(chance.uniform(0.1, 0.9) * settings.seconds, self._kill_crowd) for _ in range(deaths)]
        return sorted(deeds, key=lambda deed: deed.time)

    def _absences(self, count: int, begin: Callable[[], None], end: Callable[[], None] | None) -> list[_Deed]:
        """So many times something begins, and ends before it begins again."""
        span = self._settings.seconds / max(1, count)
        deeds = []
        for number in range(count):
            time = (number + self._chance.uniform(0.2, 0.8)) * span
            deeds.append(_Deed(time, begin))
            if end:
                deeds.append(_Deed(time + self._chance.random() * min(0.4 * span, ABSENCE), end))
        return deeds

    def _live(self) -> None:
        began = monotonic()
        for deed in self._deeds():
            self._pause.wait(max(0.0, began + deed.time - monotonic()))
            deed.do()
        self._pause.wait(max(0.0, began + self._settings.seconds - monotonic()))

    def _kill_crowd(self) -> None:
        """A process with clients dies, and others come instead."""
        index = self._chance.randrange(len(self._mortals))
        crowd = self._mortals[index]
        crowd.kill()
        self.outcome.crowd_deaths += 1
        self.outcome.died.add(crowd.life.name)
        name = f"{crowd.life.name.split('g')[0]}g{self.outcome.crowd_deaths}"
        self._mortals[index] = self._crowd(name, crowd.life.clients)

    def _settle(self, crowds: Sequence[CrowdProcess]) -> None:
        for crowd in crowds:
            crowd.tell()
        self._expect("settled", crowds)
        if bus := self._fleet.bus:
            wanted = {name: record.kept for name, record in self._records().items()}
            if missing := bus.missing(wanted):
                self.outcome.findings.append(f"the bus never had the last message of {', '.join(missing)}")
            bus.drop_curtain(f"room{number}" for number in range(self._settings.rooms))
        for crowd in crowds:
            crowd.tell()
        self._expect("done", crowds)

    def _expect(self, expected: str, crowds: Sequence[CrowdProcess]) -> None:
        for crowd in crowds:
            word = crowd.hear()
            word = crowd.hear() if word == "there" else word  # those that came late
            if word != expected:
                self.outcome.findings.append(f"crowd {crowd.life.name}: {word or 'it has died'}, not {expected}")

    def _records(self) -> dict[str, Record]:
        return read(sorted(self._directory.glob("*.journal")))

    def _check(self) -> None:
        outcome = self.outcome
        histories = self._fleet.histories()
        outcome.kept = len(histories[0].rows)
        outcome.records = self._records()
        left = {name for name in outcome.records if name.startswith("w") or name.rpartition(".")[0] in outcome.died}
        outcome.findings += findings(outcome.records, histories, left, self._curtains)
        for wear in outcome.wear:
            before, after = wear.before, wear.after
            if after.threads > before.threads:
                outcome.findings.append(f"{wear.name} has {after.threads} threads; before there were {before.threads}")
            if after.memory > before.memory * (1 + MEMORY_SHARE) + MEMORY_MARGIN:
                outcome.findings.append(f"{wear.name} takes {after.memory:.0f} MB; before it took {before.memory:.0f}")


def _shares(count: int, size: int) -> list[int]:
    """So many in groups of a size at most."""
    return [min(size, count - start) for start in range(0, count, size)]


def run(settings: Settings, directory: Path) -> Outcome:
    """Run it to its end in an empty directory. Blocks. Raises OSError if it cannot begin."""
    with ExitStack() as stack:
        return _Run(settings, directory, stack)()
