"""From bytes to frames: one parser for each kind (RFC 9000 §19). Import them from `quicmini.wire.frames`.

Each is called with the packet's payload, the position *after* the frame type, and the frame type; it returns the
frame and the position after it. What is malformed raises TransportError FRAME_ENCODING_ERROR. STREAM and ACK come
with nearly every packet: their integers of the usual sizes are read in place, which saves a call for each.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Callable
from functools import wraps
from typing import TypeVar

from quicmini.errors import DecodeError, TransportError, TransportErrorCode
from quicmini.wire.frame_types import (
    ACK_ECN,
    MAX_STREAM_COUNT,
    RESET_TOKEN_LENGTH,
    STREAM_FIN,
    STREAM_LEN,
    STREAM_OFF,
    Ack,
    ConnectionClose,
    Crypto,
    DataBlocked,
    Datagram,
    EcnCounts,
    Frame,
    FrameType,
    HandshakeDone,
    MaxData,
    MaxStreamData,
    MaxStreams,
    NewConnectionId,
    NewToken,
    Padding,
    PathChallenge,
    PathResponse,
    Ping,
    ResetStream,
    RetireConnectionId,
    StopSending,
    Stream,
    StreamDataBlocked,
    StreamsBlocked,
)
from quicmini.wire.packet import MAX_CID_LENGTH
from quicmini.wire.varint import MAX_VARINT, decode_varint

PATH_DATA_LENGTH = 8

_F = TypeVar("_F", bound=Frame)
Parser = Callable[[bytes, int, int], tuple[_F, int]]

_read_uint32 = struct.Struct(">I").unpack_from
_new_tuple = tuple.__new__  # what a NamedTuple's own constructor calls: 0.15 µs less
_zeros = re.compile(rb"\x00*")


def malformed(frame_type: int, reason: str) -> TransportError:
    """The error for a frame that is not what its format says (RFC 9000 §20.1)."""
    return TransportError(TransportErrorCode.FRAME_ENCODING_ERROR, reason, frame_type)


def _parser(parse: Parser[_F]) -> Parser[_F]:
    """Turn what the readers below say about the bytes into the error that names the frame."""

    @wraps(parse)
    def parse_or_refuse(payload: bytes, pos: int, frame_type: int) -> tuple[_F, int]:
        try:
            return parse(payload, pos, frame_type)
        except DecodeError as error:
            raise malformed(frame_type, str(error)) from None

    return parse_or_refuse


def _read_varints(payload: bytes, pos: int, count: int) -> tuple[list[int], int]:
    values = []
    for _ in range(count):
        value, pos = decode_varint(payload, pos)
        values.append(value)
    return values, pos


def _read_bytes(payload: bytes, pos: int, length: int) -> tuple[bytes, int]:
    end = pos + length
    if end > len(payload):
        raise DecodeError("the frame is longer than the packet")
    return payload[pos:end], end


def _read_with_length(payload: bytes, pos: int) -> tuple[bytes, int]:
    length, pos = decode_varint(payload, pos)
    return _read_bytes(payload, pos, length)


def parse_padding(payload: bytes, pos: int, frame_type: int) -> tuple[Padding, int]:
    """The whole run in one step: a packet can hold thousands. The expression cannot fail, nor look at a byte twice."""
    run = _zeros.match(payload, pos)
    end = run.end() if run else pos
    return Padding(end - pos + 1), end


def parse_ping(payload: bytes, pos: int, frame_type: int) -> tuple[Ping, int]:
    return Ping(), pos


def parse_ack(payload: bytes, pos: int, frame_type: int) -> tuple[Ack, int]:
    try:
        largest, pos = decode_varint(payload, pos)
        ack_delay, pos = decode_varint(payload, pos)
        count = payload[pos]  # one byte each, nearly always: a call would cost more than reading them
        if count < 0x40:
            pos += 1
        else:
            count, pos = decode_varint(payload, pos)
        length = payload[pos]
        if length < 0x40:
            pos += 1
        else:
            length, pos = decode_varint(payload, pos)
        if 2 * count > len(payload) - pos:  # two bytes for each range at least: never loop for more than there is
            raise malformed(frame_type, "more ACK ranges than the packet holds")
        smallest = largest - length
        ranges = [(smallest, largest)]
        for _ in range(count):
            gap = payload[pos]
            if gap < 0x40:
                pos += 1
            else:
                gap, pos = decode_varint(payload, pos)
            length = payload[pos]
            if length < 0x40:
                pos += 1
            else:
                length, pos = decode_varint(payload, pos)
            largest = smallest - gap - 2
            smallest = largest - length
            ranges.append((smallest, largest))
        if smallest < 0:  # each range lies below the one before: the last one tells for all (§19.3.1)
            raise malformed(frame_type, "an ACK range goes below packet number 0")
        if not frame_type & ACK_ECN:
            return _new_tuple(Ack, (tuple(ranges), ack_delay, None)), pos
        ect0, pos = decode_varint(payload, pos)
        if payload[pos : pos + 2] == b"\x00\x00":
            ect1 = ce = 0
            pos += 2
        else:
            ect1, pos = decode_varint(payload, pos)
            ce, pos = decode_varint(payload, pos)
        return _new_tuple(Ack, (tuple(ranges), ack_delay, _new_tuple(EcnCounts, (ect0, ect1, ce)))), pos
    except (DecodeError, IndexError):
        raise malformed(frame_type, "the ACK frame is truncated") from None


@_parser
def parse_reset_stream(payload: bytes, pos: int, frame_type: int) -> tuple[ResetStream, int]:
    values, pos = _read_varints(payload, pos, 3)
    return ResetStream(*values), pos


@_parser
def parse_stop_sending(payload: bytes, pos: int, frame_type: int) -> tuple[StopSending, int]:
    values, pos = _read_varints(payload, pos, 2)
    return StopSending(*values), pos


@_parser
def parse_crypto(payload: bytes, pos: int, frame_type: int) -> tuple[Crypto, int]:
    offset, pos = decode_varint(payload, pos)
    data, pos = _read_with_length(payload, pos)
    if offset + len(data) > MAX_VARINT:  # §19.6
        raise DecodeError("handshake data beyond 2**62-1")
    return Crypto(offset, data), pos


@_parser
def parse_new_token(payload: bytes, pos: int, frame_type: int) -> tuple[NewToken, int]:
    token, pos = _read_with_length(payload, pos)
    if not token:  # §19.7
        raise DecodeError("the token is empty")
    return NewToken(token), pos


def parse_stream(payload: bytes, pos: int, frame_type: int) -> tuple[Stream, int]:
    try:
        stream_id = payload[pos]
        if stream_id < 0x40:
            pos += 1
        else:
            stream_id, pos = decode_varint(payload, pos)
        offset = 0
        if frame_type & STREAM_OFF:
            if 0x80 <= payload[pos] < 0xC0:
                offset = _read_uint32(payload, pos)[0] & 0x3FFF_FFFF
                pos += 4
            else:
                offset, pos = decode_varint(payload, pos)
        end = len(payload)
        if frame_type & STREAM_LEN:
            length = payload[pos]
            if 0x40 <= length < 0x80:
                length = (length & 0x3F) << 8 | payload[pos + 1]
                pos += 2
            else:
                length, pos = decode_varint(payload, pos)
            if length > end - pos:
                raise malformed(frame_type, "the stream data is longer than the packet")
            end = pos + length
    except (DecodeError, IndexError, struct.error):
        raise malformed(frame_type, "the STREAM frame is truncated") from None
    if offset + end - pos > MAX_VARINT:  # §19.8
        raise malformed(frame_type, "stream data beyond 2**62-1")
    return _new_tuple(Stream, (stream_id, offset, payload[pos:end], frame_type & STREAM_FIN != 0)), end


@_parser
def parse_max_data(payload: bytes, pos: int, frame_type: int) -> tuple[MaxData, int]:
    maximum, pos = decode_varint(payload, pos)
    return MaxData(maximum), pos


@_parser
def parse_max_stream_data(payload: bytes, pos: int, frame_type: int) -> tuple[MaxStreamData, int]:
    values, pos = _read_varints(payload, pos, 2)
    return MaxStreamData(*values), pos


def _read_stream_count(payload: bytes, pos: int) -> tuple[int, int]:
    count, pos = decode_varint(payload, pos)
    if count > MAX_STREAM_COUNT:  # §19.11, §19.14
        raise DecodeError("more than 2**60 streams")
    return count, pos


@_parser
def parse_max_streams(payload: bytes, pos: int, frame_type: int) -> tuple[MaxStreams, int]:
    maximum, pos = _read_stream_count(payload, pos)
    return MaxStreams(maximum, frame_type == FrameType.MAX_STREAMS_BIDI), pos


@_parser
def parse_data_blocked(payload: bytes, pos: int, frame_type: int) -> tuple[DataBlocked, int]:
    limit, pos = decode_varint(payload, pos)
    return DataBlocked(limit), pos


@_parser
def parse_stream_data_blocked(payload: bytes, pos: int, frame_type: int) -> tuple[StreamDataBlocked, int]:
    values, pos = _read_varints(payload, pos, 2)
    return StreamDataBlocked(*values), pos


@_parser
def parse_streams_blocked(payload: bytes, pos: int, frame_type: int) -> tuple[StreamsBlocked, int]:
    limit, pos = _read_stream_count(payload, pos)
    return StreamsBlocked(limit, frame_type == FrameType.STREAMS_BLOCKED_BIDI), pos


@_parser
def parse_new_connection_id(payload: bytes, pos: int, frame_type: int) -> tuple[NewConnectionId, int]:
    sequence_number, pos = decode_varint(payload, pos)
    retire_prior_to, pos = decode_varint(payload, pos)
    if retire_prior_to > sequence_number:  # this and the length: §19.15
        raise DecodeError("Retire Prior To is above the sequence number")
    length, pos = _read_bytes(payload, pos, 1)
    if not 1 <= length[0] <= MAX_CID_LENGTH:
        raise DecodeError("the connection ID has not 1 to 20 bytes")
    connection_id, pos = _read_bytes(payload, pos, length[0])
    token, pos = _read_bytes(payload, pos, RESET_TOKEN_LENGTH)
    return NewConnectionId(sequence_number, retire_prior_to, connection_id, token), pos


@_parser
def parse_retire_connection_id(payload: bytes, pos: int, frame_type: int) -> tuple[RetireConnectionId, int]:
    sequence_number, pos = decode_varint(payload, pos)
    return RetireConnectionId(sequence_number), pos


@_parser
def parse_path_challenge(payload: bytes, pos: int, frame_type: int) -> tuple[PathChallenge, int]:
    data, pos = _read_bytes(payload, pos, PATH_DATA_LENGTH)
    return PathChallenge(data), pos


@_parser
def parse_path_response(payload: bytes, pos: int, frame_type: int) -> tuple[PathResponse, int]:
    data, pos = _read_bytes(payload, pos, PATH_DATA_LENGTH)
    return PathResponse(data), pos


@_parser
def parse_connection_close(payload: bytes, pos: int, frame_type: int) -> tuple[ConnectionClose, int]:
    error_code, pos = decode_varint(payload, pos)
    cause = None
    if frame_type == FrameType.CONNECTION_CLOSE:
        cause, pos = decode_varint(payload, pos)
    reason, pos = _read_with_length(payload, pos)
    return ConnectionClose(error_code, cause, reason.decode(errors="replace")), pos


def parse_handshake_done(payload: bytes, pos: int, frame_type: int) -> tuple[HandshakeDone, int]:
    return HandshakeDone(), pos


@_parser
def parse_datagram(payload: bytes, pos: int, frame_type: int) -> tuple[Datagram, int]:
    if frame_type == FrameType.DATAGRAM_WITH_LENGTH:
        data, pos = _read_with_length(payload, pos)
        return Datagram(data), pos
    return Datagram(payload[pos:], with_length=False), len(payload)
