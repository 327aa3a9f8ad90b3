"""The world of a run: both hosts, the network between them, and what happens to them, all drawn from one seed."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from typing import NamedTuple

from quicmini.config import Config
from quicmini.connection.connection import Connection
from quicmini.connection.endpoint import ClientSettings, Endpoint, ServerSettings
from quicmini.connection.mtu import LARGEST_SIZE
from quicmini.crypto.tokens import TicketKeys
from quicmini.errors import MigrationError
from quicmini.tls.context import ServerContext
from quicmini.tls.replay import ReplayGuard
from quicmini.wire.packet import VERSION_1, VERSION_2
from tests.simulator.checks import AmplificationWatch
from tests.simulator.clock import Clock, LocalClock
from tests.simulator.host import Host
from tests.simulator.nat import Nat
from tests.simulator.network import Address, Datagram, Sink, chain
from tests.simulator.noise import Noise
from tests.simulator.route import nodes
from tests.simulator.scenario import Scenario
from tests.simulator.workload import Application, Plan

__all__ = ["IDLE_TIMEOUT", "SERVER", "TraceLine", "World"]

CLIENT, SERVER = ("client", 1), ("server", 2)
PUBLIC = ("nat", 1000)  # where the client seems to be, if there is a NAT
IDLE_TIMEOUT = 3600.0  # seconds, virtual: at 30 % loss, exponential back-off may well be silent for half an hour
KEEP_ALIVE = 10.0  # seconds
NOISE_DATAGRAMS = 300  # forged towards each side, on average: noise must end, too
AHEAD = {"client": 0.0, "server": 31_415.9}  # seconds: no two hosts' clocks show the same
VERSIONS = {"1": VERSION_1, "2": VERSION_2}
MISHAP_WITHIN = 1.0  # seconds, at most, until a host stalls, or its clock leaps


class TraceLine(NamedTuple):
    """What happened at one moment. size: bytes of a datagram; peer: where it came from or goes to."""

    time: float
    host: str
    what: str
    size: int
    peer: str


class _Refuse(ReplayGuard):
    """Has always seen everything before."""

    def first_use(self, ticket_id: bytes, *, issued_at: float, sent_at: float, now: float) -> bool:
        return False


class World:
    """client and server, and the ways between them.

    settings: the client's. nat: the client's, None without one. amplification: sees what the server receives and sends.
    """

    def __init__(
        self, scenario: Scenario, client: ClientSettings, server: ServerSettings, trace: list[TraceLine]
    ) -> None:
        self.scenario = scenario
        self._epoch = client.context.clock()
        self.clock = Clock()
        self.start = self.clock.now
        self.trace = trace
        self.amplification = AmplificationWatch()
        self._plan = Plan(scenario.seed, scenario.streams, scenario.size, scenario.aborts, scenario.messages)
        self.settings = client._replace(context=replace(client.context, clock=self._date))
        self.client = self._host("client", CLIENT, None)
        self.server = self._host("server", SERVER, server._replace(context=self._server_context(server.context)))
        self.nat = self._nat() if scenario.rebindings else None
        self._connect_hosts()
        self._plan_mishaps()

    @property
    def seconds(self) -> float:
        """How old this world is."""
        return self.clock.now - self.start

    def note(self, host: str, what: str, size: int = 0, peer: Address | None = None) -> None:
        """A line of the trace."""
        self.trace.append(TraceLine(self.seconds, host, what, size, str(peer[0]) if peer else ""))

    def begin_connection(self, token: bytes) -> None:
        """A new connection begins, with a token of an earlier one, or none."""
        if self.server.has_read_all:  # and owes no answers
            self.amplification.on_connection(token)

    # How it is made

    def _choose(self, what: str) -> random.Random:
        return random.Random(f"{self.scenario.seed} {what}")

    def _date(self) -> datetime:
        """Both sides' calendars, which neither stall nor leap."""
        return self._epoch + timedelta(seconds=self.seconds)

    def _server_context(self, context: ServerContext) -> ServerContext:
        """Tickets are of this world alone."""
        keys = TicketKeys(self._choose("tickets").randbytes)
        guard = _Refuse() if self.scenario.refuse_early else ReplayGuard()
        return replace(context, clock=self._date, ticket_keys=keys, replay_guard=guard, early_data=self.scenario.early)

    def _host(self, name: str, address: Address, settings: ServerSettings | None) -> Host:
        scenario, choose = self.scenario, self._choose(name)
        config = Config(
            idle_timeout=IDLE_TIMEOUT,
            max_data=2 * scenario.window,
            max_stream_data=scenario.window,
            max_streams_bidi=scenario.max_streams,
            max_streams_uni=scenario.max_streams,
            retry=scenario.retry,
            # Whoever has nothing to say behind a NAT that rebinds cannot be found any more (RFC 9000 §10.1.2).
            keep_alive_interval=KEEP_ALIVE if scenario.rebindings else None,
            versions=tuple(VERSIONS[version] for version in getattr(scenario, f"{name}_versions")),
        )

        def attach(connection: Connection) -> Application:
            return Application(self._plan, connection, choose, is_client=settings is None, lazy=scenario.lazy)

        endpoint = Endpoint(config, random=self._choose(f"{name} entropy").randbytes, server=settings)
        clock = LocalClock(self.clock, AHEAD[name])
        return Host(name, address, endpoint, clock, self.note, attach, LARGEST_SIZE)

    def _dropped(self, where: str) -> Sink:
        def dropped(datagram: Datagram) -> None:
            self.note(where, "drops", len(datagram.payload), datagram.destination)

        return dropped

    def _nat(self) -> Nat:
        return Nat(CLIENT, PUBLIC, self._dropped("nat"))

    def _connect_hosts(self) -> None:
        self.server.watchers.append(self.amplification.on_sent)
        into_server = _all(self.amplification.on_received, self.server.deliver)
        into_client: Sink = self._into_client
        if self.scenario.noise:
            into_server = self._with_noise(self.server, self._client_address, into_server)
            into_client = self._with_noise(self.client, lambda: SERVER, into_client)
        to_server = nodes(self.scenario, "server", self.clock, self._dropped("network to server"))
        to_client = nodes(self.scenario, "client", self.clock, self._dropped("network to client"))
        if self.nat is not None:
            to_server, to_client = [self.nat.outward, *to_server], [*to_client, self.nat.inward]
        self.client.network = chain(to_server, into_server)
        self.server.network = chain(to_client, _only_to(self.client, into_client))

    def _into_client(self, datagram: Datagram) -> None:
        behind_nat = datagram.destination == self.client.address
        self.amplification.on_reached(self._client_address() if behind_nat else datagram.destination)
        self.client.deliver(datagram)

    def _client_address(self) -> Address:
        """Where the client is, as far as the server can see."""
        return self.client.address if self.nat is None else self.nat.public

    def _with_noise(self, victim: Host, peer: Callable[[], Address], deliver: Sink) -> Sink:
        """Forge towards a host; returns its new way in."""
        noise = Noise(self.clock, self._choose(f"noise to {victim.name}"), self.scenario.noise, peer, victim.address)
        noise.start(deliver, NOISE_DATAGRAMS / self.scenario.noise)
        # It hears what has arrived, not what is under way: who could be faster than the client itself would be able to
        # keep it from connecting.
        return _all(noise.overhear, deliver)

    # What happens to it

    def _plan_mishaps(self) -> None:
        scenario = self.scenario
        for host in (self.client, self.server):
            for seconds, mishap in ((scenario.stall, host.stall), (scenario.leap, host.leap)):
                if seconds:
                    moment = self._choose(f"{host.name} {mishap.__name__}").uniform(0, MISHAP_WITHIN)
                    self.clock.at(self.clock.now + moment, partial(mishap, seconds))
            if scenario.key_updates:
                self._again(self._choose(f"{host.name} keys"), partial(self._update_keys, host), scenario.key_updates)
        if scenario.migrations:
            self._again(self._choose("migrations"), self._migrate, scenario.migrations)
        if scenario.rebindings:
            self._again(self._choose("rebindings"), self._rebind, scenario.rebindings)

    def _again(self, choose: random.Random, action: Callable[[], bool], times: int) -> None:
        """Do something so many times, at moments that are drawn; those when it could not be done do not count."""

        def act() -> None:
            self._again(choose, action, times - action())

        if times:
            self.clock.at(self.clock.now + choose.uniform(0, 2 * self.scenario.every), act)

    def _update_keys(self, host: Host) -> bool:
        link = next((link for link in host.links.values() if link.established), None)
        if link is None:
            return False
        host.note("updates keys")
        link.connection.update_keys()
        link.service()
        return True

    def _migrate(self) -> bool:
        """The client moves to another socket (RFC 9000 §9.2), as soon as it may."""
        link = next((link for link in self.client.links.values() if link.confirmed), None)
        if link is None:
            return False
        try:
            link.connection.migrate(self.client.open_socket(), self.client.clock.now)
        except MigrationError:  # the server's connection IDs are used up for the moment
            return False
        self.client.note("migrates")
        link.service()
        return True

    def _rebind(self) -> bool:
        """The NAT is another one from now on: not before the client's handshake is confirmed (RFC 9000 §9)."""
        link = next((link for link in self.client.links.values() if link.confirmed), None)
        if link is None or self.nat is None:
            return False
        self.nat.rebind(new_host=self.scenario.new_host)
        self.note("nat", "rebinds", 0, self.nat.public)
        return True


def _only_to(host: Host, deliver: Sink) -> Sink:
    """Whoever sends forged datagrams from a strange address, the answers are not the client's."""

    def sink(datagram: Datagram) -> None:
        if host.owns(datagram.destination):
            deliver(datagram)

    return sink


def _all(*sinks: Sink) -> Sink:
    def sink(datagram: Datagram) -> None:
        for each in sinks:
            each(datagram)

    return sink
