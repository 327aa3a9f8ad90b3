"""The servers of a run, and the bus between them if there are several."""

from __future__ import annotations

import random
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from tests.soak.server import History, Measure, ServerProcess, history
from tests.soak.settings import Settings

if TYPE_CHECKING:
    from tests.soak.bus import Bus

__all__ = ["Fleet", "Wear"]

QUIET_THREADS = 6  # of a server without clients
BUS_THREADS = 2  # that it has besides, if there is a bus
GONE_TIMEOUT = 60.0  # seconds in which a server has got rid of the last client


class Wear(NamedTuple):
    """What a server took before the run, at most, and after it, and how often it was killed."""

    name: str
    before: Measure
    peak: Measure
    after: Measure
    deaths: int


class Fleet:
    """Starts them all; they end with the stack. One certificate is that of all servers.

    cafile: what clients are to trust. Raises OSError if something does not start.
    """

    def __init__(self, settings: Settings, directory: Path, stack: ExitStack, chance: random.Random) -> None:
        self.bus = _bus(directory, stack) if settings.servers > 1 else None
        self._bus_is_there = True
        self._chance = chance
        self._quiet = QUIET_THREADS + (BUS_THREADS if self.bus else 0)
        self._before: list[Measure] = []
        arguments = ["--idle-timeout", str(settings.idle_timeout)]
        if self.bus:
            arguments += ["--bus", self.bus.url]
        first = ServerProcess(directory / "server", *arguments)
        self._servers = [stack.enter_context(first)]
        arguments += ["--cert", first.cafile, "--key", first.keyfile]
        for number in range(2, settings.servers + 1):
            self._servers.append(stack.enter_context(ServerProcess(directory / f"server{number}", *arguments)))
        self.cafile = first.cafile

    @property
    def ports(self) -> tuple[int, ...]:
        return tuple(server.port for server in self._servers)

    @property
    def deaths(self) -> int:
        """How often one of the servers was killed."""
        return sum(server.deaths for server in self._servers)

    def wait_until_quiet(self) -> None:
        """Wait until nobody is there any more, and measure what is taken then: once before and once after."""
        most = [measure.threads for measure in self._before] or [self._quiet] * len(self._servers)
        self._after = [
            server.wait_until_quiet(threads, GONE_TIMEOUT) for server, threads in zip(self._servers, most, strict=True)
        ]
        self._before = self._before or self._after

    @property
    def wear(self) -> list[Wear]:
        """Of each server."""
        return [
            Wear(server.name, before, server.peak, after, server.deaths)
            for server, before, after in zip(self._servers, self._before, self._after, strict=True)
        ]

    def kill(self) -> None:
        """Kill one of the servers; the only one is back at once, of several it is away until `restore`."""
        server = self._chance.choice([server for server in self._servers if server.alive])
        server.kill()
        if not self.bus:
            server.start()

    def stop_bus(self) -> None:
        """Stop the bus, one way or the other, until `start_bus`."""
        assert self.bus
        self.bus.stop(gently=self._chance.random() < 0.5)
        self._bus_is_there = False

    def start_bus(self) -> None:
        """Start the bus, and what has waited for it."""
        assert self.bus
        self.bus.start()
        self._bus_is_there = True
        self.restore()

    def restore(self) -> None:
        """Start what is away. A server whose bus is away does not start: it comes with the bus."""
        if self._bus_is_there:
            for server in self._servers:
                if not server.alive:
                    server.start()

    def stop(self) -> list[str]:
        """SIGTERM for each; returns what they have to be blamed for."""
        problems = []
        for server in self._servers:
            if status := server.stop():
                problems.append(f"{server.name} ended with status {status}")
            problems += [f"{server.name} logged: {line}" for line in server.warnings()]
        return problems

    def histories(self) -> list[History]:
        """What each server has kept, when it has ended."""
        return [History(server.name, history(server.directory)) for server in self._servers]


def _bus(directory: Path, stack: ExitStack) -> Bus:
    from tests.soak.bus import Bus  # one server needs no client library

    return stack.enter_context(Bus(directory))
