"""Conversations taken apart: whose packets they are, what opens them, and what is said of those that nothing opens."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import pytest

import vectors
from quicmini.config import Config
from quicmini.crypto.protection import initial_protection
from quicmini.observe.keylog import KeyLog, parse_key_log
from quicmini.study.dissection.connection import KeyLogSecrets
from quicmini.study.dissection.dissector import Dissector
from quicmini.study.dissection.packets import Packet
from quicmini.wire.frames import Crypto, NewConnectionId, Padding
from quicmini.wire.packet import (
    VERSION_1,
    VERSION_2,
    PacketType,
    encode_long_header,
    encode_retry,
    encode_version_negotiation,
)
from tests.certificates import CertificateFiles
from tests.connection.pair import CLIENT, SERVER, Pair

Sent = list[tuple[bool, bytes]]

CID = b"original"
HELLO = vectors.load("rfc9001-a2-client-initial").values.octets("packet")


def talk(files: CertificateFiles, path: Path, *, ml_kem: bool = False) -> tuple[Sent, KeyLogSecrets]:
    """A handshake, new connection IDs, a stream there and back, new keys, and the end."""
    with KeyLog(path) as keylog:
        pair = Pair(files, client_config=Config(keylog=keylog), ml_kem=ml_kem)
        pair.handshake()
        stream_id = pair.client.open_stream(unidirectional=False)
        assert stream_id is not None
        pair.client.write_stream(stream_id, b"ping", fin=True)
        pair.run(seconds=0.1)
        pair.client.update_keys()
        pair.server.write_stream(stream_id, b"pong", fin=True)
        pair.run(seconds=0.1)
        pair.client.close(0, "", now=pair.now)
        pair.run(seconds=0.1)
    return pair.sent, parse_key_log(path.read_text())


@pytest.fixture
def spoken(server_files: CertificateFiles, tmp_path: Path) -> tuple[Sent, KeyLogSecrets]:
    return talk(server_files, tmp_path / "keys.log")


def packets_of(sent: Iterable[tuple[bool, bytes]], dissector: Dissector, *, addresses: bool = True) -> list[Packet]:
    packets: list[Packet] = []
    for to_server, data in sent:
        ends = ((CLIENT, SERVER) if to_server else (SERVER, CLIENT)) if addresses else (None, None)
        packets += dissector.datagram(data, source=ends[0], destination=ends[1]).packets
    return packets


def initial(payload: bytes, number: int = 0, *, dcid: bytes = CID, scid: bytes = b"cl") -> bytes:
    """An Initial packet under the keys of the connection to CID; the client's, if that is where it goes."""
    sealer, _ = initial_protection(CID, VERSION_1, is_client=dcid == CID)
    payload = payload.ljust(4, b"\0")
    header = encode_long_header(PacketType.INITIAL, VERSION_1, dcid, scid, b"", number, 2, len(payload) + 16)
    return sealer.seal(header, number, payload)


def one(dissector: Dissector, data: bytes) -> Packet:
    (packet,) = dissector.datagram(data).packets
    return packet


@pytest.mark.parametrize("addresses", [True, False])
@pytest.mark.parametrize("ml_kem", [True, False])
def test_a_whole_conversation(server_files: CertificateFiles, tmp_path: Path, addresses: bool, ml_kem: bool) -> None:
    sent, key_log = talk(server_files, tmp_path / "keys.log", ml_kem=ml_kem)
    packets = packets_of(sent, Dissector(key_log), addresses=addresses)
    assert [packet.problem for packet in packets if packet.problem] == []
    assert {packet.connection for packet in packets} == {0}
    assert {packet.packet_type for packet in packets} == {
        PacketType.INITIAL, PacketType.HANDSHAKE, PacketType.ONE_RTT
    }  # fmt: skip
    assert {packet.key_phase for packet in packets} == {None, 0, 1}
    messages = [message.name for packet in packets if packet.payload for message in packet.payload.messages]
    assert messages[:6] == [
        "ClientHello", "ServerHello", "EncryptedExtensions", "Certificate", "CertificateVerify", "Finished"
    ]  # fmt: skip
    text = " ".join(field.value for packet in packets for field in packet.walk())
    assert "'ping'" in text
    assert "'pong'" in text
    senders = [packet.to_server for packet in packets if packet.payload and b"ping" in packet.payload.data]
    assert senders == [True]


def test_header_and_payload_are_the_bytes_of_the_packet(spoken: tuple[Sent, KeyLogSecrets]) -> None:
    sent, key_log = spoken
    for packet in packets_of(sent, Dissector(key_log)):
        assert sum(len(field.raw) for field in packet.header) == len(packet.raw)
        assert packet.payload is not None
        assert b"".join(field.raw for field in packet.payload.frames) == packet.payload.data


def test_a_hello_in_two_packets_that_come_the_wrong_way_round() -> None:
    hello = bytes.fromhex("010000ed") + b"\3\3" + bytes(range(32)) + bytes(237 - 34)
    dissector = Dissector()
    late = one(dissector, initial(Crypto(100, hello[100:]).encode(), 1))
    assert late.payload is not None
    assert late.payload.messages == ()
    assert late.payload.waiting == "a TLS message is not complete: 0 bytes of it are here, from its start on"
    early = one(dissector, initial(Crypto(0, hello[:100]).encode(), 0))
    assert early.payload is not None
    (message,) = early.payload.messages
    assert (message.name, message.raw, message.offset) == ("ClientHello", hello, 0)


def test_the_key_log_of_another_connection(spoken: tuple[Sent, KeyLogSecrets]) -> None:
    sent, key_log = spoken
    (secrets,) = key_log.values()
    packets = packets_of(sent, Dissector({bytes(32): secrets}))
    closed = {packet.problem for packet in packets if packet.problem}
    assert len(closed) == 1
    assert closed.pop().startswith("the key log has secrets of 1 other connection, none of this one (client random ")


def test_a_secret_that_the_key_log_lacks(spoken: tuple[Sent, KeyLogSecrets]) -> None:
    sent, key_log = spoken
    ((client_random, secrets),) = key_log.items()
    some = {label: secret for label, secret in secrets.items() if label != "SERVER_TRAFFIC_SECRET_0"}
    packets = packets_of(sent, Dissector({client_random: some}))
    closed = [packet for packet in packets if packet.problem]
    assert {packet.problem for packet in closed} == {"the key log has no SERVER_TRAFFIC_SECRET_0 of this connection"}
    assert {(packet.to_server, packet.packet_type) for packet in closed} == {(False, PacketType.ONE_RTT)}


@pytest.mark.parametrize("addresses", [True, False])
def test_a_capture_that_begins_in_the_middle(spoken: tuple[Sent, KeyLogSecrets], addresses: bool) -> None:
    """Nothing but short headers: the key log is tried, with all lengths of connection IDs, or with the one given."""
    sent, key_log = spoken
    short = [(to_server, data) for to_server, data in sent if data[0] < 0x80]
    for length in None, 8:
        packets = packets_of(short, Dissector(key_log, dcid_length=length), addresses=addresses)
        assert [packet.problem for packet in packets if packet.problem] == []
        assert {packet.connection for packet in packets} == {0}
    wrong = packets_of(short, Dissector(key_log, dcid_length=4), addresses=addresses)
    assert {packet.payload for packet in wrong} == {None}


def test_the_end_of_a_handshake_without_its_beginning(spoken: tuple[Sent, KeyLogSecrets]) -> None:
    sent, key_log = spoken
    dissector = Dissector()
    packets = packets_of(sent[2:], dissector)
    assert {packet.payload for packet in packets} == {None}
    assert all(packet.problem and packet.needs_keys for packet in packets if packet.packet_type is PacketType.ONE_RTT)
    assert any(packet.payload for packet in packets_of(sent[2:], Dissector(key_log)))


def test_short_headers_without_anything() -> None:
    stranger = one(Dissector(), b"\x40" + bytes(range(60)))
    assert "its length is not known; --dcid-length may tell" in stranger.problem
    assert one(Dissector(dcid_length=4), b"\x40" + bytes(range(60))).destination_cid == bytes(range(4))
    assert one(Dissector(), bytes(60)).name == "not QUIC"


def test_two_connections_between_the_same_addresses() -> None:
    packets = packets_of([(True, initial(b"\1")), (True, HELLO), (True, initial(b"\1", 1))], Dissector())
    assert [packet.connection for packet in packets] == [0, 1, 0]


def test_a_stateless_reset_is_known_by_its_token() -> None:
    dissector = Dissector()
    token = bytes(range(16))
    one(dissector, initial(Padding(4).encode()))
    one(dissector, initial(NewConnectionId(1, 0, b"server-1", token).encode(), dcid=b"cl", scid=b"sv"))
    reset = one(dissector, b"\x5f" + bytes(30) + token)
    assert (reset.name, reset.connection, reset.to_server, reset.problem) == ("Stateless Reset", 0, False, "")
    assert [field.name for field in reset.header] == ["Fixed Bits and Unpredictable Bits", "Stateless Reset Token"]


def test_version_negotiation() -> None:
    dissector = Dissector()
    one(dissector, initial(Padding(4).encode()))
    packet = one(dissector, encode_version_negotiation(b"cl", CID, [VERSION_2, 0x0A0A0A0A]))
    assert (packet.name, packet.versions) == ("Version Negotiation", (VERSION_2, 0x0A0A0A0A))
    assert (packet.connection, packet.to_server, packet.problem) == (0, False, "")
    assert one(Dissector(), encode_version_negotiation(b"cl", CID, [1])).connection is None


def test_a_connection_that_begins_anew_in_another_version(server_files: CertificateFiles, tmp_path: Path) -> None:
    """With the connection IDs that it had, and with another ClientHello."""
    path = tmp_path / "keys.log"
    with KeyLog(path) as keylog:
        pair = Pair(
            server_files, client_config=Config(keylog=keylog), server_config=Config(versions=(VERSION_2,)), ml_kem=True
        )
        pair.handshake()
    packets = packets_of(pair.sent, Dissector(parse_key_log(path.read_text())))
    assert [packet.problem for packet in packets if packet.problem] == []
    assert {packet.connection for packet in packets} == {0}
    assert {packet.name for packet in packets} >= {"Version Negotiation", "Initial", "Handshake", "1-RTT"}


def test_the_tag_of_a_retry() -> None:
    retry = vectors.load("rfc9001-a4-retry").values.octets("packet")
    unseen = one(Dissector(), retry)
    assert "the integrity tag cannot be checked" in unseen.remark
    dissector = Dissector()
    one(dissector, HELLO)
    right = one(dissector, retry)
    assert right.remark == "the integrity tag is right for the Initial to 8394c8f03e515708"
    assert (right.problem, right.connection, right.to_server) == ("", 0, False)
    wrong = one(dissector, encode_retry(VERSION_1, b"", b"server", b"token") + bytes(16))
    assert wrong.problem == "the Retry Integrity Tag is wrong (RFC 9001 §5.8)"


def test_damage_and_truncation_are_told_apart() -> None:
    damaged = one(Dissector(), HELLO[:-1] + b"?")
    assert "AEAD authentication failed (client Initial keys of QUIC v1 from 8394c8f03e515708" in damaged.problem
    assert "header protection gives packet number 2 in 4 bytes" in damaged.problem
    cut = one(Dissector(), HELLO[:600])
    assert cut.problem == "truncated: the Length field says 1182 bytes, 582 are left"
    assert cut.connection is None


def test_zeros_behind_the_last_packet() -> None:
    packet, padding = Dissector().datagram(initial(Padding(40).encode()) + bytes(100)).packets
    assert packet.payload is not None
    assert (padding.name, len(padding.raw)) == ("padding", 100)


def test_an_empty_datagram() -> None:
    datagram = Dissector().datagram(b"")
    assert (datagram.packets, datagram.remark) == ((), "an empty datagram")


def test_another_version() -> None:
    packet = one(Dissector(), b"\xc0" + 0x0A0A0A0A.to_bytes(4) + b"\x02to\x04from" + b"whatever")
    assert (packet.name, packet.destination_cid, packet.source_cid) == ("version 0x0a0a0a0a", b"to", b"from")
    assert packet.problem == ""


def test_keys_of_one_version_under_the_header_of_another() -> None:
    """aioquic 1.2 to 1.7 does so with the first Initial after a compatible version negotiation."""
    dissector = Dissector()
    one(dissector, initial(Padding(4).encode()))
    sealer, _ = initial_protection(CID, VERSION_1, is_client=True)
    header = encode_long_header(PacketType.INITIAL, VERSION_2, CID, b"cl", b"", 1, 2, 20)
    packet = one(dissector, sealer.seal(header, 1, bytes(4)))
    assert packet.payload is not None
    assert packet.payload.keys.startswith("client Initial keys of QUIC v1")
