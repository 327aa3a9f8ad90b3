"""Every frame as fields: against the same bytes that the parsers of wire/ are tested with."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quicmini.study.dissection.frame_fields import DissectedFrame, dissect_payload
from quicmini.study.fields import Field
from quicmini.wire.frames import FRAMES, Frame, Padding
from quicmini.wire.packet import PacketType
from tests.wire import examples

ONE_RTT = PacketType.ONE_RTT
EVERY = examples.FRAMES + examples.READ_ONLY_FRAMES


def leaves(field: Field) -> list[Field]:
    return [each for each in field.walk() if not each.children]


def value_of(payload: str, name: str, packet_type: PacketType = ONE_RTT, exponent: int = 3) -> str:
    """Of the first field with this name."""
    ((field, _),) = dissect_payload(bytes.fromhex(payload), packet_type, exponent)
    return next(each.value for each in field.walk() if each.name == name)


@pytest.mark.parametrize(("frame", "text"), EVERY)
def test_the_parser_and_the_fields_agree(frame: Frame, text: str) -> None:
    payload = bytes.fromhex(text)
    ((field, parsed),) = dissect_payload(payload, ONE_RTT)
    assert parsed == frame
    assert (field.name, field.raw, field.offset) == (FRAMES[payload[0]].name, payload, 0)
    assert "not valid" not in field.value


@pytest.mark.parametrize(("frame", "text"), EVERY)
def test_every_byte_lies_in_a_field(frame: Frame, text: str) -> None:
    ((field, _),) = dissect_payload(b"\x01" + bytes.fromhex(text), ONE_RTT)[1:]
    parts = leaves(field)
    offset = 1
    for part in parts:
        assert part.offset == offset
        assert part.section.startswith("RFC 9")
        offset = part.end
    assert offset == field.end or isinstance(frame, Padding)  # of a run of PADDING only the first type is a field


def test_all_frame_types_are_known() -> None:
    unknown = [kind for kind in FRAMES if "unknown" in dissect_payload(bytes((kind,)), ONE_RTT)[0].field.value]
    assert unknown == []


@pytest.mark.parametrize(("text", "_error", "why"), examples.MALFORMED_FRAMES)
def test_what_is_not_valid_is_said_and_shown(text: str, _error: int, why: str) -> None:
    payload = bytes.fromhex(text)
    dissected = dissect_payload(payload, ONE_RTT)
    field, frame = dissected[0]
    assert frame is None, why
    assert any(word in field.value for word in ("not valid", "unknown frame type", "truncated"))
    assert b"".join(each.field.raw for each in dissected) == payload


@pytest.mark.parametrize(("frame", "text"), EVERY)
def test_truncated_anywhere(frame: Frame, text: str) -> None:
    payload = bytes.fromhex(text)
    for end in range(1, len(payload)):
        dissected = dissect_payload(payload[:end], ONE_RTT)
        assert b"".join(each.field.raw for each in dissected) == payload[:end]
        assert all(each.frame or "truncated" in each.field.value for each in dissected)


def test_where_it_is_truncated() -> None:
    ((field, _),) = dissect_payload(bytes.fromhex("06 4000 0a 0102"), PacketType.INITIAL)
    assert field.value == "truncated: Crypto Data needs 10 bytes, 2 are left (byte 4)"
    assert field.children[-1].name == "unreadable"
    assert (field.children[-1].offset, field.children[-1].raw) == (4, b"\x01\x02")


@pytest.mark.parametrize(
    ("payload", "name", "value"),
    [
        ("02 0a 19 00 03", "ACK", "packets 7 to 10"),
        ("02 0a 19 00 03", "ACK Delay", "25 × 8 µs = 0.2 ms"),
        ("02 0a 19 00 03", "First ACK Range", "3: packets 7 to 10"),
        ("02 09 01 01 04 00 03", "ACK", "packets 5 to 9, 0 to 3"),
        ("02 09 01 01 04 00 03", "Gap", "0: 1 not acknowledged"),
        ("02 09 01 01 04 00 03", "ACK Range", "packets 0 to 3"),
        ("03 00 00 00 00 01 02 03", "ACK", "packet 0, ECN: 1 ECT(0), 2 ECT(1), 3 CE"),
        ("0b 04 03 616263", "STREAM", "stream 4 (client, bidirectional), offset 0, 3 bytes, the end of the stream"),
        ("0b 07 03 616263", "Stream ID", "7 (server, unidirectional)"),
        ("0b 04 03 616263", "Stream Data", "3 bytes 'abc'"),
        ("0b 04 03 00ff00", "Stream Data", "3 bytes"),
        ("1c 0a 06 02 6e6f", "CONNECTION_CLOSE", "PROTOCOL_VIOLATION, caused by CRYPTO, 'no'"),
        ("1c 4178 00 00", "Error Code", "0x178 CRYPTO_ERROR no_application_protocol"),
        ("1d 07 00", "CONNECTION_CLOSE", "application error 0x7"),
        ("12 4064", "MAX_STREAMS", "100 bidirectional streams"),
    ],
)
def test_values_for_people(payload: str, name: str, value: str) -> None:
    assert value_of(payload, name) == value


def test_the_exponent_of_the_ack_delay() -> None:
    assert value_of("02 0a 19 00 03", "ACK Delay", exponent=10) == "25 × 1024 µs = 25.6 ms"


def test_a_frame_where_it_must_not_be() -> None:
    value = value_of("0b 04 03 616263", "STREAM", PacketType.INITIAL)
    assert value.endswith("the end of the stream; not allowed in Initial packets (RFC 9000 §12.4)")
    assert value_of("1e", "HANDSHAKE_DONE", PacketType.HANDSHAKE).startswith("not allowed in Handshake packets")


def test_no_frames_at_all() -> None:
    ((field, frame),) = dissect_payload(b"", ONE_RTT)
    assert frame is None
    assert field.value == "a packet without frames (RFC 9000 §12.4)"


@given(st.binary(min_size=1, max_size=200))
@settings(deadline=None, max_examples=300)
def test_any_bytes(payload: bytes) -> None:
    dissected: list[DissectedFrame] = dissect_payload(payload, ONE_RTT)
    assert b"".join(each.field.raw for each in dissected) == payload
