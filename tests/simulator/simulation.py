"""One run: two hosts, the network between them, what happens, and what must have happened in the end."""

from __future__ import annotations

import random
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

from quicmini.config import Config
from quicmini.connection.connection import Connection
from quicmini.connection.endpoint import ClientSettings, Endpoint, ServerSettings
from quicmini.connection.state import ConnectionState, ConnectionStats
from quicmini.errors import ConnectionClosed, IdleTimeoutError, StatelessResetError, TransportErrorCode
from tests.simulator.checks import AmplificationWatch, Violation
from tests.simulator.clock import Clock, LocalClock
from tests.simulator.host import Host, Link
from tests.simulator.network import Address, Datagram, Sink, chain
from tests.simulator.noise import Noise
from tests.simulator.route import nodes
from tests.simulator.scenario import Scenario
from tests.simulator.workload import Application, Plan

__all__ = ["IDLE_TIMEOUT", "Result", "SimulationFailed", "TraceLine", "run"]

CLIENT, SERVER = ("client", 1), ("server", 2)
IDLE_TIMEOUT = 600.0  # seconds, virtual: at 30 % loss, exponential back-off may well be silent for a minute
TIME_LIMIT = 3600.0  # seconds, virtual: for the transfer, and again for the end
NOISE_DATAGRAMS = 500  # forged towards each side, on average: noise must end, too
AHEAD = {"client": 0.0, "server": 31_415.9}  # seconds: no two hosts' clocks show the same
MISHAP_WITHIN = 1.0  # seconds, at most, until a host stalls, or its clock leaps
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


@dataclass
class Result:
    """What a run came to. seconds: until everything had arrived, or until the end began; virtual.

    server, server_error: None if the server never heard of the connection. amplification: the largest ratio of bytes
    sent to bytes received that there was with an address that had not proved itself.
    """

    scenario: Scenario
    seconds: float
    trace: list[TraceLine]
    client: ConnectionStats
    server: ConnectionStats | None
    client_error: ConnectionClosed
    server_error: ConnectionClosed | None
    amplification: float


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
    """The parts of a run."""

    def __init__(
        self, scenario: Scenario, client: ClientSettings, server: ServerSettings, trace: list[TraceLine]
    ) -> None:
        self.scenario = scenario
        self.clock = Clock()
        self.start = self.clock.now
        self.trace = trace
        self._turns = 0
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
        self.amplification = AmplificationWatch()
        self.server.watchers.append(self.amplification.on_sent)
        into_server: Sink = _all(self.amplification.on_received, self.server.deliver)
        into_client: Sink = self.client.deliver
        if scenario.noise:
            into_server = self._with_noise(self.server, CLIENT, into_server)
            into_client = self._with_noise(self.client, SERVER, into_client)
        self.client.network = self._way("server", into_server)
        self.server.network = self._way("client", into_client)
        self._plan_mishaps(self.client)
        self._plan_mishaps(self.server)

    def run(self) -> Result:
        connection = self.client.endpoint.connect(SERVER, self._client_settings, self.client.clock.now)
        client = self.client.link(connection)
        client.service()
        scenario = self.scenario
        if scenario.vanish:
            self._end([client], None)
            return self._result(client, scenario.vanish)
        transferred = self.clock.run(self._transferred, scenario.cut or TIME_LIMIT)
        if not transferred and not scenario.cut:
            raise Violation("the transfers did not end")
        seconds = self.clock.now - self.start
        server = self._server_link()
        closer = server if server is not None and scenario.seed % 2 else client
        closer.connection.close(CLOSE_CODE, CLOSE_REASON, now=closer.host.clock.now)
        closer.service()
        self._end([client] if server is None else [client, server], closer)
        return self._result(client, seconds)

    def _end(self, links: list[Link], closer: Link | None) -> None:
        if not self.clock.run(lambda: not self.client.links and not self.server.links, TIME_LIMIT):
            raise Violation("a connection did not terminate")
        for link in links:
            self._check_end(link, closer)

    def _result(self, client: Link, seconds: float) -> Result:
        server = self._server_link()
        assert client.connection.error is not None
        return Result(
            self.scenario,
            seconds,
            self.trace,
            client.connection.stats(),
            server.connection.stats() if server else None,
            client.connection.error,
            server.connection.error if server else None,
            self.amplification.largest,
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
        clock = LocalClock(self.clock, AHEAD[name])
        return Host(name, address, endpoint, clock, self.note, attach, self.config.max_datagram_size)

    def _plan_mishaps(self, host: Host) -> None:
        """When the host stalls, and when its clock leaps."""
        for seconds, mishap in ((self.scenario.stall, host.stall), (self.scenario.leap, host.leap)):
            if seconds:
                moment = random.Random(f"{self.scenario.seed} {host.name} {mishap.__name__}").uniform(0, MISHAP_WITHIN)
                self.clock.at(self.clock.now + moment, partial(mishap, seconds))

    def _way(self, towards: str, sink: Sink) -> Sink:
        def dropped(datagram: Datagram) -> None:
            self.note(f"network to {towards}", "drops", len(datagram.payload), datagram.destination)

        return chain(nodes(self.scenario, towards, self.clock, dropped), sink)

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
        turns = self.client.turns + self.server.turns
        if turns == self._turns:  # most of what happens, happens in the network
            return False
        self._turns = turns
        client, server = next(iter(self.client.links.values()), None), self._server_link()
        if client is None or client.connection.error is not None:
            raise Violation("the client's connection is gone")
        if server is None:
            return False
        if server.connection.error is not None:
            raise Violation("the server's connection is gone")
        links = (client, server)
        return all(link.application.done and link.connection.all_acknowledged for link in links)

    def _check_end(self, link: Link, closer: Link | None) -> None:
        """closer: who closed the connection; None: nobody did, the network is gone."""
        error, who = link.connection.error, link.host.name
        if link.connection.state is not ConnectionState.TERMINATED or link.application.terminations != 1:
            raise Violation(f"{who}: {link.connection.state}, {link.application.terminations} times ended")
        if error is None:
            raise Violation(f"{who}: no reason")
        if link is not closer and isinstance(error, IdleTimeoutError | StatelessResetError):
            return  # every CONNECTION_CLOSE was lost
        expected = [(CLOSE_CODE, CLOSE_REASON, link is not closer)]
        if link is not closer and not link.application.connected:
            expected.append((TransportErrorCode.APPLICATION_ERROR, "", True))  # RFC 9000 §10.2.3
        if closer is None or (error.error_code, error.reason, error.remote) not in expected:
            raise Violation(f"{who}: ended with {error!r}")


def _all(*sinks: Sink) -> Sink:
    def sink(datagram: Datagram) -> None:
        for each in sinks:
            each(datagram)

    return sink
