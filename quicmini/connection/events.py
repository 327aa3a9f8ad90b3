"""What a connection tells the layer above, in the order in which it happened."""

from __future__ import annotations

from typing import NamedTuple

from quicmini.connection.state import Address
from quicmini.errors import ConnectionClosed
from quicmini.streams.events import (
    StreamFinished,
    StreamOpened,
    StreamReadable,
    StreamsAvailable,
    StreamWritable,
)

__all__ = [
    "ConnectionTerminated",
    "DatagramReceived",
    "Event",
    "HandshakeCompleted",
    "HandshakeConfirmed",
    "NewTokenReceived",
    "PathChanged",
    "PathClosed",
    "PathFailed",
    "StreamFinished",
    "StreamOpened",
    "StreamReadable",
    "StreamWritable",
    "StreamsAvailable",
]


class HandshakeCompleted(NamedTuple):
    """TLS is done: the peer is who it should be, and streams may be opened (RFC 9001 §4.1.1)."""

    alpn_protocol: str | None


class NewTokenReceived(NamedTuple):
    """A server's token for one later connection to it, with this version of QUIC (RFC 9000 §8.1.3, RFC 9369 §5)."""

    token: bytes
    version: int


class DatagramReceived(NamedTuple):
    """A message came in a DATAGRAM frame, and there was none before that waits to be read (RFC 9221)."""


class HandshakeConfirmed(NamedTuple):
    """Client: the server is known to have completed the handshake (RFC 9001 §4.1.2)."""


class PathChanged(NamedTuple):
    """Packets take another path from now on (RFC 9000 §9). local: this side's socket, as in `Connection.migrate`."""

    local: object
    remote: Address


class PathFailed(NamedTuple):
    """The server did not answer on the path to which `Connection.migrate` was to lead (RFC 9000 §8.2.4)."""

    local: object
    remote: Address


class PathClosed(NamedTuple):
    """Nothing will be sent or expected on a path any more."""

    local: object
    remote: Address


class ConnectionTerminated(NamedTuple):
    """The connection is over for the application; posted once, when closing or draining begins."""

    error: ConnectionClosed


Event = (
    HandshakeCompleted
    | NewTokenReceived
    | ConnectionTerminated
    | DatagramReceived
    | HandshakeConfirmed
    | PathChanged
    | PathFailed
    | PathClosed
    | StreamOpened
    | StreamReadable
    | StreamWritable
    | StreamFinished
    | StreamsAvailable
)
