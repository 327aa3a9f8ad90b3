"""Which connection a datagram belongs to, and what is said to those that belong to none (RFC 9000 §5.2, §6)."""

from __future__ import annotations

import gc
from weakref import ref

import pytest

from quicmini.config import KNOWN_VERSIONS, Config
from quicmini.connection.cids import ACTIVE_CONNECTION_ID_LIMIT, LOCAL_CID_LENGTH
from quicmini.connection.connection import Connection
from quicmini.connection.endpoint import MAX_STATELESS_ANSWERS, Endpoint
from quicmini.connection.state import Address
from quicmini.crypto.keys import INITIAL_SUITE, initial_secrets
from quicmini.crypto.protection import Opener, Sealer
from quicmini.recovery.sent import PacketNumberSpace
from quicmini.wire.frames import ConnectionClose, Ping, parse_frames
from quicmini.wire.packet import (
    VERSION_1,
    LongHeader,
    PacketType,
    VersionNegotiation,
    encode_long_header,
    parse_long_header,
)
from tests.certificates import CertificateFiles
from tests.connection.attacker import core_of, forge
from tests.connection.pair import CLIENT, SERVER, Pair, split

STRANGER: Address = ("198.51.100.7", 4242)
UNKNOWN_VERSION = 0x1A2A3A4A


@pytest.fixture
def pair(server_files: CertificateFiles) -> Pair:
    return Pair(server_files)


def initial(
    destination_cid: bytes, source_cid: bytes = b"source", *, version: int = VERSION_1, size: int = 1200
) -> bytes:
    """A client's first packet, with a PING for the ClientHello; of another version: with the same layout."""
    client, _ = initial_secrets(destination_cid, VERSION_1)
    overhead = len(encode_long_header(PacketType.INITIAL, VERSION_1, destination_cid, source_cid, b"", 0, 2, 100)) + 16
    payload = Ping().encode() + bytes(size - overhead - 1)
    header = encode_long_header(
        PacketType.INITIAL, VERSION_1, destination_cid, source_cid, b"", 0, 2, len(payload) + 16
    )
    packet = Sealer(INITIAL_SUITE, client, VERSION_1).seal(header, 0, payload)
    return packet[:1] + version.to_bytes(4) + packet[5:]


def answers(endpoint: Endpoint) -> list[bytes]:
    found = split(endpoint.transmits)
    endpoint.transmits.clear()
    return found


# Routing


def test_a_first_initial_makes_a_connection_and_the_next_finds_it(pair: Pair) -> None:
    datagrams = [initial(b"original"), initial(b"original"), initial(b"another!")]
    routed = pair.server_endpoint.receive(datagrams, CLIENT, 0.0)
    assert [batch for _, batch in routed] == [datagrams[:2], datagrams[2:]]
    first, second = (connection for connection, _ in routed)
    assert first is not second
    assert first.remote_address == CLIENT
    assert not first.is_client
    assert first.connection_ids[1] == b"original"
    assert len(first.connection_ids[0]) == LOCAL_CID_LENGTH


def test_both_ids_of_a_server_lead_to_its_connection(pair: Pair) -> None:
    """RFC 9000 §7.2: a client uses the ID of its own choice until it has heard the server's."""
    endpoint = pair.server_endpoint
    ((connection, _),) = endpoint.receive([initial(b"original")], CLIENT, 0.0)
    own = connection.connection_ids[0]
    short = b"\x40" + own + bytes(30)
    routed = endpoint.receive([initial(own), initial(b"original"), short], CLIENT, 0.0)
    assert [found for found, _ in routed] == [connection]


def test_neighbours_of_one_connection_stay_in_order(pair: Pair) -> None:
    endpoint = pair.server_endpoint
    one, two = (b"\x40" + own + bytes(30) for own in _two_connections(endpoint))
    routed = endpoint.receive([one, one, two, one], CLIENT, 0.0)
    assert [len(batch) for _, batch in routed] == [2, 1, 1]
    assert routed[0][0] is routed[2][0] is not routed[1][0]


def _two_connections(endpoint: Endpoint) -> list[bytes]:
    routed = endpoint.receive([initial(b"original"), initial(b"another!")], CLIENT, 0.0)
    return [connection.connection_ids[0] for connection, _ in routed]


def test_what_was_forgotten_is_unknown(pair: Pair) -> None:
    endpoint = pair.server_endpoint
    ((connection, _),) = endpoint.receive([initial(b"original")], CLIENT, 0.0)
    endpoint.forget(connection)
    endpoint.forget(connection)
    assert endpoint.receive([b"\x40" + connection.connection_ids[0] + bytes(30)], CLIENT, 0.0) == []
    assert endpoint.dropped == {"unknown connection": 1}


def test_forgetting_one_connection_leaves_the_one_that_took_its_id(pair: Pair) -> None:
    endpoint = pair.server_endpoint
    ((first, _),) = endpoint.receive([initial(b"original")], CLIENT, 0.0)
    endpoint.forget(first)
    ((second, _),) = endpoint.receive([initial(b"original")], CLIENT, 0.0)
    endpoint.forget(first)
    ((found, _),) = endpoint.receive([initial(b"original")], CLIENT, 0.0)
    assert found is second


# What makes no connection


@pytest.mark.parametrize(
    ("datagram", "reason"),
    [
        (b"", "unknown connection"),
        (b"\x40", "unknown connection"),
        (b"\x40" + bytes(20), "unknown connection"),  # too small for a stateless reset
        (b"\xc0", "malformed header"),
        (b"\xc0\x00\x00\x00\x01\xff", "malformed header"),
        (b"\xc0" + UNKNOWN_VERSION.to_bytes(4) + b"\xff" + bytes(100), "malformed header"),
        (initial(b"original")[:1199], "malformed header"),
        (initial(b"original", size=1199), "small datagram"),
        (initial(b"original", version=UNKNOWN_VERSION, size=1199), "small datagram"),
        (initial(b"shorter"), "refused Initial"),  # RFC 9000 §7.2: 8 bytes at least
        (initial(b"original")[:-1] + b"\x00", "refused Initial"),  # does not authenticate
        (b"\xe0" + initial(b"original")[1:], "unknown connection"),  # a Handshake packet by its first byte
        (b"\xf0" + initial(b"original")[1:], "unknown connection"),  # a Retry packet
        (b"\xc0" + bytes(4) + b"\x08original\x00" + bytes(1200), "unknown connection"),  # Version Negotiation
    ],
)
def test_what_is_dropped_without_a_word(pair: Pair, datagram: bytes, reason: str) -> None:
    endpoint = pair.server_endpoint
    assert endpoint.receive([datagram], CLIENT, 0.0) == []
    assert endpoint.dropped == {reason: 1}
    assert answers(endpoint) == []
    assert not endpoint._connections


def test_a_client_accepts_nobody(pair: Pair) -> None:
    assert pair.client_endpoint.receive([initial(b"original")], STRANGER, 0.0) == []
    assert pair.client_endpoint.dropped == {"unknown connection": 1}


# Answers


def test_version_negotiation_mirrors_the_ids(pair: Pair) -> None:
    """RFC 9000 §6.1, §17.2.1; they may be longer than version 1 allows (RFC 8999 §5.1)."""
    endpoint = pair.server_endpoint
    long_id = bytes(range(100))
    datagram = b"\xc0" + UNKNOWN_VERSION.to_bytes(4) + b"\x64" + long_id + b"\x03abc" + bytes(1200)
    assert endpoint.receive([datagram], STRANGER, 0.0) == []
    (transmit,) = endpoint.transmits
    assert transmit.destination == STRANGER
    assert parse_long_header(transmit.payload, 0) == VersionNegotiation(b"abc", long_id, KNOWN_VERSIONS)
    assert endpoint.dropped == {"other version": 1}


def test_a_flood_of_unknown_versions_gets_few_answers(pair: Pair) -> None:
    endpoint = pair.server_endpoint
    endpoint.receive([initial(b"original", version=UNKNOWN_VERSION)] * 1000, STRANGER, 0.0)
    assert len(endpoint.transmits) == MAX_STATELESS_ANSWERS
    assert endpoint.dropped == {"other version": 1000}
    answers(endpoint)
    endpoint.receive([initial(b"original", version=UNKNOWN_VERSION)], STRANGER, 0.0)
    assert len(answers(endpoint)) == 1


def test_a_refusal_leaves_no_state(pair: Pair) -> None:
    """RFC 9000 §5.2.2: CONNECTION_REFUSED, in an Initial that the client can open."""
    endpoint = pair.server_endpoint
    endpoint.accepting = False
    assert endpoint.receive([initial(b"original", b"source")], CLIENT, 0.0) == []
    assert not endpoint._connections
    (answer,) = answers(endpoint)
    header = parse_long_header(answer, 0)
    assert isinstance(header, LongHeader)
    assert (header.destination_cid, header.source_cid) == (b"source", b"original")
    opener = Opener(INITIAL_SUITE, initial_secrets(b"original", VERSION_1)[1], VERSION_1)
    first_byte, number, length = opener.unmask(answer, header.pn_offset)
    (frame,) = parse_frames(opener.open(answer, header.pn_offset, first_byte, length, number))
    assert isinstance(frame, ConnectionClose)
    assert (frame.error_code, frame.frame_type) == (0x02, 0)


def test_who_is_known_is_not_refused(pair: Pair) -> None:
    endpoint = pair.server_endpoint
    ((connection, _),) = endpoint.receive([initial(b"original")], CLIENT, 0.0)
    endpoint.accepting = False
    assert endpoint.receive([initial(b"original")], CLIENT, 0.0)[0][0] is connection


# A client's stateless resets


def test_a_packet_with_a_random_id_goes_to_whoever_talks_to_its_sender(pair: Pair) -> None:
    """RFC 9000 §10.3.1: it may be a stateless reset."""
    datagram = b"\x40" + bytes(40)
    assert pair.client_endpoint.receive([datagram], SERVER, 0.0) == [(pair.client, [datagram])]
    assert pair.client_endpoint.receive([datagram], STRANGER, 0.0) == []
    long = forge(pair.client, Ping().encode(), PacketNumberSpace.INITIAL)
    assert pair.client_endpoint.receive([long], SERVER, 0.0) == []


# What is announced


@pytest.mark.parametrize("from_client", [True, False])
def test_the_limits_of_the_configuration_are_announced(server_files: CertificateFiles, from_client: bool) -> None:
    """RFC 9000 §18.2: seen from the other side."""
    config = Config(max_data=5000, max_stream_data=700, max_streams_bidi=3, max_streams_uni=4, idle_timeout=7.5)
    pair = Pair(server_files, client_config=config) if from_client else Pair(server_files, server_config=config)
    pair.run()
    parameters = core_of(pair.server if from_client else pair.client).peer_parameters
    assert parameters is not None
    sender = core_of(pair.client if from_client else pair.server)
    original = None if from_client else sender.original_destination_cid
    assert parameters.initial_source_connection_id == sender.local_cids.handshake_cid
    assert parameters.original_destination_connection_id == original
    assert parameters.initial_max_data == 5000
    assert parameters.initial_max_stream_data_bidi_local == 700
    assert parameters.initial_max_stream_data_bidi_remote == 700
    assert parameters.initial_max_stream_data_uni == 700
    assert (parameters.initial_max_streams_bidi, parameters.initial_max_streams_uni) == (3, 4)
    assert parameters.max_idle_timeout == 7500
    assert parameters.active_connection_id_limit == ACTIVE_CONNECTION_ID_LIMIT


def test_every_connection_has_ids_of_its_own(pair: Pair) -> None:
    endpoint = pair.server_endpoint
    found: list[Connection] = []
    for number in range(20):
        found += [connection for connection, _ in endpoint.receive([initial(b"%08d" % number)], CLIENT, 0.0)]
    assert len({connection.connection_ids[0] for connection in found}) == 20
    assert core_of(found[0]).remote_cids.current == b"source"


@pytest.mark.parametrize("server_closes", [False, True])
def test_what_is_forgotten_does_not_wait_for_the_garbage_collector(pair: Pair, server_closes: bool) -> None:
    """A server with many short connections would spend a tenth of its time there: nothing refers back to its owner."""
    pair.handshake()
    closing, other = (pair.server, pair.client) if server_closes else (pair.client, pair.server)
    closing.close(now=pair.now)
    pair.exchange()
    pair.exchange()
    remains = [ref(pair.client), ref(pair.server)]
    pair.client_endpoint.forget(pair.client)
    pair.server_endpoint.forget(pair.server)
    gc.disable()
    try:
        del pair.client, pair._server, closing, other
        assert [found() for found in remains] == [None, None]
    finally:
        gc.enable()
