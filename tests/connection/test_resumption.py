"""Sessions and long ClientHellos as a connection sees them: tickets come and are used, two datagrams are one hello."""

from __future__ import annotations

import pytest

from quicmini.config import Config
from quicmini.connection.state import ConnectionState
from quicmini.tls.session import Session
from quicmini.wire.packet import VERSION_1, VERSION_2
from tests.certificates import CertificateFiles
from tests.connection.pair import Pair

HYBRID = 0x11EC


def connected(pair: Pair) -> bool:
    return pair.client.state is pair.server.state is ConnectionState.CONNECTED


def session_of(pair: Pair) -> Session:
    pair.handshake()
    assert pair.client.session is not None
    return pair.client.session


@pytest.mark.parametrize("retry", [False, True])
def test_a_session_is_resumed(server_files: CertificateFiles, retry: bool) -> None:
    first = Pair(server_files)
    session = session_of(first)
    assert not first.client.session_resumed
    assert first.server.session is None
    second = Pair(server_files, session=session, server_config=Config(retry=retry))
    second.handshake()
    assert connected(second)
    assert second.client.session_resumed
    assert second.server.session_resumed
    assert second.client.peer_certificate == first.client.peer_certificate
    assert session_of(second).ticket != session.ticket


def test_the_newest_ticket_counts_and_a_lost_one_comes_again(server_files: CertificateFiles) -> None:
    pair = Pair(server_files)
    lost: list[bytes] = []

    def drop(to_server: bool, datagram: bytes) -> bool:
        if not to_server and datagram[0] < 0x80 and not lost:  # the first 1-RTT packet carries the ticket
            lost.append(datagram)
            return True
        return False

    pair.drop = drop
    pair.run(seconds=5.0)
    assert lost
    assert pair.client.session is not None


def test_a_session_is_for_its_version_only(server_files: CertificateFiles) -> None:
    """RFC 9369 §5."""
    session = session_of(Pair(server_files))
    assert session.version == VERSION_1
    config = Config(versions=(VERSION_2,), initial_version=VERSION_2)
    second = Pair(server_files, session=session, client_config=config, server_config=config)
    second.handshake()
    assert connected(second)
    assert not second.client.session_resumed
    third = Pair(server_files, session=session_of(second), client_config=config, server_config=config)
    third.handshake()
    assert third.client.session_resumed


@pytest.mark.parametrize("retry", [False, True])
def test_a_hello_of_two_datagrams(server_files: CertificateFiles, retry: bool) -> None:
    pair = Pair(server_files, ml_kem=True, server_config=Config(retry=retry))
    hello = pair.from_client()
    assert [len(datagram) for datagram in hello] == [1200, 1200]
    pair.to_server(hello)
    pair.handshake()
    assert connected(pair)
    assert pair.client._handshake.result is not None
    assert pair.client._handshake.result.group == HYBRID


@pytest.mark.parametrize("retry", [False, True])
@pytest.mark.parametrize("missing", [0, 1])
def test_half_of_the_hello_is_lost(server_files: CertificateFiles, retry: bool, missing: int) -> None:
    pair = Pair(server_files, ml_kem=True, server_config=Config(retry=retry))
    hello = pair.from_client()
    del hello[missing]
    pair.to_server(hello)
    pair.run(seconds=5.0)
    assert connected(pair)


def test_the_second_half_of_the_hello_comes_first(server_files: CertificateFiles) -> None:
    pair = Pair(server_files, ml_kem=True)
    first, second = pair.from_client()
    for datagram in (second, first):
        pair.to_server([datagram])
    pair.run(seconds=0.1)
    assert connected(pair)
    assert pair.client.stats().packets_lost == 0


def test_a_server_without_the_hybrid_takes_the_other_share(server_files: CertificateFiles) -> None:
    pair = Pair(server_files, ml_kem=True, server_config=Config(groups=(0x001D,)))
    pair.handshake()
    assert pair.client._handshake.result is not None
    assert pair.client._handshake.result.group == 0x001D


@pytest.mark.parametrize("retry", [False, True])
@pytest.mark.parametrize("order", [(0, 1), (1, 0), (0,), (1,)], ids=["in order", "turned round", "first", "second"])
def test_early_data_behind_a_hello_of_two_datagrams(
    server_files: CertificateFiles, retry: bool, order: tuple[int, ...]
) -> None:
    """The early data may arrive when only half of what it depends on has: nothing of it is lost for good."""
    config = Config(early_data=True, retry=retry)
    first = Pair(server_files, ml_kem=True, server_config=config)
    session = session_of(first)
    pair = Pair(
        server_files,
        ml_kem=True,
        server_config=config,
        server_context=first.server_context,
        session=session,
        early_data=True,
    )
    stream_id = pair.client.open_stream(False)
    assert stream_id is not None
    assert pair.client.write_stream(stream_id, b"early", True) == 5
    flight = pair.from_client()
    assert len(flight) >= 2
    pair.to_server([flight[place] for place in order] + flight[2:])
    pair.run(seconds=5.0)
    assert connected(pair)
    assert pair.server.session_resumed
    assert pair.server.read_stream(stream_id, 100) == b"early"
    assert pair.client.early_data_accepted is True
