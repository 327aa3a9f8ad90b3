"""Every frame type as qlog has it."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quicmini.observe.qlog_frames import APPLICATION_SPACE, TRANSPORT_SPACE, error_fields, frames_of
from quicmini.wire import frames as wire
from tests.observe.qlog_schema import FRAMES, frame_problems
from tests.wire.examples import FRAMES as EXAMPLES


@pytest.mark.parametrize(("value", "data"), EXAMPLES, ids=[type(value).__name__ for value, _ in EXAMPLES])
def test_each_is_what_the_drafts_ask_for(value: wire.Frame, data: str) -> None:
    (rendered,) = frames_of(bytes.fromhex(data), 3)
    assert frame_problems(rendered) == []


def test_all_types_of_frames_are_known() -> None:
    names = {frames_of(bytes.fromhex(data), 3)[0]["frame_type"] for _, data in EXAMPLES}
    assert names == {spec.name.lower() for spec in wire.FRAMES.values()}
    assert names == FRAMES - {"unknown"}


THREE = {"length": 3, "payload_length": 3}
RENDERED = [
    (wire.Padding(3), {"length": 3, "payload_length": 3, "raw": THREE}),
    (wire.Ping(), {}),
    (wire.Ack(((7, 10), (4, 4)), 25), {"ack_delay": 0.2, "acked_ranges": [[4], [7, 10]]}),
    (
        wire.Ack(((1, 2),), 0, wire.EcnCounts(1, 2, 3)),
        {"ack_delay": 0.0, "acked_ranges": [[1, 2]], "ect0": 1, "ect1": 2, "ce": 3},
    ),
    (wire.ResetStream(4, 9, 100), {"stream_id": 4, "error": "unknown", "error_code": 9, "final_size": 100}),
    (wire.StopSending(4, 9), {"stream_id": 4, "error": "unknown", "error_code": 9}),
    (wire.Crypto(9, b"abc"), {"offset": 9, "length": 3, "raw": THREE}),
    (wire.NewToken(b"secret"), {"token": {"type": "resumption", "raw": {"length": 6}}}),
    (wire.Stream(4, 0, b"abc", True), {"stream_id": 4, "offset": 0, "fin": True, "length": 3, "raw": THREE}),
    (wire.MaxData(5), {"maximum": 5}),
    (wire.MaxStreamData(4, 5), {"stream_id": 4, "maximum": 5}),
    (wire.MaxStreams(5, True), {"stream_type": "bidirectional", "maximum": 5}),
    (wire.MaxStreams(5, False), {"stream_type": "unidirectional", "maximum": 5}),
    (wire.DataBlocked(5), {"limit": 5}),
    (wire.StreamDataBlocked(4, 5), {"stream_id": 4, "limit": 5}),
    (wire.StreamsBlocked(5, False), {"stream_type": "unidirectional", "limit": 5}),
    (
        wire.NewConnectionId(2, 1, b"\xab\xcd", bytes(16)),
        {"sequence_number": 2, "retire_prior_to": 1, "connection_id_length": 2, "connection_id": "abcd"},
    ),
    (wire.RetireConnectionId(3), {"sequence_number": 3}),
    (wire.PathChallenge(b"\x01" * 8), {"data": "01" * 8}),
    (wire.PathResponse(b"\x02" * 8), {"data": "02" * 8}),
    (
        wire.ConnectionClose(0x0A, 0x06, "no"),
        {"error_space": "transport", "error": "protocol_violation", "error_code": 10, "reason": "no",
         "trigger_frame_type": "crypto"},
    ),
    (
        wire.ConnectionClose(0x0A, 0x77, ""),
        {"error_space": "transport", "error": "protocol_violation", "error_code": 10, "reason": "",
         "trigger_frame_type": 0x77},
    ),
    (
        wire.ConnectionClose(7, None, "bye"),
        {"error_space": "application", "error": "unknown", "error_code": 7, "reason": "bye"},
    ),
    (wire.HandshakeDone(), {}),
    (wire.Datagram(b"abc"), {"length": 3, "raw": THREE}),
]  # fmt: skip


@pytest.mark.parametrize(("value", "fields"), RENDERED, ids=[type(value).__name__ for value, _ in RENDERED])
def test_fields(value: wire.Frame, fields: dict[str, object]) -> None:
    (rendered,) = frames_of(value.encode(), 3)
    del rendered["frame_type"]
    assert rendered == fields


def test_what_cannot_be_read_ends_the_list() -> None:
    ping, unknown = frames_of(b"\x01" + b"\x2f" + bytes(3), 3)
    assert ping == {"frame_type": "ping"}
    assert unknown == {
        "frame_type": "unknown",
        "frame_type_bytes": 0x2F,
        "raw_frame_type": 0x2F,
        "raw": {"length": 4},
    }
    assert frame_problems(unknown) == []


@pytest.mark.parametrize(("payload", "frame_type"), [(b"\x40\x52rest", 0x52), (b"\x7f", 0x7F)])
def test_types_of_more_than_one_byte_are_numbers_as_well(payload: bytes, frame_type: int) -> None:
    (unknown,) = frames_of(payload, 3)
    assert (unknown["frame_type_bytes"], unknown["raw"]["length"]) == (frame_type, len(payload))


def test_errors_have_names() -> None:
    assert error_fields(0x0178, TRANSPORT_SPACE) == {"error": "crypto_error_0x178", "error_code": 0x0178}
    assert error_fields(0x03, TRANSPORT_SPACE)["error"] == "flow_control_error"
    assert error_fields(0x03, APPLICATION_SPACE)["error"] == "unknown"
    assert error_fields(0x4242, TRANSPORT_SPACE) == {"error": "unknown", "error_code": 0x4242}


@given(st.binary(max_size=80), st.integers(0, 20))
def test_no_payload_is_too_strange(payload: bytes, exponent: int) -> None:
    json.dumps(frames_of(payload, exponent), allow_nan=False)


@given(st.lists(st.sampled_from(EXAMPLES), min_size=1, max_size=4), st.data())
def test_nor_one_that_was_changed(frames: list[tuple[wire.Frame, str]], data: st.DataObject) -> None:
    payload = bytearray(b"".join(bytes.fromhex(each) for _, each in frames))
    position = data.draw(st.integers(0, len(payload) - 1))
    payload[position] ^= data.draw(st.integers(1, 255))
    found = frames_of(bytes(payload), 3)
    assert found
    json.dumps(found, allow_nan=False)
