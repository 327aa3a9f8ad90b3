"""Transport parameters, taken apart."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quicmini.study.fields import Field
from quicmini.study.tls_fields import dissect_transport_parameters
from quicmini.wire.transport_parameters import (
    PreferredAddress,
    TransportParameters,
    VersionInformation,
    encode_parameter,
)
from tests.study.tls_fields.trees import check_tree, problems

EVERYTHING = TransportParameters(
    original_destination_connection_id=b"\x01\x02",
    max_idle_timeout=1,
    stateless_reset_token=bytes(16),
    max_udp_payload_size=1472,
    initial_max_data=1_000_000,
    initial_max_stream_data_bidi_local=1,
    initial_max_stream_data_bidi_remote=2,
    initial_max_stream_data_uni=3,
    initial_max_streams_bidi=4,
    initial_max_streams_uni=5,
    ack_delay_exponent=10,
    max_ack_delay=26,
    disable_active_migration=True,
    preferred_address=PreferredAddress(bytes((192, 0, 2, 1)), 443, bytes(15) + b"\1", 444, b"\xaa\xbb", bytes(16)),
    active_connection_id_limit=8,
    initial_source_connection_id=b"",
    retry_source_connection_id=b"\x03",
    version_information=VersionInformation(1, (0x6B3343CF, 0x1A2A3A4A)),
    max_datagram_frame_size=65535,
    grease_quic_bit=True,
)


def whole(data: bytes, offset: int = 0) -> Field:
    """The parameters as one tree, so that it can be checked as a tree."""
    return Field("parameters", offset, data, "", "", dissect_transport_parameters(data, offset))


def test_every_parameter() -> None:
    data = EVERYTHING.encode()
    check_tree(whole(data, 40), data, 40)
    assert [(field.name, field.value) for field in dissect_transport_parameters(data, 40)] == [
        ("original_destination_connection_id", "0102"),
        ("max_idle_timeout", "1 ms"),
        ("stateless_reset_token", "00" * 16),
        ("max_udp_payload_size", "1,472 bytes"),
        ("initial_max_data", "1,000,000 bytes"),
        ("initial_max_stream_data_bidi_local", "1 byte"),
        ("initial_max_stream_data_bidi_remote", "2 bytes"),
        ("initial_max_stream_data_uni", "3 bytes"),
        ("initial_max_streams_bidi", "4"),
        ("initial_max_streams_uni", "5"),
        ("ack_delay_exponent", "10: ACK Delay counts 1024 µs"),
        ("max_ack_delay", "26 ms"),
        ("disable_active_migration", "present"),
        ("preferred_address", "192.0.2.1:443, [::1]:444"),
        ("active_connection_id_limit", "8"),
        ("initial_source_connection_id", "(empty)"),
        ("retry_source_connection_id", "03"),
        ("version_information", "chosen: QUIC v1 (0x00000001); available: QUIC v2 (0x6b3343cf), reserved (0x1a2a3a4a)"),
        ("max_datagram_frame_size", "65,535 bytes"),
        ("grease_quic_bit", "present"),
    ]


@pytest.mark.parametrize(
    ("data", "name", "value"),
    [
        (encode_parameter(27, b"\xff"), "reserved, means nothing", "ff"),
        (encode_parameter(0x1234, b"\xff"), "parameter 0x1234", "ff"),
        (encode_parameter(0x3129, b"Chrome/1"), "user_agent", "'Chrome/1'"),
        (encode_parameter(3, b"\x44\x00"), "max_udp_payload_size",
         "1,024 bytes (not allowed: max_udp_payload_size: 1024 is not in 1200 to 4611686018427387903)"),
        (encode_parameter(0x0A, b"\x15"), "ack_delay_exponent",
         "21 (not allowed: ack_delay_exponent: 21 is not in 0 to 20)"),
        (encode_parameter(0x0C, b"\x01"), "disable_active_migration",
         "present (not allowed: disable_active_migration: it has no value)"),
    ],
)  # fmt: skip
def test_a_parameter(data: bytes, name: str, value: str) -> None:
    (field,) = dissect_transport_parameters(data, 0)
    check_tree(whole(data), data, 0)
    assert (field.name, field.value) == (name, value)


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"\x40", "truncated: identifier needs 2 bytes, 1 is left (byte 5)"),
        (b"\x01", "truncated: length needs 1 byte, 0 are left (byte 6)"),
        (b"\x01\x04\x00", "truncated: max_idle_timeout needs 6 bytes, 3 are left (byte 5)"),
        (b"\x01\x01\x40", "truncated: value needs 2 bytes, 1 is left (byte 7)"),
        (b"\x01\x02\x01\x01", "max_idle_timeout should have ended here (byte 8)"),
        (b"\x11\x05\x00\x00\x00\x01\x00", "truncated: Available Version needs 4 bytes, 1 is left (byte 11)"),
    ],
)
def test_what_cannot_be_read_says_why_and_where(data: bytes, why: str) -> None:
    field = whole(data, 5)
    check_tree(field, data, 5)
    assert problems(field) == [why]


def test_nothing_is_no_parameter() -> None:
    assert dissect_transport_parameters(b"", 0) == ()


@settings(deadline=None, max_examples=300)
@given(st.binary(max_size=100))
def test_any_bytes(data: bytes) -> None:
    check_tree(whole(data, 3), data, 3)
