"""Frames of a qlog event in few words: `STREAM 4[0:1173] FIN` is bytes 0 to 1172 of stream 4, and its end."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import groupby
from typing import Any, NamedTuple

from quicmini.wire.varint import MAX_VARINT

__all__ = ["Span", "acknowledged", "frame_texts", "kind_of", "number_of", "range_text", "spans"]

Frame = dict[str, Any]

# Ranges that an ACK is shown with, the newest ones; and the ranges of it that are looked at.
SHOWN_RANGES = 3
MAX_RANGES = 4096

_STREAM_ID = ("stream_id", "id")  # the older drafts have the latter

REASON_LENGTH = 40  # characters of a peer's text that are shown


class Span(NamedTuple):
    """Bytes of a stream, or of the CRYPTO data of a packet number space: from start up to stop. stream: None for the
    latter. fin: with the stream's end."""

    stream: int | None
    start: int
    stop: int
    fin: bool = False

    def __str__(self) -> str:
        what = "CRYPTO" if self.stream is None else f"STREAM {self.stream}"
        return f"{what}[{self.start}:{self.stop}]{' FIN' if self.fin else ''}"


def number_of(value: object) -> int | None:
    """A number as QUIC has them (RFC 9000 §16) and as qlog writers have it: some write them as strings."""
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 20:
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= MAX_VARINT:
        return None
    return value


def spans(frames: list[Frame]) -> list[Span]:
    """What is sent again if it is lost: the data of the CRYPTO and STREAM frames."""
    found = []
    for frame in frames:
        kind = kind_of(frame)
        if kind in ("crypto", "stream"):
            start = _count(frame, "offset")
            stream = _count(frame, *_STREAM_ID) if kind == "stream" else None
            found.append(Span(stream, start, start + _length(frame), bool(frame.get("fin"))))
    return found


def acknowledged(frame: Frame) -> list[tuple[int, int]]:
    """The ranges of an ACK frame, from the smallest number of each up to its largest."""
    ranges = frame.get("acked_ranges")
    found = []
    for each in ranges[-MAX_RANGES:] if isinstance(ranges, list) else []:
        numbers = [number_of(value) for value in (each if isinstance(each, list) else [each])]
        if numbers and numbers[0] is not None and numbers[-1] is not None:
            found.append((numbers[0], numbers[-1]))
    return found


def range_text(low: int, high: int) -> str:
    """Packet numbers from low up to high."""
    return str(low) if low == high else f"{low}–{high}"


def frame_texts(frames: list[Frame]) -> list[str]:
    """Each frame, or each run of alike ones, in a few words."""
    return [text for kind, run in groupby(frames, kind_of) for text in _TEXTS.get(kind, _plain)(list(run))]


def kind_of(frame: Frame) -> str:
    """The type of a frame as qlog has it, in lower case."""
    kind = frame.get("frame_type")
    return kind.lower() if isinstance(kind, str) else "unknown"


def _count(frame: Frame, *names: str) -> int:
    return next((number for name in names if (number := number_of(frame.get(name))) is not None), 0)


def _length(frame: Frame) -> int:
    raw = frame.get("raw")
    within = _count(raw, "payload_length", "length") if isinstance(raw, dict) else 0
    return _count(frame, "length", "payload_length") or within


def _plain(run: list[Frame]) -> Iterator[str]:
    """Frames without fields that matter here."""
    name = kind_of(run[0]).upper()
    yield f"{name} ×{len(run)}" if len(run) > 1 else name


def _data(run: list[Frame]) -> Iterator[str]:
    yield from map(str, spans(run))


def _sizes(name: str) -> Callable[[list[Frame]], Iterator[str]]:
    def texts(run: list[Frame]) -> Iterator[str]:
        size = sum(map(_length, run))
        yield f"{name} {size}" if size else name

    return texts


def _ack(run: list[Frame]) -> Iterator[str]:
    for frame in run:
        ranges = sorted(acknowledged(frame), reverse=True)
        shown = [range_text(low, high) for low, high in ranges[:SHOWN_RANGES]]
        older = ["…"] if len(ranges) > SHOWN_RANGES else []
        yield f"ACK {', '.join([*older, *reversed(shown)])}"


def _numbered(name: str, *fields: str) -> Callable[[list[Frame]], Iterator[str]]:
    """Connection IDs by their sequence numbers: #1–#7."""

    def texts(run: list[Frame]) -> Iterator[str]:
        numbers = sorted(_count(frame, *fields) for frame in run)
        yield f"{name} #{numbers[0]}–#{numbers[-1]}" if len(run) > 1 else f"{name} #{numbers[0]}"

    return texts


def _limit(name: str, *fields: str) -> Callable[[list[Frame]], Iterator[str]]:
    def texts(run: list[Frame]) -> Iterator[str]:
        for frame in run:
            stream = f" {_count(frame, *_STREAM_ID)}:" if any(name in frame for name in _STREAM_ID) else ""
            kind = {"unidirectional": " uni", "bidirectional": " bidi"}.get(str(frame.get("stream_type")), "")
            yield f"{name}{stream}{kind} {_count(frame, *fields):,}"

    return texts


def _path(name: str) -> Callable[[list[Frame]], Iterator[str]]:
    def texts(run: list[Frame]) -> Iterator[str]:
        for frame in run:
            yield f"{name} {str(frame.get('data') or '')[:16]}".rstrip()

    return texts


def _code(name: str) -> Callable[[list[Frame]], Iterator[str]]:
    """The end of a stream or of the connection, with its error code and what the peer says of it."""

    def texts(run: list[Frame]) -> Iterator[str]:
        for frame in run:
            stream = f" {_count(frame, *_STREAM_ID)}" if any(name in frame for name in _STREAM_ID) else ""
            code = number_of(frame.get("error_code"))
            code = number_of(frame.get("raw_error_code")) if code is None else code
            said = f" code {code:#x}" if code is not None else f" {frame.get('error_code') or ''}".rstrip()
            reason = _clean(str(frame.get("reason") or ""))
            yield f"{name}{stream}{said}" + (f" “{reason}”" if reason else "")

    return texts


def _clean(text: str) -> str:
    """A peer's text, without what could move a terminal's cursor."""
    shown = "".join(character if character.isprintable() else "·" for character in text[:REASON_LENGTH])
    return shown + "…" if len(text) > REASON_LENGTH else shown


_TEXTS: dict[str, Callable[[list[Frame]], Iterator[str]]] = {
    "ack": _ack,
    "crypto": _data,
    "stream": _data,
    "padding": _sizes("PADDING"),
    "datagram": _sizes("DATAGRAM"),
    "new_connection_id": _numbered("NEW_CONNECTION_ID", "sequence_number"),
    "retire_connection_id": _numbered("RETIRE_CONNECTION_ID", "sequence_number"),
    "max_data": _limit("MAX_DATA", "maximum"),
    "max_stream_data": _limit("MAX_STREAM_DATA", "maximum"),
    "max_streams": _limit("MAX_STREAMS", "maximum"),
    "data_blocked": _limit("DATA_BLOCKED", "limit"),
    "stream_data_blocked": _limit("STREAM_DATA_BLOCKED", "limit"),
    "streams_blocked": _limit("STREAMS_BLOCKED", "limit"),
    "path_challenge": _path("PATH_CHALLENGE"),
    "path_response": _path("PATH_RESPONSE"),
    "reset_stream": _code("RESET_STREAM"),
    "stop_sending": _code("STOP_SENDING"),
    "connection_close": _code("CONNECTION_CLOSE"),
}
