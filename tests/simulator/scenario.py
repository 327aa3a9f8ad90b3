"""One run: its settings, its seed, what happened, and how to see it again."""

from __future__ import annotations

import dataclasses
import random
from dataclasses import dataclass
from typing import NamedTuple

from quicmini.config import Config
from quicmini.connection.connection import Connection
from quicmini.connection.endpoint import ClientSettings, Endpoint, ServerSettings
from quicmini.connection.state import ConnectionState, ConnectionStats
from quicmini.errors import ConnectionClosed, IdleTimeoutError
from tests.simulator.checks import AmplificationWatch, Violation
from tests.simulator.clock import Clock
from tests.simulator.host import Host, Link
from tests.simulator.network import Address, Bottleneck, Corrupt, Datagram, Delay, Duplicate, Lose, Node, Sink, chain
from tests.simulator.noise import Noise
from tests.simulator.workload import Application, Plan

__all__ = ["Result", "Scenario", "SimulationFailed", "TraceLine", "run"]

CLIENT, SERVER = ("client", 1), ("server", 2)
IDLE_TIMEOUT = 600.0  # seconds, virtual: at 30 % loss, exponential back-off may well be silent for a minute
TIME_LIMIT = 3600.0  # seconds, virtual: for the transfer, and again for the end
NOISE_DATAGRAMS = 1000  # forged towards each side, on average: noise must end, too
CLOSE_CODE, CLOSE_REASON = 0x17, "all done"


class SimulationFailed(AssertionError):
    """A run went wrong; the message says how to replay it."""


class TraceLine(NamedTuple):
    """What happened at one moment. size: bytes of a datagram; peer: where it came from or goes to."""

    time: float
    host: str
    what: str
    size: int
    peer: str


@dataclass(frozen=True)
class Scenario:
    """Settings of a run: the command line of `python -m tests.simulator` is made of these fields.

    loss, duplicate, corrupt: probabilities. delay, jitter: seconds one way. bandwidth: bits a second, 0: no limit;
    queue: bytes before the bottleneck. noise: forged datagrams a second towards each side. streams: of each type,
    opened by each side; size: the most bytes on each. window: flow control, bytes; lazy: slow readers. max_streams: the
    limit for streams of each type open at once. aborts: how likely a direction of a stream is given up by either end.
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
        )

    def command(self) -> str:
        """The command that shows this run."""
        words = ["python -m tests.simulator"]
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            if value != field.default:
                words.append(f"--{field.name.replace('_', '-')}" + ("" if value is True else f" {value}"))
        return " ".join(words)


@dataclass
class Result:
    """What a run came to. Times in virtual seconds."""

    scenario: Scenario
    seconds: float
    trace: list[TraceLine]
    client: ConnectionStats
    server: ConnectionStats
    client_error: ConnectionClosed
    server_error: ConnectionClosed


def run(
    scenario: Scenario, client: ClientSettings, server: ServerSettings, trace: list[TraceLine] | None = None
) -> Result:
    """Do a whole run: handshake, transfers, close. Raises SimulationFailed, with the command that replays it.

    trace: what happens is appended to it, so that the caller has it after a failure, too.
    """
    simulation = _Simulation(scenario, client, server, [] if trace is None else trace)
    try:
        return simulation.run()
    except Exception as error:
        raise SimulationFailed(
            f"{type(error).__name__}: {error}\n"
            f"seed {scenario.seed}, after {simulation.clock.now - simulation.start:.3f} s: {scenario}\n"
            f"client: {simulation.progress(simulation.client)}\nserver: {simulation.progress(simulation.server)}\n"
            f"see it: {scenario.command()}"
        ) from error


class _Simulation:
    def __init__(
        self, scenario: Scenario, client: ClientSettings, server: ServerSettings, trace: list[TraceLine]
    ) -> None:
        self.scenario = scenario
        self.clock = Clock()
        self.start = self.clock.now
        self.trace = trace
        self.plan = Plan(scenario.seed, scenario.streams, scenario.size, scenario.aborts)
        self.config = Config(
            idle_timeout=IDLE_TIMEOUT,
            max_data=2 * scenario.window,
            max_stream_data=scenario.window,
            max_streams_bidi=scenario.max_streams,
            max_streams_uni=scenario.max_streams,
        )
        self.client = self._host("client", CLIENT, None)
        self.server = self._host("server", SERVER, server)
        self._client_settings = client
        amplification = AmplificationWatch()
        self.server.watchers.append(amplification.on_sent)
        into_server: Sink = _all(amplification.on_received, self.server.deliver)
        into_client: Sink = self.client.deliver
        if scenario.noise:
            into_server = self._with_noise(self.server, CLIENT, into_server)
            into_client = self._with_noise(self.client, SERVER, into_client)
        self.client.network = self._way("to server", into_server)
        self.server.network = self._way("to client", into_client)

    def run(self) -> Result:
        connection = self.client.endpoint.connect(SERVER, self._client_settings, self.clock.now)
        client = self.client.link(connection)
        client.service()
        if not self.clock.run(self._transferred, TIME_LIMIT):
            raise Violation("the transfers did not end")
        seconds = self.clock.now - self.start
        server = self._server_link()
        assert server is not None
        closer = (client, server)[self.scenario.seed % 2]
        closer.connection.close(CLOSE_CODE, CLOSE_REASON, now=self.clock.now)
        closer.service()
        if not self.clock.run(lambda: not self.client.links and not self.server.links, TIME_LIMIT):
            raise Violation("a connection did not terminate")
        self._check_end(client, closer)
        self._check_end(server, closer)
        assert client.connection.error is not None
        assert server.connection.error is not None
        return Result(
            self.scenario,
            seconds,
            self.trace,
            client.connection.stats(),
            server.connection.stats(),
            client.connection.error,
            server.connection.error,
        )

    def progress(self, host: Host) -> str:
        """How far each connection of a host came."""
        return "; ".join(
            f"{link.connection.state.name} {link.connection.error!r} {link.application.progress}"
            for link in (*host.links.values(), *host.past)
        )

    def note(self, host: str, what: str, size: int, peer: Address | None) -> None:
        self.trace.append(TraceLine(self.clock.now - self.start, host, what, size, peer[0] if peer else ""))

    def _host(self, name: str, address: tuple[str, int], settings: ServerSettings | None) -> Host:
        choose = random.Random(f"{self.scenario.seed} {name}")

        def attach(connection: Connection) -> Application:
            return Application(self.plan, connection, choose, is_client=settings is None, lazy=self.scenario.lazy)

        entropy = random.Random(f"{self.scenario.seed} {name} entropy").randbytes
        endpoint = Endpoint(self.config, random=entropy, server=settings)
        return Host(name, address, endpoint, self.clock, self.note, attach, self.config.max_datagram_size)

    def _way(self, name: str, sink: Sink) -> Sink:
        scenario, clock = self.scenario, self.clock

        def choose(node: str) -> random.Random:
            return random.Random(f"{scenario.seed} {name} {node}")

        def dropped(datagram: Datagram) -> None:
            self.note(f"network {name}", "drops", len(datagram.payload), datagram.destination)

        nodes: list[Node] = [
            Lose(choose("lose"), scenario.loss, dropped),
            Duplicate(choose("duplicate"), scenario.duplicate),
            Corrupt(choose("corrupt"), scenario.corrupt),
        ]
        if scenario.bandwidth:
            nodes.append(Bottleneck(clock, scenario.bandwidth, scenario.queue, dropped))
        nodes.append(Delay(clock, choose("delay"), scenario.delay, scenario.jitter))
        return chain(nodes, sink)

    def _with_noise(self, victim: Host, peer: Address, deliver: Sink) -> Sink:
        """Forge towards a host; returns its new way in."""
        choose = random.Random(f"{self.scenario.seed} noise to {victim.name}")
        noise = Noise(self.clock, choose, self.scenario.noise, peer, victim.address)
        noise.start(deliver, NOISE_DATAGRAMS / self.scenario.noise)
        # It hears what has arrived, not what is under way: who could be faster than the client itself would be able to
        # keep it from connecting.
        return _all(noise.overhear, deliver)

    def _server_link(self) -> Link | None:
        """The server's connection that got through the handshake: forged Initials may have made others."""
        connected = [link for link in (*self.server.links.values(), *self.server.past) if link.application.connected]
        if len(connected) > 1:
            raise Violation(f"{len(connected)} server connections completed a handshake")
        return connected[0] if connected else None

    def _transferred(self) -> bool:
        client, server = next(iter(self.client.links.values()), None), self._server_link()
        if client is None or client.connection.error is not None:
            raise Violation("the client's connection is gone")
        if server is None:
            return False
        if server.connection.error is not None:
            raise Violation("the server's connection is gone")
        links = (client, server)
        return all(link.application.done and link.connection.all_acknowledged for link in links)

    def _check_end(self, link: Link, closer: Link) -> None:
        error, who = link.connection.error, link.host.name
        if link.connection.state is not ConnectionState.TERMINATED or link.application.terminations != 1:
            raise Violation(f"{who}: {link.connection.state}, {link.application.terminations} times ended")
        if error is None:
            raise Violation(f"{who}: no reason")
        if link is not closer and isinstance(error, IdleTimeoutError):
            return  # every CONNECTION_CLOSE was lost
        if (error.error_code, error.reason, error.remote) != (CLOSE_CODE, CLOSE_REASON, link is not closer):
            raise Violation(f"{who}: ended with {error!r}")


def _all(*sinks: Sink) -> Sink:
    def sink(datagram: Datagram) -> None:
        for each in sinks:
            each(datagram)

    return sink
