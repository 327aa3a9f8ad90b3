"""The QUIC bit (RFC 9287)."""

from __future__ import annotations

from dataclasses import replace

import pytest

from quicmini.connection.connection import Connection
from quicmini.connection.grease import QUIC_BIT, QuicBit
from quicmini.connection.state import ConnectionState
from quicmini.wire.frames import Ping
from tests.certificates import CertificateFiles
from tests.connection.attacker import core_of, forge
from tests.connection.pair import Pair, counting_random
from tests.connection.test_connection import transfer

HEADER = b"\x43" + bytes(10)


def short_first_bytes(pair: Pair, *, to_server: bool) -> list[int]:
    return [datagram[0] for way, datagram in pair.sent if way == to_server and datagram[0] < 0x80]


def test_without_consent_the_bit_is_left_alone() -> None:
    bit = QuicBit(counting_random("bit"))
    assert all(bit.apply(HEADER) is HEADER for _ in range(1000))


def test_with_consent_it_is_unpredictable() -> None:
    bit = QuicBit(counting_random("bit"))
    bit.greased = True
    headers = [bit.apply(HEADER) for _ in range(2000)]
    cleared = [header for header in headers if not header[0] & QUIC_BIT]
    assert 800 < len(cleared) < 1200
    assert set(cleared) == {b"\x03" + bytes(10)}
    assert {header for header in headers if header[0] & QUIC_BIT} == {HEADER}


def test_both_sides_announce_it_and_use_it(server_files: CertificateFiles) -> None:
    pair = Pair(server_files)
    pair.handshake()
    for _ in range(20):
        assert transfer(pair, bytes(1000)) == bytes(1000)
    for to_server in (True, False):
        bits = {byte & QUIC_BIT for byte in short_first_bytes(pair, to_server=to_server)}
        assert bits == {0, QUIC_BIT}
    assert pair.client.stats().packets_dropped == pair.server.stats().packets_dropped == {}


def test_a_clients_first_packets_have_it(server_files: CertificateFiles) -> None:
    """RFC 9287 §3.1: it does not know yet what the server takes, which takes nothing else from a stranger."""
    pair = Pair(server_files)
    (initial,) = pair.from_client()
    assert initial[0] & QUIC_BIT
    pair.to_server([bytes([initial[0] & ~QUIC_BIT]) + initial[1:]])
    assert pair.server_endpoint.dropped == {"malformed header": 1}


def test_who_does_not_announce_it_does_not_get_it(server_files: CertificateFiles) -> None:
    pair = Pair(server_files)
    endpoint = pair.server_endpoint
    endpoint._limits = replace(endpoint._limits, grease_quic_bit=False)
    endpoint._encoded_limits = endpoint._limits.encode()
    pair.handshake()
    for _ in range(20):
        assert transfer(pair, bytes(1000)) == bytes(1000)
    assert all(byte & QUIC_BIT for byte in short_first_bytes(pair, to_server=True))
    assert not all(byte & QUIC_BIT for byte in short_first_bytes(pair, to_server=False))


@pytest.mark.parametrize("cleared", [False, True])
def test_either_value_is_taken(server_files: CertificateFiles, cleared: bool) -> None:
    """RFC 9287 §3: by those who announced it; changing it on the way is noticed nevertheless."""
    pair = Pair(server_files)
    pair.handshake()
    core_of(pair.client).quic_bit.greased = False
    packet = forge(pair.client, Ping().encode() + bytes(20))
    received = pair.server.stats().packets_received
    pair.to_server([bytes([packet[0] & ~QUIC_BIT if cleared else packet[0]]) + packet[1:]])
    connection: Connection = pair.server
    assert connection.state is ConnectionState.CONNECTED
    assert connection.stats().packets_dropped == ({"undecryptable": 1} if cleared else {})
    assert connection.stats().packets_received == received + (not cleared)
