"""Compatible and incompatible version negotiation, and who tries to meddle with it (RFC 9368, RFC 9369 §4)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from quicmini.config import Config
from quicmini.connection import endpoint, version_negotiation
from quicmini.connection.events import NewTokenReceived
from quicmini.connection.state import ConnectionState
from quicmini.errors import TransportError, TransportErrorCode, VersionNegotiationError
from quicmini.wire.packet import (
    VERSION_1,
    VERSION_2,
    LongHeader,
    PacketType,
    RetryPacket,
    UnknownVersion,
    VersionNegotiation,
    encode_version_negotiation,
    parse_long_header,
)
from quicmini.wire.transport_parameters import (
    VERSION_INFORMATION,
    VersionInformation,
    encode_parameter,
    encode_version_information,
)
from tests.certificates import CertificateFiles
from tests.connection.attacker import core_of
from tests.connection.pair import Pair, events

V1 = Config(versions=(VERSION_1,))
V2 = Config(versions=(VERSION_2,))
PREFER_V1 = Config(versions=(VERSION_1, VERSION_2))
PREFER_V2 = Config(versions=(VERSION_2, VERSION_1))
START_WITH_V1 = Config(versions=(VERSION_2, VERSION_1), initial_version=VERSION_1)

VN_ERROR = TransportErrorCode.VERSION_NEGOTIATION_ERROR


def packets(pair: Pair, *, to_server: bool) -> list[LongHeader | RetryPacket]:
    """All packets with long headers, in one direction."""
    found = []
    for direction, datagram in pair.sent:
        pos = 0
        while direction is to_server and pos < len(datagram) and datagram[pos] >= 0x80:
            header = parse_long_header(datagram, pos)
            if isinstance(header, VersionNegotiation | UnknownVersion):
                break
            found.append(header)
            pos = header.end if isinstance(header, LongHeader) else len(datagram)
    return found


def versions(pair: Pair, *, to_server: bool) -> list[int]:
    """The versions of those packets, without repetitions."""
    found: list[int] = []
    for header in packets(pair, to_server=to_server):
        if not found or found[-1] != header.version:
            found.append(header.version)
    return found


def connected(pair: Pair) -> bool:
    return pair.client.state is pair.server.state is ConnectionState.CONNECTED


def talk(pair: Pair) -> bytes | None:
    """A word of the client's."""
    stream_id = pair.client.open_stream(False)
    assert stream_id is not None
    pair.client.write_stream(stream_id, b"hello", True)
    pair.run()
    return pair.server.read_stream(stream_id, 100)


# Compatible negotiation (RFC 9368 §2.3)


@pytest.mark.parametrize(
    ("client", "server", "first", "negotiated"),
    [
        (PREFER_V1, PREFER_V1, VERSION_1, VERSION_1),
        (PREFER_V2, PREFER_V2, VERSION_2, VERSION_2),
        (START_WITH_V1, PREFER_V2, VERSION_1, VERSION_2),
        (PREFER_V1, PREFER_V2, VERSION_1, VERSION_2),
        (PREFER_V2, PREFER_V1, VERSION_2, VERSION_1),
        (V1, PREFER_V2, VERSION_1, VERSION_1),
        (V2, PREFER_V1, VERSION_2, VERSION_2),
        (START_WITH_V1, V1, VERSION_1, VERSION_1),
    ],
)
def test_the_server_chooses_among_what_the_client_offers(
    server_files: CertificateFiles, client: Config, server: Config, first: int, negotiated: int
) -> None:
    pair = Pair(server_files, client_config=client, server_config=server)
    pair.handshake()
    assert connected(pair)
    assert core_of(pair.client).version == core_of(pair.server).version == negotiated
    expected = [first] if first == negotiated else [first, negotiated]
    assert versions(pair, to_server=True) == expected
    assert versions(pair, to_server=False) == [negotiated]
    assert talk(pair) == b"hello"
    assert core_of(pair.client).stats.packets_dropped == core_of(pair.server).stats.packets_dropped == {}


def test_without_version_information_nothing_changes(
    server_files: CertificateFiles, monkeypatch: pytest.MonkeyPatch
) -> None:
    """RFC 9368 §4: either side may complete the handshake with one that does not know the mechanism."""
    monkeypatch.setattr(endpoint, "version_information", lambda core: b"")
    monkeypatch.setattr(version_negotiation, "version_information", lambda core: b"")
    pair = Pair(server_files, client_config=START_WITH_V1, server_config=PREFER_V2)
    pair.handshake()
    assert connected(pair)
    assert core_of(pair.client).version == VERSION_1


def test_a_retry_comes_in_the_original_version(server_files: CertificateFiles) -> None:
    """RFC 9369 §4.1; the switch comes afterwards."""
    server = Config(versions=(VERSION_2, VERSION_1), retry=True)
    pair = Pair(server_files, client_config=START_WITH_V1, server_config=server)
    pair.handshake()
    assert connected(pair)
    retry, *others = packets(pair, to_server=False)
    assert isinstance(retry, RetryPacket)
    assert retry.version == VERSION_1
    assert {header.version for header in others} == {VERSION_2}


def test_tokens_belong_to_the_negotiated_version(server_files: CertificateFiles) -> None:
    """RFC 9369 §5."""
    pair = Pair(server_files, client_config=START_WITH_V1, server_config=PREFER_V2)
    pair.run(seconds=0.1)
    (event,) = [event for event in events(pair.client) if isinstance(event, NewTokenReceived)]
    assert event.version == VERSION_2


def test_after_a_hello_retry_request_the_version_stays(server_files: CertificateFiles) -> None:
    """RFC 9369 §4.1: all CRYPTO frames of a server have the negotiated version, and this one came too early."""
    client = Config(versions=(VERSION_2, VERSION_1), initial_version=VERSION_1, groups=(0x001D, 0x0017))
    server = Config(versions=(VERSION_2, VERSION_1), groups=(0x0017,))
    pair = Pair(server_files, client_config=client, server_config=server)
    pair.handshake()
    assert connected(pair)
    assert core_of(pair.client).version == VERSION_1
    assert versions(pair, to_server=False) == [VERSION_1]


@pytest.mark.parametrize("lost", range(6))
def test_any_of_the_first_datagrams_may_be_lost(server_files: CertificateFiles, lost: int) -> None:
    pair = Pair(server_files, client_config=START_WITH_V1, server_config=PREFER_V2)
    pair.drop = lambda to_server, datagram: len(pair.sent) == lost + 1
    pair.run(seconds=10.0)
    assert connected(pair)
    assert core_of(pair.client).version == VERSION_2


def test_late_initials_of_the_original_version_are_read(server_files: CertificateFiles) -> None:
    """RFC 9369 §4.1: a client that has not heard of the new version sends its ClientHello again in the old one."""
    pair = Pair(server_files, client_config=START_WITH_V1, server_config=PREFER_V2)
    pair.to_server(pair.from_client())
    pair.from_server()  # lost
    pair.now = pair.client.next_timeout() or 0.0
    pair.client.handle_timeout(pair.now)
    received = core_of(pair.server).stats.packets_received
    again = pair.from_client()
    assert {datagram[1:5] for datagram in again} == {VERSION_1.to_bytes(4)}
    pair.to_server(again)
    assert core_of(pair.server).stats.packets_received > received
    pair.run(seconds=5.0)
    assert connected(pair)


def test_other_packets_of_the_original_version_are_dropped(server_files: CertificateFiles) -> None:
    """RFC 9369 §4.1: Handshake packets have the negotiated version."""
    pair = Pair(server_files, client_config=START_WITH_V1, server_config=PREFER_V2)
    pair.to_server(pair.from_client())
    pair.to_client(pair.from_server())
    core = core_of(pair.client)
    header = LongHeader(VERSION_1, PacketType.HANDSHAKE, core.local_cids.handshake_cid, b"", b"", 0, 0)
    assert not version_negotiation.can_read(core, header)
    assert version_negotiation.can_read(core, header._replace(version=VERSION_2))
    assert version_negotiation.can_read(core, header._replace(packet_type=PacketType.INITIAL))


# Incompatible negotiation (RFC 9000 §6, RFC 9368 §2.1)


def test_a_version_negotiation_packet_costs_a_round_trip(server_files: CertificateFiles) -> None:
    pair = Pair(server_files, client_config=PREFER_V1, server_config=V2)
    pair.to_server(pair.from_client())
    (datagram,) = pair.from_server()
    answer = parse_long_header(datagram, 0)
    assert isinstance(answer, VersionNegotiation)
    assert answer.versions == (VERSION_2,)
    pair.to_client([datagram])
    pair.handshake()
    assert connected(pair)
    assert versions(pair, to_server=True) == [VERSION_1, VERSION_2]
    assert talk(pair) == b"hello"


def test_the_new_first_flight_brings_no_old_token(server_files: CertificateFiles) -> None:
    """RFC 9369 §5."""
    pair = Pair(server_files, client_config=PREFER_V1, server_config=V2, token=b"for version 1")
    pair.handshake()
    assert connected(pair)
    first, second, *_ = packets(pair, to_server=True)
    assert isinstance(first, LongHeader)
    assert isinstance(second, LongHeader)
    assert (first.token, second.token) == (b"for version 1", b"")


def test_a_lost_version_negotiation_packet(server_files: CertificateFiles) -> None:
    pair = Pair(server_files, client_config=PREFER_V1, server_config=V2)
    pair.drop = lambda to_server, datagram: len(pair.sent) == 2
    pair.run(seconds=5.0)
    assert connected(pair)


def test_no_version_in_common(server_files: CertificateFiles) -> None:
    pair = Pair(server_files, client_config=V1, server_config=V2)
    pair.run(seconds=1.0)
    assert isinstance(pair.client.error, VersionNegotiationError)
    assert pair.client.state is ConnectionState.TERMINATED


def negotiation_packet(pair: Pair, *offered: int) -> bytes:
    core = core_of(pair.client)
    return encode_version_negotiation(core.local_cids.handshake_cid, core.original_destination_cid, offered)


def test_d03_a_client_believes_one_version_negotiation_packet(server_files: CertificateFiles) -> None:
    """RFC 9368 §4: none in response to the second attempt; RFC 9000 §6.2: none that lists what was offered."""
    pair = Pair(server_files, client_config=PREFER_V1, server_config=V2)
    core = core_of(pair.client)
    pair.from_client()
    pair.to_client([negotiation_packet(pair, VERSION_1, VERSION_2)])
    assert core.version == VERSION_1
    pair.to_client([negotiation_packet(pair, VERSION_2)])
    pair.to_client([negotiation_packet(pair, VERSION_1)])
    assert core.version == VERSION_2
    assert core.stats.packets_dropped == {"Version Negotiation": 2}
    pair.handshake()
    assert connected(pair)


def test_d03_none_after_a_retry(server_files: CertificateFiles) -> None:
    pair = Pair(server_files, client_config=PREFER_V1, server_config=Config(retry=True))
    pair.exchange()
    pair.to_client([negotiation_packet(pair, VERSION_2)])
    assert core_of(pair.client).version == VERSION_1
    pair.handshake()
    assert connected(pair)


# Attacks (RFC 9368 §4)


def test_a_forged_version_negotiation_packet_is_found_out(server_files: CertificateFiles) -> None:
    """Both have version 1, which the client would rather speak: it was made to believe that the server has not."""
    pair = Pair(server_files, client_config=PREFER_V1, server_config=PREFER_V2)
    pair.from_client()
    pair.to_client([negotiation_packet(pair, VERSION_2)])
    pair.run(seconds=1.0)
    assert isinstance(pair.client.error, TransportError)
    assert pair.client.error.error_code == VN_ERROR
    assert "better version" in pair.client.error.reason


def test_a_forged_initial_in_another_version_leads_nowhere(server_files: CertificateFiles) -> None:
    """Whoever sees a client's Initial can make one that seems to be the server's; its headers do not decide."""
    pair = Pair(server_files, client_config=PREFER_V1, server_config=V1)
    core = core_of(pair.client)
    pair.to_server(pair.from_client())
    flight = pair.from_server()
    version_negotiation.adopt_version(core, VERSION_2)
    pair.to_client(flight)
    pair.run(seconds=1.0)
    assert pair.client.state is not ConnectionState.CONNECTED


Change = Callable[[VersionInformation], VersionInformation | None]


def lie(monkeypatch: pytest.MonkeyPatch, where: Any, change: Change) -> None:
    """One side's version_information says something else."""

    def lying(core: Any) -> bytes:
        information = change(VersionInformation(core.version, core.versions.available))
        if information is None:
            return b""
        return encode_parameter(VERSION_INFORMATION, encode_version_information(information))

    monkeypatch.setattr(where, "version_information", lying)


@pytest.mark.parametrize(
    ("client", "change"),
    [
        (PREFER_V1, lambda said: said._replace(chosen_version=VERSION_1)),  # not that of the packets
        (PREFER_V1, lambda said: said._replace(chosen_version=0x1A2A3A4A)),  # not offered
        (PREFER_V1, lambda said: None),  # missing, after a switch
        (V2, lambda said: said._replace(chosen_version=VERSION_1)),
    ],
)
def test_a_server_that_contradicts_its_packets(
    server_files: CertificateFiles, monkeypatch: pytest.MonkeyPatch, client: Config, change: Change
) -> None:
    lie(monkeypatch, version_negotiation, change)
    pair = Pair(server_files, client_config=client, server_config=PREFER_V2)
    pair.run(seconds=1.0)
    assert pair.client.error is not None
    assert (pair.client.error.error_code, pair.client.error.remote) == (VN_ERROR, False)


@pytest.mark.parametrize(
    "change",
    [
        lambda said: None,
        lambda said: said._replace(available_versions=()),
        lambda said: said._replace(available_versions=(VERSION_1, VERSION_2)),
    ],
)
def test_after_a_version_negotiation_packet_the_server_must_confirm_it(
    server_files: CertificateFiles, monkeypatch: pytest.MonkeyPatch, change: Change
) -> None:
    lie(monkeypatch, version_negotiation, change)
    pair = Pair(server_files, client_config=PREFER_V1, server_config=V2)
    pair.run(seconds=1.0)
    assert pair.client.error is not None
    assert (pair.client.error.error_code, pair.client.error.remote) == (VN_ERROR, False)


def test_a_server_that_knows_version_1_alone_need_not_confirm_it(
    server_files: CertificateFiles, monkeypatch: pytest.MonkeyPatch
) -> None:
    """RFC 9368 §8: version 1 is older than version_information."""
    monkeypatch.setattr(version_negotiation, "version_information", lambda core: b"")
    pair = Pair(server_files, client_config=PREFER_V2, server_config=V1)
    pair.handshake()
    assert connected(pair)
    assert core_of(pair.client).version == VERSION_1


def test_a_client_that_contradicts_its_packets(server_files: CertificateFiles, monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody has changed the version of its packets."""
    lie(monkeypatch, endpoint, lambda said: said._replace(chosen_version=VERSION_2))
    pair = Pair(server_files, client_config=PREFER_V1)
    pair.run(seconds=1.0)
    assert pair.server.error is not None
    assert (pair.server.error.error_code, pair.server.error.remote) == (VN_ERROR, False)
