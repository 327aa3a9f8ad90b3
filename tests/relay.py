"""A UDP relay that loses, duplicates and reorders: a bad network between two real processes.

    with Relay(server.address, loss=0.05, seed=7) as relay:
        connect(relay.address, ...)

Decisions are drawn from the seed, one generator for each direction, so that the fate of the n-th datagram of a
direction depends on nothing else. (When datagrams come is up to the operating system: a run through real sockets is
never quite the same twice; for that there is `tests.simulator`.)
"""

from __future__ import annotations

import random
import selectors
import socket
import threading
from collections import Counter
from dataclasses import dataclass, field

__all__ = ["Relay"]

Address = tuple[str, int]

_BUFFER_SIZE = 4 * 1024 * 1024  # bytes: the relay loses what it chooses to, not what the kernel drops
_DATAGRAM = 65535


@dataclass
class _Direction:
    """What happens to the datagrams of one direction."""

    loss: float
    duplicate: float
    reorder: float
    choose: random.Random
    counts: Counter[str] = field(default_factory=Counter)
    held: tuple[bytes, socket.socket, Address] | None = None

    def forward(self, datagram: bytes, out: socket.socket, to: Address) -> None:
        lost, twice, held = (self.choose.random() for _ in range(3))
        if lost < self.loss:
            self.counts["lost"] += 1
            return
        if held < self.reorder and self.held is None:
            self.counts["reordered"] += 1
            self.held = (datagram, out, to)
            return
        copies = 2 if twice < self.duplicate else 1
        self.counts["duplicated"] += copies - 1
        for _ in range(copies):
            self._send(datagram, out, to)
        self.release()

    def release(self) -> None:
        """Send the datagram that was held back to come after its successor."""
        if self.held is not None:
            held, self.held = self.held, None
            self._send(*held)

    def _send(self, datagram: bytes, out: socket.socket, to: Address) -> None:
        try:
            out.sendto(datagram, to)
            self.counts["forwarded"] += 1
        except OSError:
            self.counts["refused"] += 1


class Relay:
    """Forwards datagrams between clients and `target` and back; each client has a socket of its own towards the target.

    loss, duplicate, reorder: probabilities from 0 to 1, for each datagram in each direction. A reordered datagram is
    sent after the one that follows it (or after 20 ms, when none does). A context manager; the thread and all sockets
    end with it. `counts` says what happened; `repr()` names the seed.
    """

    def __init__(
        self,
        target: tuple[str, int],
        *,
        loss: float = 0.0,
        duplicate: float = 0.0,
        reorder: float = 0.0,
        seed: int = 0,
    ) -> None:
        self.target: Address = (target[0], target[1])
        self.settings = {"loss": loss, "duplicate": duplicate, "reorder": reorder}
        self.seed = seed
        self._up = _Direction(loss, duplicate, reorder, random.Random(f"{seed} up"))
        self._down = _Direction(loss, duplicate, reorder, random.Random(f"{seed} down"))
        self._family = socket.AF_INET6 if ":" in self.target[0] else socket.AF_INET
        self._listening = self._socket()
        self._listening.bind(("::1" if self._family == socket.AF_INET6 else "127.0.0.1", 0))
        self._upstream: dict[Address, socket.socket] = {}
        self._selector = selectors.DefaultSelector()
        self._wake, self._woken = socket.socketpair()
        self._thread = threading.Thread(target=self._run, name="relay", daemon=True)

    @property
    def address(self) -> Address:
        """Where clients connect to."""
        name = self._listening.getsockname()
        return name[0], name[1]

    @property
    def counts(self) -> dict[str, int]:
        """How many datagrams of both directions were forwarded, lost, duplicated, reordered, refused."""
        return dict(self._up.counts + self._down.counts)

    def __repr__(self) -> str:
        settings = ", ".join(f"{name}={value}" for name, value in self.settings.items() if value)
        return f"Relay({self.target}, {settings}, seed={self.seed}): {self.counts}"

    def __enter__(self) -> Relay:
        self._selector.register(self._listening, selectors.EVENT_READ)
        self._selector.register(self._woken, selectors.EVENT_READ)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._wake.send(b"x")
        self._thread.join()
        self._selector.close()
        for each in (self._listening, self._wake, self._woken, *self._upstream.values()):
            each.close()

    def _socket(self) -> socket.socket:
        udp = socket.socket(self._family, socket.SOCK_DGRAM)
        udp.setblocking(False)
        for option in (socket.SO_RCVBUF, socket.SO_SNDBUF):
            udp.setsockopt(socket.SOL_SOCKET, option, _BUFFER_SIZE)
        return udp

    def _run(self) -> None:
        while True:
            ready = self._selector.select(0.02)
            if not ready:
                self._up.release()
                self._down.release()
            for key, _ in ready:
                if key.fileobj is self._woken:
                    return
                self._drain(key)

    def _drain(self, key: selectors.SelectorKey) -> None:
        """Forward what has arrived on one socket, a bounded burst so that no direction starves."""
        source = key.fileobj
        assert isinstance(source, socket.socket)
        for _ in range(64):
            try:
                datagram, sender = source.recvfrom(_DATAGRAM)
            except BlockingIOError:
                return
            except OSError:  # the target's port is closed: ICMP says so on the next call
                continue
            if key.data is None:
                self._up.forward(datagram, self._upstream_socket((sender[0], sender[1])), self.target)
            else:
                self._down.forward(datagram, self._listening, key.data)

    def _upstream_socket(self, client: Address) -> socket.socket:
        known = self._upstream.get(client)
        if known is None:
            known = self._upstream[client] = self._socket()
            self._selector.register(known, selectors.EVENT_READ, data=client)
        return known
