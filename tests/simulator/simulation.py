"""One run: connections over a bad network, what happens, and what must have happened in the end."""

from __future__ import annotations

from dataclasses import dataclass

from quicmini.connection.address_tokens import RETRY_TOKEN_LIFETIME
from quicmini.connection.endpoint import ClientSettings, ServerSettings
from quicmini.connection.state import ConnectionState, ConnectionStats
from quicmini.errors import ConnectionClosed, IdleTimeoutError, StatelessResetError, TransportErrorCode
from tests.simulator.checks import Violation
from tests.simulator.host import Host, Link
from tests.simulator.scenario import Scenario
from tests.simulator.world import IDLE_TIMEOUT, SERVER, TraceLine, World

__all__ = ["IDLE_TIMEOUT", "Result", "SimulationFailed", "TraceLine", "run"]

TIME_LIMIT = 36_000.0  # seconds, virtual: for the transfer, and again for the end
CLOSE_CODE, CLOSE_REASON = 0x17, "all done"


class SimulationFailed(AssertionError):
    """A run went wrong; the message says how to replay it."""


@dataclass
class Result:
    """What a run came to, that is, its last connection.

    seconds: until everything had arrived, or until the end began; virtual. server, server_error: None if the server
    never heard of the connection. amplification: the largest ratio of bytes sent to bytes received that there was with
    an address that had not proved itself. resumed: whether the session of an earlier connection was. early: whether
    the server took 0-RTT data. client_messages, server_messages: how many came there.
    """

    scenario: Scenario
    seconds: float
    trace: list[TraceLine]
    client: ConnectionStats
    server: ConnectionStats | None
    client_error: ConnectionClosed
    server_error: ConnectionClosed | None
    amplification: float
    resumed: bool
    early: bool
    client_messages: int
    server_messages: int


def run(
    scenario: Scenario, client: ClientSettings, server: ServerSettings, trace: list[TraceLine] | None = None
) -> Result:
    """Do a whole run: handshake, transfers, close. Raises SimulationFailed, with the command that replays it.

    trace: what happens is appended to it, so that the caller has it after a failure, too.
    """
    world = World(scenario, client, server, [] if trace is None else trace)
    try:
        return _Run(world).run()
    except Exception as error:
        raise SimulationFailed(
            f"{type(error).__name__}: {error}\n"
            f"seed {scenario.seed}, after {world.seconds:.3f} s: {scenario}\n"
            f"client: {_progress(world.client)}\nserver: {_progress(world.server)}\n"
            f"see it: {scenario.command()}"
        ) from error


def _progress(host: Host) -> str:
    """How far each connection of a host came."""
    return "; ".join(
        f"{link.connection.state.name} {link.connection.error!r} {link.application.progress}"
        for link in (*host.links.values(), *host.past)
    )


class _Run:
    """One connection after the other, from the first datagram to the last."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._scenario = world.scenario
        self._settings = world.settings
        self._turns = 0
        self._earlier: list[Link] = []  # of connections that are over

    def run(self) -> Result:
        result = self._connection()
        for _ in range(self._scenario.again):
            before = self._world.client.past[-1]
            self._earlier = [*self._world.client.past, *self._world.server.past]
            self._settings = self._settings._replace(
                token=before.application.token,
                session=before.connection.session,
                early_data=self._scenario.early,
            )
            result = self._connection()
        return result

    def _connection(self) -> Result:
        world, scenario = self._world, self._scenario
        started = world.clock.now
        world.begin_connection(self._settings.token)
        connection = world.client.endpoint.connect(SERVER, self._settings, world.client.clock.now)
        client = world.client.link(connection)
        client.service()
        if scenario.vanish:
            self._end([client], None)
            return self._result(client, scenario.vanish)
        over = world.clock.run(self._transferred, scenario.cut or TIME_LIMIT)
        if not over and not scenario.cut:
            raise Violation("the transfers did not end")
        seconds = world.clock.now - started
        if self._token_expired(client):
            self._end([], None)
            return self._result(client, seconds)
        server = self._server_link()
        closer = server if server is not None and scenario.seed % 2 else client
        closer.connection.close(CLOSE_CODE, CLOSE_REASON, now=closer.host.clock.now)
        closer.service()
        self._end([client] if server is None else [client, server], closer)
        return self._result(client, seconds)

    def _token_expired(self, client: Link) -> bool:
        """Retry tokens are good for a moment only: an unlucky client comes too late (RFC 9000 §8.1.2, §8.1.4)."""
        error = client.connection.error
        late = self._world.seconds + self._scenario.leap > RETRY_TOKEN_LIFETIME
        return error is not None and error.error_code == TransportErrorCode.INVALID_TOKEN and late

    def _end(self, links: list[Link], closer: Link | None) -> None:
        if not self._world.clock.run(self._nothing_left, TIME_LIMIT):
            raise Violation("a connection did not terminate")
        for link in links:
            self._check_end(link, closer)
        new = [link for link in self._world.server.past if link not in self._earlier]
        if sum(link.application.was_spoken_to for link in new) > 1:
            raise Violation("somebody's replay was taken for early data")

    def _nothing_left(self) -> bool:
        return not self._world.client.links and not self._world.server.links

    def _result(self, client: Link, seconds: float) -> Result:
        server = self._server_link()
        assert client.connection.error is not None
        return Result(
            self._scenario,
            seconds,
            self._world.trace,
            client.connection.stats(),
            server.connection.stats() if server else None,
            client.connection.error,
            server.connection.error if server else None,
            self._world.amplification.largest,
            client.connection.session_resumed,
            bool(client.connection.early_data_accepted),
            len(client.application.messages),
            len(server.application.messages) if server else 0,
        )

    def _server_link(self) -> Link | None:
        """The server's connection that got through the handshake: forged Initials may have made others."""
        server = self._world.server
        connected = [
            link
            for link in (*server.links.values(), *server.past)
            if link.application.connected and link not in self._earlier
        ]
        if len(connected) > 1:
            raise Violation(f"{len(connected)} server connections completed a handshake")
        return connected[0] if connected else None

    def _transferred(self) -> bool:
        turns = self._world.client.turns + self._world.server.turns
        if turns == self._turns:  # most of what happens, happens in the network
            return False
        self._turns = turns
        client, server = next(iter(self._world.client.links.values()), None), self._server_link()
        if client is not None and self._token_expired(client):
            return True
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
        if link is not closer and (
            isinstance(error, IdleTimeoutError | StatelessResetError)
            or error.error_code == TransportErrorCode.NO_VIABLE_PATH
        ):
            return  # every CONNECTION_CLOSE was lost
        expected = [(CLOSE_CODE, CLOSE_REASON, link is not closer)]
        if link is not closer and not link.application.connected:
            expected.append((TransportErrorCode.APPLICATION_ERROR, "", True))  # RFC 9000 §10.2.3
        if closer is None or (error.error_code, error.reason, error.remote) not in expected:
            raise Violation(f"{who}: ended with {error!r}")
