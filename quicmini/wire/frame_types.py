"""The frames as values, and their bytes (RFC 9000 §19, RFC 9221 §4). Import them from `quicmini.wire.frames`."""

from __future__ import annotations

from enum import IntEnum
from struct import Struct
from typing import NamedTuple

from quicmini.wire.varint import MAX_VARINT, encode_varint, varint_size

__all__ = [
    "MAX_STREAM_COUNT",
    "RESET_TOKEN_LENGTH",
    "Ack",
    "ConnectionClose",
    "Crypto",
    "DataBlocked",
    "Datagram",
    "EcnCounts",
    "Frame",
    "FrameType",
    "HandshakeDone",
    "MaxData",
    "MaxStreamData",
    "MaxStreams",
    "NewConnectionId",
    "NewToken",
    "Padding",
    "PathChallenge",
    "PathResponse",
    "Ping",
    "ResetStream",
    "RetireConnectionId",
    "StopSending",
    "Stream",
    "StreamDataBlocked",
    "StreamsBlocked",
    "encode_crypto_header",
    "encode_stream_header",
]


class FrameType(IntEnum):
    """The first value of each frame (RFC 9000 §12.4 Table 3). STREAM: the lowest of its eight."""

    PADDING = 0x00
    PING = 0x01
    ACK = 0x02
    ACK_ECN = 0x03
    RESET_STREAM = 0x04
    STOP_SENDING = 0x05
    CRYPTO = 0x06
    NEW_TOKEN = 0x07
    STREAM = 0x08
    MAX_DATA = 0x10
    MAX_STREAM_DATA = 0x11
    MAX_STREAMS_BIDI = 0x12
    MAX_STREAMS_UNI = 0x13
    DATA_BLOCKED = 0x14
    STREAM_DATA_BLOCKED = 0x15
    STREAMS_BLOCKED_BIDI = 0x16
    STREAMS_BLOCKED_UNI = 0x17
    NEW_CONNECTION_ID = 0x18
    RETIRE_CONNECTION_ID = 0x19
    PATH_CHALLENGE = 0x1A
    PATH_RESPONSE = 0x1B
    CONNECTION_CLOSE = 0x1C
    CONNECTION_CLOSE_APPLICATION = 0x1D
    HANDSHAKE_DONE = 0x1E
    DATAGRAM = 0x30
    DATAGRAM_WITH_LENGTH = 0x31


MAX_STREAM_COUNT = 2**60
"""Streams of one type that there can be: a stream ID is a 62-bit integer, two of its bits say the type (§4.6)."""

RESET_TOKEN_LENGTH = 16

# Flags in the frame type. Constants of the module: in Python 3.11, a member of an enumeration costs 0.1 µs to look up.
ACK_ECN = 0x01  # §19.3
STREAM_FIN, STREAM_LEN, STREAM_OFF = 0x01, 0x02, 0x04  # §19.8

_pack_offset4 = Struct(">BBIH").pack
_pack_offset8 = Struct(">BBQH").pack


def encode_stream_header(stream_id: int, offset: int, length: int, fin: bool, with_length: bool = True) -> bytes:
    """What stands before the data of a STREAM frame; at most 1 + 8 + 8 + 8 bytes (RFC 9000 §19.8).

    with_length=False: the data goes to the end of the packet, so the frame must be the last one.
    """
    # The packets of a bulk transfer, in one call instead of five: it is a third of the time, for each packet.
    if with_length and 0 <= stream_id < 0x40 and 0x40 <= length < 0x4000:
        if 0x4000 <= offset < 0x4000_0000:
            return _pack_offset4(0x0E | fin, stream_id, offset | 0x8000_0000, length | 0x4000)
        if 0x4000_0000 <= offset <= MAX_VARINT:
            return _pack_offset8(0x0E | fin, stream_id, offset | 0xC000_0000_0000_0000, length | 0x4000)
    frame_type = 0x08 | fin
    header = encode_varint(stream_id)
    if offset:
        frame_type |= STREAM_OFF
        header += encode_varint(offset)
    if with_length:
        frame_type |= STREAM_LEN
        header += encode_varint(length)
    return frame_type.to_bytes(1, "big") + header


def encode_crypto_header(offset: int, length: int) -> bytes:
    """What stands before the data of a CRYPTO frame (RFC 9000 §19.6)."""
    return b"\x06" + encode_varint(offset) + encode_varint(length)


def _encode(frame_type: int, *fields: int) -> bytes:
    """A frame of nothing but integers."""
    return b"".join(map(encode_varint, (frame_type, *fields)))


class Padding(NamedTuple):
    """RFC 9000 §19.1: a run of `length` PADDING frames, one byte each."""

    length: int = 1

    def encode(self) -> bytes:
        return bytes(self.length)


class Ping(NamedTuple):
    """RFC 9000 §19.2."""

    def encode(self) -> bytes:
        return b"\x01"


class EcnCounts(NamedTuple):
    """How many packets of the space came with each mark, in total (RFC 9000 §19.3.2)."""

    ect0: int
    ect1: int
    ce: int


class Ack(NamedTuple):
    """RFC 9000 §19.3.

    ranges: (smallest, largest), both included, from the largest numbers down, none touching the next. ack_delay: as
    on the wire, to be scaled by the sender's ack_delay_exponent.
    """

    ranges: tuple[tuple[int, int], ...]
    ack_delay: int
    ecn: EcnCounts | None = None

    def encode(self) -> bytes:
        smallest, largest = self.ranges[0]
        fields = [0x02 if self.ecn is None else 0x03, largest, self.ack_delay, len(self.ranges) - 1, largest - smallest]
        for low, high in self.ranges[1:]:
            fields += (smallest - high - 2, high - low)
            smallest = low
        return b"".join(map(encode_varint, fields if self.ecn is None else (*fields, *self.ecn)))


class ResetStream(NamedTuple):
    """RFC 9000 §19.4."""

    stream_id: int
    error_code: int
    final_size: int

    def encode(self) -> bytes:
        return _encode(FrameType.RESET_STREAM, *self)


class StopSending(NamedTuple):
    """RFC 9000 §19.5."""

    stream_id: int
    error_code: int

    def encode(self) -> bytes:
        return _encode(FrameType.STOP_SENDING, *self)


class Crypto(NamedTuple):
    """RFC 9000 §19.6."""

    offset: int
    data: bytes

    def encode(self) -> bytes:
        return encode_crypto_header(self.offset, len(self.data)) + self.data


class NewToken(NamedTuple):
    """RFC 9000 §19.7."""

    token: bytes

    def encode(self) -> bytes:
        return _encode(FrameType.NEW_TOKEN, len(self.token)) + self.token


class Stream(NamedTuple):
    """RFC 9000 §19.8."""

    stream_id: int
    offset: int
    data: bytes
    fin: bool = False

    def encode(self) -> bytes:
        return encode_stream_header(self.stream_id, self.offset, len(self.data), self.fin) + self.data


class MaxData(NamedTuple):
    """RFC 9000 §19.9."""

    maximum: int

    def encode(self) -> bytes:
        return _encode(FrameType.MAX_DATA, *self)


class MaxStreamData(NamedTuple):
    """RFC 9000 §19.10."""

    stream_id: int
    maximum: int

    def encode(self) -> bytes:
        return _encode(FrameType.MAX_STREAM_DATA, *self)


class MaxStreams(NamedTuple):
    """RFC 9000 §19.11."""

    maximum: int
    bidirectional: bool

    def encode(self) -> bytes:
        return _encode(FrameType.MAX_STREAMS_BIDI if self.bidirectional else FrameType.MAX_STREAMS_UNI, self.maximum)


class DataBlocked(NamedTuple):
    """RFC 9000 §19.12."""

    limit: int

    def encode(self) -> bytes:
        return _encode(FrameType.DATA_BLOCKED, *self)


class StreamDataBlocked(NamedTuple):
    """RFC 9000 §19.13."""

    stream_id: int
    limit: int

    def encode(self) -> bytes:
        return _encode(FrameType.STREAM_DATA_BLOCKED, *self)


class StreamsBlocked(NamedTuple):
    """RFC 9000 §19.14."""

    limit: int
    bidirectional: bool

    def encode(self) -> bytes:
        frame_type = FrameType.STREAMS_BLOCKED_BIDI if self.bidirectional else FrameType.STREAMS_BLOCKED_UNI
        return _encode(frame_type, self.limit)


class NewConnectionId(NamedTuple):
    """RFC 9000 §19.15."""

    sequence_number: int
    retire_prior_to: int
    connection_id: bytes
    stateless_reset_token: bytes

    def encode(self) -> bytes:
        number, retire_prior_to, cid, token = self
        return b"\x18%b%b%c%b%b" % (encode_varint(number), encode_varint(retire_prior_to), len(cid), cid, token)


class RetireConnectionId(NamedTuple):
    """RFC 9000 §19.16."""

    sequence_number: int

    def encode(self) -> bytes:
        return _encode(FrameType.RETIRE_CONNECTION_ID, *self)


class PathChallenge(NamedTuple):
    """RFC 9000 §19.17: eight bytes that only this path's far end can know."""

    data: bytes

    def encode(self) -> bytes:
        return b"\x1a" + self.data


class PathResponse(NamedTuple):
    """RFC 9000 §19.18: the eight bytes of a PATH_CHALLENGE."""

    data: bytes

    def encode(self) -> bytes:
        return b"\x1b" + self.data


class ConnectionClose(NamedTuple):
    """RFC 9000 §19.19. frame_type: the frame that caused a transport error, 0: unknown; None: the application closes.

    A reason that is not UTF-8 is read with replacement characters: it is text for people only.
    """

    error_code: int
    frame_type: int | None
    reason: str = ""

    def encode(self) -> bytes:
        reason = self.reason.encode()
        if self.frame_type is None:
            head = _encode(FrameType.CONNECTION_CLOSE_APPLICATION, self.error_code, len(reason))
        else:
            head = _encode(FrameType.CONNECTION_CLOSE, self.error_code, self.frame_type, len(reason))
        return head + reason


class HandshakeDone(NamedTuple):
    """RFC 9000 §19.20."""

    def encode(self) -> bytes:
        return b"\x1e"


class Datagram(NamedTuple):
    """RFC 9221 §4: unreliable application data, with its length (0x31) or up to the end of the packet (0x30)."""

    data: bytes
    with_length: bool = True

    def encode(self) -> bytes:
        if not self.with_length:
            return _encode(FrameType.DATAGRAM) + self.data
        return _encode(FrameType.DATAGRAM_WITH_LENGTH, len(self.data)) + self.data

    @property
    def size(self) -> int:
        """Bytes of the whole frame: what max_datagram_frame_size limits (RFC 9221 §3)."""
        return 1 + (varint_size(len(self.data)) if self.with_length else 0) + len(self.data)


Frame = (
    Padding
    | Ping
    | Ack
    | ResetStream
    | StopSending
    | Crypto
    | NewToken
    | Stream
    | MaxData
    | MaxStreamData
    | MaxStreams
    | DataBlocked
    | StreamDataBlocked
    | StreamsBlocked
    | NewConnectionId
    | RetireConnectionId
    | PathChallenge
    | PathResponse
    | ConnectionClose
    | HandshakeDone
    | Datagram
)
