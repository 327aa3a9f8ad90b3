"""A client and a server in one process, virtual time, and hands on every datagram between them."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from datetime import UTC, datetime

from quicmini.config import Config
from quicmini.connection.connection import Connection
from quicmini.connection.endpoint import ClientSettings, Endpoint, ServerSettings
from quicmini.connection.events import Event
from quicmini.connection.state import Address, Transmit
from quicmini.crypto.tokens import TicketKeys
from quicmini.tls.certificates import load_credential, load_trust_store
from quicmini.tls.context import ClientContext, ServerContext
from quicmini.tls.groups import OPTIONAL_GROUPS
from quicmini.tls.session import Session
from tests.certificates import CertificateFiles

__all__ = ["CLIENT", "SERVER", "Pair", "counting_random", "split"]

CLIENT: Address = ("192.0.2.1", 50000)
SERVER: Address = ("192.0.2.2", 4433)


def counting_random(seed: str) -> Callable[[int], bytes]:
    """Bytes that look random and are the same in every run."""
    state = {"count": 0}

    def random(size: int) -> bytes:
        state["count"] += 1
        return hashlib.shake_128(f"{seed} {state['count']}".encode()).digest(size)

    return random


def split(transmits: list[Transmit]) -> list[bytes]:
    """The datagrams, one by one."""
    return [
        transmit.payload[start : start + transmit.segment_size]
        for transmit in transmits
        for start in range(0, len(transmit.payload), transmit.segment_size)
    ]


class Pair:
    """`run` carries datagrams to and fro until both sides are silent; `drop` may keep some from arriving.

    ml_kem: also offer the key share that makes the ClientHello too long for one datagram.
    """

    def __init__(
        self,
        files: CertificateFiles,
        *,
        client_config: Config | None = None,
        server_config: Config | None = None,
        server_name: str = "localhost",
        client_alpn: tuple[str, ...] = ("test",),
        server_alpn: tuple[str, ...] = ("test",),
        verify: bool = True,
        token: bytes = b"",
        session: Session | None = None,
        early_data: bool = False,
        server_context: ServerContext | None = None,
        ml_kem: bool = False,
    ) -> None:
        self.now = 0.0
        self.drop: Callable[[bool, bytes], bool] = lambda to_server, datagram: False
        # What the network makes of the ECN field on the way (to the server?, as it was sent).
        self.remark: Callable[[bool, int], int] = lambda to_server, ecn: ecn
        self._ecn = {True: 0, False: 0}
        self.sent: list[tuple[bool, bytes]] = []  # (to the server?, datagram)
        client_config, server_config = client_config or Config(), server_config or Config()
        self.server_context = server_context or ServerContext(
            alpn_protocols=server_alpn,
            credential=load_credential(files.certfile, files.keyfile),
            cipher_suites=server_config.cipher_suites,
            groups=_groups(server_config, ml_kem),
            ticket_keys=TicketKeys(counting_random("tickets")),
            session_tickets=server_config.session_tickets,
            early_data=server_config.early_data,
            clock=lambda: datetime.now(UTC),
        )
        client = ClientContext(
            alpn_protocols=client_alpn,
            trust_store=load_trust_store(files.cafile) if verify else None,
            clock=lambda: datetime.now(UTC),
            cipher_suites=client_config.cipher_suites,
            groups=_groups(client_config, ml_kem),
        )
        server = ServerSettings(self.server_context)
        self.server_endpoint = Endpoint(server_config, random=counting_random("server"), server=server)
        self.client_endpoint = Endpoint(client_config, random=counting_random("client"))
        settings = ClientSettings(client, server_name, token, session, early_data)
        self.client = self.client_endpoint.connect(SERVER, settings, self.now)
        self._server: Connection | None = None

    @property
    def server(self) -> Connection:
        assert self._server is not None, "the server has seen nothing yet"
        return self._server

    def to_server(self, datagrams: list[bytes], source: Address = CLIENT) -> None:
        """Hand datagrams to the server's endpoint."""
        for connection, routed in self.server_endpoint.receive(datagrams, source, self.now):
            self._server = self._server or connection
            connection.receive_datagrams(routed, source, self.now, self.remark(True, self._ecn[True]))

    def to_client(self, datagrams: list[bytes], source: Address = SERVER) -> None:
        """Hand datagrams to the client's endpoint."""
        for connection, routed in self.client_endpoint.receive(datagrams, source, self.now):
            connection.receive_datagrams(routed, source, self.now, self.remark(False, self._ecn[False]))

    def from_client(self) -> list[bytes]:
        return self._note(True, self._split(True, self.client.datagrams_to_send(self.now)))

    def from_server(self) -> list[bytes]:
        stateless = split(self.server_endpoint.transmits)
        self.server_endpoint.transmits.clear()
        own = self._split(False, self._server.datagrams_to_send(self.now)) if self._server else []
        return self._note(False, stateless + own)

    def _split(self, to_server: bool, transmits: list[Transmit]) -> list[bytes]:
        """The datagrams of one call, which share one ECN field."""
        if transmits:
            (self._ecn[to_server],) = {transmit.ecn for transmit in transmits}
        return split(transmits)

    def _note(self, to_server: bool, datagrams: list[bytes]) -> list[bytes]:
        self.sent += [(to_server, datagram) for datagram in datagrams]
        return [datagram for datagram in datagrams if not self.drop(to_server, datagram)]

    def exchange(self) -> bool:
        """One flight in each direction; whether anything was sent."""
        before = len(self.sent)
        self.to_server(self.from_client())
        self.to_client(self.from_server())
        return len(self.sent) > before

    def run(self, seconds: float = 0.0) -> None:
        """Exchange until both are silent; with `seconds`, let so much time pass, timer by timer."""
        until = self.now + seconds
        while True:
            for _ in range(1000):
                if not self.exchange():
                    break
            else:
                raise AssertionError("the two never stop talking")
            timers = [side.next_timeout() for side in (self.client, self._server) if side is not None]
            due = min((timer for timer in timers if timer is not None), default=None)
            if due is None or due > until:
                self.now = until
                return
            self.now = max(self.now, due)
            for side in (self.client, self._server):
                if side is not None:
                    side.handle_timeout(self.now)

    def handshake(self) -> None:
        """Run until both sides are connected, and acknowledged it."""
        self.run(seconds=0.1)
        events(self.client), events(self.server)


def _groups(config: Config, ml_kem: bool) -> tuple[int, ...]:
    return tuple(group for group in config.groups if ml_kem or group not in OPTIONAL_GROUPS)


def events(connection: Connection) -> list[Event]:
    """All events that wait."""
    found = []
    while (event := connection.next_event()) is not None:
        found.append(event)
    return found
