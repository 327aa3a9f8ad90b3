"""Key update: both roles, whoever begins; and what a peer can do wrong about it (RFC 9001 §6)."""

from __future__ import annotations

import pytest

from quicmini.connection.connection import Connection
from quicmini.connection.key_update import KEY_PHASE, RENEWAL
from quicmini.connection.state import ConnectionState
from quicmini.crypto.protection import Sealer
from quicmini.errors import TransportError, TransportErrorCode
from quicmini.recovery.sent import PacketNumberSpace
from quicmini.wire.frames import Ack, Ping
from tests.certificates import CertificateFiles
from tests.connection.attacker import core_of, forge
from tests.connection.pair import Pair
from tests.connection.test_connection import transfer

APPLICATION = PacketNumberSpace.APPLICATION
PING = Ping().encode()


@pytest.fixture
def pair(server_files: CertificateFiles) -> Pair:
    pair = Pair(server_files)
    pair.handshake()
    return pair


def sides(pair: Pair, name: str) -> tuple[Connection, Connection]:
    """The named side, and the other."""
    return (pair.client, pair.server) if name == "client" else (pair.server, pair.client)


def updates(pair: Pair) -> tuple[int, int]:
    return pair.client.stats().key_updates, pair.server.stats().key_updates


def sealer_of(connection: Connection) -> Sealer:
    sealer = core_of(connection).spaces[APPLICATION].sealer
    assert sealer is not None
    return sealer


def assert_key_update_error(connection: Connection) -> None:
    assert isinstance(connection.error, TransportError)
    assert connection.error.error_code == TransportErrorCode.KEY_UPDATE_ERROR


@pytest.mark.parametrize("role", ["client", "server"])
def test_both_sides_follow_an_update(pair: Pair, role: str) -> None:
    side, _ = sides(pair, role)
    for count in range(1, 6):
        side.update_keys()
        pair.run()
        assert updates(pair) == (count, count)
        assert core_of(pair.client).key_phases.bit == core_of(pair.server).key_phases.bit == KEY_PHASE * (count % 2)
        assert transfer(pair, bytes(5000)) == bytes(5000)
        pair.run(seconds=3.0)  # more than three probe timeouts
    assert pair.client.stats().packets_dropped == pair.server.stats().packets_dropped == {}


def test_both_sides_may_begin_at_once(pair: Pair) -> None:
    pair.client.update_keys()
    pair.server.update_keys()
    pair.run()
    assert updates(pair) == (1, 1)
    assert transfer(pair, bytes(5000)) == bytes(5000)


def test_an_update_waits_for_the_end_of_the_last(pair: Pair) -> None:
    """RFC 9001 §6.1, §6.5: its packets must have been acknowledged, and what was overtaken be expected no more."""
    pair.client.update_keys()
    pair.drop = lambda to_server, datagram: True
    pair.run()
    assert updates(pair) == (1, 0)
    pair.client.update_keys()
    pair.run()
    assert updates(pair) == (1, 0)
    pair.drop = lambda to_server, datagram: False
    while updates(pair) == (1, 0):
        pair.run(seconds=0.001)
    assert updates(pair) == (1, 1)
    pair.run(seconds=3.0)
    pair.client.open_stream(True)
    pair.client.write_stream(2, b"x")
    pair.run()
    assert updates(pair) == (2, 2)  # as was asked for


def test_no_update_before_the_handshake_is_confirmed(server_files: CertificateFiles) -> None:
    """RFC 9001 §6."""
    pair = Pair(server_files)
    pair.client.update_keys()
    pair.to_server(pair.from_client())
    pair.to_client(pair.from_server())
    pair.to_server(pair.from_client())  # the client is connected, but does not know that the server is
    pair.from_client()
    assert updates(pair) == (0, 0)
    pair.handshake()
    pair.client.open_stream(True)
    pair.client.write_stream(2, b"x")
    pair.run()
    assert updates(pair) == (1, 1)


@pytest.mark.parametrize("role", ["client", "server"])
def test_keys_are_renewed_long_before_their_limit(pair: Pair, role: str) -> None:
    """RFC 9001 §6.6."""
    side, _ = sides(pair, role)
    sealer = sealer_of(side)
    sealer.sealed = sealer.suite.confidentiality_limit // RENEWAL
    stream_id = side.open_stream(True)
    assert stream_id is not None
    side.write_stream(stream_id, b"x")
    pair.run()
    assert updates(pair) == (1, 1)
    assert sealer_of(side).sealed < 10


def test_packets_that_were_overtaken_by_an_update(pair: Pair) -> None:
    """RFC 9001 §6.5: the old keys are kept for three probe timeouts, and no longer."""
    late = [forge(pair.client, PING + bytes(20)) for _ in range(3)]
    pair.client.update_keys()
    pair.run()
    pair.to_server(late[:1])
    assert pair.server.stats().packets_dropped == {}
    pair.run(seconds=3.0)
    pair.to_server(late[1:])
    assert pair.server.stats().packets_dropped == {"undecryptable": 2}
    assert pair.server.state is ConnectionState.CONNECTED


def test_the_next_keys_are_made_ahead(pair: Pair) -> None:
    """RFC 9001 §6.3, §9.5: else the time that a packet takes would tell its Key Phase bit."""
    phases = core_of(pair.server).key_phases
    for _ in range(2):
        pair.run(seconds=3.0)
        ahead = phases._next
        assert ahead is not None
        pair.client.update_keys()
        pair.run()
        assert core_of(pair.server).spaces[APPLICATION].opener is ahead


@pytest.mark.parametrize("updated", [False, True])
@pytest.mark.parametrize("key_phase", [False, True])
def test_a_forged_key_phase_changes_nothing(pair: Pair, updated: bool, key_phase: bool) -> None:
    """RFC 9001 §6.3: a packet that does not authenticate is dropped, whatever update it pretends."""
    if updated:
        pair.client.update_keys()
        pair.run()
    packet = forge(pair.client, PING + bytes(20), key_phase=key_phase)
    pair.to_server([packet[:-1] + bytes([packet[-1] ^ 1])])
    assert updates(pair) == (updated, updated)
    assert pair.server.stats().packets_dropped == {"undecryptable": 1}
    assert transfer(pair, bytes(5000)) == bytes(5000)


# What is an error


def test_a_second_update_before_the_first_is_acknowledged(pair: Pair) -> None:
    """RFC 9001 §6.2: this side has had no occasion to say that it follows."""
    first = sealer_of(pair.client).updated()
    second = first.updated()
    pair.to_server([forge(pair.client, PING, sealer=first, key_phase=True)])
    assert updates(pair) == (0, 1)
    pair.to_server([forge(pair.client, PING, sealer=second, key_phase=False)])
    assert_key_update_error(pair.server)


def test_a_second_update_after_the_first_was_acknowledged(pair: Pair) -> None:
    """It is hasty, but no error."""
    first = sealer_of(pair.client).updated()
    second = first.updated()
    pair.to_server([forge(pair.client, PING, sealer=first, key_phase=True) for _ in range(2)])
    assert pair.from_server()
    pair.to_server([forge(pair.client, PING, sealer=second, key_phase=False)])
    assert pair.server.error is None
    assert updates(pair) == (0, 2)


def test_old_keys_for_an_acknowledgement_of_new_ones(pair: Pair) -> None:
    """RFC 9001 §6.2: to acknowledge it, the peer had to open it, and so to follow."""
    pair.server.update_keys()
    pair.from_server()
    sent = core_of(pair.server).spaces[APPLICATION].next_packet_number - 1
    pair.to_server([forge(pair.client, Ack(((sent, sent),), 0).encode())])
    assert_key_update_error(pair.server)


def test_old_keys_after_new_ones(pair: Pair) -> None:
    """RFC 9001 §6.4."""
    old = sealer_of(pair.client)
    pair.client.update_keys()
    pair.run()
    pair.to_server([forge(pair.client, PING, sealer=old, key_phase=False)])
    assert_key_update_error(pair.server)


@pytest.mark.parametrize("begun_by", ["client", "server"])
def test_new_keys_before_old_ones(pair: Pair, begun_by: str) -> None:
    """RFC 9001 §6.4, the other way round: a packet with new keys has a number below one with old keys."""
    old, new = sealer_of(pair.client), sealer_of(pair.client).updated()
    if begun_by == "server":
        pair.server.update_keys()
        pair.from_server()
    number = core_of(pair.client).spaces[APPLICATION].next_packet_number
    pair.to_server([forge(pair.client, PING, sealer=old, number=number + 1, key_phase=False)])
    pair.to_server([forge(pair.client, PING, sealer=new, number=number, key_phase=True)])
    assert_key_update_error(pair.server)
