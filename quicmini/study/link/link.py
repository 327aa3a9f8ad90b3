"""A UDP link between real processes on this machine: it delays, limits, loses, corrupts, rebinds, and sees everything.

    with Link(server.address, Scenario(delay=0.015)) as link:
        connect(link.address, ...)
    link.captured

Clients talk to `link.address`. Towards the server each of them has a socket of its own, with the IP address that the
client itself has, and with another after a rebinding. ECN marks travel along. When datagrams come is up to the
operating system, so that no two runs are the same; what happens to the n-th of a direction comes from the seed.
"""

from __future__ import annotations

import heapq
import itertools
import selectors
import socket
import struct
import threading
from dataclasses import dataclass
from time import monotonic

from quicmini.study.link.scenario import Bottleneck, Fate, Scenario

__all__ = ["Address", "Captured", "Link"]

Address = tuple[str, int]

_BUFFER_SIZE = 4 * 1024 * 1024  # bytes: the link loses what it chooses to, not what the kernel drops
_DATAGRAM = 65535
_BURST = 64  # datagrams read from one socket before the next has its turn
_END, _RESUME = b"x", b"r"  # what its thread is told
_ECN = 0x03  # the bits of the IP header's traffic class (RFC 3168 §5)


@dataclass(frozen=True)
class Captured:
    """A datagram as its sender sent it. Times in seconds since the link began.

    source, destination: the addresses that the sender knows. path: what the server takes for the client's address.
    arrival: when the receiver gets it, None: never. corrupted: whether it arrived changed.
    """

    time: float
    to_server: bool
    source: Address
    destination: Address
    path: Address
    datagram: bytes
    ecn: int
    arrival: float | None
    corrupted: bool


@dataclass
class _Loss:
    """A datagram that somebody wants to be lost: see `Link.lose`."""

    to_server: bool
    at_least: int
    after: int


class _Flow:
    """A client's address, as it sees it and as the server does.

    front: the socket that the client talks to. back: the one that talks to the server. forgotten: after a rebinding
    nothing reaches the client this way any more; what was on its way to the server still arrives.
    """

    def __init__(self, front: socket.socket, client: Address, back: socket.socket) -> None:
        self.front = front
        self.client = client
        self.back = back
        self.path = _address(back)
        self.forgotten = False


class Link:
    """Forwards datagrams between clients and the server at `target`. A context manager: the thread ends with it.

    target may be set later, before the first client comes: a server may have to know the link's addresses first.
    alternative_address: a second one that leads to the same server, for a server that has a preferred address.
    captured: what was sent in both directions, in order.
    """

    def __init__(self, target: Address, scenario: Scenario) -> None:
        self.target = target
        self.captured: list[Captured] = []
        self._scenario = scenario
        self._family = socket.AF_INET6 if ":" in target[0] else socket.AF_INET
        self._up = Bottleneck(scenario, to_server=True)
        self._down = Bottleneck(scenario, to_server=False)
        host = "::1" if self._family == socket.AF_INET6 else "127.0.0.1"
        self._fronts = [self._socket(host) for _ in range(2)]
        self.address, self.alternative_address = (_address(front) for front in self._fronts)
        self._flows: dict[tuple[socket.socket, Address], _Flow] = {}
        self._backs: list[socket.socket] = []
        self._under_way: list[tuple[float, int, bytes, int, socket.socket, Address]] = []
        self._sequence = itertools.count()
        self._hosts = itertools.count(2)  # the last byte of the next client address after a rebinding
        self._began: float | None = None
        self._next_rebinding = scenario.first_rebinding
        self._wanted: list[_Loss] = []
        self._paused = False
        self._selector = selectors.DefaultSelector()
        self._wake, self._woken = socket.socketpair()
        self._thread = threading.Thread(target=self._run, name="link", daemon=True)

    def __enter__(self) -> Link:
        for front in self._fronts:
            self._selector.register(front, selectors.EVENT_READ)
        self._selector.register(self._woken, selectors.EVENT_READ)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._wake.send(_END)
        self._thread.join()
        self._selector.close()
        for each in (*self._fronts, self._wake, self._woken, *self._backs):
            each.close()

    def lose(self, *, to_server: bool, at_least: int = 0, after: int = 0) -> None:
        """Lose one of the datagrams that are yet to come: the first of `at_least` bytes, after so many that pass."""
        self._wanted.append(_Loss(to_server, at_least, after))

    def pause(self) -> None:
        """Deliver nothing until `resume`; what is sent waits."""
        self._paused = True

    def resume(self) -> None:
        """Deliver what has waited."""
        self._paused = False
        self._wake.send(_RESUME)

    def _is_wanted(self, datagram: bytes, *, to_server: bool) -> bool:
        for loss in self._wanted:
            if loss.to_server == to_server and len(datagram) >= loss.at_least:
                loss.after -= 1
                if loss.after < 0:
                    self._wanted.remove(loss)
                    return True
        return False

    def _socket(self, host: str) -> socket.socket:
        udp = socket.socket(self._family, socket.SOCK_DGRAM)
        udp.setblocking(False)
        for option in (socket.SO_RCVBUF, socket.SO_SNDBUF):
            udp.setsockopt(socket.SOL_SOCKET, option, _BUFFER_SIZE)
        if self._family == socket.AF_INET6:
            udp.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_RECVTCLASS, 1)
        else:
            udp.setsockopt(socket.IPPROTO_IP, socket.IP_RECVTOS, 1)
        udp.bind((host, 0))
        return udp

    def _now(self) -> float:
        """Seconds since the first datagram."""
        if self._began is None:
            self._began = monotonic()
        return monotonic() - self._began

    def _run(self) -> None:
        while True:
            waits = self._paused or not self._under_way
            timeout = None if waits else max(0.0, self._under_way[0][0] - self._now())
            ready = self._selector.select(timeout)
            self._rebind(self._now())  # first: a NAT forgets while nothing comes
            for key, _ in ready:
                assert isinstance(key.fileobj, socket.socket)
                if key.fileobj is not self._woken:
                    self._drain(key.fileobj, key.data)
                elif self._woken.recv(1) == _END:
                    return
            self._deliver()

    def _drain(self, udp: socket.socket, flow: _Flow | None) -> None:
        """Take in what has arrived at one socket; flow: None at those that clients talk to."""
        for _ in range(_BURST):
            try:
                datagram, ancillary, _, sender = udp.recvmsg(_DATAGRAM, socket.CMSG_SPACE(4))
            except BlockingIOError:
                return
            now, ecn = self._now(), _ecn_of(ancillary)
            if flow is None:
                self._upwards(datagram, ecn, udp, (sender[0], sender[1]), now)
            else:
                self._downwards(datagram, ecn, flow, now)

    def _upwards(self, datagram: bytes, ecn: int, front: socket.socket, client: Address, now: float) -> None:
        flow = self._flows.get((front, client))
        if flow is None:
            flow = self._open_flow(front, client, client[0])
        lost = self._is_wanted(datagram, to_server=True)
        fate = Fate(None, datagram) if lost else self._up.send(datagram, now)
        self._capture(datagram, ecn, fate, now, (client, _address(front)), flow.path, to_server=True)
        self._put_under_way(fate, ecn, flow.back, self.target)

    def _downwards(self, datagram: bytes, ecn: int, flow: _Flow, now: float) -> None:
        lost = flow.forgotten or self._is_wanted(datagram, to_server=False)
        fate = Fate(None, datagram) if lost else self._down.send(datagram, now)
        self._capture(datagram, ecn, fate, now, (self.target, flow.path), flow.path, to_server=False)
        self._put_under_way(fate, ecn, flow.front, flow.client)

    def _capture(
        self,
        datagram: bytes,
        ecn: int,
        fate: Fate,
        now: float,
        ends: tuple[Address, Address],
        path: Address,
        *,
        to_server: bool,
    ) -> None:
        corrupted = fate.datagram != datagram
        self.captured.append(Captured(now, to_server, *ends, path, datagram, ecn, fate.arrival, corrupted))

    def _put_under_way(self, fate: Fate, ecn: int, out: socket.socket, to: Address) -> None:
        if fate.arrival is not None:
            heapq.heappush(self._under_way, (fate.arrival, next(self._sequence), fate.datagram, ecn, out, to))

    def _deliver(self) -> None:
        """Hand over what has travelled long enough."""
        now = self._now()
        while self._under_way and self._under_way[0][0] <= now and not self._paused:
            _, _, datagram, ecn, out, to = heapq.heappop(self._under_way)
            try:
                out.sendmsg([datagram], self._ecn_message(ecn), 0, to)
            except OSError:  # the receiver has gone, or the address was given up by a rebinding
                pass

    def _ecn_message(self, ecn: int) -> list[tuple[int, int, bytes]]:
        if not ecn:
            return []
        if self._family == socket.AF_INET6:
            return [(socket.IPPROTO_IPV6, socket.IPV6_TCLASS, struct.pack("i", ecn))]
        return [(socket.IPPROTO_IP, socket.IP_TOS, struct.pack("i", ecn))]

    def _open_flow(self, front: socket.socket, client: Address, host: str) -> _Flow:
        flow = self._flows[front, client] = _Flow(front, client, self._socket(host))
        self._backs.append(flow.back)
        self._selector.register(flow.back, selectors.EVENT_READ, data=flow)
        return flow

    def _rebind(self, now: float) -> None:
        """Give every client a new address towards the server, when it is time."""
        if self._next_rebinding is None or now < self._next_rebinding:
            return
        while self._next_rebinding <= now:  # once, however long nothing has happened
            self._next_rebinding += self._scenario.rebinding_interval
        host = f"127.0.0.{next(self._hosts)}" if self._scenario.rebind_address else None
        for flow in list(self._flows.values()):
            flow.forgotten = True
            self._open_flow(flow.front, flow.client, host or flow.client[0])


def _address(udp: socket.socket) -> Address:
    name = udp.getsockname()
    return name[0], name[1]


def _ecn_of(ancillary: list[tuple[int, int, bytes]]) -> int:
    """The ECN bits of a datagram that was received: one byte in IPv4, an int in IPv6."""
    for level, kind, value in ancillary:
        if (level, kind) in ((socket.IPPROTO_IP, socket.IP_TOS), (socket.IPPROTO_IPV6, socket.IPV6_TCLASS)):
            return value[0] & _ECN
    return 0
