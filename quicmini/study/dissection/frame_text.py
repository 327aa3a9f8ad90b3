"""A frame in one line, for people."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import islice
from typing import TypeVar

from quicmini.errors import error_name
from quicmini.study.texts import bytes_text
from quicmini.wire.frames import (
    FRAMES,
    Ack,
    ConnectionClose,
    Crypto,
    DataBlocked,
    Datagram,
    Frame,
    MaxData,
    MaxStreamData,
    MaxStreams,
    NewConnectionId,
    NewToken,
    Padding,
    PathChallenge,
    PathResponse,
    ResetStream,
    RetireConnectionId,
    StopSending,
    Stream,
    StreamDataBlocked,
    StreamsBlocked,
)

__all__ = ["frame_text", "numbers_text", "stream_name"]

_RANGES_SHOWN = 6


def stream_name(stream_id: int) -> str:
    """A stream ID with what its two lowest bits say (RFC 9000 §2.1)."""
    return f"{stream_id} ({'server' if stream_id & 1 else 'client'}, {'uni' if stream_id & 2 else 'bi'}directional)"


def numbers_text(ranges: Iterable[tuple[int, int]]) -> str:
    """Packet numbers from (smallest, largest), the first few ranges."""
    parts = [
        f"{smallest}" if smallest == largest else f"{smallest} to {largest}"
        for smallest, largest in islice(ranges, _RANGES_SHOWN + 1)
    ]
    if len(parts) > _RANGES_SHOWN:
        parts[-1] = "…"
    single = len(parts) == 1 and " to " not in parts[0]
    return f"packet{'' if single else 's'} {', '.join(parts)}"


def _direction(bidirectional: bool) -> str:
    return "bidirectional" if bidirectional else "unidirectional"


def _ack(ack: Ack) -> str:
    ecn = f", ECN: {ack.ecn.ect0} ECT(0), {ack.ecn.ect1} ECT(1), {ack.ecn.ce} CE" if ack.ecn else ""
    return f"{numbers_text(ack.ranges)}{ecn}"


def _close(close: ConnectionClose) -> str:
    if close.frame_type is None:
        code = f"application error {close.error_code:#x}"
    else:
        spec = FRAMES.get(close.frame_type)
        caused = f", caused by {spec.name if spec else hex(close.frame_type)}" if close.frame_type else ""
        code = f"{error_name(close.error_code)}{caused}"
    return f"{code}, {close.reason!r}" if close.reason else code


def _stream(frame: Stream) -> str:
    end = ", the end of the stream" if frame.fin else ""
    return f"stream {stream_name(frame.stream_id)}, offset {frame.offset}, {bytes_text(len(frame.data))}{end}"


_F = TypeVar("_F")
_TEXTS: dict[type, Callable[[Frame], str]] = {}


def _text(kind: type[_F], text: Callable[[_F], str]) -> None:
    def typed(frame: Frame) -> str:
        return text(frame) if isinstance(frame, kind) else ""

    _TEXTS[kind] = typed


_text(Padding, lambda frame: bytes_text(frame.length))
_text(Ack, _ack)
_text(
    ResetStream,
    lambda frame: (
        f"stream {stream_name(frame.stream_id)}, error {frame.error_code:#x}, after {bytes_text(frame.final_size)}"
    ),
)
_text(StopSending, lambda frame: f"stream {stream_name(frame.stream_id)}, error {frame.error_code:#x}")
_text(Crypto, lambda frame: f"offset {frame.offset}, {bytes_text(len(frame.data))}")
_text(NewToken, lambda frame: bytes_text(len(frame.token)))
_text(Stream, _stream)
_text(MaxData, lambda frame: f"{frame.maximum} bytes on all streams together")
_text(MaxStreamData, lambda frame: f"stream {stream_name(frame.stream_id)}, up to byte {frame.maximum}")
_text(MaxStreams, lambda frame: f"{frame.maximum} {_direction(frame.bidirectional)} streams")
_text(DataBlocked, lambda frame: f"at {bytes_text(frame.limit)}")
_text(StreamDataBlocked, lambda frame: f"stream {stream_name(frame.stream_id)}, at byte {frame.limit}")
_text(StreamsBlocked, lambda frame: f"at {frame.limit} {_direction(frame.bidirectional)} streams")
_text(NewConnectionId, lambda frame: f"{frame.connection_id.hex()}, number {frame.sequence_number}")
_text(RetireConnectionId, lambda frame: f"number {frame.sequence_number}")
_text(PathChallenge, lambda frame: frame.data.hex())
_text(PathResponse, lambda frame: frame.data.hex())
_text(ConnectionClose, _close)
_text(Datagram, lambda frame: bytes_text(len(frame.data)))


def frame_text(frame: Frame) -> str:
    """What the frame says, without its name; empty for frames that say nothing but their name."""
    text = _TEXTS.get(type(frame))
    return text(frame) if text else ""
