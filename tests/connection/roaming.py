"""A pair whose client has several sockets, perhaps behind a NAT, and whose server may have two addresses."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from quicmini.config import Config
from quicmini.connection.connection import Connection
from quicmini.connection.events import PathChanged, PathClosed, PathFailed
from quicmini.connection.migration import Migration
from quicmini.connection.state import Address, Transmit
from quicmini.wire.frames import PathResponse, Ping
from tests.certificates import CertificateFiles
from tests.connection.attacker import core_of, forge
from tests.connection.pair import CLIENT, SERVER, Pair, events, split

__all__ = [
    "ELSEWHERE",
    "PREFERRED",
    "REBOUND",
    "Roaming",
    "connected",
    "on_a_narrow_path",
    "path_events",
    "paths_of",
    "transfer",
]

REBOUND: Address = ("192.0.2.1", 50001)  # another port of the client's NAT
ELSEWHERE: Address = ("203.0.113.9", 60000)  # another network
PREFERRED: Address = ("192.0.2.77", 4434)


class Roaming(Pair):
    """sockets: the client's, by name, and what address the server sees them at (change it: a NAT does).
    server_sockets: the server's, by address. lost: datagrams to this address do not arrive."""

    def __init__(self, files: CertificateFiles, **options: Any) -> None:
        super().__init__(files, **options)
        self.sockets: dict[object, Address] = {None: CLIENT}
        self.server_sockets: dict[Address, object] = {SERVER: None, PREFERRED: "preferred"}
        self.lost: Callable[[Address], bool] = lambda destination: False
        self.to_client_at: dict[Address, int] = {}  # bytes that the server has sent, by destination

    def exchange(self) -> bool:
        before = len(self.sent)
        for transmit in self.client.datagrams_to_send(self.now):
            source = self.sockets.get(transmit.local)
            for datagram in self._note(True, split([transmit])):
                if source is not None and transmit.destination in self.server_sockets and not self._loses(transmit):
                    self.arrive(datagram, source, self.server_sockets[transmit.destination])
        if self._server is not None:
            self.server_endpoint.transmits += self._server.datagrams_to_send(self.now)
        stateless, self.server_endpoint.transmits[:] = list(self.server_endpoint.transmits), []
        addresses = {local: address for address, local in self.server_sockets.items()}
        for transmit in stateless:
            self._count(transmit)
            datagrams = self._note(False, split([transmit]))
            for local, address in list(self.sockets.items()):
                if address == transmit.destination and not self._loses(transmit):
                    source = addresses[transmit.local]
                    for connection, routed in self.client_endpoint.receive(datagrams, source, self.now):
                        connection.receive_datagrams(routed, source, self.now, local=local)
        return len(self.sent) > before

    def arrive(self, datagram: bytes, source: Address, local: object = None) -> None:
        """Hand one datagram to the server."""
        for connection, routed in self.server_endpoint.receive([datagram], source, self.now):
            self._server = self._server or connection
            connection.receive_datagrams(routed, source, self.now, local=local)

    def _loses(self, transmit: Transmit) -> bool:
        return self.lost(transmit.destination)

    def _count(self, transmit: Transmit) -> None:
        sent = self.to_client_at.get(transmit.destination, 0)
        self.to_client_at[transmit.destination] = sent + len(transmit.payload)


def connected(files: CertificateFiles, **options: Any) -> Roaming:
    """A pair whose handshake is confirmed."""
    pair = Roaming(files, **options)
    pair.handshake()
    return pair


def on_a_narrow_path(files: CertificateFiles) -> Roaming:
    """The client has moved to where datagrams of 1200 bytes are lost, and only those; the address has proved right."""
    patient = Config(idle_timeout=0)
    pair = connected(files, client_config=patient, server_config=patient)
    pair.sockets[None] = ELSEWHERE
    pair.drop = lambda to_server, datagram: len(datagram) >= 1200
    pair.arrive(forge(pair.client, Ping().encode() + bytes(40)), ELSEWHERE)
    pair.server.datagrams_to_send(pair.now)
    path = core_of(pair.server).path
    (challenge,) = (known for known in paths_of(pair.server)._challenges if known.path is path)
    assert not challenge.full_size
    pair.arrive(forge(pair.client, PathResponse(challenge.data).encode()), ELSEWHERE)
    assert path.validated
    return pair


def paths_of(connection: Connection) -> Migration:
    return connection._migration


def path_events(connection: Connection) -> list[Any]:
    return [event for event in events(connection) if isinstance(event, PathChanged | PathFailed | PathClosed)]


def transfer(pair: Roaming, sender: Connection, receiver: Connection, size: int, *, seconds: float = 0.0) -> None:
    """A whole stream, checked byte by byte."""
    stream_id = sender.open_stream(True)
    assert stream_id is not None
    data = bytes(range(256)) * (size // 256 + 1)
    sent = received = 0
    for _ in range(1000):
        sent += sender.write_stream(stream_id, data[sent:size], True)
        pair.run(seconds)
        while chunk := receiver.read_stream(stream_id, 1 << 16):
            assert chunk == data[received : received + len(chunk)]
            received += len(chunk)
        if received == size:
            return
        seconds = max(seconds, 0.05)
    raise AssertionError(f"{received} of {size} bytes have arrived")
