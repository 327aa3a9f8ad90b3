"""A NAT before the client: the address that the server sees, which may change without anybody being told."""

from __future__ import annotations

from dataclasses import replace

from tests.simulator.network import Address, Datagram, Node, Sink

__all__ = ["Nat"]


class Nat:
    """Gives what comes out of a private address a public one, and leads back what is sent to that public address.

    `outward` and `inward` are its two sides. After `rebind` datagrams to earlier public addresses come to nothing.
    """

    def __init__(self, private: Address, public: Address, dropped: Sink) -> None:
        self._private = private
        self.public = public
        self._earlier: set[Address] = set()
        self.rebindings = 0
        self.outward: Node = _Outward(self)
        self.inward: Node = _Inward(self, dropped)

    def rebind(self, *, new_host: bool) -> None:
        """From now on another port stands for the private address; or another host, too."""
        self.rebindings += 1
        self._earlier.add(self.public)
        host, port = self.public
        self.public = (f"{self._private[0]} {self.rebindings}" if new_host else host, port + 1)

    def leads_out(self, datagram: Datagram) -> Datagram:
        """The datagram as the world sees it; only the private address has another one there."""
        return replace(datagram, source=self.public) if datagram.source == self._private else datagram

    def leads_back(self, datagram: Datagram) -> Datagram | None:
        """The datagram for the private address; None if its destination does not stand for it any more."""
        if datagram.destination in self._earlier:
            return None
        return replace(datagram, destination=self._private) if datagram.destination == self.public else datagram


class _Outward(Node):
    def __init__(self, nat: Nat) -> None:
        super().__init__()
        self._nat = nat

    def receive(self, datagram: Datagram) -> None:
        self.pass_on(self._nat.leads_out(datagram))


class _Inward(Node):
    def __init__(self, nat: Nat, dropped: Sink) -> None:
        super().__init__()
        self._nat = nat
        self._dropped = dropped

    def receive(self, datagram: Datagram) -> None:
        inside = self._nat.leads_back(datagram)
        if inside is None:
            self._dropped(datagram)
        else:
            self.pass_on(inside)
