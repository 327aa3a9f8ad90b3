"""Numbers left out on purpose, and who acknowledges them (RFC 9000 §21.4)."""

from __future__ import annotations

import pytest

from quicmini.connection.skipping import FIRST_INTERVAL, LAST_INTERVAL, SkippedNumbers
from quicmini.connection.spaces import Space
from quicmini.errors import TransportError, TransportErrorCode
from quicmini.recovery.loss import Recovery
from quicmini.recovery.sent import PacketNumberSpace
from quicmini.wire.frames import Ack
from tests.certificates import CertificateFiles
from tests.connection.attacker import core_of, forge
from tests.connection.pair import Pair, counting_random
from tests.connection.test_connection import transfer

APPLICATION = PacketNumberSpace.APPLICATION


def test_the_gaps_are_random_and_grow_up_to_a_limit() -> None:
    first = []
    for seed in range(20):
        numbers = SkippedNumbers(counting_random(f"{seed}"))
        space, recovery = Space(APPLICATION, 0.025), Recovery(1200, 0.1)
        first.append(numbers.next)
        interval = FIRST_INTERVAL
        while interval < LAST_INTERVAL:
            space.next_packet_number = numbers.next
            numbers.skip(space, recovery)
            interval *= 2
            assert space.next_packet_number + interval <= numbers.next < space.next_packet_number + 2 * interval
        space.next_packet_number = numbers.next
        numbers.skip(space, recovery)
        assert numbers.next < space.next_packet_number + 2 * LAST_INTERVAL
    assert all(FIRST_INTERVAL <= number < 2 * FIRST_INTERVAL for number in first)
    assert len(set(first)) > 10


def skipping(pair: Pair) -> int:
    """Have the client leave out the next number but one; that number."""
    core = core_of(pair.client)
    core.skipped_numbers.next = core.spaces[APPLICATION].next_packet_number + 1
    return core.skipped_numbers.next


def send(pair: Pair) -> None:
    stream_id = pair.client.open_stream(True)
    assert stream_id is not None
    pair.client.write_stream(stream_id, b"x", True)
    pair.from_client()


@pytest.mark.parametrize("lie", [False, True])
def test_acknowledging_a_number_that_was_left_out(server_files: CertificateFiles, lie: bool) -> None:
    """RFC 9000 §13.1, §21.4: whoever does it has not received what he acknowledges."""
    pair = Pair(server_files)
    pair.handshake()
    skipped = skipping(pair)
    for _ in range(3):
        send(pair)
    assert core_of(pair.client).spaces[APPLICATION].next_packet_number == skipped + 3
    honest = ((skipped + 1, skipped + 2), (skipped - 1, skipped - 1))
    ack = Ack(((skipped - 1, skipped + 2),) if lie else honest, 0)
    pair.to_client([forge(pair.server, ack.encode())])
    error = pair.client.error
    if lie:
        assert isinstance(error, TransportError)
        assert (error.error_code, error.frame_type) == (TransportErrorCode.PROTOCOL_VIOLATION, 0x02)
    else:
        assert error is None


def test_a_gap_costs_nothing_but_a_number(server_files: CertificateFiles) -> None:
    """The peer acknowledges around it, and nothing is taken for lost."""
    pair = Pair(server_files)
    pair.handshake()
    data = bytes(range(256)) * 1000
    assert transfer(pair, data) == data
    core = core_of(pair.client)
    assert core.spaces[APPLICATION].next_packet_number > FIRST_INTERVAL
    assert core.recovery.spaces[APPLICATION]._skipped >= FIRST_INTERVAL
    assert pair.client.stats().packets_lost == 0
    assert pair.client.stats().retransmitted_bytes == 0
