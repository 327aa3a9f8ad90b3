"""QUIC v1 and v2 (RFC 9000, 9001, 9002, 9369) from scratch, with a blocking API.

with quicmini.connect(("example.net", 4433), alpn_protocols=["echo"]) as connection:
    with connection.open_stream() as stream:
        stream.sendall(b"hello", end_stream=True)
        print(stream.recv(1024))

with quicmini.listen(("", 4433), alpn_protocols=["echo"], certfile="cert.pem", keyfile="key.pem") as listener:
    for connection in listener:
        ...  # usually in a thread of its own
"""

from quicmini import loading as loading  # before everything else, which takes a while
from quicmini.config import Config
from quicmini.errors import (
    ApplicationError,
    ConnectionClosed,
    ConnectionClosedOK,
    HandshakeError,
    IdleTimeoutError,
    MigrationError,
    QuicError,
    StatelessResetError,
    StreamReset,
    StreamStopped,
    TransportError,
    TransportErrorCode,
    VersionNegotiationError,
)
from quicmini.observe import environment
from quicmini.sync import recording
from quicmini.sync.client import connect
from quicmini.sync.connection import Connection
from quicmini.sync.listener import Listener, listen
from quicmini.sync.stream import Stream
from quicmini.tls.pins import key_fingerprint
from quicmini.tls.session import Session

__all__ = [
    "ApplicationError",
    "Config",
    "Connection",
    "ConnectionClosed",
    "ConnectionClosedOK",
    "HandshakeError",
    "IdleTimeoutError",
    "Listener",
    "MigrationError",
    "QuicError",
    "Session",
    "StatelessResetError",
    "Stream",
    "StreamReset",
    "StreamStopped",
    "TransportError",
    "TransportErrorCode",
    "VersionNegotiationError",
    "connect",
    "key_fingerprint",
    "listen",
]

recording.from_environment = environment.complete
