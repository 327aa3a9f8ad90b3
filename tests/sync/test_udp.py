from __future__ import annotations

import errno
import select
import socket
from collections.abc import Iterator
from typing import Any

import pytest

from quicmini.connection.state import Transmit
from quicmini.recovery.acks import ECT_0
from quicmini.sync import controls, udp
from quicmini.sync.udp import UdpSocket
from tests.sync.helpers import PATIENCE

LOCALHOST = ("127.0.0.1", 0)


class SocketStub:
    """Stands in for the socket inside a UdpSocket: sending does what the test says, the rest is the real one's."""

    def __init__(self, real: socket.socket) -> None:
        self.real = real
        self.sent: list[tuple[int, bool]] = []  # size, segmented
        self.errors: list[int] = []  # errno of the next sends; 0: none
        self.error_for_bursts = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self.real, name)

    def send(self, data: bytes) -> int:
        return self.sendmsg((data,))

    def sendto(self, data: bytes, address: Any) -> int:
        return self.sendmsg((data,), (), 0, address)

    def sendmsg(self, buffers: Any, control: Any = (), *address: Any) -> int:
        error = self.errors.pop(0) if self.errors else 0
        segmented = any(kind == controls.UDP_SEGMENT for _, kind, _ in control)
        if segmented and self.error_for_bursts:
            error = self.error_for_bursts
        if error:
            raise OSError(error, "stub")
        self.sent.append((len(buffers[0]), segmented))
        return self.real.sendmsg(buffers, control, *address)


@pytest.fixture
def server() -> Iterator[UdpSocket]:
    sock = UdpSocket.bind(socket.AF_INET, LOCALHOST)
    yield sock
    sock.close()


@pytest.fixture
def client(server: UdpSocket) -> Iterator[UdpSocket]:
    sock = UdpSocket.connect(socket.AF_INET, server.local_address)
    yield sock
    sock.close()


@pytest.fixture
def kernel(client: UdpSocket, monkeypatch: pytest.MonkeyPatch) -> SocketStub:
    """The client's socket, whose sends can be made to fail."""
    stub = SocketStub(client._sock)
    monkeypatch.setattr(client, "_sock", stub)
    return stub


def receive(sock: UdpSocket, count: int) -> list[bytes]:
    datagrams: list[bytes] = []
    while len(datagrams) < count:
        assert select.select([sock], [], [], PATIENCE)[0], f"only {len(datagrams)} of {count} came"
        for _, batch, _ in sock.receive():
            datagrams += batch
    return datagrams


def burst(count: int, size: int = 1200, last: int | None = None) -> tuple[bytes, list[bytes]]:
    datagrams = [bytes([i]) * size for i in range(count)]
    if last is not None:
        datagrams[-1] = datagrams[-1][:last]
    return b"".join(datagrams), datagrams


def test_a_single_datagram_goes_both_ways(server: UdpSocket, client: UdpSocket) -> None:
    assert client.send(Transmit(b"ping", 1200, server.local_address)) is None
    assert select.select([server], [], [], PATIENCE)[0]
    [(source, datagrams, _)] = server.receive()
    assert datagrams == [b"ping"]
    assert source == client.local_address
    assert server.send(Transmit(b"pong", 1200, source)) is None
    assert receive(client, 1) == [b"pong"]


@pytest.mark.parametrize("gso", [True, False])
@pytest.mark.parametrize("gro", [True, False])
@pytest.mark.parametrize(("count", "last"), [(2, None), (2, 1), (54, None), (54, 700), (64, 5), (200, 3)])
def test_a_burst_arrives_as_the_datagrams_that_it_is(
    server: UdpSocket, client: UdpSocket, gso: bool, gro: bool, count: int, last: int | None
) -> None:
    client.gso = client.gso and gso
    if not gro:
        server._sock.setsockopt(controls.SOL_UDP, controls.UDP_GRO, 0)
    payload, datagrams = burst(count, last=last)
    assert client.send(Transmit(payload, 1200, server.local_address)) is None
    assert receive(server, count) == datagrams


@pytest.mark.parametrize("error", [errno.EIO, errno.EINVAL])
def test_segmentation_that_fails_is_given_up(
    server: UdpSocket, client: UdpSocket, kernel: SocketStub, error: int
) -> None:
    client.gso = True
    kernel.error_for_bursts = error
    payload, datagrams = burst(5, last=100)
    assert client.send(Transmit(payload, 1200, server.local_address)) is None
    assert receive(server, 5) == datagrams
    assert not client.gso
    assert client.error is None


def test_datagrams_that_are_too_large_for_the_path_do_not_end_segmentation(
    server: UdpSocket, client: UdpSocket, kernel: SocketStub
) -> None:
    client.gso = True
    kernel.error_for_bursts = errno.EMSGSIZE
    payload, datagrams = burst(3)
    assert client.send(Transmit(payload, 1200, server.local_address)) is None
    assert receive(server, 3) == datagrams
    assert client.gso


def test_a_burst_keeps_to_the_limits_of_the_kernel(server: UdpSocket, client: UdpSocket, kernel: SocketStub) -> None:
    client.gso = True
    payload, datagrams = burst(150, size=100)
    assert client.send(Transmit(payload, 100, server.local_address)) is None
    assert kernel.sent == [(6400, True), (6400, True), (2200, True)]
    assert receive(server, 150) == datagrams
    kernel.sent.clear()
    payload, datagrams = burst(9, size=8000)
    assert client.send(Transmit(payload, 8000, server.local_address)) is None
    assert kernel.sent == [(64000, True), (8000, False)]
    assert receive(server, 9) == datagrams


@pytest.mark.parametrize("gso", [True, False])
def test_what_a_full_socket_does_not_take_is_handed_back(
    server: UdpSocket, client: UdpSocket, kernel: SocketStub, gso: bool
) -> None:
    client.gso = gso
    payload, datagrams = burst(100)
    kernel.errors = [0, errno.EAGAIN]
    rest = client.send(Transmit(payload, 1200, server.local_address))
    assert rest is not None
    gone = 54 if gso else 1
    assert rest == Transmit(payload[gone * 1200 :], 1200, server.local_address)
    kernel.errors = [errno.EAGAIN]
    assert client.send(rest) == rest
    assert client.send(rest) is None
    assert receive(server, 100) == datagrams


def test_a_failed_datagram_counts_as_lost(server: UdpSocket, client: UdpSocket, kernel: SocketStub) -> None:
    kernel.errors = [errno.EPERM]
    assert client.send(Transmit(b"lost", 1200, server.local_address)) is None
    assert client.error is not None
    assert client.error.errno == errno.EPERM
    assert client.send(Transmit(b"arrives", 1200, server.local_address)) is None
    assert receive(server, 1) == [b"arrives"]


def test_a_closed_port_is_noticed() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as bound:
        bound.bind(LOCALHOST)
        address = bound.getsockname()
    client = UdpSocket.connect(socket.AF_INET, address)
    try:
        client.send(Transmit(b"?", 1200, address))
        assert select.select([client], [], [], PATIENCE)[0]
        assert client.receive() == []
        assert isinstance(client.error, ConnectionRefusedError)
    finally:
        client.close()


def test_the_error_of_an_earlier_datagram_does_not_swallow_the_next(
    server: UdpSocket, client: UdpSocket, kernel: SocketStub
) -> None:
    kernel.errors = [errno.ECONNREFUSED]
    assert client.send(Transmit(b"sent", 1200, server.local_address)) is None
    assert receive(server, 1) == [b"sent"]
    assert isinstance(client.error, ConnectionRefusedError)


def test_a_short_datagram_that_was_waited_for_is_taken_alone(server: UdpSocket, client: UdpSocket) -> None:
    """Its sender most likely had no more to say, and what comes nevertheless is not lost."""
    for datagram in b"0", b"1", b"2":
        client.send(Transmit(datagram, 1200, server.local_address))
    assert server.receive(caught=True) == [(client.local_address, [b"0"], 0)]
    assert server.receive() == [(client.local_address, [b"1", b"2"], 0)]


def test_a_full_datagram_that_was_waited_for_may_have_company(server: UdpSocket, client: UdpSocket) -> None:
    datagrams = [bytes([number]) * udp.SHORT for number in range(3)]
    for datagram in datagrams:
        client.send(Transmit(datagram, udp.SHORT, server.local_address))
    assert server.receive(caught=True) == [(client.local_address, datagrams, 0)]


def test_datagrams_are_grouped_by_source_and_the_batch_is_bounded(server: UdpSocket) -> None:
    clients = [UdpSocket.connect(socket.AF_INET, server.local_address) for _ in range(2)]
    try:
        for sock in clients:
            for number in range(3):
                sock.send(Transmit(b"%d" % number, 1200, server.local_address))
        assert server.receive() == [(sock.local_address, [b"0", b"1", b"2"], 0) for sock in clients]
        for _ in range(udp.MAX_RECEIVES + 1):
            clients[0].send(Transmit(b"x", 1200, server.local_address))
        # Datagrams that lie in the queue already are never put together by loopback.
        assert sum(len(datagrams) for _, datagrams, _ in server.receive()) == udp.MAX_RECEIVES
        assert receive(server, 1) == [b"x"]
    finally:
        for sock in clients:
            sock.close()


def test_dual_stack_and_ipv6() -> None:
    server = UdpSocket.bind(socket.AF_INET6, ("::", 0))
    port = server.local_address[1]
    clients = [
        UdpSocket.connect(socket.AF_INET, ("127.0.0.1", port)),
        UdpSocket.connect(socket.AF_INET6, ("::1", port)),
    ]
    try:
        for sock in clients:
            payload, datagrams = burst(10)
            assert sock.send(Transmit(payload, 1200, sock.remote_address)) is None
            assert select.select([server], [], [], PATIENCE)[0]
            [(source, received, _)] = server.receive()
            assert received == datagrams
            assert server.send(Transmit(payload, 1200, source)) is None
            assert receive(sock, 10) == datagrams
    finally:
        for sock in [server, *clients]:
            sock.close()


@pytest.mark.parametrize(
    ("family", "bound", "destination"),
    [
        (socket.AF_INET, "127.0.0.1", "127.0.0.1"),
        (socket.AF_INET6, "::1", "::1"),
        (socket.AF_INET6, "::", "127.0.0.1"),
        (socket.AF_INET6, "::", "::1"),
    ],
)
@pytest.mark.parametrize("count", [1, 5])
def test_the_ecn_field_goes_both_ways(family: int, bound: str, destination: str, count: int) -> None:
    """RFC 9000 §13.4: of single datagrams and of bursts, whatever the socket says by default."""
    server = UdpSocket.bind(family, (bound, 0))
    client_family = socket.AF_INET if "." in destination else socket.AF_INET6
    client = UdpSocket.connect(client_family, (destination, server.local_address[1]))
    payload, datagrams = burst(count)
    try:
        for ecn in (ECT_0, 0, ECT_0):
            assert client.send(Transmit(payload, 1200, client.remote_address, ecn)) is None
            assert select.select([server], [], [], PATIENCE)[0]
            [(source, received, mark)] = server.receive()
            assert (received, mark) == (datagrams, ecn)
            assert server.send(Transmit(payload, 1200, source, ecn)) is None
            assert select.select([client], [], [], PATIENCE)[0]
            [(_, received, mark)] = client.receive()
            assert (received, mark) == (datagrams, ecn)
    finally:
        client.close()
        server.close()


def test_a_datagram_too_large_for_the_interface_is_lost_and_nothing_else(server: UdpSocket, client: UdpSocket) -> None:
    """RFC 9000 §14.2: as a probe may be; the next one arrives, in a burst as well."""
    assert client.send(Transmit(bytes(65_520), 65_520, server.local_address)) is None
    assert client.error is None
    payload, datagrams = burst(5)
    assert client.send(Transmit(payload, 1200, server.local_address)) is None
    assert receive(server, 5) == datagrams


def test_different_marks_are_not_mixed_up(server: UdpSocket, client: UdpSocket) -> None:
    for ecn in (2, 2, 0, 2):
        assert client.send(Transmit(b"%d" % ecn, 1200, server.local_address, ecn)) is None
    assert [(datagrams, ecn) for _, datagrams, ecn in server.receive()] == [([b"2", b"2"], 2), ([b"0"], 0), ([b"2"], 2)]


@pytest.mark.parametrize(("family", "wildcard"), [(socket.AF_INET, "0.0.0.0"), (socket.AF_INET6, "::")])
def test_answers_come_from_the_address_that_was_asked(family: int, wildcard: str) -> None:
    """A host has many addresses, and a connected client drops what comes from another one."""
    server = UdpSocket.bind(family, (wildcard, 0))
    client = UdpSocket.connect(socket.AF_INET, ("127.0.0.53", server.local_address[1]))
    try:
        for count in (1, 5):
            payload, datagrams = burst(count)
            assert client.send(Transmit(payload, 1200, client.remote_address)) is None
            assert select.select([server], [], [], PATIENCE)[0]
            [(source, received, _)] = server.receive()
            assert received == datagrams
            assert server.send(Transmit(payload, 1200, source)) is None
            assert receive(client, count) == datagrams
    finally:
        server.close()
        client.close()


def test_an_address_in_use_is_an_os_error(server: UdpSocket) -> None:
    with pytest.raises(OSError, match="in use") as caught:
        UdpSocket.bind(socket.AF_INET, server.local_address)
    assert caught.value.errno == errno.EADDRINUSE


def test_a_kernel_without_segmentation_is_recognised(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(udp, "UDP_SEGMENT", 9999)
    monkeypatch.setattr(udp, "UDP_GRO", 9998)
    sock = UdpSocket.bind(socket.AF_INET, LOCALHOST)
    try:
        assert not sock.gso
        assert not sock.gro
    finally:
        sock.close()
