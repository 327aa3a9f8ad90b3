"""Frames: what each type is called, how it is read, and where it may stand (RFC 9000 §12.4, §19; RFC 9221).

This is the place to import frames from; `frame_types` holds the values and their bytes, `frame_parsers` the way back.
"""

from __future__ import annotations

from typing import NamedTuple

from quicmini.errors import DecodeError, TransportError, TransportErrorCode
from quicmini.wire import frame_parsers as parsers
from quicmini.wire.frame_types import (
    MAX_STREAM_COUNT,
    RESET_TOKEN_LENGTH,
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
    encode_crypto_header,
    encode_stream_header,
)
from quicmini.wire.packet import PacketType
from quicmini.wire.varint import decode_varint, varint_size

__all__ = [
    "FRAMES",
    "MAX_STREAM_COUNT",
    "RESET_TOKEN_LENGTH",
    "Ack",
    "ConnectionClose",
    "Crypto",
    "DataBlocked",
    "Datagram",
    "EcnCounts",
    "Frame",
    "FrameSpec",
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
    "parse_frame",
    "parse_frame_type",
    "parse_frames",
]


class FrameSpec(NamedTuple):
    """One line of RFC 9000 §12.4 Table 3.

    parse: (payload, position after the type, frame type) -> (frame, position after it); raises TransportError.
    packets: the packet types it may stand in. probing: may probe a new path (§9.1).
    """

    name: str
    parse: parsers.Parser[Frame]
    packets: frozenset[PacketType]
    ack_eliciting: bool = True
    probing: bool = False


# The column "Pkts" of Table 3.
_1 = frozenset({PacketType.ONE_RTT})
_01 = _1 | {PacketType.ZERO_RTT}
_IH1 = _1 | {PacketType.INITIAL, PacketType.HANDSHAKE}
_IH01 = _IH1 | _01

_STREAM = FrameSpec("STREAM", parsers.parse_stream, _01)

FRAMES: dict[int, FrameSpec] = {
    FrameType.PADDING: FrameSpec("PADDING", parsers.parse_padding, _IH01, ack_eliciting=False, probing=True),
    FrameType.PING: FrameSpec("PING", parsers.parse_ping, _IH01),
    FrameType.ACK: FrameSpec("ACK", parsers.parse_ack, _IH1, ack_eliciting=False),
    FrameType.ACK_ECN: FrameSpec("ACK", parsers.parse_ack, _IH1, ack_eliciting=False),
    FrameType.RESET_STREAM: FrameSpec("RESET_STREAM", parsers.parse_reset_stream, _01),
    FrameType.STOP_SENDING: FrameSpec("STOP_SENDING", parsers.parse_stop_sending, _01),
    FrameType.CRYPTO: FrameSpec("CRYPTO", parsers.parse_crypto, _IH1),
    FrameType.NEW_TOKEN: FrameSpec("NEW_TOKEN", parsers.parse_new_token, _1),
    **{FrameType.STREAM + flags: _STREAM for flags in range(8)},
    FrameType.MAX_DATA: FrameSpec("MAX_DATA", parsers.parse_max_data, _01),
    FrameType.MAX_STREAM_DATA: FrameSpec("MAX_STREAM_DATA", parsers.parse_max_stream_data, _01),
    FrameType.MAX_STREAMS_BIDI: FrameSpec("MAX_STREAMS", parsers.parse_max_streams, _01),
    FrameType.MAX_STREAMS_UNI: FrameSpec("MAX_STREAMS", parsers.parse_max_streams, _01),
    FrameType.DATA_BLOCKED: FrameSpec("DATA_BLOCKED", parsers.parse_data_blocked, _01),
    FrameType.STREAM_DATA_BLOCKED: FrameSpec("STREAM_DATA_BLOCKED", parsers.parse_stream_data_blocked, _01),
    FrameType.STREAMS_BLOCKED_BIDI: FrameSpec("STREAMS_BLOCKED", parsers.parse_streams_blocked, _01),
    FrameType.STREAMS_BLOCKED_UNI: FrameSpec("STREAMS_BLOCKED", parsers.parse_streams_blocked, _01),
    FrameType.NEW_CONNECTION_ID: FrameSpec("NEW_CONNECTION_ID", parsers.parse_new_connection_id, _01, probing=True),
    FrameType.RETIRE_CONNECTION_ID: FrameSpec("RETIRE_CONNECTION_ID", parsers.parse_retire_connection_id, _01),
    FrameType.PATH_CHALLENGE: FrameSpec("PATH_CHALLENGE", parsers.parse_path_challenge, _01, probing=True),
    FrameType.PATH_RESPONSE: FrameSpec("PATH_RESPONSE", parsers.parse_path_response, _1, probing=True),
    FrameType.CONNECTION_CLOSE: FrameSpec(
        "CONNECTION_CLOSE", parsers.parse_connection_close, _IH01, ack_eliciting=False
    ),
    FrameType.CONNECTION_CLOSE_APPLICATION: FrameSpec(
        "CONNECTION_CLOSE", parsers.parse_connection_close, _01, ack_eliciting=False
    ),
    FrameType.HANDSHAKE_DONE: FrameSpec("HANDSHAKE_DONE", parsers.parse_handshake_done, _1),
    FrameType.DATAGRAM: FrameSpec("DATAGRAM", parsers.parse_datagram, _01),
    FrameType.DATAGRAM_WITH_LENGTH: FrameSpec("DATAGRAM", parsers.parse_datagram, _01),
}


def parse_frame_type(payload: bytes, pos: int) -> tuple[int, int]:
    """The type of the frame that starts at `pos`, known or not, and the position after it.

    Raises TransportError: FRAME_ENCODING_ERROR for a truncated type, PROTOCOL_VIOLATION for one that is not in its
    shortest form (RFC 9000 §12.4).
    """
    if pos < len(payload) and payload[pos] < 0x40:  # all types that are known here
        return payload[pos], pos + 1
    try:
        frame_type, after = decode_varint(payload, pos)
    except DecodeError:
        raise parsers.malformed(0, "the frame type is truncated") from None
    if after - pos != varint_size(frame_type):
        raise TransportError(TransportErrorCode.PROTOCOL_VIOLATION, "a frame type is too long", frame_type)
    return frame_type, after


def parse_frame(payload: bytes, pos: int) -> tuple[Frame, int]:
    """The frame that starts at `pos`, and the position after it. Raises TransportError if there is no valid one."""
    frame_type, after = parse_frame_type(payload, pos)
    spec = FRAMES.get(frame_type)
    if spec is None:
        raise parsers.malformed(frame_type, "unknown frame type")
    return spec.parse(payload, after, frame_type)


def parse_frames(payload: bytes) -> list[Frame]:
    """All frames of a packet, for tests and study: the connection checks each type against the packet's, too."""
    frames = []
    pos = 0
    while pos < len(payload):
        frame, pos = parse_frame(payload, pos)
        frames.append(frame)
    return frames
