"""Packets and frames out of what went over the wire, with nothing but a key log."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from quicmini.config import Config
from quicmini.observe.keylog import KeyLog, parse_key_log
from quicmini.study.link.link import Captured
from quicmini.wire.frames import Crypto, HandshakeDone, Stream
from quicmini.wire.packet import VERSION_1, PacketType
from tests.certificates import CertificateFiles
from tests.connection.pair import CLIENT, SERVER, Pair
from tests.interop.dissect import Packet, crypto_stream, dissect

_PATH = ("127.0.0.1", 1)
SUITES = (0x1301, 0x1302, 0x1303)


def captured_of(pair: Pair) -> list[Captured]:
    return [
        Captured(float(time), to_server, CLIENT, SERVER, _PATH, datagram, 0, float(time), corrupted=False)
        for time, (to_server, datagram) in enumerate(pair.sent)
    ]


def talk(files: CertificateFiles, log: Path, suite: int = 0x1301) -> Pair:
    """A handshake, and a stream there and back."""
    with KeyLog(log) as keylog:
        pair = Pair(files, client_config=Config(cipher_suites=(suite,), keylog=keylog))
        pair.handshake()
        stream_id = pair.client.open_stream(unidirectional=False)
        assert stream_id == 0
        pair.client.write_stream(stream_id, b"ping", fin=True)
        pair.run(seconds=0.1)
        pair.server.write_stream(stream_id, b"pong", fin=True)
        pair.run(seconds=0.1)
    return pair


@pytest.fixture(params=SUITES)
def packets(request: pytest.FixtureRequest, server_files: CertificateFiles, tmp_path: Path) -> list[Packet]:
    log = tmp_path / "keys.log"
    pair = talk(server_files, log, request.param)
    return dissect(captured_of(pair), parse_key_log(log.read_text()))


def test_every_packet_is_opened(packets: list[Packet]) -> None:
    assert packets
    assert all(packet.frames for packet in packets)
    assert {packet.connection for packet in packets} == {0}
    assert {packet.version for packet in packets} == {VERSION_1}
    assert {packet.packet_type for packet in packets} == {
        PacketType.INITIAL, PacketType.HANDSHAKE, PacketType.ONE_RTT
    }  # fmt: skip


def test_packet_numbers_count_up_in_each_space(packets: list[Packet]) -> None:
    for to_server in (True, False):
        for kind in PacketType.INITIAL, PacketType.HANDSHAKE, PacketType.ONE_RTT:
            numbers = [
                packet.packet_number
                for packet in packets
                if packet.packet_type is kind and packet.to_server == to_server
            ]
            assert numbers == list(range(len(numbers)))


def test_frames_say_what_was_sent(packets: list[Packet]) -> None:
    streams = [
        (packet.to_server, frame.data) for packet in packets for frame in packet.frames or () if type(frame) is Stream
    ]
    assert streams == [(True, b"ping"), (False, b"pong")]
    done = [packet for packet in packets if HandshakeDone() in (packet.frames or ())]
    assert [packet.to_server for packet in done] == [False]


def test_crypto_streams_are_put_together(packets: list[Packet]) -> None:
    hello = crypto_stream(packets, PacketType.INITIAL, to_server=True)
    assert hello[0] == 1  # ClientHello
    assert int.from_bytes(hello[1:4]) == len(hello) - 4
    assert crypto_stream(packets, PacketType.HANDSHAKE, to_server=False)[0] == 8  # EncryptedExtensions


def test_a_packet_can_be_read_by_people(packets: list[Packet]) -> None:
    lines = [str(packet) for packet in packets]
    assert any("Stream(stream_id=0, offset=0, data=b'ping', fin=True)" in line for line in lines)
    assert "INITIAL" in lines[0]
    assert str(replace(packets[0], frames=None)).endswith(": ?")


def test_without_a_key_log_only_initial_packets_are_opened(server_files: CertificateFiles, tmp_path: Path) -> None:
    packets = dissect(captured_of(talk(server_files, tmp_path / "keys.log")), {})
    opened = {packet.packet_type for packet in packets if packet.frames}
    assert opened == {PacketType.INITIAL}
    assert all(packet.frames is None for packet in packets if packet.packet_type is not PacketType.INITIAL)


def test_noise_is_no_packet_and_a_stranger_s_belongs_to_nobody(packets: list[Packet]) -> None:
    captured = packets[0].captured
    assert dissect([replace(captured, datagram=b"\xc0\0\0")], {}) == []
    padded = replace(captured, datagram=captured.datagram + bytes(100))
    assert len(dissect([padded], {})) == len(dissect([captured], {}))
    (stranger,) = dissect([replace(captured, datagram=b"\x40" + bytes(40))], {})
    assert (stranger.connection, stranger.frames) == (None, None)


def test_crypto_data_before_a_gap() -> None:
    captured = Captured(0.0, True, CLIENT, SERVER, _PATH, b"", 0, 0.0, corrupted=False)
    frames = (Crypto(6, b"g"), Crypto(0, b"abc"), Crypto(2, b"cd"))
    packet = Packet(captured, PacketType.INITIAL, 0, frames=frames)
    assert crypto_stream([packet], PacketType.INITIAL, to_server=True) == b"abcd"
