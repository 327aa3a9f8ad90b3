"""Paths as the server sees them: the client is suddenly elsewhere, or somebody pretends so (RFC 9000 §8.2, §9.3)."""

from __future__ import annotations

import pytest

from quicmini.connection.ecn import EcnState
from quicmini.connection.events import PathChanged, PathClosed
from quicmini.connection.migration import MAX_PATHS, MAX_REMEMBERED_CHALLENGES
from quicmini.connection.paths import MAX_QUEUED_PATH_RESPONSES
from quicmini.connection.state import Address
from quicmini.errors import TransportError, TransportErrorCode
from quicmini.wire.frames import NewConnectionId, PathChallenge, PathResponse, Ping
from tests.certificates import CertificateFiles
from tests.connection.attacker import core_of, forge
from tests.connection.pair import CLIENT, SERVER
from tests.connection.roaming import (
    ELSEWHERE,
    REBOUND,
    Roaming,
    connected,
    on_a_narrow_path,
    path_events,
    paths_of,
    transfer,
)

VICTIM: Address = ("198.51.100.1", 9)


@pytest.fixture
def pair(server_files: CertificateFiles) -> Roaming:
    return connected(server_files)


# A NAT gives the client another address


@pytest.mark.parametrize("address", [REBOUND, ELSEWHERE], ids=["port", "address"])
def test_the_server_follows_a_rebinding(pair: Roaming, address: Address) -> None:
    old_cid = core_of(pair.server).remote_cids.current
    pair.sockets[None] = address
    transfer(pair, pair.client, pair.server, 10_000)
    assert pair.server.remote_address == address
    assert core_of(pair.server).path.validated
    assert core_of(pair.server).remote_cids.current != old_cid  # RFC 9000 §9.5
    assert path_events(pair.server) == [PathChanged(None, address)]
    transfer(pair, pair.server, pair.client, 1_000_000)
    pair.run(seconds=20.0)
    assert path_events(pair.server) == [PathClosed(None, CLIENT)]
    assert pair.client.error is None
    assert pair.server.stats().largest_amplification <= 3


def test_what_proves_an_address_has_no_mark(pair: Roaming) -> None:
    """RFC 9000 §13.4.2: were it dropped for its mark, a path that works would be given up, again and again."""
    core_of(pair.client).streams.control.request(Ping().encode)
    for datagram in pair.from_client():
        pair.arrive(datagram, ELSEWHERE)
    first = pair.server.datagrams_to_send(pair.now)
    assert any(transmit.destination == ELSEWHERE for transmit in first)
    assert all(transmit.ecn == 0 for transmit in first)
    pair.sockets[None] = ELSEWHERE
    pair.run(seconds=3.0)
    assert pair.server.remote_address == ELSEWHERE
    assert core_of(pair.server).ecn.state is EcnState.FAILED  # marks were tried again: these networks clear them


def test_a_transfer_survives_ten_rebindings(pair: Roaming) -> None:
    server_stream = pair.server.open_stream(True)
    assert server_stream is not None
    data = bytes(range(251)) * 20_000
    sent = received = 0
    for turn in range(11):
        for _ in range(40):
            sent += pair.server.write_stream(server_stream, data[sent:])
            pair.run(seconds=0.01)
            while chunk := pair.client.read_stream(server_stream, 1 << 16):
                assert chunk == data[received : received + len(chunk)]
                received += len(chunk)
        pair.sockets[None] = ("192.0.2.1", 50_100 + turn) if turn % 2 else ("203.0.113.5", 40_000 + turn)
        pair.client.write_stream(0, b"still here") if turn else pair.client.open_stream(False)
    pair.run(seconds=10.0)
    assert received > 1_000_000
    assert pair.server.remote_address == pair.sockets[None]
    assert pair.client.error is None
    assert pair.server.error is None
    assert len(paths_of(pair.server)._known) <= MAX_PATHS
    assert pair.server.stats().largest_amplification <= 3


def test_the_congestion_state_is_kept_when_only_the_port_changes(pair: Roaming) -> None:
    """RFC 9000 §9.4."""
    transfer(pair, pair.server, pair.client, 500_000)
    recovery = core_of(pair.server).recovery
    window, rtt = recovery.congestion.window, recovery.rtt
    pair.sockets[None] = REBOUND
    pair.arrive(forge(pair.client, Ping().encode() * 100), REBOUND)
    assert (recovery.congestion.window, recovery.rtt) == (window, rtt)
    pair.arrive(forge(pair.client, Ping().encode() * 100), ELSEWHERE)
    assert recovery.congestion.window < window
    assert recovery.rtt.first_sample_at is None
    pair.arrive(forge(pair.client, Ping().encode() * 100), CLIENT)  # the old path is still known
    assert (recovery.congestion.window, recovery.rtt) == (window, rtt)


# Validation


def test_an_address_that_does_not_answer_is_left_again(pair: Roaming) -> None:
    """RFC 9000 §9.3.2: somebody has sent a copy of a packet on from elsewhere, faster than the original."""
    pair.client.open_stream(False)
    pair.client.write_stream(0, b"hello")
    (datagram,) = pair.from_client()
    pair.arrive(datagram, VICTIM)
    assert pair.server.remote_address == VICTIM
    pair.arrive(datagram, CLIENT)  # a duplicate, by now
    assert pair.server.remote_address == VICTIM
    transfer(pair, pair.server, pair.client, 100_000, seconds=5.0)
    assert pair.server.remote_address == CLIENT
    assert pair.to_client_at[VICTIM] <= 3 * len(datagram)
    assert PathClosed(None, VICTIM) in path_events(pair.server)
    assert pair.server.stats().largest_amplification <= 3


def test_the_old_path_is_asked_too_so_that_the_client_brings_the_server_back(pair: Roaming) -> None:
    """RFC 9000 §9.3.3."""
    pair.client.open_stream(False)
    pair.client.write_stream(0, b"hello")
    (datagram,) = pair.from_client()
    pair.arrive(datagram, VICTIM)
    pair.run()
    assert pair.server.remote_address == CLIENT
    assert core_of(pair.server).path.validated
    assert paths_of(pair.server)._fallback is None


def test_three_times_what_came_is_sent_to_an_address_that_never_answers(pair: Roaming) -> None:
    stream_id = pair.server.open_stream(True)
    assert stream_id is not None
    pair.lost = lambda destination: destination == CLIENT
    arrived = 0
    for _ in range(20):
        pair.server.write_stream(stream_id, bytes(100_000))
        datagram = forge(pair.client, Ping().encode() + bytes(100))
        arrived += len(datagram)
        pair.arrive(datagram, VICTIM)
        pair.run(seconds=0.05)
        assert 0 < pair.to_client_at[VICTIM] <= 3 * arrived
    assert 2 < pair.server.stats().largest_amplification <= 3


def test_a_small_challenge_is_followed_by_one_of_full_size(pair: Roaming) -> None:
    """RFC 9000 §8.2.1: until then only the address is known to be right, not that the path carries 1200 bytes."""
    pair.sockets[None] = ELSEWHERE
    pair.arrive(forge(pair.client, Ping().encode() + bytes(40)), ELSEWHERE)
    sizes = []
    for _ in range(4):
        transmits = [
            transmit for transmit in pair.server.datagrams_to_send(pair.now) if transmit.destination == ELSEWHERE
        ]
        sizes += [len(transmit.payload) for transmit in transmits]
        for transmit in transmits:
            for connection, routed in pair.client_endpoint.receive([transmit.payload], SERVER, pair.now):
                connection.receive_datagrams(routed, SERVER, pair.now)
        for transmit in pair.client.datagrams_to_send(pair.now):
            pair.arrive(transmit.payload, ELSEWHERE)
    assert sizes[0] < 1200
    assert 1200 in sizes
    assert core_of(pair.server).path.validated
    assert core_of(pair.server).path.validation is None


def test_a_path_that_carries_only_small_datagrams_ends_the_connection(server_files: CertificateFiles) -> None:
    """RFC 9000 §8.2.4, §14: NO_VIABLE_PATH, if there is no other."""
    pair = on_a_narrow_path(server_files)
    pair.run(seconds=120.0)
    assert pair.server.error is not None
    assert pair.server.error.error_code == TransportErrorCode.NO_VIABLE_PATH


def test_probing_alone_moves_nothing(pair: Roaming) -> None:
    """RFC 9000 §9.1."""
    probe = PathChallenge(b"12345678").encode() + NewConnectionId(9, 1, b"8 bytes.", bytes(16)).encode() + bytes(1100)
    pair.arrive(forge(pair.client, probe), ELSEWHERE)
    assert pair.server.remote_address == CLIENT
    answers = [transmit for transmit in pair.server.datagrams_to_send(pair.now) if transmit.destination == ELSEWHERE]
    assert [len(answer.payload) for answer in answers] == [1200]  # PATH_RESPONSE, and a challenge of its own


def test_a_path_that_is_only_probed_is_forgotten_after_a_while(pair: Roaming) -> None:
    pair.arrive(forge(pair.client, PathChallenge(b"12345678").encode() + bytes(1100)), ELSEWHERE)
    pair.server.datagrams_to_send(pair.now)
    (challenge,) = paths_of(pair.server)._challenges
    pair.arrive(forge(pair.client, PathResponse(challenge.data).encode() + bytes(1100)), ELSEWHERE)
    assert paths_of(pair.server).remote_addresses == [CLIENT, ELSEWHERE]
    assert challenge.path.validated
    pair.run(seconds=25.0)
    assert paths_of(pair.server).remote_addresses == [CLIENT]


def test_a_close_reaches_an_address_that_has_sent_little(pair: Roaming) -> None:
    pair.arrive(forge(pair.client, Ping().encode() + bytes(150)), ELSEWHERE)
    pair.server.close(7, "that is all", now=pair.now)
    (farewell,) = pair.server.datagrams_to_send(pair.now)
    assert farewell.destination == ELSEWHERE
    assert pair.server.stats().largest_amplification <= 3


def test_an_older_packet_moves_nothing(pair: Roaming) -> None:
    """RFC 9000 §9.3: only the highest number so far does."""
    early, late = (forge(pair.client, Ping().encode() * 10) for _ in range(2))
    pair.arrive(late, CLIENT)
    pair.arrive(early, ELSEWHERE)
    assert pair.server.remote_address == CLIENT


@pytest.mark.parametrize("datagram", [b"", b"\x40", b"\x40" + bytes(40), b"\xc0" + bytes(1300)])
def test_what_does_not_authenticate_makes_no_path(pair: Roaming, datagram: bytes) -> None:
    own = core_of(pair.server).local_cids.handshake_cid
    pair.server.receive_datagrams([datagram[:1] + own + datagram[9:]], VICTIM, pair.now)
    assert paths_of(pair.server).remote_addresses == [CLIENT]
    assert pair.server.stats().packets_dropped


def test_a_client_that_is_heard_nowhere_is_looked_for_where_it_did_not_answer(pair: Roaming) -> None:
    """It only listens, at an address that the server has left again because all its probes were lost."""
    pair.lost = lambda destination: destination == ELSEWHERE
    pair.arrive(forge(pair.client, Ping().encode() + bytes(1100)), ELSEWHERE)
    pair.run(seconds=20.0)
    assert pair.server.remote_address == CLIENT
    pair.lost = lambda destination: False
    pair.sockets[None] = ELSEWHERE
    transfer(pair, pair.server, pair.client, 10_000, seconds=5.0)
    assert pair.server.remote_address == ELSEWHERE
    assert pair.server.stats().largest_amplification <= 3


def test_the_last_address_that_has_not_answered_can_be_tried_again(pair: Roaming) -> None:
    """With the same connection ID: another one could not be asked for where the client is no longer."""
    pair.arrive(forge(pair.client, Ping().encode() + bytes(1100)), ELSEWHERE)
    assert pair.server.remote_address == ELSEWHERE
    doubtful = core_of(pair.server).path
    pair.run(seconds=20.0)
    assert pair.server.remote_address == CLIENT
    number = doubtful.cid_number
    assert number is not None
    pair.sockets[None] = ELSEWHERE
    transfer(pair, pair.client, pair.server, 10_000)
    assert core_of(pair.server).path is doubtful
    assert core_of(pair.server).remote_cids.current_number == number


def test_a_server_that_has_used_up_the_client_s_ids_gets_others(pair: Roaming) -> None:
    """For addresses where nobody was, say. It could not ask: what it sends comes to nothing."""
    pair.server.renew_connection_ids()  # so that the client has changed its ID, and wants the server to do so, too
    pair.run(seconds=1.0)
    while core_of(pair.server).remote_cids.take() is not None:
        pass
    pair.sockets[None] = ELSEWHERE
    transfer(pair, pair.client, pair.server, 1000)
    pair.run(seconds=5.0)
    assert pair.server.remote_address == ELSEWHERE
    transfer(pair, pair.server, pair.client, 1000)


def test_an_address_that_is_tried_again_is_not_forgotten(pair: Roaming) -> None:
    """Not even if the one before it is left for good, because nobody has answered there either."""
    pair.lost = lambda destination: destination == ELSEWHERE
    pair.arrive(forge(pair.client, Ping().encode()), ELSEWHERE)
    pair.run(seconds=5.0)
    assert pair.server.remote_address == CLIENT
    for address in (REBOUND, ELSEWHERE):
        pair.arrive(forge(pair.client, Ping().encode()), address)
    assert pair.server.remote_address == ELSEWHERE
    assert ELSEWHERE in pair.server.remote_addresses


def test_an_address_is_asked_again_if_there_is_no_going_back(pair: Roaming) -> None:
    """The ID that the server has used at the old address is retired, and there is none left to return with."""
    pair.server.renew_connection_ids()
    pair.run(seconds=1.0)
    pair.sockets[None] = ELSEWHERE
    pair.lost = lambda destination: destination != SERVER
    pair.arrive(forge(pair.client, Ping().encode()), ELSEWHERE)
    pair.client.renew_connection_ids()
    for datagram in pair.from_client():
        pair.arrive(datagram, ELSEWHERE)
    while core_of(pair.server).remote_cids.take() is not None:
        pass
    while core_of(pair.server).path.validation is not None:
        pair.now = pair.server.next_timeout() or pair.now
        pair.server.handle_timeout(pair.now)
        pair.from_server()
    assert pair.server.remote_address == ELSEWHERE
    assert not core_of(pair.server).path.validated
    pair.lost = lambda destination: False
    transfer(pair, pair.client, pair.server, 1000)
    pair.run(seconds=5.0)
    assert core_of(pair.server).path.validated


def test_addresses_without_end_make_few_paths(pair: Roaming) -> None:
    for number in range(100):
        pair.arrive(forge(pair.client, PathChallenge(b"12345678").encode() + bytes(1100)), ("203.0.113.1", number))
        assert len(paths_of(pair.server)._known) <= MAX_PATHS
        pair.run()
    for number in range(100):
        pair.arrive(forge(pair.client, Ping().encode() + bytes(100)), ("203.0.113.2", number))
        assert len(paths_of(pair.server)._known) <= MAX_PATHS
    assert pair.server.error is None
    pair.run(seconds=30.0)
    assert paths_of(pair.server).remote_addresses == [CLIENT, ("203.0.113.2", 99)]  # the last one may still be right


def test_challenges_are_answered_where_they_come_from(pair: Roaming) -> None:
    """RFC 9000 §8.2.2; on the path in use, not with probing frames alone (§9.3.3)."""
    pair.arrive(forge(pair.client, PathChallenge(b"12345678").encode() + bytes(1100)), CLIENT)
    (answer,) = pair.server.datagrams_to_send(pair.now)
    assert (answer.destination, len(answer.payload)) == (CLIENT, 1200)
    pair.client.receive_datagrams([answer.payload], SERVER, pair.now)
    assert isinstance(pair.client.error, TransportError)  # which had not asked
    assert pair.client.error.error_code == TransportErrorCode.PROTOCOL_VIOLATION


def test_a_flood_of_challenges_gets_few_answers(pair: Roaming) -> None:
    frames = b"".join(PathChallenge(number.to_bytes(8)).encode() for number in range(100))
    pair.arrive(forge(pair.client, frames), CLIENT)
    (answer,) = pair.server.datagrams_to_send(pair.now)
    assert len(answer.payload) == 1200
    assert MAX_QUEUED_PATH_RESPONSES * 9 < 1200


def test_an_answer_that_comes_twice_or_late_is_no_violation(pair: Roaming) -> None:
    pair.sockets[None] = REBOUND
    transfer(pair, pair.client, pair.server, 1000)
    (challenge, *_) = paths_of(pair.server)._challenges
    pair.arrive(forge(pair.client, PathResponse(challenge.data).encode() + bytes(10)), REBOUND)
    assert pair.server.error is None
    pair.arrive(forge(pair.client, PathResponse(b"invented").encode() + bytes(10)), REBOUND)
    assert isinstance(pair.server.error, TransportError)


def test_challenges_are_forgotten_in_the_end(pair: Roaming) -> None:
    for number in range(MAX_REMEMBERED_CHALLENGES):
        pair.arrive(forge(pair.client, Ping().encode() + bytes(1100)), ("203.0.113.2", number))
        pair.server.datagrams_to_send(pair.now)
    assert len(paths_of(pair.server)._challenges) == MAX_REMEMBERED_CHALLENGES
    pair.arrive(forge(pair.client, PathResponse(b"too late").encode() + bytes(10)), CLIENT)
    assert pair.server.error is None
