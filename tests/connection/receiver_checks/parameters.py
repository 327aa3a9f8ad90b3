"""What a receiver must check: the rows about transport parameters (RFC 9000 §7.3, §7.4, §18.2); see its neighbours."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from quicmini.config import Config
from quicmini.errors import TransportErrorCode
from quicmini.recovery.sent import PacketNumberSpace
from quicmini.wire.varint import MAX_VARINT, encode_varint
from tests.certificates import CertificateFiles
from tests.connection.duel import Duel, change_parameters, parameter

TRANSPORT_PARAMETER_ERROR = TransportErrorCode.TRANSPORT_PARAMETER_ERROR

# A victim, and what its peer says of itself: the code with which it closes, None if it does not.
Lie = Callable[..., int | None]

PREFERRED = bytes(4 + 2 + 16 + 2) + b"\x09preferred" + bytes(16)  # a preferred_address (RFC 9000 §18.2)


@pytest.fixture
def to_server(server_files: CertificateFiles, monkeypatch: pytest.MonkeyPatch) -> Lie:
    """A client lies to a server."""
    return _liar(server_files, monkeypatch, victim_is_server=True)


@pytest.fixture
def to_client(server_files: CertificateFiles, monkeypatch: pytest.MonkeyPatch) -> Lie:
    """A server lies to a client."""
    return _liar(server_files, monkeypatch, victim_is_server=False)


@pytest.fixture(params=["to_server", "to_client"])
def lie(request: pytest.FixtureRequest) -> Lie:
    """Each lies to the other."""
    found: Lie = request.getfixturevalue(request.param)
    return found


def _liar(files: CertificateFiles, monkeypatch: pytest.MonkeyPatch, *, victim_is_server: bool) -> Lie:
    def lie(values: dict[int, bytes] | None = None, *, retry: bool = False, **options: Any) -> int | None:
        change_parameters(monkeypatch, of_client=victim_is_server, values=values, **options)
        space, config = PacketNumberSpace.INITIAL, Config(retry=retry)
        duel = Duel(files, victim_is_server=victim_is_server, space=space, server_config=config)
        if retry:
            duel.deliver(duel.flight)
            duel.pair.to_server(duel.pair.from_client())
            duel.flight = duel.pair.from_server()
        duel.deliver(duel.flight)
        return duel.verdict()

    return lie


@pytest.mark.parametrize("identifier", [0x08, 0x09])
def test_e06_a_first_limit_above_2_60_streams(lie: Lie, identifier: int) -> None:
    """RFC 9000 §4.6, §18.2."""
    assert lie({identifier: encode_varint(2**60 + 1)}) == TRANSPORT_PARAMETER_ERROR


def test_e11_no_initial_source_connection_id(lie: Lie) -> None:
    """RFC 9000 §7.3."""
    assert lie(without=0x0F) == TRANSPORT_PARAMETER_ERROR


def test_e12_no_original_destination_connection_id(to_client: Lie) -> None:
    """RFC 9000 §7.3."""
    assert to_client(without=0x00) == TRANSPORT_PARAMETER_ERROR


def test_e13_retry_source_connection_id_without_a_retry(to_client: Lie) -> None:
    """RFC 9000 §7.3."""
    assert to_client({0x10: b"no Retry"}) == TRANSPORT_PARAMETER_ERROR


@pytest.mark.parametrize("lied", [{"without": 0x10}, {"values": {0x10: b"another1"}}])
def test_e13_e14_retry_source_connection_id_after_a_retry(to_client: Lie, lied: dict[str, Any]) -> None:
    """RFC 9000 §7.3: absent, or not the one of the Retry packet."""
    assert to_client(**lied, retry=True) == TRANSPORT_PARAMETER_ERROR


def test_e14_a_source_connection_id_that_the_packets_did_not_have(lie: Lie) -> None:
    """RFC 9000 §7.3."""
    assert lie({0x0F: b"another1"}) == TRANSPORT_PARAMETER_ERROR


def test_e14_an_original_connection_id_that_the_packets_did_not_have(to_client: Lie) -> None:
    """RFC 9000 §7.3."""
    assert to_client({0x00: b"another1"}) == TRANSPORT_PARAMETER_ERROR


@pytest.mark.parametrize("identifier", [0x01, 0x03, 0x04, 0x05, 0x06, 0x07, 0x08, 0x09, 0x0A, 0x0B, 0x0E])
def test_e15_an_invalid_value(lie: Lie, identifier: int) -> None:
    """RFC 9000 §7.4: here an integer of which half is missing; the bounds of each have rows of their own."""
    assert lie({identifier: b"\x80\x00"}) == TRANSPORT_PARAMETER_ERROR


def test_e16_a_parameter_twice(lie: Lie) -> None:
    """RFC 9000 §7.4."""
    assert lie(without=0x0A, appended=parameter(0x0A, b"\x05") * 2) == TRANSPORT_PARAMETER_ERROR


@pytest.mark.parametrize("value", [b"", b"original"])
def test_e36_a_client_sends_original_destination_connection_id(to_server: Lie, value: bytes) -> None:
    """RFC 9000 §18.2."""
    assert to_server({0x00: value}) == TRANSPORT_PARAMETER_ERROR


def test_e37_a_client_sends_preferred_address(to_server: Lie) -> None:
    """RFC 9000 §18.2."""
    assert to_server({0x0D: PREFERRED}) == TRANSPORT_PARAMETER_ERROR


@pytest.mark.parametrize("value", [b"", b"retried!"])
def test_e38_a_client_sends_retry_source_connection_id(to_server: Lie, value: bytes) -> None:
    """RFC 9000 §18.2."""
    assert to_server({0x10: value}) == TRANSPORT_PARAMETER_ERROR


def test_e39_a_client_sends_stateless_reset_token(to_server: Lie) -> None:
    """RFC 9000 §18.2."""
    assert to_server({0x02: bytes(16)}) == TRANSPORT_PARAMETER_ERROR


@pytest.mark.parametrize(("value", "code"), [(1199, TRANSPORT_PARAMETER_ERROR), (1200, None), (MAX_VARINT, None)])
def test_e40_max_udp_payload_size_below_1200(lie: Lie, value: int, code: int | None) -> None:
    """RFC 9000 §18.2."""
    assert lie({0x03: encode_varint(value)}) == code


@pytest.mark.parametrize(("value", "code"), [(21, TRANSPORT_PARAMETER_ERROR), (20, None)])
def test_e41_ack_delay_exponent_above_20(lie: Lie, value: int, code: int | None) -> None:
    """RFC 9000 §18.2."""
    assert lie({0x0A: encode_varint(value)}) == code


@pytest.mark.parametrize(("value", "code"), [(2**14, TRANSPORT_PARAMETER_ERROR), (2**14 - 1, None)])
def test_e42_max_ack_delay_of_2_14(lie: Lie, value: int, code: int | None) -> None:
    """RFC 9000 §18.2."""
    assert lie({0x0B: encode_varint(value)}) == code


@pytest.mark.parametrize(("value", "code"), [(1, TRANSPORT_PARAMETER_ERROR), (2, None)])
def test_e43_active_connection_id_limit_below_2(lie: Lie, value: int, code: int | None) -> None:
    """RFC 9000 §18.2."""
    assert lie({0x0E: encode_varint(value)}) == code


def test_e44_preferred_address_with_an_empty_connection_id(to_client: Lie) -> None:
    """RFC 9000 §18.2."""
    assert to_client({0x0D: bytes(24) + b"\x00" + bytes(16)}) == TRANSPORT_PARAMETER_ERROR


def test_e44_preferred_address_of_a_server_with_an_empty_connection_id(to_client: Lie) -> None:
    """RFC 9000 §18.2."""
    assert to_client({0x0D: PREFERRED, 0x0F: b""}) == TRANSPORT_PARAMETER_ERROR


def test_a_good_preferred_address(to_client: Lie) -> None:
    assert to_client({0x0D: PREFERRED}) is None


@pytest.mark.parametrize(("identifier", "value"), [(0x0C, b"\x00"), (0x0C, b"\x01"), (0x0F, bytes(21))])
def test_e45_a_parameter_of_the_wrong_length(lie: Lie, identifier: int, value: bytes) -> None:
    """RFC 9000 §7.4, §18.2."""
    assert lie({identifier: value}) == TRANSPORT_PARAMETER_ERROR


@pytest.mark.parametrize(
    ("identifier", "value"),
    [(0x02, bytes(15)), (0x02, bytes(17)), (0x00, bytes(21)), (0x10, bytes(21)), (0x0D, PREFERRED[:-1])],
)
def test_e45_a_servers_parameter_of_the_wrong_length(to_client: Lie, identifier: int, value: bytes) -> None:
    """RFC 9000 §7.4, §18.2."""
    assert to_client({identifier: value}) == TRANSPORT_PARAMETER_ERROR
