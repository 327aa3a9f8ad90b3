"""The link between sockets of this machine."""

from __future__ import annotations

import socket
import struct
from collections.abc import Iterator

import pytest

from quicmini.study.link.link import Address, Link
from quicmini.study.link.scenario import Direction, Scenario

FAST = Scenario(delay=0.0, bandwidth=1e9)
TIMEOUT = 10  # seconds: a limit against hangs


def udp_socket(host: str = "127.0.0.1") -> socket.socket:
    udp = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_DGRAM)
    udp.settimeout(TIMEOUT)
    udp.bind((host, 0))
    return udp


@pytest.fixture
def server() -> Iterator[socket.socket]:
    with udp_socket() as udp:
        yield udp


@pytest.fixture
def client() -> Iterator[socket.socket]:
    with udp_socket() as udp:
        yield udp


def name(udp: socket.socket) -> Address:
    host, port = udp.getsockname()[:2]
    return host, port


def test_there_and_back(server: socket.socket, client: socket.socket) -> None:
    with Link(name(server), FAST) as link:
        client.sendto(b"ping", link.address)
        datagram, path = server.recvfrom(100)
        server.sendto(b"pong", path)
        answer, sender = client.recvfrom(100)
    assert (datagram, answer) == (b"ping", b"pong")
    assert sender == link.address
    there, back = link.captured
    assert (there.to_server, there.source, there.destination, there.path) == (True, name(client), link.address, path)
    assert (back.to_server, back.source, back.destination, back.path) == (False, name(server), path, path)
    assert (there.datagram, back.datagram) == (b"ping", b"pong")
    assert there.arrival is not None
    assert there.time <= there.arrival <= back.time


def test_ipv6() -> None:
    with udp_socket("::1") as server, udp_socket("::1") as client, Link(name(server), FAST) as link:
        client.sendto(b"ping", link.address)
        assert server.recvfrom(100)[0] == b"ping"


def test_each_client_has_a_path_of_its_own_with_its_own_host(server: socket.socket, client: socket.socket) -> None:
    with udp_socket("127.0.0.9") as other, Link(name(server), FAST) as link:
        paths = []
        for each in (client, other):
            each.sendto(b"x", link.address)
            paths.append(server.recvfrom(100)[1])
    assert [host for host, _ in paths] == ["127.0.0.1", "127.0.0.9"]


def test_the_alternative_address_leads_to_the_same_server_by_another_path(
    server: socket.socket, client: socket.socket
) -> None:
    with Link(name(server), FAST) as link:
        client.sendto(b"x", link.address)
        first = server.recvfrom(100)[1]
        client.sendto(b"x", link.alternative_address)
        second = server.recvfrom(100)[1]
        server.sendto(b"y", second)
        assert client.recvfrom(100) == (b"y", link.alternative_address)
    assert first != second


def test_loss_is_captured(server: socket.socket, client: socket.socket) -> None:
    scenario = Scenario(delay=0.0, to_server=Direction(drops=frozenset({1})))
    with Link(name(server), scenario) as link:
        client.sendto(b"lost", link.address)
        client.sendto(b"found", link.address)
        assert server.recvfrom(100)[0] == b"found"
    assert [captured.arrival is None for captured in link.captured] == [True, False]


def test_a_datagram_that_somebody_wants_to_be_lost(server: socket.socket, client: socket.socket) -> None:
    with Link(name(server), FAST) as link:
        link.lose(to_server=True, at_least=3, after=1)
        for datagram in (b"a", b"bbb", b"c", b"ddd", b"eee", b"f"):
            client.sendto(datagram, link.address)
        assert [server.recvfrom(100)[0] for _ in range(5)] == [b"a", b"bbb", b"c", b"eee", b"f"]
        path = link.captured[0].path
        link.lose(to_server=False)
        for datagram in (b"g", b"h"):
            server.sendto(datagram, path)
        assert client.recvfrom(100)[0] == b"h"
    assert [each.datagram for each in link.captured if each.arrival is None] == [b"ddd", b"g"]


def test_a_pause(server: socket.socket, client: socket.socket) -> None:
    with Link(name(server), FAST) as link:
        client.sendto(b"before", link.address)
        path = server.recvfrom(100)[1]
        link.pause()
        client.sendto(b"meanwhile", link.address)
        server.sendto(b"back", path)
        server.settimeout(0.05)
        with pytest.raises(TimeoutError):
            server.recv(100)
        server.settimeout(TIMEOUT)
        link.resume()
        assert server.recv(100) == b"meanwhile"
        assert client.recv(100) == b"back"
    with Link(name(server), FAST) as link:
        link.pause()  # which does not keep it from ending


def test_corruption_is_captured_as_it_was_sent(server: socket.socket, client: socket.socket) -> None:
    with Link(name(server), Scenario(delay=0.0, to_server=Direction(corruption=1.0))) as link:
        client.sendto(b"whole", link.address)
        assert server.recvfrom(100)[0] != b"whole"
    assert [(captured.datagram, captured.corrupted) for captured in link.captured] == [(b"whole", True)]


@pytest.mark.parametrize("rebind_address", [False, True])
def test_rebinding(server: socket.socket, client: socket.socket, rebind_address: bool) -> None:
    scenario = Scenario(
        delay=0.0, bandwidth=1e9, first_rebinding=0.02, rebinding_interval=1e9, rebind_address=rebind_address
    )
    with Link(name(server), scenario) as link:
        client.sendto(b"x", link.address)
        first = second = server.recvfrom(100)[1]
        while second == first:
            client.sendto(b"x", link.address)
            second = server.recvfrom(100)[1]
        server.sendto(b"to nobody", first)
        server.sendto(b"to the client", second)
        assert client.recvfrom(100)[0] == b"to the client"
    assert second[0] == ("127.0.0.2" if rebind_address else "127.0.0.1")
    assert [captured.arrival is None for captured in link.captured[-2:]] == [True, False]


def test_ecn_marks_travel(server: socket.socket, client: socket.socket) -> None:
    server.setsockopt(socket.IPPROTO_IP, socket.IP_RECVTOS, 1)
    with Link(name(server), FAST) as link:
        client.sendmsg([b"x"], [(socket.IPPROTO_IP, socket.IP_TOS, struct.pack("i", 2))], 0, link.address)
        _, ancillary, _, _ = server.recvmsg(100, socket.CMSG_SPACE(4))
    assert ancillary == [(socket.IPPROTO_IP, socket.IP_TOS, b"\x02")]
    assert [captured.ecn for captured in link.captured] == [2]
