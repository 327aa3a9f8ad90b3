"""What records a connection, put where it hears of everything: around the socket, and beside the key log.

Without `Config.capture` nothing here is on a datagram's way.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import lru_cache
from typing import ClassVar

from quicmini.config import Capture, Config, Keylog
from quicmini.connection.state import Address
from quicmini.sync.clock import stamp
from quicmini.sync.controls import local_address
from quicmini.sync.udp import UdpSocket

__all__ = ["RecordedSocket", "from_environment", "recorded", "socket_type"]


def _unchanged(config: Config) -> Config:
    return config


# Adds what the environment asks for, at each call of `connect` and `listen`. The package sets it: what reads the
# environment stands above this floor.
from_environment: Callable[[Config], Config] = _unchanged


def recorded(config: Config, *, is_client: bool) -> Config:
    """The settings of a connection or a listener, with the recording that the environment asks for, and with the
    secrets told to the capture. Raises TypeError if they are none."""
    if not isinstance(config, Config):
        raise TypeError(f"config must be a Config (got {config!r})")
    config = from_environment(config)
    if config.capture is None:
        return config
    return replace(config, keylog=_both(config.keylog, config.capture.keylog(is_client=is_client)))


def _both(first: Keylog | None, second: Keylog) -> Keylog:
    if first is None:
        return second

    def tell(label: str, client_random: bytes, secret: bytes) -> None:
        first(label, client_random, secret)
        second(label, client_random, secret)

    return tell


class RecordedSocket(UdpSocket):
    """Tells what it sends and receives."""

    capture: ClassVar[Capture]

    def receive(self, caught: bool = False) -> list[tuple[Address, list[bytes], int]]:
        batch = super().receive(caught)
        time = stamp()
        for source, datagrams, ecn in batch:
            local, remote = _ends(self.local_address, source)
            self.capture.add(time, datagrams, remote, local, ecn, is_sent=False)
        return batch

    def _sendmsg(self, piece: bytes, segment_size: int, destination: Address, ecn: int) -> None:
        time = stamp()  # before the answer's
        super()._sendmsg(piece, segment_size, destination, ecn)
        datagrams = [piece[start : start + segment_size] for start in range(0, len(piece), segment_size)]
        local, remote = _ends(self.local_address, destination)
        self.capture.add(time, datagrams, local, remote, ecn, is_sent=True)


def socket_type(capture: Capture | None) -> type[UdpSocket]:
    """The class of the sockets to be made: another connection's datagrams may go elsewhere, or nowhere."""
    if capture is None:
        return UdpSocket
    return type("RecordedSocket", (RecordedSocket,), {"capture": capture})


@lru_cache(maxsize=1024)
def _ends(local: Address, remote: Address) -> tuple[tuple[str, int], tuple[str, int]]:
    """This side's address and the peer's, for people; of a socket that is bound to all addresses, the one in use."""
    host, port = local[:2]
    if type(remote[-1]) is tuple:
        host = local_address(remote[-1])
    return (_plain(host), port), (_plain(remote[0]), remote[1])


def _plain(host: str) -> str:
    """An IPv4 address as it is on the wire, where a socket that speaks both has made an IPv6 address of it."""
    return host.removeprefix("::ffff:") if "." in host else host
