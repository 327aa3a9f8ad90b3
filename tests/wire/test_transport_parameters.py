from __future__ import annotations

from dataclasses import fields
from typing import Any

import pytest
from aioquic._buffer import Buffer
from aioquic.quic.packet import (
    QuicTransportParameters,
    pull_quic_transport_parameters,
    push_quic_transport_parameters,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from quicmini.errors import TransportError, TransportErrorCode
from quicmini.wire.transport_parameters import (
    PreferredAddress,
    TransportParameters,
    VersionInformation,
    parse_transport_parameters,
)
from quicmini.wire.varint import MAX_VARINT

TOKEN = bytes(range(16))
ADDRESS = PreferredAddress(b"\x7f\x00\x00\x01", 443, bytes(15) + b"\x01", 4433, b"\xcc\xdd", TOKEN)
ADDRESS_TEXT = f"7f000001 01bb {'00' * 15}01 1151 02ccdd {TOKEN.hex()}"

# Fields of a server's parameters, and their bytes.
EXAMPLES: list[tuple[dict[str, Any], str]] = [
    ({}, ""),
    ({"original_destination_connection_id": b""}, "00 00"),
    ({"original_destination_connection_id": b"\xaa" * 20}, "00 14" + "aa" * 20),
    ({"max_idle_timeout": 30000}, "01 04 80007530"),
    ({"stateless_reset_token": TOKEN}, "02 10" + TOKEN.hex()),
    ({"max_udp_payload_size": 1200}, "03 02 44b0"),
    ({"max_udp_payload_size": MAX_VARINT}, "03 08 ffffffffffffffff"),
    ({"initial_max_data": 1}, "04 01 01"),
    ({"initial_max_stream_data_bidi_local": 64}, "05 02 4040"),
    ({"initial_max_stream_data_bidi_remote": 64}, "06 02 4040"),
    ({"initial_max_stream_data_uni": MAX_VARINT}, "07 08 ffffffffffffffff"),
    ({"initial_max_streams_bidi": 2**60}, "08 08 d000000000000000"),
    ({"initial_max_streams_uni": 2**60}, "09 08 d000000000000000"),
    ({"ack_delay_exponent": 0}, "0a 01 00"),
    ({"ack_delay_exponent": 20}, "0a 01 14"),
    ({"max_ack_delay": 0}, "0b 01 00"),
    ({"max_ack_delay": 2**14 - 1}, "0b 02 7fff"),
    ({"disable_active_migration": True}, "0c 00"),
    ({"preferred_address": ADDRESS}, "0d 2b" + ADDRESS_TEXT),
    ({"active_connection_id_limit": 8}, "0e 01 08"),
    ({"initial_source_connection_id": b""}, "0f 00"),
    ({"retry_source_connection_id": b"\x01\x02"}, "10 02 0102"),
    ({"version_information": VersionInformation(1, (0x6B3343CF, 1))}, "11 0c 00000001 6b3343cf 00000001"),
    ({"max_datagram_frame_size": 65535}, "20 04 8000ffff"),
    ({"grease_quic_bit": True}, "6ab2 00"),
    (
        {"max_idle_timeout": 1, "initial_max_data": 2, "initial_source_connection_id": b"\x03"},
        "01 01 01 04 01 02 0f 01 03",
    ),
]


@pytest.mark.parametrize(("values", "text"), EXAMPLES)
def test_written_and_read_as_in_the_table(values: dict[str, Any], text: str) -> None:
    data = bytes.fromhex(text)
    parameters = TransportParameters(**values)
    assert parameters.encode() == data
    assert parse_transport_parameters(data, from_client=False) == parameters


@pytest.mark.parametrize(("values", "text"), EXAMPLES[:-1])
def test_each_truncation_is_refused(values: dict[str, Any], text: str) -> None:
    data = bytes.fromhex(text)
    for length in range(1, len(data)):
        refused(data[:length].hex())


def test_the_table_has_an_example_of_each_parameter() -> None:
    assert {name for values, _ in EXAMPLES for name in values} == {field.name for field in fields(TransportParameters)}


def test_client_of_rfc_9001_a2() -> None:
    data = bytes.fromhex(
        "0408ffffffffffffffff05048000ffff07048000ffff0801100104800075300901100f088394c8f03e51570806048000ffff"
    )
    assert parse_transport_parameters(data, from_client=True) == TransportParameters(
        max_idle_timeout=30000,
        initial_max_data=MAX_VARINT,
        initial_max_stream_data_bidi_local=65535,
        initial_max_stream_data_bidi_remote=65535,
        initial_max_stream_data_uni=65535,
        initial_max_streams_bidi=16,
        initial_max_streams_uni=16,
        initial_source_connection_id=bytes.fromhex("8394c8f03e515708"),
    )


def refused(text: str, *, from_client: bool = False) -> str:
    with pytest.raises(TransportError) as caught:
        parse_transport_parameters(bytes.fromhex(text), from_client=from_client)
    assert caught.value.error_code == TransportErrorCode.TRANSPORT_PARAMETER_ERROR
    return caught.value.reason


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("01 01 01 01 01 01", "twice, RFC 9000 §7.4"),
        ("1b 00 1b 00", "an unknown one twice, §7.4"),
        ("01", "no length"),
        ("01 ffffffffffffffff 00", "longer than the extension"),
        ("01 00", "no integer"),
        ("01 02 01 01", "bytes after the integer"),
        ("01 01 40", "half an integer"),
        ("00 15" + "aa" * 21, "connection ID of 21 bytes, §18.2"),
        ("0f 15" + "aa" * 21, "connection ID of 21 bytes, §18.2"),
        ("10 15" + "aa" * 21, "connection ID of 21 bytes, §18.2"),
        ("02 0f" + "aa" * 15, "reset token of 15 bytes, §18.2"),
        ("02 11" + "aa" * 17, "reset token of 17 bytes, §18.2"),
        ("03 02 44af", "max_udp_payload_size 1199, §18.2"),
        ("08 08 d000000000000001", "more than 2**60 streams, §4.6"),
        ("09 08 d000000000000001", "more than 2**60 streams, §4.6"),
        ("0a 01 15", "ack_delay_exponent 21, §18.2"),
        ("0b 04 80004000", "max_ack_delay 2**14, §18.2"),
        ("0c 01 00", "disable_active_migration with a value, §18.2"),
        ("0d 00", "empty preferred_address"),
        ("0d 29" + "00" * 41, "preferred_address with a connection ID of 0 bytes, §18.2"),
        ("0d 3e" + "00" * 24 + "15" + "aa" * 37, "preferred_address with a connection ID of 21 bytes"),
        ("0d 2a" + "00" * 24 + "02" + "aa" * 17, "preferred_address shorter than its connection ID"),
        ("0d 2a" + "00" * 24 + "00" + "aa" * 17, "preferred_address longer than its connection ID"),
        ("0d 2b" + ADDRESS_TEXT + "0f 00", "preferred_address, but zero-length connection IDs, §18.2"),
        ("0e 01 01", "active_connection_id_limit 1, §18.2"),
        ("11 00", "empty version_information, RFC 9368 §4"),
        ("11 05 0000000100", "version_information cut, RFC 9368 §4"),
        ("11 04 00000000", "chosen version 0, RFC 9368 §4"),
        ("11 08 00000001 00000000", "available version 0, RFC 9368 §4"),
        ("6ab2 01 00", "grease_quic_bit with a value, RFC 9287 §3"),
    ],
)
def test_malformed(text: str, why: str) -> None:
    assert refused(text)


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("00 00", "original_destination_connection_id"),
        ("02 10" + TOKEN.hex(), "stateless_reset_token"),
        ("0d 2b" + ADDRESS_TEXT, "preferred_address"),
        ("10 00", "retry_source_connection_id"),
    ],
)
def test_what_only_a_server_may_send(text: str, name: str) -> None:
    assert name in refused(text, from_client=True)
    assert parse_transport_parameters(bytes.fromhex(text), from_client=False) != TransportParameters()


def test_version_chosen_by_a_client_is_available() -> None:
    text = "11 08 00000001 6b3343cf"
    refused(text, from_client=True)
    parsed = parse_transport_parameters(bytes.fromhex(text), from_client=False)  # a server may be in transition
    assert parsed.version_information == VersionInformation(1, (0x6B3343CF,))


def test_unknown_parameters_are_ignored() -> None:
    data = bytes.fromhex("1b 03 aabbcc 01 01 05 ffffffffffffffff 00")  # 0x1b = 31 * 0 + 27: reserved, RFC 9000 §18.1
    assert parse_transport_parameters(data, from_client=True) == TransportParameters(max_idle_timeout=5)


def test_many_parameters_cost_no_more_than_their_bytes() -> None:
    data = b"".join((0x8000_4000 + index).to_bytes(4, "big") + b"\x00" for index in range(13_000))  # 65000 bytes
    assert parse_transport_parameters(data, from_client=True) == TransportParameters()


# What aioquic can carry of it, with values that it does not take for absent.
FOREIGN: dict[str, Any] = {
    "original_destination_connection_id": b"\x01" * 8,
    "max_idle_timeout": 60_000,
    "stateless_reset_token": TOKEN,
    "max_udp_payload_size": 1452,
    "initial_max_data": 2**20,
    "initial_max_stream_data_bidi_local": 2**18,
    "initial_max_stream_data_bidi_remote": 2**17,
    "initial_max_stream_data_uni": 2**16,
    "initial_max_streams_bidi": 100,
    "initial_max_streams_uni": 3,
    "ack_delay_exponent": 5,
    "max_ack_delay": 26,
    "disable_active_migration": True,
    "active_connection_id_limit": 8,
    "initial_source_connection_id": b"\x02" * 8,
    "retry_source_connection_id": b"",
    "max_datagram_frame_size": 1200,
}


def test_aioquic_writes_what_is_read() -> None:
    buffer = Buffer(capacity=1000)
    push_quic_transport_parameters(buffer, QuicTransportParameters(**FOREIGN))
    assert parse_transport_parameters(buffer.data, from_client=False) == TransportParameters(**FOREIGN)


def test_aioquic_reads_what_is_written() -> None:
    data = TransportParameters(**FOREIGN).encode()
    assert pull_quic_transport_parameters(Buffer(data=data)) == QuicTransportParameters(**FOREIGN)


pieces = st.sampled_from([bytes.fromhex(text) for _, text in EXAMPLES])
nearly = st.lists(
    pieces
    | st.builds(lambda kind, value: bytes((kind, len(value))) + value, st.integers(0, 0x21), st.binary(max_size=50)),
    max_size=6,
).map(b"".join)


@given(st.binary(max_size=80) | nearly, st.booleans())
@settings(deadline=None, max_examples=500)
def test_any_bytes_give_parameters_or_a_transport_error(data: bytes, from_client: bool) -> None:
    refusal = None
    try:
        parameters = parse_transport_parameters(data, from_client=from_client)
    except TransportError as error:
        refusal = error
    if refusal is not None:
        assert refusal.error_code == TransportErrorCode.TRANSPORT_PARAMETER_ERROR
        return
    assert parse_transport_parameters(parameters.encode(), from_client=from_client) == parameters
