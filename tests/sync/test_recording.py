"""What is recorded of a socket, and what is not: over real sockets."""

from __future__ import annotations

import select
import socket
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from quicmini.config import Config, Keylog
from quicmini.connection.state import Transmit
from quicmini.sync import recording
from quicmini.sync.recording import recorded, socket_type
from quicmini.sync.udp import UdpSocket
from tests.sync.helpers import PATIENCE, Pair, drain

Address = tuple[str, int]
Added = tuple[list[bytes], Address, Address, int, bool]


class Witness:
    """A capture in memory."""

    def __init__(self) -> None:
        self.added: list[Added] = []
        self.times: list[int] = []
        self.secrets: list[tuple[bool, str]] = []

    def keylog(self, *, is_client: bool) -> Keylog:
        return lambda label, client_random, secret: self.secrets.append((is_client, label))

    def add(
        self, time: int, datagrams: Sequence[bytes], source: Address, destination: Address, ecn: int, *, is_sent: bool
    ) -> None:
        self.times.append(time)
        self.added.append((list(datagrams), source, destination, ecn, is_sent))


def test_without_a_capture_the_socket_is_the_plain_one() -> None:
    assert socket_type(None) is UdpSocket
    config = Config()
    assert recorded(config, is_client=True) is config


@pytest.mark.parametrize(
    ("family", "bound", "destination"),
    [
        (socket.AF_INET, "127.0.0.1", "127.0.0.1"),
        (socket.AF_INET, "0.0.0.0", "127.0.0.7"),
        (socket.AF_INET6, "::1", "::1"),
        (socket.AF_INET6, "::", "::1"),
        (socket.AF_INET6, "::", "127.0.0.7"),
    ],
)
@pytest.mark.parametrize("count", [1, 3])
def test_both_ends_tell_the_same(family: int, bound: str, destination: str, count: int) -> None:
    """With the addresses that are on the wire, bursts in pieces, and the congestion bits."""
    at_server, at_client = Witness(), Witness()
    server = socket_type(at_server).bind(family, (bound, 0))
    client_family = socket.AF_INET if "." in destination else socket.AF_INET6
    client = socket_type(at_client).connect(client_family, (destination, server.local_address[1]))
    datagrams = [bytes([index]) * 1200 for index in range(count)]
    try:
        client.send(Transmit(b"".join(datagrams), 1200, client.remote_address, 2))
        assert select.select([server], [], [], PATIENCE)[0]
        [(source, _, _)] = server.receive()
        server.send(Transmit(b"answer", 1200, source))
        assert select.select([client], [], [], PATIENCE)[0]
        client.receive()
    finally:
        client.close()
        server.close()
    mine, theirs = client.local_address, (destination, server.local_address[1])
    assert at_client.added == [(datagrams, mine, theirs, 2, True), ([b"answer"], theirs, mine, 0, False)]
    assert at_server.added == [(datagrams, mine, theirs, 2, False), ([b"answer"], theirs, mine, 0, True)]
    times = [at_client.times[0], at_server.times[0], at_server.times[1], at_client.times[1]]
    assert times == sorted(times)


def test_what_cannot_be_sent_is_not_told(monkeypatch: pytest.MonkeyPatch) -> None:
    witness = Witness()
    client = socket_type(witness).connect(socket.AF_INET, ("127.0.0.1", 9))

    def refuse(*_: Any) -> None:
        raise BlockingIOError

    monkeypatch.setattr(UdpSocket, "_sendmsg", refuse)
    transmit = Transmit(b"later", 1200, client.remote_address)
    assert client.send(transmit) == transmit
    client.close()
    assert witness.added == []


def test_a_connection_and_its_moves_are_told_on_both_sides(make_pair: Callable[..., Pair]) -> None:
    at_server, at_client = Witness(), Witness()
    pair = make_pair(Config(capture=at_client), capture=at_server)
    pair.client.migrate()
    with pair.client.open_stream() as stream:
        stream.sendall(b"hello", end_stream=True)
        with pair.server.accept_stream(PATIENCE) as theirs:
            assert drain(theirs) == b"hello"
            theirs.shutdown(socket.SHUT_WR)
        assert drain(stream) == b""
    pair.client.close()
    for is_client, witness in (True, at_client), (False, at_server):
        assert [label for _, label in witness.secrets] != []
        assert {who for who, _ in witness.secrets} == {is_client}
        sources = {source for _, source, _, _, sent in witness.added if sent is is_client}
        assert len(sources) == 2  # before the move and after it
    assert {label for _, label in at_client.secrets} == {label for _, label in at_server.secrets}
    sent = [datagram for datagrams, *_, is_sent in at_client.added if is_sent for datagram in datagrams]
    arrived = [datagram for datagrams, *_, is_sent in at_server.added if not is_sent for datagram in datagrams]
    assert set(arrived) <= set(sent)


def test_a_key_log_is_told_as_well() -> None:
    witness = Witness()
    lines: list[str] = []
    config = recorded(Config(capture=witness, keylog=lambda label, *_: lines.append(label)), is_client=False)
    assert config.keylog is not None
    config.keylog("LABEL", b"random", b"secret")
    assert (lines, witness.secrets) == (["LABEL"], [(False, "LABEL")])


def test_the_environment_has_its_say_at_each_call(
    make_pair: Callable[..., Pair], monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[Config] = []

    def note(config: Config) -> Config:
        calls.append(config)
        return config

    monkeypatch.setattr(recording, "from_environment", note)
    mine = Config(idle_timeout=20.0)
    make_pair(mine, idle_timeout=21.0)
    assert calls == [Config(idle_timeout=21.0), mine]
