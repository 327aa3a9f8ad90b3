"""A decrypted payload as fields: every frame of RFC 9000 §19 and RFC 9221, one line of a table for each.

The frames as values come from `quicmini.wire.frames`, whose parsers also judge them; here it is about where things lie.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import NamedTuple

from quicmini.errors import TransportError, error_name
from quicmini.study.dissection.frame_text import frame_text, numbers_text, stream_name
from quicmini.study.field_reader import FieldReader, Unreadable
from quicmini.study.fields import Field, unreadable
from quicmini.study.texts import bytes_text, shown_bytes
from quicmini.wire.frame_types import ACK_ECN, STREAM_LEN, STREAM_OFF
from quicmini.wire.frames import FRAMES, RESET_TOKEN_LENGTH, Frame, FrameType, parse_frame
from quicmini.wire.packet import PacketType

__all__ = ["DEFAULT_ACK_DELAY_EXPONENT", "PACKET_NAMES", "DissectedFrame", "dissect_payload"]

DEFAULT_ACK_DELAY_EXPONENT = 3  # RFC 9000 §18.2

PACKET_NAMES = {
    PacketType.INITIAL: "Initial",
    PacketType.ZERO_RTT: "0-RTT",
    PacketType.HANDSHAKE: "Handshake",
    PacketType.RETRY: "Retry",
    PacketType.ONE_RTT: "1-RTT",
    PacketType.VERSION_NEGOTIATION: "Version Negotiation",
}

_PATH_DATA_LENGTH = 8
_ZEROS = re.compile(rb"\x00*")


class DissectedFrame(NamedTuple):
    """frame: None if the bytes are no valid frame; the field's value says why."""

    field: Field
    frame: Frame | None


class _Body:
    """What the parts of a frame see: the reader, the frame type, and the numbers read before, by name."""

    def __init__(self, reader: FieldReader, frame_type: int, ack_delay_exponent: int) -> None:
        self.reader = reader
        self.frame_type = frame_type
        self.ack_delay_exponent = ack_delay_exponent
        self.numbers: dict[str, int] = {}


_Part = Callable[[_Body], None]


class _Layout(NamedTuple):
    section: str
    parts: tuple[_Part, ...]


def _number(name: str, show: Callable[[int], str] = str) -> _Part:
    def part(body: _Body) -> None:
        body.numbers[name] = body.reader.varint(name, show=show)

    return part


def _octets(name: str, length: int | str, show: Callable[[bytes], str] = bytes.hex) -> _Part:
    """`length`: in bytes, or the name of the number that tells it."""

    def part(body: _Body) -> None:
        body.reader.octets(name, length if isinstance(length, int) else body.numbers[length], show=show)

    return part


def _rest(name: str) -> _Part:
    def part(body: _Body) -> None:
        body.reader.rest(name, show=shown_bytes)

    return part


def _cid_length(body: _Body) -> None:
    body.numbers["Length"] = body.reader.number("Length", 1, show=bytes_text)


def _padding(body: _Body) -> None:
    """Each byte is a frame of its own; a run of them is one line."""
    run = _ZEROS.match(body.reader.data, body.reader.position)
    body.reader.position = run.end() if run else body.reader.position


def _ack_delay(body: _Body) -> None:
    unit = 1 << body.ack_delay_exponent  # µs
    body.reader.varint("ACK Delay", show=lambda delay: f"{delay} × {unit} µs = {delay * unit / 1000:g} ms")


def _ack_ranges(body: _Body) -> None:
    """The first range and those that follow, with the packet numbers that they come to (RFC 9000 §19.3.1)."""
    reader, largest = body.reader, body.numbers["Largest Acknowledged"]
    smallest = largest - reader.varint(
        "First ACK Range", show=lambda length: f"{length}: {_down_from(largest, length)}"
    )
    for _ in range(body.numbers["ACK Range Count"]):  # every round reads two bytes at least, or raises Unreadable
        mark = reader.mark()
        gap = reader.varint("Gap", _ACK_RANGE, lambda gap: f"{gap}: {gap + 1} not acknowledged")
        top = smallest - gap - 2
        length = reader.varint("ACK Range Length", _ACK_RANGE)
        smallest = top - length
        reader.collapse("ACK Range", mark, _down_from(top, length), _ACK_RANGE)
    if body.frame_type & ACK_ECN:
        mark = reader.mark()
        for name in "ECT0 Count", "ECT1 Count", "ECN-CE Count":
            reader.varint(name, _ECN_COUNTS)
        reader.collapse("ECN Counts", mark, "", _ECN_COUNTS)


_ACK_RANGE, _ECN_COUNTS = "RFC 9000 §19.3.1", "RFC 9000 §19.3.2"


def _down_from(largest: int, length: int) -> str:
    smallest = largest - length
    return numbers_text([(smallest, largest)]) if smallest >= 0 else f"below packet 0: {smallest}"


def _close_reason(section: str, *parts: _Part) -> _Layout:
    reason = _octets("Reason Phrase", "Reason Phrase Length", shown_bytes)
    return _Layout(section, (*parts, _number("Reason Phrase Length", bytes_text), reason))


def _stream(flags: int) -> _Layout:
    """The eight STREAM types (RFC 9000 §19.8): which fields there are stands in the type."""
    parts = [_number("Stream ID", stream_name)]
    if flags & STREAM_OFF:
        parts.append(_number("Offset"))
    if flags & STREAM_LEN:
        parts += [_number("Length", bytes_text), _octets("Stream Data", "Length", shown_bytes)]
    else:
        parts.append(_rest("Stream Data"))
    return _Layout("RFC 9000 §19.8", tuple(parts))


def _frame_type_text(frame_type: int) -> str:
    spec = FRAMES.get(frame_type)
    return f"{frame_type:#04x} {spec.name}" if spec else f"{frame_type:#x}"


_STREAM_ID = _number("Stream ID", stream_name)
_ERROR = "Application Protocol Error Code"
_ACK = _Layout("RFC 9000 §19.3", (_number("Largest Acknowledged"), _ack_delay, _number("ACK Range Count"), _ack_ranges))
_MAX_STREAMS = _Layout("RFC 9000 §19.11", (_number("Maximum Streams"),))
_STREAMS_BLOCKED = _Layout("RFC 9000 §19.14", (_number("Maximum Streams"),))

_LAYOUTS: dict[int, _Layout] = {
    FrameType.PADDING: _Layout("RFC 9000 §19.1", (_padding,)),
    FrameType.PING: _Layout("RFC 9000 §19.2", ()),
    FrameType.ACK: _ACK,
    FrameType.ACK_ECN: _ACK,
    FrameType.RESET_STREAM: _Layout(
        "RFC 9000 §19.4", (_STREAM_ID, _number(f"{_ERROR}", hex), _number("Final Size", bytes_text))
    ),
    FrameType.STOP_SENDING: _Layout("RFC 9000 §19.5", (_STREAM_ID, _number(_ERROR, hex))),
    FrameType.CRYPTO: _Layout(
        "RFC 9000 §19.6",
        (_number("Offset"), _number("Length", bytes_text), _octets("Crypto Data", "Length", lambda data: "")),
    ),
    FrameType.NEW_TOKEN: _Layout(
        "RFC 9000 §19.7", (_number("Token Length", bytes_text), _octets("Token", "Token Length"))
    ),
    **{FrameType.STREAM + flags: _stream(flags) for flags in range(8)},
    FrameType.MAX_DATA: _Layout("RFC 9000 §19.9", (_number("Maximum Data", bytes_text),)),
    FrameType.MAX_STREAM_DATA: _Layout("RFC 9000 §19.10", (_STREAM_ID, _number("Maximum Stream Data", bytes_text))),
    FrameType.MAX_STREAMS_BIDI: _MAX_STREAMS,
    FrameType.MAX_STREAMS_UNI: _MAX_STREAMS,
    FrameType.DATA_BLOCKED: _Layout("RFC 9000 §19.12", (_number("Maximum Data", bytes_text),)),
    FrameType.STREAM_DATA_BLOCKED: _Layout("RFC 9000 §19.13", (_STREAM_ID, _number("Maximum Stream Data", bytes_text))),
    FrameType.STREAMS_BLOCKED_BIDI: _STREAMS_BLOCKED,
    FrameType.STREAMS_BLOCKED_UNI: _STREAMS_BLOCKED,
    FrameType.NEW_CONNECTION_ID: _Layout(
        "RFC 9000 §19.15",
        (
            _number("Sequence Number"),
            _number("Retire Prior To"),
            _cid_length,
            _octets("Connection ID", "Length"),
            _octets("Stateless Reset Token", RESET_TOKEN_LENGTH),
        ),
    ),
    FrameType.RETIRE_CONNECTION_ID: _Layout("RFC 9000 §19.16", (_number("Sequence Number"),)),
    FrameType.PATH_CHALLENGE: _Layout("RFC 9000 §19.17", (_octets("Data", _PATH_DATA_LENGTH),)),
    FrameType.PATH_RESPONSE: _Layout("RFC 9000 §19.18", (_octets("Data", _PATH_DATA_LENGTH),)),
    FrameType.CONNECTION_CLOSE: _close_reason(
        "RFC 9000 §19.19",
        _number("Error Code", lambda code: f"{code:#x} {error_name(code)}"),
        _number("Frame Type", _frame_type_text),
    ),
    FrameType.CONNECTION_CLOSE_APPLICATION: _close_reason("RFC 9000 §19.19", _number("Error Code", hex)),
    FrameType.HANDSHAKE_DONE: _Layout("RFC 9000 §19.20", ()),
    FrameType.DATAGRAM: _Layout("RFC 9221 §4", (_rest("Datagram Data"),)),
    FrameType.DATAGRAM_WITH_LENGTH: _Layout(
        "RFC 9221 §4", (_number("Length", bytes_text), _octets("Datagram Data", "Length", shown_bytes))
    ),
}


def dissect_payload(
    payload: bytes, packet_type: PacketType, ack_delay_exponent: int = DEFAULT_ACK_DELAY_EXPONENT
) -> list[DissectedFrame]:
    """Every frame of a decrypted packet; offsets count from the start of the payload. Never raises.

    What cannot be read ends the list: one field for all the rest, whose value says why. A packet without frames is one
    such too (RFC 9000 §12.4). ack_delay_exponent: the transport parameter of the side that sent the packet.
    """
    if not payload:
        return [DissectedFrame(unreadable(0, b"", "a packet without frames (RFC 9000 §12.4)"), None)]
    frames = []
    position = 0
    while position < len(payload):
        dissected = _dissect_frame(payload, position, packet_type, ack_delay_exponent)
        frames.append(dissected)
        position = dissected.field.end
    return frames


def _dissect_frame(payload: bytes, start: int, packet_type: PacketType, ack_delay_exponent: int) -> DissectedFrame:
    reader = FieldReader(payload, start, section="RFC 9000 §12.4")
    try:
        frame_type = reader.varint("Type", show=_frame_type_text)
        layout = _LAYOUTS.get(frame_type)
        if layout is None:
            why = f"unknown frame type {frame_type:#x}; its length cannot be known, nor where the next frame starts"
            return DissectedFrame(unreadable(start, payload[start:], why), None)
        reader.section = layout.section
        body = _Body(reader, frame_type, ack_delay_exponent)
        for part in layout.parts:
            part(body)
    except Unreadable as error:
        rest = unreadable(reader.position, payload[reader.position :], str(error))
        name = FRAMES[payload[start]].name if payload[start] in FRAMES else "unreadable"
        field = Field(name, start, payload[start:], str(error), reader.section, (*reader.fields, rest))
        return DissectedFrame(field, None)
    return _judged(payload, start, frame_type, reader, packet_type)


def _judged(
    payload: bytes, start: int, frame_type: int, reader: FieldReader, packet_type: PacketType
) -> DissectedFrame:
    """The frame, with what is wrong about it if anything is."""
    spec = FRAMES[frame_type]
    raw = payload[start : reader.position]
    try:
        parsed = parse_frame(raw, 0)[0]
        frame: Frame | None = parsed
        value = frame_text(parsed)
    except TransportError as error:
        frame, value = None, f"not valid: {error.reason}"
    if packet_type not in spec.packets:
        value = f"{value}; not allowed in {PACKET_NAMES[packet_type]} packets (RFC 9000 §12.4)".lstrip("; ")
    return DissectedFrame(Field(spec.name, start, raw, value, reader.section, tuple(reader.fields)), frame)
