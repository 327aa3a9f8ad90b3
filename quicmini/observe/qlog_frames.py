"""Frames as qlog has them: the names and fields of draft-ietf-quic-qlog-quic-events §8.

Data is not recorded, only how much there was. Where the versions of the draft differ, the fields of both are there, as
long as they do not contradict each other: how much a frame carries is `length` in 0.3, `raw.length` in the newest.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from quicmini.errors import DecodeError, TransportError, TransportErrorCode
from quicmini.wire import frames as wire
from quicmini.wire.varint import decode_varint

__all__ = ["APPLICATION_SPACE", "TRANSPORT_SPACE", "Fields", "error_fields", "frames_of", "token_fields"]

Fields = dict[str, Any]

TRANSPORT_SPACE, APPLICATION_SPACE = "transport", "application"

_CRYPTO_ERRORS = range(0x0100, 0x0200)


def frames_of(payload: bytes, ack_delay_exponent: int) -> list[Fields]:
    """All frames of a packet; what cannot be read ends the list, as one unknown frame.

    ack_delay_exponent: that of whoever has sent the packet (RFC 9000 §19.3).
    """
    found: list[Fields] = []
    pos = 0
    while pos < len(payload):
        try:
            frame, end = wire.parse_frame(payload, pos)
        except TransportError:
            return [*found, _unknown(payload, pos)]
        if isinstance(frame, wire.Ack):
            found.append(_ack(frame, ack_delay_exponent))
        else:
            found.append(_RENDER[type(frame)](frame))
        pos = end
    return found


def error_fields(error_code: int, space: str) -> Fields:
    """A code with its name, if it has one: those of applications are known to nobody here."""
    if space == APPLICATION_SPACE:
        name = "unknown"
    elif error_code in _CRYPTO_ERRORS:
        name = f"crypto_error_{error_code:#x}"
    elif error_code in TransportErrorCode.__members__.values():
        name = TransportErrorCode(error_code).name.lower()
    else:
        name = "unknown"
    return {"error": name, "error_code": int(error_code)}


def token_fields(token: bytes) -> Fields:
    """A token is opaque, and its like a secret: its length."""
    return {"raw": {"length": len(token)}}


def _ack(frame: wire.Ack, exponent: int) -> Fields:
    ranges = [[low] if low == high else [low, high] for low, high in reversed(frame.ranges)]
    fields = {"frame_type": "ack", "ack_delay": (frame.ack_delay << exponent) / 1000, "acked_ranges": ranges}
    return fields if frame.ecn is None else fields | frame.ecn._asdict()


def _unknown(payload: bytes, pos: int) -> Fields:
    try:
        frame_type, _ = decode_varint(payload, pos)
    except DecodeError:
        frame_type = payload[pos]
    raw = {"length": len(payload) - pos}
    return {"frame_type": "unknown", "frame_type_bytes": frame_type, "raw_frame_type": frame_type, "raw": raw}


def _with_data(name: str, length: int, **fields: object) -> Fields:
    """length: of what the frame carries, as its own Length field has it; `raw.length` is that as well."""
    return {"frame_type": name, **fields, "length": length, "raw": {"length": length, "payload_length": length}}


def _plain(name: str) -> Callable[[Any], Fields]:
    """Frames whose fields have the same names there."""

    def render(frame: Any) -> Fields:
        return {"frame_type": name, **frame._asdict()}

    return render


def _stream_count(name: str) -> Callable[[Any], Fields]:
    def render(frame: Any) -> Fields:
        fields = frame._asdict()
        kind = "bidirectional" if fields.pop("bidirectional") else "unidirectional"
        return {"frame_type": name, "stream_type": kind, **fields}

    return render


def _path_frame(name: str) -> Callable[[Any], Fields]:
    return lambda frame: {"frame_type": name, "data": frame.data.hex()}


def _padding(frame: wire.Padding) -> Fields:
    return _with_data("padding", frame.length, payload_length=frame.length)


def _reset_stream(frame: wire.ResetStream) -> Fields:
    error = error_fields(frame.error_code, APPLICATION_SPACE)
    return {"frame_type": "reset_stream", "stream_id": frame.stream_id, **error, "final_size": frame.final_size}


def _stop_sending(frame: wire.StopSending) -> Fields:
    error = error_fields(frame.error_code, APPLICATION_SPACE)
    return {"frame_type": "stop_sending", "stream_id": frame.stream_id, **error}


def _crypto(frame: wire.Crypto) -> Fields:
    return _with_data("crypto", len(frame.data), offset=frame.offset)


def _new_token(frame: wire.NewToken) -> Fields:
    return {"frame_type": "new_token", "token": {"type": "resumption", **token_fields(frame.token)}}


def _stream(frame: wire.Stream) -> Fields:
    fin = {"fin": True} if frame.fin else {}
    return _with_data("stream", len(frame.data), stream_id=frame.stream_id, offset=frame.offset, **fin)


def _new_connection_id(frame: wire.NewConnectionId) -> Fields:
    """Without its token: whoever knows that can end the connection (RFC 9000 §10.3.1)."""
    return {
        "frame_type": "new_connection_id",
        "sequence_number": frame.sequence_number,
        "retire_prior_to": frame.retire_prior_to,
        "connection_id_length": len(frame.connection_id),
        "connection_id": frame.connection_id.hex(),
    }


def _connection_close(frame: wire.ConnectionClose) -> Fields:
    space = APPLICATION_SPACE if frame.frame_type is None else TRANSPORT_SPACE
    fields: Fields = {"frame_type": "connection_close", "error_space": space, **error_fields(frame.error_code, space)}
    fields["reason"] = frame.reason
    if frame.frame_type:
        known = wire.FRAMES.get(frame.frame_type)
        fields["trigger_frame_type"] = known.name.lower() if known is not None else frame.frame_type
    return fields


def _datagram(frame: wire.Datagram) -> Fields:
    return _with_data("datagram", len(frame.data))


# All but ACK, which takes more to be understood.
_RENDER: dict[type, Callable[[Any], Fields]] = {
    wire.Padding: _padding,
    wire.Ping: _plain("ping"),
    wire.ResetStream: _reset_stream,
    wire.StopSending: _stop_sending,
    wire.Crypto: _crypto,
    wire.NewToken: _new_token,
    wire.Stream: _stream,
    wire.MaxData: _plain("max_data"),
    wire.MaxStreamData: _plain("max_stream_data"),
    wire.MaxStreams: _stream_count("max_streams"),
    wire.DataBlocked: _plain("data_blocked"),
    wire.StreamDataBlocked: _plain("stream_data_blocked"),
    wire.StreamsBlocked: _stream_count("streams_blocked"),
    wire.NewConnectionId: _new_connection_id,
    wire.RetireConnectionId: _plain("retire_connection_id"),
    wire.PathChallenge: _path_frame("path_challenge"),
    wire.PathResponse: _path_frame("path_response"),
    wire.ConnectionClose: _connection_close,
    wire.HandshakeDone: _plain("handshake_done"),
    wire.Datagram: _datagram,
}
