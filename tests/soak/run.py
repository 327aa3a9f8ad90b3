"""One run: a server, crowds of clients, and what befalls them, by the clock and by the seed."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import threading
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic
from typing import NamedTuple

from tests.soak.checks import findings
from tests.soak.journal import Record, read
from tests.soak.server import Measure, ServerProcess, history
from tests.soak.settings import Life, Settings

__all__ = ["Outcome", "run"]

WARM_UP = 5.0  # seconds
QUIET_THREADS = 5  # of a server without clients
GONE_TIMEOUT = 60.0  # seconds in which a server has got rid of the last client
MEMORY_SHARE, MEMORY_MARGIN = 0.25, 16.0  # what memory may keep beyond what it was before: a share, and MB
NOTHING = Measure(0.0, 0)


@dataclass
class Outcome:
    """What came of a run. findings: what is not as it should be, a sentence each."""

    settings: Settings
    findings: list[str] = field(default_factory=list)
    records: dict[str, Record] = field(default_factory=dict)
    kept: int = 0
    before: Measure = NOTHING
    peak: Measure = NOTHING
    after: Measure = NOTHING
    server_deaths: int = 0
    crowd_deaths: int = 0
    died: set[str] = field(default_factory=set)
    seconds: float = 0.0


class _Crowd:
    """A process with some clients."""

    def __init__(self, life: Life) -> None:
        self.life = life
        self.killed = False
        self.words: list[str] = []
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.soak.crowd", life.to_json()],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def hear(self) -> str:
        """Its next word; empty when it has ended."""
        assert self._process.stdout
        return self._process.stdout.readline().strip()

    def tell(self) -> None:
        """It may go on."""
        assert self._process.stdin
        self._process.stdin.write("\n")
        self._process.stdin.flush()

    def kill(self) -> None:
        self.killed = True
        self._process.send_signal(signal.SIGKILL)
        self.end()

    def end(self) -> None:
        self._process.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe:
                pipe.close()


class _Deed(NamedTuple):
    """Something that the conductor does, so many seconds after the beginning."""

    time: float
    kills_server: bool


class _Run:
    def __init__(self, settings: Settings, directory: Path, stack: ExitStack) -> None:
        self.outcome = Outcome(settings)
        self._settings = settings
        self._directory = directory
        self._stack = stack
        self._chance = random.Random(settings.seed)
        server = ServerProcess(directory / "server", "--idle-timeout", str(settings.idle_timeout))
        self._server = stack.enter_context(server)
        self._crowds: list[_Crowd] = []
        self._mortals: list[_Crowd] = []
        self._pause = threading.Event()
        self._curtains = 0  # of the warm-up, in each room

    def __call__(self) -> Outcome:
        outcome = self.outcome
        began = monotonic()
        self._warm_up()
        outcome.before = self._server.measure()
        self._gather()
        self._live()
        self._settle()
        quiet = outcome.before.threads
        outcome.after = self._server.wait_until(lambda measure: measure.threads <= quiet, GONE_TIMEOUT)
        outcome.peak, outcome.server_deaths = self._server.peak, self._server.deaths
        status = self._server.stop()
        outcome.seconds = monotonic() - began
        self._check(status)
        return outcome

    def _warm_up(self) -> None:
        """As many as will come later come, talk for a moment and go: what Python's memory has once been cut into for
        them it keeps for the next ones, and what is more than that afterwards is a leak."""
        settings = self._settings
        sizes = _shares(settings.clients, settings.crowd)
        self._curtains = len(sizes)
        crowds = [self._crowd(f"w{number}", size, moves=0.0, blackouts=0.0) for number, size in enumerate(sizes)]
        for crowd in crowds:
            crowd.hear()
        self._pause.wait(min(WARM_UP, settings.seconds))
        for _ in range(2):
            for crowd in crowds:
                crowd.tell()
            for crowd in crowds:
                crowd.hear()
        self._server.wait_until(lambda measure: measure.threads <= QUIET_THREADS, GONE_TIMEOUT)

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

    def _crowd(self, name: str, size: int, **changes: float) -> _Crowd:
        settings = self._settings
        share = size / settings.clients
        rates = {"rate": settings.rate, "moves": settings.moves, "blackouts": settings.blackouts} | changes
        life = Life(
            name=name,
            seed=f"{settings.seed} {name}",
            port=self._server.port,
            cafile=self._server.cafile,
            journal=str(self._directory / f"{name}.journal"),
            clients=size,
            rooms=settings.rooms,
            loss=settings.loss,
            idle_timeout=settings.idle_timeout,
            **{kind: rate * share for kind, rate in rates.items()},
        )
        crowd = _Crowd(life)
        self._stack.callback(crowd.end)
        return crowd

    def _deeds(self) -> list[_Deed]:
        """What is going to be done, and when: nothing in the first and the last moments."""
        settings, chance = self._settings, self._chance
        span = settings.seconds / max(1, settings.kill_server)
        deeds = [_Deed((number + chance.uniform(0.2, 0.8)) * span, True) for number in range(settings.kill_server)]
        deaths = int(settings.deaths * settings.seconds) if self._mortals else 0
        deeds += [_Deed(chance.uniform(0.1, 0.9) * settings.seconds, False) for _ in range(deaths)]
        return sorted(deeds)

    def _live(self) -> None:
        began = monotonic()
        for deed in [*self._deeds(), _Deed(self._settings.seconds, False)]:
            self._pause.wait(max(0.0, began + deed.time - monotonic()))
            if deed.time == self._settings.seconds:
                return
            if deed.kills_server:
                self._server.die()
            else:
                self._kill_crowd()

    def _kill_crowd(self) -> None:
        """A process with clients dies, and others come instead."""
        index = self._chance.randrange(len(self._mortals))
        crowd = self._mortals[index]
        crowd.kill()
        self.outcome.crowd_deaths += 1
        self.outcome.died.add(crowd.life.name)
        name = f"{crowd.life.name.split('g')[0]}g{self.outcome.crowd_deaths}"
        self._mortals[index] = self._crowd(name, crowd.life.clients)

    def _settle(self) -> None:
        for crowd in (everyone := [*self._crowds, *self._mortals]):
            crowd.tell()
        for expected in ("settled", "done"):
            for crowd in everyone:
                word = crowd.hear()
                word = crowd.hear() if word == "there" else word  # those that came late
                if word != expected:
                    self.outcome.findings.append(f"crowd {crowd.life.name}: {word or 'it has died'}, not {expected}")
            if expected == "settled":
                for crowd in everyone:
                    crowd.tell()

    def _check(self, status: int) -> None:
        outcome = self.outcome
        if status:
            outcome.findings.append(f"the server ended with status {status}")
        outcome.findings += [f"the server logged: {line}" for line in self._server.warnings()]
        rows = history(self._server.directory)
        outcome.kept = len(rows)
        outcome.records = read(sorted(self._directory.glob("*.journal")))
        left = {name for name in outcome.records if name.startswith("w") or name.rpartition(".")[0] in outcome.died}
        outcome.findings += findings(outcome.records, rows, left, self._curtains)
        before, after = outcome.before, outcome.after
        if after.threads > before.threads:
            outcome.findings.append(f"the server has {after.threads} threads; before there were {before.threads}")
        if after.memory > before.memory * (1 + MEMORY_SHARE) + MEMORY_MARGIN:
            outcome.findings.append(f"the server takes {after.memory:.0f} MB; before it took {before.memory:.0f}")


def _shares(count: int, size: int) -> list[int]:
    """So many in groups of a size at most."""
    return [min(size, count - start) for start in range(0, count, size)]


def run(settings: Settings, directory: Path) -> Outcome:
    """Run it to its end in an empty directory. Blocks. Raises OSError if it cannot begin."""
    with ExitStack() as stack:
        return _Run(settings, directory, stack)()
