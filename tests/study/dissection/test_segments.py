"""Datagrams that were captured before the kernel cut them apart."""

from __future__ import annotations

import pytest

from quicmini.crypto.keys import CIPHER_SUITES
from quicmini.crypto.protection import Sealer
from quicmini.study.dissection.dissector import Dissector
from quicmini.study.dissection.segments import Segments
from quicmini.wire.packet import VERSION_1, encode_short_header

CID = b"12345678"
SECRET = bytes(range(32))
KEY_LOG = {bytes(32): {"CLIENT_TRAFFIC_SECRET_0": SECRET}}
OVERHEAD = 1 + 8 + 2 + 16


@pytest.fixture
def sealer() -> Sealer:
    return Sealer(CIPHER_SUITES[0x1301], SECRET, VERSION_1)


def sized(sealer: Sealer, number: int, size: int) -> bytes:
    return sealer.seal(encode_short_header(CID, number, 2), number, b"\x01" + bytes(size - OVERHEAD - 1))


def test_each_is_found(sealer: Sealer) -> None:
    dissector = Dissector(KEY_LOG, dcid_length=8)
    dissector.datagram(sized(sealer, 0, 40))
    number = 1
    for size, count in ((1200, 1), (600, 1), (1200, 3), (1200, 5), (1452, 2), (9000, 3), (1200, 2)):
        together = b"".join(sized(sealer, number + index, size) for index in range(count))
        packets = dissector.datagram(together + sized(sealer, number + count, 300)).packets
        assert [(packet.packet_number, len(packet.raw)) for packet in packets] == [
            *((number + index, size) for index in range(count)),
            (number + count, 300),
        ]
        assert [packet.offset for packet in packets] == [size * index for index in range(count + 1)]
        assert [bool(packet.remark) for packet in packets] == [True] * count + [False]
        number += count + 1


def test_one_large_datagram_is_one(sealer: Sealer) -> None:
    dissector = Dissector(KEY_LOG, dcid_length=8)
    (packet,) = dissector.datagram(sized(sealer, 0, 9000)).packets
    assert (packet.packet_number, packet.remark) == (0, "")


def test_a_damaged_one_stays_whole_and_the_search_is_given_up(sealer: Sealer) -> None:
    dissector = Dissector(KEY_LOG, dcid_length=8)
    dissector.datagram(sized(sealer, 0, 40))
    for number in range(1, 40):
        (packet,) = dissector.datagram(sized(sealer, number, 1600)[:-1] + b"?").packets
        assert "AEAD authentication failed" in packet.problem


def test_what_is_tried() -> None:
    segments = Segments()
    assert list(segments.sizes(1500)) == list(range(21, 1500))
    assert next(segments.sizes(12800)) == 100
    segments.found(1200)
    segments.found(1452)
    segments.found(1200)
    assert list(segments.sizes(1400))[:2] == [1200, 21]
    assert list(segments.sizes(1600))[:3] == [1200, 1452, 21]
    for _ in range(10):
        list(segments.sizes(65_000))
    assert list(segments.sizes(4000)) == [1200, 1452]
