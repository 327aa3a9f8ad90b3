"""Events that take a NAT, an attacker, or an old server to happen."""

from __future__ import annotations

from ipaddress import IPv6Address
from typing import Any

import pytest

from quicmini.connection import occurrences as told
from quicmini.connection.occurrences import PacketHeader
from quicmini.crypto.keys import EncryptionLevel
from quicmini.errors import (
    ConnectionClosed,
    ConnectionClosedOK,
    HandshakeError,
    IdleTimeoutError,
    StatelessResetError,
    TransportError,
    TransportErrorCode,
    VersionNegotiationError,
)
from quicmini.observe.qlog_events import DROP_TRIGGERS, Renderer
from quicmini.wire.frames import Ack
from quicmini.wire.packet import VERSION_1, VERSION_2, PacketType
from quicmini.wire.transport_parameters import PreferredAddress, TransportParameters
from tests.observe.qlog_schema import event_problems

CID, OTHER = b"\x01" * 8, b"\x02" * 8
SHORT = PacketHeader(PacketType.ONE_RTT, 5, CID)


def render(*occurrences: object, is_client: bool = True) -> tuple[str, dict[str, Any]]:
    """The last one's event, which is as the drafts want it."""
    renderer = Renderer(is_client=is_client)
    name, data = [renderer.render(occurrence) for occurrence in occurrences][-1] or ("", {})
    assert event_problems(name, data) == []
    return name, data


def test_an_occurrence_that_nobody_knows_has_no_event() -> None:
    assert Renderer(is_client=True).render(object()) is None


@pytest.mark.parametrize(("reason", "trigger"), DROP_TRIGGERS.items())
def test_a_packet_that_was_dropped(reason: str, trigger: str) -> None:
    assert render(told.PacketDropped(reason, SHORT, 40)) == (
        "transport:packet_dropped",
        {
            "header": {"packet_type": "1RTT", "packet_number": 5, "dcil": 8, "dcid": CID.hex()},
            "raw": {"length": 40},
            "trigger": trigger,
            "details": {"reason": reason},
        },
    )


def test_a_packet_of_which_nothing_is_known_was_dropped() -> None:
    _, data = render(told.PacketDropped("a new reason", None, 0))
    assert data == {
        "header": {"packet_type": "unknown"},
        "trigger": "general",
        "details": {"reason": "a new reason"},
    }


def test_a_packet_that_waits_for_its_keys() -> None:
    header = PacketHeader(PacketType.HANDSHAKE, None, CID, OTHER, VERSION_2)
    assert render(told.PacketBuffered(header, 100)) == (
        "transport:packet_buffered",
        {
            "header": {
                "packet_type": "handshake",
                "version": "6b3343cf",
                "scil": 8,
                "scid": OTHER.hex(),
                "dcil": 8,
                "dcid": CID.hex(),
            },
            "raw": {"length": 100},
            "trigger": "keys_unavailable",
        },
    )


def test_a_retry() -> None:
    header = PacketHeader(PacketType.RETRY, None, CID, OTHER, VERSION_1, b"token")
    name, data = render(told.PacketReceived(header, b"", 60))
    assert name == "transport:packet_received"
    assert data["header"]["packet_type"] == "retry"
    assert data["retry_token"] == {"type": "retry", "raw": {"length": 5}}


def test_a_version_negotiation_packet() -> None:
    header = PacketHeader(PacketType.VERSION_NEGOTIATION, None, CID, OTHER, 0)
    _, data = render(told.PacketReceived(header, b"", 60, (VERSION_1, VERSION_2)))
    assert data["supported_versions"] == ["00000001", "6b3343cf"]


def test_each_side_scales_its_own_ack_delays() -> None:
    payload = Ack(((0, 0),), 100).encode()
    own = told.ParametersSet(True, TransportParameters(ack_delay_exponent=0))
    peers = told.ParametersSet(False, TransportParameters(ack_delay_exponent=10))
    _, sent = render(own, peers, told.PacketSent(SHORT, payload, 40))
    _, received = render(own, peers, told.PacketReceived(SHORT, payload, 40))
    assert sent["frames"][0]["ack_delay"] == 0.1
    assert received["frames"][0]["ack_delay"] == 102.4


def test_addresses_of_either_kind() -> None:
    _, data = render(told.ConnectionStarted(("2001:db8::1", 443, 0, 0), None, CID, OTHER))
    assert (data["ip_version"], data["dst_ip"], data["dst_port"]) == ("v6", "2001:db8::1", 443)
    assert data["remote"] == {"ip_v6": "2001:db8::1", "port_v6": 443, "connection_ids": [OTHER.hex()]}
    assert render(told.PathChanged(2, ("192.0.2.1", 50001), None)) == (
        "connectivity:tuple_assigned",
        {"tuple_id": "2", "tuple_remote": {"ip_v4": "192.0.2.1", "port_v4": 50001}},
    )


def test_a_preferred_address() -> None:
    preferred = PreferredAddress(bytes(4), 0, IPv6Address("2001:db8::2").packed, 4434, CID, bytes(16))
    _, data = render(told.ParametersSet(False, TransportParameters(preferred_address=preferred)))
    assert data["preferred_address"] == {"ip_v6": "2001:db8::2", "port_v6": 4434, "connection_id": CID.hex()}


def test_tokens_of_stateless_resets_are_secret() -> None:
    _, data = render(told.ParametersSet(False, TransportParameters(stateless_reset_token=b"\xee" * 16)))
    assert "ee" * 16 not in str(data)


@pytest.mark.parametrize("own", [True, False])
def test_another_connection_id(own: bool) -> None:
    assert render(told.ConnectionIdChanged(own, CID, OTHER)) == (
        "connectivity:connection_id_updated",
        {
            "owner": "local" if own else "remote",
            "initiator": "local" if own else "remote",
            "old": CID.hex(),
            "new": OTHER.hex(),
        },
    )


def test_keys_belong_to_who_sends_with_them() -> None:
    for is_client, sending, who in (True, True, "client"), (True, False, "server"), (False, True, "server"):
        change = told.KeysChanged(EncryptionLevel.ZERO_RTT, sending, False)
        name, data = render(change, is_client=is_client)
        assert (name, data["key_type"]) == ("security:key_discarded", f"{who}_0rtt_secret")


@pytest.mark.parametrize(
    ("error", "trigger", "code"),
    [
        (ConnectionClosedOK(remote=True), "application", None),
        (IdleTimeoutError(0, "silence"), "idle_timeout", None),
        (StatelessResetError(remote=True), "stateless_reset", None),
        (VersionNegotiationError(0, "too old", remote=True), "version_mismatch", None),
        (TransportError(TransportErrorCode.FLOW_CONTROL_ERROR, "too much"), "error", "flow_control_error"),
        (HandshakeError(0x0178, "nothing in common"), "error", "crypto_error_0x178"),
        (ConnectionClosed(), "unspecified", None),
    ],
)
def test_each_end_has_its_reason(error: ConnectionClosed, trigger: str, code: str | None) -> None:
    name, data = render(told.Ended(error))
    assert name == "connectivity:connection_closed"
    assert (data["trigger"], data["reason"], data.get("connection_error")) == (trigger, error.reason, code)
    assert data["owner"] == ("remote" if error.remote else "local")
