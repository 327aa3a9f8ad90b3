"""What may leave, and what has to wait."""

from __future__ import annotations

import pytest

from quicmini.recovery.acks import ACKS_PER_PING
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
