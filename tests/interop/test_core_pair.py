"""Our core against aioquic's, in both roles."""

from __future__ import annotations

import pytest
from aioquic.quic.events import DatagramFrameReceived

from tests.certificates import CertificateFiles
from tests.interop.core_pair import CorePair

ROLES = ("client", "server")


@pytest.fixture(params=ROLES)
def pair(request: pytest.FixtureRequest, server_files: CertificateFiles) -> CorePair:
    """Connected; the role is ours."""
    pair = CorePair(request.param, server_files)
    pair.handshake()
    return pair


def test_bytes_go_both_ways(pair: CorePair) -> None:
    pair.transfer(100_000)


def test_we_update_the_keys(pair: CorePair) -> None:
    """RFC 9001 §6: again and again, with data in between."""
    for count in range(1, 4):
        pair.ours.update_keys()
        pair.transfer(20_000)
        assert pair.ours.stats().key_updates == count
        pair.run(3.0)  # three probe timeouts and more
    assert pair.ours.error is None


def test_they_update_the_keys(pair: CorePair) -> None:
    for count in range(1, 4):
        pair.theirs.request_key_update()
        pair.transfer(20_000)
        assert pair.ours.stats().key_updates == count
        pair.run(3.0)
    assert pair.ours.error is None


@pytest.mark.parametrize("role", ROLES)
def test_messages_go_both_ways(server_files: CertificateFiles, role: str) -> None:
    """RFC 9221."""
    pair = CorePair(role, server_files, foreign={"max_datagram_frame_size": 1000})
    pair.handshake()
    assert pair.ours.max_datagram_payload == 997
    for number in range(10):
        pair.ours.send_datagram(bytes([number]) * 97 * number)
        pair.theirs.send_datagram_frame(bytes([number]) * 100 * number)
        pair.run(0.01)
    pair.run(0.5)
    arrived = [event.data for event in pair.events if isinstance(event, DatagramFrameReceived)]
    assert arrived == [bytes([number]) * 97 * number for number in range(10)]
    assert [pair.ours.receive_datagram() for _ in range(10)] == [bytes([number]) * 100 * number for number in range(10)]


@pytest.mark.parametrize("role", ROLES)
def test_a_peer_without_messages(server_files: CertificateFiles, role: str) -> None:
    pair = CorePair(role, server_files)
    pair.handshake()
    assert pair.ours.max_datagram_payload == 0


def test_the_quic_bit_is_set_for_who_has_not_agreed_to_anything_else(pair: CorePair) -> None:
    """RFC 9287: aioquic does not announce it."""
    pair.transfer(50_000)
    assert all(datagram[0] & 0x40 for datagram in pair.ours_sent)


def test_larger_datagrams_and_skipped_numbers_are_no_news_to_the_peer(pair: CorePair) -> None:
    pair.transfer(1_000_000)
    assert max(map(len, pair.ours_sent)) > 1452
    assert pair.ours.stats().packets_lost == 0
    assert pair.ours.error is None
