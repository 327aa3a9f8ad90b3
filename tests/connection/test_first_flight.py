"""Retry, seen from both sides (RFC 9000 §8.1.2, §17.2.5)."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from quicmini.config import Config
from quicmini.connection.events import NewTokenReceived
from quicmini.connection.first_flight import MAX_TOKEN_LENGTH
from quicmini.connection.frame_handlers import MAX_TOKENS
from quicmini.connection.state import Address, ConnectionState
from quicmini.crypto.retry import retry_integrity_tag
from quicmini.errors import TransportErrorCode
from quicmini.wire.frames import NewToken
from quicmini.wire.packet import (
    VERSION_1,
    VERSION_2,
    LongHeader,
    PacketType,
    RetryPacket,
    encode_retry,
    parse_long_header,
)
from tests.certificates import CertificateFiles
from tests.connection.attacker import core_of, forge
from tests.connection.pair import CLIENT, Pair, events

RETRY = Config(retry=True)
_INITIAL = PacketType.INITIAL


@pytest.fixture
def pair(server_files: CertificateFiles) -> Pair:
    return Pair(server_files, server_config=RETRY)


def headers(pair: Pair, *, to_server: bool) -> list[LongHeader | RetryPacket]:
    """The first header of each datagram so far that has a long one."""
    found = []
    for direction, datagram in pair.sent:
        if direction is to_server and datagram[0] >= 0x80:
            header = parse_long_header(datagram, 0)
            assert isinstance(header, LongHeader | RetryPacket)
            found.append(header)
    return found


def get_retry(pair: Pair) -> bytes:
    """The server's Retry, which the client has not got yet."""
    pair.to_server(pair.from_client())
    (retry,) = pair.from_server()
    return retry


def connected(pair: Pair) -> bool:
    return pair.client.state is pair.server.state is ConnectionState.CONNECTED


# The whole exchange


def test_a_retry_costs_a_round_trip_and_no_state(pair: Pair) -> None:
    retry = get_retry(pair)
    assert isinstance(parse_long_header(retry, 0), RetryPacket)
    assert not pair.server_endpoint._connections
    pair.to_client([retry])
    pair.handshake()
    assert connected(pair)


def test_the_ids_and_the_token_travel_as_the_rfc_says(pair: Pair) -> None:
    """RFC 9000 §7.2, §7.3, §17.2.5.2, §17.2.5.3."""
    pair.handshake()
    first, *later = headers(pair, to_server=True)
    retry, *_ = headers(pair, to_server=False)
    assert isinstance(first, LongHeader)
    assert isinstance(retry, RetryPacket)
    second = later[0]
    assert isinstance(second, LongHeader)
    assert (second.destination_cid, second.token) == (retry.source_cid, retry.token)
    assert first.token == b""
    assert second.source_cid == first.source_cid == retry.destination_cid
    initials = [header for header in later if isinstance(header, LongHeader) and header.packet_type is _INITIAL]
    assert {header.token for header in initials} == {retry.token}
    server = core_of(pair.server)
    assert (server.original_destination_cid, server.retry_source_cid) == (first.destination_cid, retry.source_cid)
    assert server.local_cids.handshake_cid != retry.source_cid


def test_a_client_after_retry_is_validated_at_once(pair: Pair) -> None:
    """RFC 9000 §8.1.2: no amplification limit holds the server's certificate back."""
    pair.exchange()
    pair.to_server(pair.from_client())
    assert core_of(pair.server).path.validated


def test_numbers_go_on_after_a_retry(pair: Pair) -> None:
    """RFC 9000 §17.2.5.3: packet numbers are not reset, and the ClientHello is the same one."""
    random = core_of(pair.client).spaces[0]
    pair.to_client([get_retry(pair)])
    assert random.next_packet_number == 1
    pair.from_client()
    assert random.next_packet_number == 2
    assert core_of(pair.client).stats.packets_lost == 0


def test_a_lost_retry_is_made_again(pair: Pair) -> None:
    get_retry(pair)
    pair.run(seconds=5.0)
    assert connected(pair)


# D12: what a client drops in silence


def tampered(packet: RetryPacket, original_cid: bytes, **changes: object) -> bytes:
    """The same Retry with something changed, and a tag that fits."""
    fields = packet._asdict() | changes
    without_tag = encode_retry(
        fields["version"], fields["destination_cid"], fields["source_cid"], fields["token"], unused_bits=5
    )
    return without_tag + retry_integrity_tag(without_tag, original_cid, fields["version"])


@pytest.mark.parametrize(
    "change",
    [
        lambda retry, original: retry[:-1] + bytes([retry[-1] ^ 1]),  # the tag
        lambda retry, original: retry[:40] + bytes([retry[40] ^ 1]) + retry[41:],  # what it protects
        lambda retry, original: tampered(parse(retry), b"somebody", token=b"token"),  # never saw our Initial
        lambda retry, original: tampered(parse(retry), original, destination_cid=b"somebody"),
        lambda retry, original: tampered(parse(retry), original, source_cid=original),
        lambda retry, original: tampered(parse(retry), original, token=b""),
        lambda retry, original: tampered(parse(retry), original, token=bytes(MAX_TOKEN_LENGTH + 1)),
        lambda retry, original: tampered(parse(retry), original, version=VERSION_2),
    ],
)
def test_d12_a_retry_that_is_dropped(pair: Pair, change: Callable[[bytes, bytes], bytes]) -> None:
    retry = get_retry(pair)
    core = core_of(pair.client)
    core_before = (core.token, core.initial_cid, core.remote_cids.current)
    pair.client.receive_datagrams([change(retry, core.original_destination_cid)], pair.client.remote_address, pair.now)
    assert sum(core.stats.packets_dropped.values()) == 1
    assert (core.token, core.initial_cid, core.remote_cids.current) == core_before
    pair.to_client([retry])
    pair.handshake()
    assert connected(pair)


def parse(retry: bytes) -> RetryPacket:
    packet = parse_long_header(retry, 0)
    assert isinstance(packet, RetryPacket)
    return packet


def test_unused_bits_and_the_longest_token_are_fine(pair: Pair) -> None:
    """D21; the token leaves room for the ClientHello."""
    core = core_of(pair.client)
    retry = tampered(parse(get_retry(pair)), core.original_destination_cid, token=bytes(MAX_TOKEN_LENGTH))
    pair.to_client([retry])
    assert core.token == bytes(MAX_TOKEN_LENGTH)
    (datagram,) = pair.from_client()
    assert len(datagram) == 1200


def test_d12_a_second_retry_is_dropped(pair: Pair) -> None:
    core = core_of(pair.client)
    retry = get_retry(pair)
    pair.to_client([retry])
    first = core.token
    pair.to_client([tampered(parse(retry), core.original_destination_cid, token=b"another", source_cid=b"another")])
    assert core.token == first
    assert core.stats.packets_dropped == {"Retry": 1}


def test_d12_a_retry_after_an_initial_is_dropped(server_files: CertificateFiles) -> None:
    pair = Pair(server_files)
    pair.exchange()
    core = core_of(pair.client)
    without_tag = encode_retry(VERSION_1, core.local_cids.handshake_cid, b"retry cid", b"token")
    tag = retry_integrity_tag(without_tag, core.original_destination_cid, VERSION_1)
    pair.to_client([without_tag + tag])
    assert core.token == b""
    pair.handshake()
    assert connected(pair)


def test_a_server_drops_every_retry(pair: Pair) -> None:
    pair.handshake()
    core = core_of(pair.server)
    without_tag = encode_retry(VERSION_1, core.local_cids.handshake_cid, b"retry cid", b"token")
    pair.to_server([without_tag + retry_integrity_tag(without_tag, core.original_destination_cid, VERSION_1)])
    assert core.stats.packets_dropped["Retry"] == 1
    assert connected(pair)


# E13, E14: the handshake authenticates what the Retry said (RFC 9000 §7.3)


@pytest.mark.parametrize("claimed", [None, b"wrong"])
def test_e13_e14_retry_source_connection_id(pair: Pair, monkeypatch: pytest.MonkeyPatch, claimed: bytes | None) -> None:
    original = pair.server_endpoint._parameters
    monkeypatch.setattr(pair.server_endpoint, "_parameters", lambda local, first, _: original(local, first, claimed))
    pair.run(seconds=1.0)
    assert pair.client.error is not None
    assert pair.client.error.error_code == TransportErrorCode.TRANSPORT_PARAMETER_ERROR
    assert "retry_source_connection_id" in pair.client.error.reason


def test_e13_retry_source_connection_id_without_a_retry(
    server_files: CertificateFiles, monkeypatch: pytest.MonkeyPatch
) -> None:
    pair = Pair(server_files)
    original = pair.server_endpoint._parameters
    monkeypatch.setattr(pair.server_endpoint, "_parameters", lambda local, first, _: original(local, first, b"wrong"))
    pair.run(seconds=1.0)
    assert pair.client.error is not None
    assert pair.client.error.error_code == TransportErrorCode.TRANSPORT_PARAMETER_ERROR


# E19: a token that is not what it should be


@pytest.mark.parametrize(("source", "delay"), [(("198.51.100.7", 1), 0.0), (CLIENT, 60.0)])
def test_e19_an_invalid_retry_token(pair: Pair, source: Address, delay: float) -> None:
    """RFC 9000 §8.1.2: INVALID_TOKEN, at once and without state."""
    pair.to_client([get_retry(pair)])
    pair.now += delay
    pair.to_server(pair.from_client(), source)
    assert not pair.server_endpoint._connections
    pair.to_client(pair.from_server())
    error = pair.client.error
    assert error is not None
    assert (error.error_code, error.remote) == (TransportErrorCode.INVALID_TOKEN, True)


# NEW_TOKEN (RFC 9000 §8.1.3)


def token_of(pair: Pair) -> bytes:
    pair.run(seconds=0.1)
    (token,) = [event.token for event in events(pair.client) if isinstance(event, NewTokenReceived)]
    return token


def test_a_new_token_saves_the_retry(pair: Pair, server_files: CertificateFiles) -> None:
    token = token_of(pair)
    second = Pair(server_files, server_config=RETRY, token=token)
    second.server_endpoint._tokens = pair.server_endpoint._tokens
    second.to_server(second.from_client(), (CLIENT[0], 4242))
    assert core_of(second.server).path.validated
    assert core_of(second.server).retry_source_cid is None
    third = Pair(server_files, server_config=RETRY, token=token)
    third.server_endpoint._tokens = pair.server_endpoint._tokens
    get_retry(third)  # used up


def test_a_retry_replaces_a_token_that_did_not_do(server_files: CertificateFiles) -> None:
    pair = Pair(server_files, server_config=RETRY, token=b"of another server")
    pair.handshake()
    assert connected(pair)
    first, second, *_ = headers(pair, to_server=True)
    assert isinstance(first, LongHeader)
    assert isinstance(second, LongHeader)
    assert first.token == b"of another server" != second.token


def test_a_lost_new_token_is_sent_again(server_files: CertificateFiles) -> None:
    pair = Pair(server_files)
    dropped: list[bytes] = []

    def drop(to_server: bool, datagram: bytes) -> bool:
        if not to_server and datagram[0] < 0x80 and not dropped:
            dropped.append(datagram)
            return True
        return False

    pair.drop = drop
    pair.run(seconds=5.0)
    assert dropped
    assert [type(event) for event in events(pair.client)].count(NewTokenReceived) == 1


def test_a_flood_of_tokens_is_not_kept(server_files: CertificateFiles) -> None:
    pair = Pair(server_files)
    pair.handshake()
    flood = b"".join(NewToken(b"token %d" % number).encode() for number in range(50))
    pair.to_client([forge(pair.server, flood)])
    assert [type(event) for event in events(pair.client)] == [NewTokenReceived] * (MAX_TOKENS - 1)
    assert pair.client.error is None


def test_a_token_that_would_fill_the_initials_is_not_kept(server_files: CertificateFiles) -> None:
    pair = Pair(server_files)
    pair.handshake()
    pair.to_client([forge(pair.server, NewToken(bytes(MAX_TOKEN_LENGTH + 1)).encode())])
    assert events(pair.client) == []
