"""How much memory a peer can make one connection hold: every cap that counts, and their sum.

What is counted is what lies here until the peer or the application does something about it. What is in flight costs a
record for each packet beside it, which the congestion window bounds. Objects are counted with what CPython needs.
`python -m quicmini bounds` prints the list.
"""

from __future__ import annotations

from quicmini.config import Config
from quicmini.connection.cids import (
    ACTIVE_CONNECTION_ID_LIMIT,
    MAX_GIVEN_UP,
    MAX_ISSUED_CIDS,
    MAX_PENDING_RETIREMENTS,
)
from quicmini.connection.crypto_stream import CRYPTO_BUFFER_SIZE
from quicmini.connection.datagrams import MAX_QUEUED_DATAGRAMS, MAX_RECEIVED_BYTES, MAX_RECEIVED_DATAGRAMS
from quicmini.connection.first_flight import MAX_TOKEN_LENGTH
from quicmini.connection.frame_handlers import MAX_TOKENS
from quicmini.connection.migration import MAX_PATHS, MAX_REMEMBERED_CHALLENGES
from quicmini.connection.paths import MAX_QUEUED_PATH_RESPONSES
from quicmini.connection.receive import MAX_UNDECRYPTABLE
from quicmini.recovery.acks import MAX_ACK_RANGES
from quicmini.recovery.sent import MAX_ACK_ONLY
from quicmini.streams.context import MIN_STREAM_BUFFER
from quicmini.streams.limits import MAX_OWN_STREAMS
from quicmini.streams.reassembly import MAX_FRAGMENTS, MAX_FRAGMENTS_TOGETHER
from quicmini.tls.handshake import MAX_MESSAGE_SIZE

__all__ = ["bytes_for_each_connection", "held"]

# Bytes of objects in CPython, with what refers to them, rounded up.
RANGE = 96  # two integers in two lists
SMALL_OBJECT = 256  # a frame or an ID that waits, with its bytes
PACKET = 384  # what was sent in it
PATH = 4096  # with what was measured on it
STREAM = 2560  # both parts, with their buffers
FIXED = 128 * 1024  # the connection itself: keys, TLS, recovery

MAX_DATAGRAM = 65_535  # bytes of UDP payload, at most

# Small pieces of a stream are joined, and buffers grow in steps: what that costs at most, in eighths of the data.
SLACK = 2


def held(config: Config) -> dict[str, int]:
    """What a connection with these settings may have to hold: bytes, by what they are."""
    streams = config.max_streams_bidi + config.max_streams_uni
    own_streams = 2 * MAX_OWN_STREAMS
    own_data = config.send_buffer_total + (own_streams + config.max_streams_bidi) * MIN_STREAM_BUFFER
    ids = ACTIVE_CONNECTION_ID_LIMIT + MAX_PENDING_RETIREMENTS + MAX_ISSUED_CIDS + MAX_GIVEN_UP
    return {
        "the connection": FIXED,
        "streams that the peer opened": streams * STREAM,
        "streams that this side opened": own_streams * STREAM,
        "stream data that was not read": config.max_data + config.max_data * SLACK // 8,
        "pieces of it behind gaps": MAX_FRAGMENTS_TOGETHER * RANGE,
        "stream data that was not acknowledged": own_data,
        "datagrams that were not read": MAX_RECEIVED_BYTES + MAX_RECEIVED_DATAGRAMS * SMALL_OBJECT,
        "datagrams that wait for a packet": MAX_QUEUED_DATAGRAMS * MAX_DATAGRAM,
        "handshake data": 3 * (CRYPTO_BUFFER_SIZE + MAX_FRAGMENTS * RANGE) + MAX_MESSAGE_SIZE,
        # Each came in a TLS message: certificates, the newest ticket, and the transport parameters that it remembers.
        "the session": 3 * MAX_MESSAGE_SIZE,
        "packets before their keys": MAX_UNDECRYPTABLE * MAX_DATAGRAM,
        "packet numbers": 3 * MAX_ACK_RANGES * RANGE,
        "packets that nobody need acknowledge": 3 * MAX_ACK_ONLY * PACKET,
        "connection IDs": ids * SMALL_OBJECT,
        "marks of early data": streams * RANGE if config.early_data else 0,
        "paths": MAX_PATHS * (PATH + MAX_QUEUED_PATH_RESPONSES * SMALL_OBJECT),
        "path challenges": MAX_REMEMBERED_CHALLENGES * SMALL_OBJECT,
        "tokens": MAX_TOKENS * (MAX_TOKEN_LENGTH + SMALL_OBJECT),
    }


def bytes_for_each_connection(config: Config) -> int:
    """The sum: with the default settings about 71 MiB, most of it stream data that the peer does not acknowledge."""
    return sum(held(config).values())
