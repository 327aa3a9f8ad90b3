"""Frames in few words."""

from __future__ import annotations

from typing import Any

import pytest

from quicmini.observe.qlog_frames import frames_of
from quicmini.study.trace.frames import Span, acknowledged, frame_texts, spans
from quicmini.wire import frames as wire
from tests.wire.examples import FRAMES


def texts(*frames: wire.Frame) -> list[str]:
    return frame_texts(frames_of(b"".join(frame.encode() for frame in frames), 3))


@pytest.mark.parametrize(
    ("frames", "text"),
    [
        ([wire.Stream(4, 100, b"x" * 20, True)], "STREAM 4[100:120] FIN"),
        ([wire.Crypto(7, b"xyz")], "CRYPTO[7:10]"),
        ([wire.Padding(30)], "PADDING 30"),
        ([wire.Ping()], "PING"),
        ([wire.Ack(((8, 9), (3, 3)), 0, None)], "ACK 3, 8–9"),
        ([wire.Ack(((80, 90), (60, 70), (40, 50), (0, 9)), 0, None)], "ACK …, 40–50, 60–70, 80–90"),
        ([wire.NewConnectionId(n, 0, bytes(8), bytes(16)) for n in (1, 2, 3)], "NEW_CONNECTION_ID #1–#3"),
        ([wire.RetireConnectionId(0)], "RETIRE_CONNECTION_ID #0"),
        ([wire.MaxData(1000)], "MAX_DATA 1,000"),
        ([wire.MaxStreamData(4, 1000)], "MAX_STREAM_DATA 4: 1,000"),
        ([wire.MaxStreams(9, True)], "MAX_STREAMS bidi 9"),
        ([wire.PathChallenge(bytes(range(8)))], "PATH_CHALLENGE 0001020304050607"),
        ([wire.ResetStream(4, 7, 100)], "RESET_STREAM 4 code 0x7"),
        ([wire.ConnectionClose(10, 0, "why not")], "CONNECTION_CLOSE code 0xa “why not”"),
        ([wire.Datagram(b"12345")], "DATAGRAM 5"),
    ],
)
def test_a_frame_or_a_run_of_them(frames: list[wire.Frame], text: str) -> None:
    assert texts(*frames) == [text]


def test_every_frame_that_there_is_has_a_name() -> None:
    for frame, _ in FRAMES:
        for text in texts(frame):
            assert text.split(" ")[0].split("[")[0].isupper()


def test_what_is_sent_again_when_it_is_lost() -> None:
    payload = wire.Crypto(5, b"abc").encode() + wire.Ping().encode() + wire.Stream(8, 2, b"abcd", True).encode()
    assert spans(frames_of(payload, 3)) == [Span(None, 5, 8), Span(8, 2, 6, True)]


@pytest.mark.parametrize(
    ("ranges", "found"),
    [
        ([[1, 3], [7]], [(1, 3), (7, 7)]),
        ([["1", "3"], 9], [(1, 3), (9, 9)]),
        ([[], [None], ["x"], [True], {}], []),
        ("nonsense", []),
        (None, []),
    ],
)
def test_the_ranges_of_an_ack_as_they_are_written(ranges: Any, found: list[tuple[int, int]]) -> None:
    assert acknowledged({"frame_type": "ack", "acked_ranges": ranges}) == found


@pytest.mark.parametrize(
    "kind", ["stream", "ack", "crypto", "padding", "max_data", "connection_close", "path_challenge"]
)
@pytest.mark.parametrize("value", [None, "x", -1, [], {}, [[]], 2**80, "9" * 50])
def test_fields_that_make_no_sense_break_nothing(kind: str, value: Any) -> None:
    names = ("offset", "length", "stream_id", "acked_ranges", "maximum", "error_code", "reason", "data", "raw")
    assert frame_texts([{"frame_type": kind, **dict.fromkeys(names, value)}])


def test_the_words_of_older_drafts() -> None:
    frame = {"frame_type": "STREAM", "id": "8", "offset": "10", "length": "5"}
    assert spans([frame]) == [Span(8, 10, 15)]
    assert frame_texts([frame, {"frame_type": "MAX_STREAM_DATA", "id": 4, "maximum": "7"}]) == [
        "STREAM 8[10:15]",
        "MAX_STREAM_DATA 4: 7",
    ]
