"""The client's own moves: to other sockets, and to the address that the server prefers (RFC 9000 §9.2, §9.6)."""

from __future__ import annotations

from typing import Any

import pytest

from quicmini.config import Config
from quicmini.connection.events import PathChanged, PathClosed, PathFailed
from quicmini.connection.migration import LOST_TIMEOUTS, MAX_PATHS, RENEWAL_PAUSE
from quicmini.connection.state import Address
from quicmini.errors import MigrationError
from quicmini.wire.frames import PathChallenge, Ping
from tests.certificates import CertificateFiles
from tests.connection.attacker import core_of, forge
from tests.connection.pair import CLIENT, SERVER
from tests.connection.roaming import ELSEWHERE, PREFERRED, REBOUND, Roaming, connected, path_events, paths_of, transfer

VICTIM: Address = ("198.51.100.1", 9)


@pytest.fixture
def pair(server_files: CertificateFiles) -> Roaming:
    return connected(server_files)


# The client moves


def test_a_client_moves_to_another_socket(pair: Roaming) -> None:
    pair.sockets["wifi"] = ELSEWHERE
    server_cid = core_of(pair.client).remote_cids.current
    client_cid = core_of(pair.server).remote_cids.current
    pair.client.migrate("wifi", pair.now)
    assert pair.client.remote_address == SERVER
    pair.run(seconds=0.1)
    assert path_events(pair.client)[0] == PathChanged("wifi", SERVER)
    assert pair.server.remote_address == ELSEWHERE
    assert core_of(pair.client).remote_cids.current != server_cid
    assert core_of(pair.server).remote_cids.current != client_cid
    del pair.sockets[None]
    transfer(pair, pair.client, pair.server, 300_000)
    transfer(pair, pair.server, pair.client, 300_000)
    pair.run(seconds=20.0)
    assert path_events(pair.client) == [PathClosed(None, SERVER)]
    assert pair.server.stats().largest_amplification <= 3


def test_a_client_listens_where_it_was_until_the_server_has_followed(pair: Roaming) -> None:
    """The server may have no connection ID left for the new path, and asks for one on the old one."""
    pair.sockets["wifi"] = ELSEWHERE
    pair.client.migrate("wifi", pair.now)
    pair.exchange()
    assert path_events(pair.client) == [PathChanged("wifi", SERVER)]
    pair.drop = lambda to_server, datagram: to_server
    pair.run(seconds=20.0)
    assert path_events(pair.client) == []
    pair.drop = lambda to_server, datagram: False
    transfer(pair, pair.server, pair.client, 10_000, seconds=1.0)
    assert pair.server.remote_address == ELSEWHERE
    pair.run(seconds=20.0)
    assert path_events(pair.client) == [PathClosed(None, SERVER)]


def test_a_client_that_moves_in_the_middle_of_a_transfer(pair: Roaming) -> None:
    for number in range(5):
        name = f"network {number}"
        pair.sockets[name] = ("203.0.113.9", 1000 + number)
        pair.client.migrate(name, pair.now)
        transfer(pair, pair.client, pair.server, 200_000, seconds=0.01)
        transfer(pair, pair.server, pair.client, 200_000, seconds=0.01)
        pair.run(seconds=5.0)
        assert pair.server.remote_address == pair.sockets[name]
    assert pair.client.error is None
    assert pair.server.error is None


def test_a_client_stays_if_nobody_answers(pair: Roaming) -> None:
    pair.sockets["nowhere"] = ELSEWHERE
    pair.lost = lambda destination: destination == ELSEWHERE
    pair.client.migrate("nowhere", pair.now)
    pair.run(seconds=15.0)
    assert path_events(pair.client) == [PathFailed("nowhere", SERVER), PathClosed("nowhere", SERVER)]
    transfer(pair, pair.client, pair.server, 10_000)
    assert pair.server.remote_address == CLIENT


def test_the_client_hears_nobody_but_the_server(pair: Roaming) -> None:
    """RFC 9000 §9."""
    packet = forge(pair.server, PathChallenge(b"12345678").encode() + bytes(1100))
    pair.client.receive_datagrams([packet], VICTIM, pair.now)
    assert pair.client.datagrams_to_send(pair.now) == []
    assert pair.client.stats().packets_dropped == {"unknown address": 1}


def test_a_migration_that_is_not_possible_is_refused(server_files: CertificateFiles) -> None:
    pair = Roaming(server_files)
    with pytest.raises(MigrationError, match="confirmed"):
        pair.client.migrate("wifi", pair.now)
    pair.handshake()
    with pytest.raises(MigrationError, match="only a client"):
        pair.server.migrate("wifi", pair.now)
    cids = core_of(pair.client).remote_cids
    while cids.take() is not None:
        pass
    with pytest.raises(MigrationError, match="no connection ID"):
        pair.client.migrate("wifi", pair.now)
    cids.current = b""
    with pytest.raises(MigrationError, match="zero length"):
        pair.client.migrate("wifi", pair.now)


def test_a_server_that_forbids_migration_is_obeyed(server_files: CertificateFiles) -> None:
    pair = connected(server_files, server_config=Config(disable_active_migration=True))
    with pytest.raises(MigrationError, match="does not support"):
        pair.client.migrate("wifi", pair.now)
    pair.sockets[None] = REBOUND  # what a NAT does is nobody's fault
    transfer(pair, pair.client, pair.server, 10_000)
    assert pair.server.remote_address == REBOUND


# The server's preferred address


def preferring(server_files: CertificateFiles, **settings: Any) -> Roaming:
    config = Config(preferred_address=(PREFERRED[0], PREFERRED[1]), **settings)
    return connected(server_files, server_config=config)


def test_a_client_moves_to_the_address_that_the_server_prefers(server_files: CertificateFiles) -> None:
    """RFC 9000 §9.6: even if it may not move otherwise."""
    pair = preferring(server_files, disable_active_migration=True)
    assert pair.client.preferred_addresses == [PREFERRED]
    pair.sockets["second"] = ("192.0.2.1", 51_000)
    pair.client.migrate("second", pair.now, PREFERRED)
    assert pair.client.remote_address == SERVER
    pair.run(seconds=0.1)
    assert pair.client.remote_address == PREFERRED
    assert core_of(pair.server).path.local == "preferred"
    del pair.sockets[None], pair.server_sockets[SERVER]
    transfer(pair, pair.client, pair.server, 100_000)
    transfer(pair, pair.server, pair.client, 100_000)
    pair.run(seconds=20.0)
    pair.sockets["third"] = ELSEWHERE  # from there it may go on
    pair.client.migrate("third", pair.now)
    pair.run(seconds=1.0)
    assert pair.server.remote_address == ELSEWHERE
    assert pair.server.stats().largest_amplification <= 3


def test_the_server_stays_at_its_first_address_until_the_other_path_is_proved(server_files: CertificateFiles) -> None:
    """RFC 9000 §9.6.2: a copy of a packet, sent to the preferred address by somebody else, moves nothing."""
    pair = preferring(server_files)
    pair.arrive(forge(pair.client, Ping().encode() + bytes(1100)), CLIENT, "preferred")
    assert core_of(pair.server).path.local is None
    challenges = [transmit for transmit in pair.server.datagrams_to_send(pair.now) if transmit.local == "preferred"]
    assert [len(challenge.payload) for challenge in challenges] == [1200]
    pair.run(seconds=20.0)
    assert core_of(pair.server).path.local is None
    transfer(pair, pair.server, pair.client, 10_000)


def test_a_preferred_address_that_cannot_be_reached_is_left_alone(server_files: CertificateFiles) -> None:
    pair = preferring(server_files)
    pair.sockets["second"] = ("192.0.2.1", 51_000)
    del pair.server_sockets[PREFERRED]
    pair.client.migrate("second", pair.now, PREFERRED)
    pair.run(seconds=25.0)
    assert not pair.client.migrating
    assert path_events(pair.client) == [PathFailed("second", PREFERRED), PathClosed("second", PREFERRED)]
    transfer(pair, pair.client, pair.server, 10_000)


def test_a_client_that_moves_faster_than_it_gets_ids_waits_for_one(pair: Roaming) -> None:
    for number in range(10):
        pair.sockets[number] = ("203.0.113.9", 1000 + number)
        pair.client.migrate(number, pair.now)
        for _ in range(8):
            pair.exchange()
        assert pair.client.local == number
    assert pair.client.error is None
    assert len(paths_of(pair.client)._known) <= MAX_PATHS


def test_a_move_can_be_called_off(pair: Roaming) -> None:
    pair.sockets["wifi"] = ELSEWHERE
    pair.client.migrate("wifi", pair.now)
    pair.client.cancel_migration()
    pair.run(seconds=5.0)
    assert path_events(pair.client) == [PathClosed("wifi", SERVER)]
    assert pair.server.remote_address == CLIENT


def test_both_sides_renew_their_ids(pair: Roaming) -> None:
    before = {*pair.client.connection_ids, *pair.server.connection_ids[:-1]}
    pair.client.renew_connection_ids()
    pair.server.renew_connection_ids()
    transfer(pair, pair.client, pair.server, 10_000)
    transfer(pair, pair.server, pair.client, 10_000)
    assert not before & {*pair.client.connection_ids, *pair.server.connection_ids[:-1]}
    assert len(pair.client_endpoint._connections) == 4


def test_a_client_at_a_loss_gives_out_other_ids_now_and_then(pair: Roaming) -> None:
    """RFC 9000 §5.1.2: not whenever a probe timeout passes, or the server would have too many to retire."""
    migration, own = pair.client._migration, core_of(pair.client).local_cids
    pause = RENEWAL_PAUSE * core_of(pair.client).recovery.pto_base()
    for now, renewed in ((pair.now, True), (pair.now + 0.9 * pause, False), (pair.now + pause, True)):
        before = own.active
        migration.on_timeouts(LOST_TIMEOUTS - 1, now)
        assert own.active == before
        migration.on_timeouts(LOST_TIMEOUTS, now)
        assert (own.active != before) == renewed
        pair.run(seconds=0.1)  # the server retires the old ones
