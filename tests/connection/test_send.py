"""What may leave, and what has to wait."""

from __future__ import annotations

import pytest

from quicmini.connection.send import MAX_BURST
from quicmini.errors import TransportError, TransportErrorCode
from quicmini.recovery.acks import ACKS_PER_PING
from quicmini.recovery.sent import PacketNumberSpace
from tests.certificates import CertificateFiles
from tests.connection.pair import Pair


@pytest.mark.parametrize(("window_open", "pings"), [(True, True), (False, False)])
def test_a_ping_rides_on_an_ack_only_within_the_window(
    server_files: CertificateFiles, window_open: bool, pings: bool
) -> None:
    """RFC 9000 §13.2.4 wants it now and then; RFC 9002 §7 counts it as in flight, unlike the ACK."""
    pair = Pair(server_files)
    pair.handshake()
    recovery = pair.client._core.recovery
    if not window_open:
        recovery.congestion.window = 0
    stream_id = pair.server.open_stream(True)
    assert stream_id is not None
    in_flight = []
    for _ in range(3 * ACKS_PER_PING):
        pair.server.write_stream(stream_id, bytes(2400))  # two packets: an ACK at once (RFC 9000 §13.2.2)
        pair.to_client(pair.from_server())
        acks = pair.from_client()
        in_flight.append(recovery.bytes_in_flight)
        pair.to_server(acks)
        pair.now += 0.001
    assert any(in_flight) == pings


def test_keys_are_not_used_beyond_their_confidentiality_limit(server_files: CertificateFiles) -> None:
    """RFC 9001 §6.6: AES-GCM protects 2^23 packets with one key; then it takes another key, or the end.

    Another key is out of the question here: it is not three probe timeouts since the last one (§6.5).
    """
    pair = Pair(server_files)
    pair.handshake()
    pair.client.update_keys()
    pair.run()
    sealer = pair.client._core.spaces[PacketNumberSpace.APPLICATION].sealer
    assert sealer is not None
    assert sealer.suite.confidentiality_limit == 2**23
    sealer.sealed = 2**23 - MAX_BURST - 10
    stream_id = pair.client.open_stream(True)
    assert stream_id is not None
    sent = received = 0
    while pair.client.error is None and sent < 100:
        pair.client.write_stream(stream_id, b"x")
        pair.run()
        sent += 1
        received += len(pair.server.read_stream(stream_id, 100) or b"")
    assert sent - 1 <= received <= sent  # everything before the end, whose packet may have been one of its own
    for side in (pair.client, pair.server):
        assert isinstance(side.error, TransportError)
        assert side.error.error_code == TransportErrorCode.AEAD_LIMIT_REACHED
    assert sealer.sealed <= 2**23


def test_every_probe_of_the_handshake_carries_what_is_missing(server_files: CertificateFiles) -> None:
    """RFC 9002 §6.2.4: a probe should carry data. The other one may be lost, and with it a whole timeout."""
    pair = Pair(server_files)
    (hello,) = pair.from_client()
    timeout = pair.client.next_timeout()
    assert timeout is not None
    pair.now = timeout
    pair.client.handle_timeout(pair.now)
    probes = pair.from_client()
    assert len(probes) == 2
    for datagram in (hello, *probes):
        single = Pair(server_files)
        single.to_server([datagram])
        assert single.server._core.spaces[PacketNumberSpace.INITIAL].crypto.received  # a whole ClientHello
