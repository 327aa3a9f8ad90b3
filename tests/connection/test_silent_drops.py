"""What a receiver must drop without a word: one test for each row of the list, D01 to D22.

An error here would be a gift to whoever can send a datagram: what follows still works, and nothing is answered.
"""

from __future__ import annotations

import os
import socket

import pytest

from quicmini.connection.receive import MAX_UNDECRYPTABLE
from quicmini.connection.state import Address, ConnectionState
from quicmini.crypto.retry import retry_integrity_tag
from quicmini.recovery.sent import PacketNumberSpace
from quicmini.sync.udp import IP_MTU_DISCOVER, IPV6_MTU_DISCOVER, PMTUDISC_PROBE, UdpSocket
from quicmini.wire.frames import MaxData, MaxStreamData, NewConnectionId, Ping, Stream
from quicmini.wire.packet import (
    VERSION_1,
    PacketType,
    encode_long_header,
    encode_retry,
    encode_version_negotiation,
)
from tests.certificates import CertificateFiles
from tests.connection.attacker import core_of
from tests.connection.duel import Duel, change_parameters, parameter
from tests.connection.pair import Pair

INITIAL, HANDSHAKE, APPLICATION = PacketNumberSpace

ROLES = pytest.mark.parametrize("victim_is_server", [True, False], ids=["server", "client"])

STRANGER: Address = ("198.51.100.7", 4242)
OTHER_VERSION = 0x1A2A3A4A


def with_version(packet: bytes, version: int) -> bytes:
    return packet[:1] + version.to_bytes(4) + packet[5:]


def finish(duel: Duel) -> None:
    """Whatever came in between: the handshake goes on, and ends well."""
    duel.deliver(duel.flight)
    duel.pair.run(seconds=2.0)
    assert duel.victim.state is duel.attacker.state is ConnectionState.CONNECTED
    assert duel.still_talks()


def test_d01_a_client_drops_another_version(server_files: CertificateFiles) -> None:
    """RFC 9000 §5.2.1."""
    duel = Duel(server_files, victim_is_server=False, space=INITIAL)
    packet = duel.forge(Ping(), space=INITIAL)
    duel.deliver([with_version(packet, OTHER_VERSION)])
    assert duel.dropped == {"other version": 1}
    finish(duel)


@pytest.mark.parametrize(
    "datagram",
    [
        b"\xc0" + OTHER_VERSION.to_bytes(4) + b"\x08original\x08whoever!" + bytes(1173),  # 1199 bytes
        b"\x40original" + bytes(1200),  # RFC 9000 §5.2.2: no connection has this ID
        b"\xe0" + VERSION_1.to_bytes(4) + b"\x08original\x08whoever!\x44\x00" + bytes(1200),  # a Handshake packet
        b"\xc0" + VERSION_1.to_bytes(4) + b"\x08original\x08whoever!\x00\x44\x96" + bytes(1174),  # not authentic
        encode_version_negotiation(b"original", b"whoever!", [VERSION_1] * 300),
        encode_retry(VERSION_1, b"original", b"whoever!", bytes(1200)),
        b"",
    ],
)
def test_d02_a_server_drops_what_belongs_to_nobody(server_files: CertificateFiles, datagram: bytes) -> None:
    """RFC 9000 §5.2.2: small packets of an unknown version, and everything unmatched; there is not even an answer."""
    pair = Pair(server_files)
    assert pair.server_endpoint.receive([datagram], STRANGER, 0.0) == []
    assert sum(pair.server_endpoint.dropped.values()) == 1
    answers = [transmit for transmit in pair.server_endpoint.transmits if transmit.payload[0] >= 0x80]
    assert answers == []
    assert not pair.server_endpoint._connections


def test_d03_version_negotiation_that_offers_what_was_used(server_files: CertificateFiles) -> None:
    """RFC 9000 §6.2."""
    duel = Duel(server_files, victim_is_server=False, space=INITIAL)
    core = core_of(duel.victim)
    own, original = core.local_cids.handshake_cid, core.original_destination_cid
    duel.deliver([encode_version_negotiation(own, original, [OTHER_VERSION, VERSION_1])])
    assert duel.dropped == {"Version Negotiation": 1}
    finish(duel)


@ROLES
def test_d03_version_negotiation_after_another_packet(server_files: CertificateFiles, victim_is_server: bool) -> None:
    """RFC 9000 §6.2; and a server never takes one."""
    duel = Duel(server_files, victim_is_server=victim_is_server, space=HANDSHAKE)
    core = core_of(duel.victim)
    own, original = core.local_cids.handshake_cid, core.original_destination_cid
    duel.deliver([encode_version_negotiation(own, original, [OTHER_VERSION])])
    assert duel.dropped == {"Version Negotiation": 1}
    finish(duel)


@ROLES
def test_d04_another_source_connection_id(server_files: CertificateFiles, victim_is_server: bool) -> None:
    """RFC 9000 §7.2."""
    duel = Duel(server_files, victim_is_server=victim_is_server, space=HANDSHAKE)
    cids = core_of(duel.attacker).local_cids
    own, cids.handshake_cid = cids.handshake_cid, b"changed!"
    duel.deliver([duel.forge(Ping(), bytes(10), space=HANDSHAKE)])
    cids.handshake_cid = own
    assert duel.dropped == {"other source connection ID": 1}
    finish(duel)


def test_d05_a_packet_from_another_server_address(server_files: CertificateFiles) -> None:
    """RFC 9000 §9: a server moves only where it said that it would."""
    duel = Duel(server_files, victim_is_server=False)
    duel.deliver([duel.forge(Stream(duel.peers_bidi, 0, b"from elsewhere"))], STRANGER)
    assert duel.dropped == {"unknown address": 1}
    assert duel.victim.read_stream(duel.peers_bidi, 100) is None if duel.victim.stream_readable(1) else True
    assert duel.still_talks()


def test_d06_a_short_packet_below_21_bytes(duel: Duel) -> None:
    """RFC 9000 §10.3: no packet, nor a stateless reset, even with its token."""
    token = b"0123456789abcdef"
    core_of(duel.victim).remote_cids.set_reset_token(token)
    cid = core_of(duel.attacker).remote_cids.current
    duel.deliver([b"\x40" + cid + bytes(11), b"\x40" + (cid + token)[-19:]])
    assert sum(duel.dropped.values()) + sum(_endpoint_of(duel).values()) == 2
    assert duel.still_talks()


def _endpoint_of(duel: Duel) -> dict[str, int]:
    """What the endpoint dropped before it came to the victim."""
    return (duel.pair.server_endpoint if duel.victim_is_server else duel.pair.client_endpoint).dropped


@ROLES
def test_d07_a_coalesced_packet_with_another_destination(
    server_files: CertificateFiles, victim_is_server: bool
) -> None:
    """RFC 9000 §12.2: dropped, and the next packet of the datagram is looked at all the same."""
    duel = Duel(server_files, victim_is_server=victim_is_server, space=HANDSHAKE)
    first, last = (duel.forge(Ping(), bytes(10), space=HANDSHAKE) for _ in range(2))
    cids = core_of(duel.attacker).remote_cids
    own, cids.current = cids.current, b"stranger"
    other = duel.forge(Ping(), bytes(10), space=HANDSHAKE)
    cids.current = own
    received = duel.victim.stats().packets_received
    duel.deliver([first + other + last])
    assert duel.dropped == {"other connection ID": 1}
    assert duel.victim.stats().packets_received == received + 2
    finish(duel)


@pytest.mark.parametrize("space", PacketNumberSpace)
@ROLES
def test_d08_a_duplicate(server_files: CertificateFiles, victim_is_server: bool, space: PacketNumberSpace) -> None:
    """RFC 9000 §12.3."""
    duel = Duel(server_files, victim_is_server=victim_is_server, space=space)
    packet = duel.forge(Ping(), bytes(10), space=space)
    for _ in range(3):
        duel.deliver([packet])
    assert duel.dropped == {"duplicate": 2}
    if space is APPLICATION:
        assert duel.still_talks()
    else:
        finish(duel)


def test_d09_an_initial_in_a_small_datagram(server_files: CertificateFiles) -> None:
    """RFC 9000 §14.1."""
    duel = Duel(server_files, victim_is_server=True, space=INITIAL)
    small = duel.forge(Ping(), space=INITIAL, padded=False)
    duel.deliver([small])
    assert duel.pair.server_endpoint.dropped == {"small datagram": 1}
    duel.deliver(duel.flight[:1])
    duel.deliver([duel.forge(Ping(), space=INITIAL, padded=False)])
    assert duel.dropped == {"Initial in a small datagram": 1}
    finish(duel)


@pytest.mark.parametrize(
    ("family", "address", "level", "option"),
    [
        (socket.AF_INET, ("127.0.0.1", 0), socket.IPPROTO_IP, IP_MTU_DISCOVER),
        (socket.AF_INET6, ("::1", 0), socket.IPPROTO_IPV6, IPV6_MTU_DISCOVER),
    ],
)
def test_d10_the_kernel_does_not_listen_to_icmp(
    family: socket.AddressFamily, address: tuple[str, int], level: int, option: int
) -> None:
    """RFC 9000 §14.2.1: nobody looks at the packet that such a message quotes, so none of them counts."""
    udp = UdpSocket.bind(family, address)
    with socket.socket(fileno=os.dup(udp.fileno())) as same:
        assert same.getsockopt(level, option) == PMTUDISC_PROBE
    udp.close()


def test_d10_datagrams_never_shrink_below_1200_bytes(duel: Duel) -> None:
    """RFC 9000 §14.2.1: a path that carries nothing is no reason, either."""
    pair = duel.pair
    pair.drop = lambda to_server, datagram: to_server is not duel.victim_is_server
    stream_id = duel.victim.open_stream(True)
    assert stream_id is not None
    duel.victim.write_stream(stream_id, bytes(100_000), True)
    pair.run(seconds=10.0)
    pair.drop = lambda to_server, datagram: False
    before = len(pair.sent)
    pair.run(seconds=10.0)
    sizes = [len(datagram) for to_server, datagram in pair.sent[before:] if to_server is not duel.victim_is_server]
    assert max(sizes) >= 1200
    assert duel.attacker.read_stream(stream_id, 1 << 20) == bytes(100_000)


@ROLES
def test_d11_a_connection_id_above_20_bytes(server_files: CertificateFiles, victim_is_server: bool) -> None:
    """RFC 9000 §17.2: in version 1; here in the second packet of a datagram, so that it finds its connection."""
    duel = Duel(server_files, victim_is_server=victim_is_server, space=HANDSHAKE)
    first = duel.forge(Ping(), bytes(10), space=HANDSHAKE)
    second = b"\xe0" + VERSION_1.to_bytes(4) + b"\x15" + bytes(21) + b"\x08whoever!\x40\x40" + bytes(64)
    duel.deliver([first + second])
    assert duel.dropped == {"malformed header": 1}
    finish(duel)


RETRIES = ["bad tag", "no token", "our own ID", "another destination", "second", "after an Initial"]


@pytest.mark.parametrize("case", RETRIES)
def test_d12_a_retry_that_is_not_to_be_followed(server_files: CertificateFiles, case: str) -> None:
    """RFC 9000 §17.2.5.1, §17.2.5.2."""
    duel = Duel(server_files, victim_is_server=False, space=HANDSHAKE if case == "after an Initial" else INITIAL)
    core = core_of(duel.victim)
    original = core.original_destination_cid
    source = original if case == "our own ID" else b"retried!"
    destination = b"stranger" if case == "another destination" else core.local_cids.handshake_cid
    body = encode_retry(VERSION_1, destination, source, b"" if case == "no token" else b"token")
    tag = retry_integrity_tag(body, original, VERSION_1)
    if case == "bad tag":
        tag = bytes(16)
    flight = duel.answers()
    if case == "second":
        duel.victim.receive_datagrams([body + tag], duel.victim.remote_address, 0.0)
        flight = duel.answers()
        assert flight  # it begins again
    duel.victim.receive_datagrams([body + tag], duel.victim.remote_address, 0.0)
    assert sum(duel.dropped.values()) == 1
    assert duel.victim.error is None
    if case not in ("after an Initial", "second"):
        assert duel.answers() == []


def test_d13_too_short_for_the_sample(duel: Duel) -> None:
    """RFC 9001 §5.4.2."""
    packet = duel.forge(Ping(), bytes(30))
    duel.deliver([packet[: 1 + 8 + 4 + 15]])
    assert duel.dropped == {"undecryptable": 1}
    assert duel.still_talks()


@pytest.mark.parametrize("key_phase", [False, True])
@pytest.mark.parametrize("space", [HANDSHAKE, APPLICATION])
@ROLES
def test_d14_what_does_not_authenticate(
    server_files: CertificateFiles, victim_is_server: bool, space: PacketNumberSpace, key_phase: bool
) -> None:
    """RFC 9001 §5.5: whatever its Key Phase says (the bit belongs to another field in a long header)."""
    duel = Duel(server_files, victim_is_server=victim_is_server, space=space)
    packet = bytearray(duel.forge(Ping(), bytes(30), space=space, key_phase=key_phase))
    packet[-1] ^= 1
    duel.deliver([bytes(packet)])
    assert duel.dropped == {"undecryptable": 1}
    assert duel.victim.stats().key_updates == 0
    if space is APPLICATION:
        assert duel.still_talks()
    else:
        finish(duel)


@pytest.mark.parametrize("space", [INITIAL, HANDSHAKE])
def test_d15_a_client_drops_0_rtt(server_files: CertificateFiles, space: PacketNumberSpace) -> None:
    """RFC 9001 §5.6: only clients send it."""
    duel = Duel(server_files, victim_is_server=False, space=space)
    core = core_of(duel.victim)
    own = core.local_cids.handshake_cid
    source = core_of(duel.attacker).local_cids.handshake_cid
    header = encode_long_header(PacketType.ZERO_RTT, VERSION_1, own, source, b"", 0, 4, 100)
    duel.deliver([header + bytes(100)])
    assert duel.dropped == {"0-RTT": 1}
    finish(duel)


@ROLES
def test_d16_1_rtt_before_the_handshake_is_complete(server_files: CertificateFiles, victim_is_server: bool) -> None:
    """RFC 9001 §5.7: some are kept, the rest dropped; none is processed before its time."""
    duel = Duel(server_files, victim_is_server=victim_is_server, space=HANDSHAKE)
    cid = core_of(duel.attacker).remote_cids.current
    duel.deliver([b"\x40" + cid + bytes([number]) * 40 for number in range(MAX_UNDECRYPTABLE + 5)])
    assert duel.dropped == {"no keys yet": 5}
    finish(duel)
    assert duel.dropped["undecryptable"] == MAX_UNDECRYPTABLE


@ROLES
def test_d17_packets_whose_keys_were_discarded(server_files: CertificateFiles, victim_is_server: bool) -> None:
    """RFC 9001 §4.9."""
    duel = Duel(server_files, victim_is_server=victim_is_server, space=HANDSHAKE)
    late = [duel.forge(Ping(), bytes(10), space=HANDSHAKE)]
    finish(duel)
    before = duel.dropped.get("keys discarded", 0)
    duel.deliver(late)
    assert duel.dropped["keys discarded"] == before + 1
    assert duel.still_talks()


def test_d18_draining_says_nothing(duel: Duel) -> None:
    """RFC 9000 §10.2.2."""
    late = [duel.forge(Ping()) for _ in range(50)]
    duel.attacker.close(0, "enough", now=duel.pair.now)
    duel.pair.exchange()
    assert duel.victim.state is ConnectionState.DRAINING
    duel.deliver(late)
    assert duel.answers() == []


def test_d18_closing_says_less_and_less(duel: Duel) -> None:
    """RFC 9000 §10.2.1."""
    late = [duel.forge(Ping()) for _ in range(100)]
    duel.victim.close(0, "enough", now=duel.pair.now)
    assert len(duel.answers()) == 1
    duel.pair.now += core_of(duel.victim).recovery.pto_base()  # what comes sooner was sent before it could arrive
    answers = 0
    for packet in late:
        duel.deliver([packet])
        answers += len(duel.answers())
    assert answers == 6  # to the 1st, 3rd, 7th, 15th, 31st and 63rd


def test_d19_limits_that_do_not_grow(duel: Duel) -> None:
    """RFC 9000 §4.1: they may be overtaken by newer ones on the way."""
    stream_id = duel.victim.open_stream(False)
    assert stream_id == duel.own_bidi
    assert duel.hit(MaxData(0), MaxStreamData(stream_id, 0), b"\x12\x00") is None
    duel.victim.write_stream(stream_id, bytes(50_000), True)
    duel.pair.run(seconds=2.0)
    assert duel.attacker.read_stream(stream_id, 1 << 20) == bytes(50_000)


def test_d20_a_connection_id_again(duel: Duel) -> None:
    """RFC 9000 §19.15: it may be a retransmission, with a Retire Prior To that newer ones have overtaken."""
    new = NewConnectionId(7, 3, b"their ID", b"its reset token.")
    assert duel.hit(new) is None
    assert duel.hit(NewConnectionId(7, 0, b"their ID", b"its reset token.")) is None
    assert duel.hit(new, new) is None
    assert duel.victim.state is ConnectionState.CONNECTED


@ROLES
def test_d21_unused_bits(server_files: CertificateFiles, victim_is_server: bool) -> None:
    """RFC 9000 §17.4: the spin bit, here against the rule that a latency spin would follow."""
    duel = Duel(server_files, victim_is_server=victim_is_server)
    for spin in (True, False, True, True):
        duel.deliver([duel.forge(Ping(), spin=spin)])
    assert duel.dropped == {}
    assert duel.still_talks()


@pytest.mark.parametrize("bits", [0x00, 0x0F])
def test_d21_unused_bits_of_a_retry(server_files: CertificateFiles, bits: int) -> None:
    """RFC 9000 §17.2.5."""
    duel = Duel(server_files, victim_is_server=False, space=INITIAL)
    core = core_of(duel.victim)
    body = encode_retry(VERSION_1, core.local_cids.handshake_cid, b"retried!", b"token", bits)
    retry = body + retry_integrity_tag(body, core.original_destination_cid, VERSION_1)
    duel.deliver([retry])
    assert duel.dropped == {}
    assert core.token == b"token"


@pytest.mark.parametrize("bits", [0x00, 0x3F])
def test_d21_unused_bits_of_version_negotiation(server_files: CertificateFiles, bits: int) -> None:
    """RFC 9000 §17.2.1: whatever they are, it is the same packet."""
    duel = Duel(server_files, victim_is_server=False, space=INITIAL)
    core = core_of(duel.victim)
    own, original = core.local_cids.handshake_cid, core.original_destination_cid
    packet = bytearray(encode_version_negotiation(own, original, [OTHER_VERSION], bits))
    packet[0] &= 0xBF | bits << 1
    duel.deliver([bytes(packet)])
    assert duel.dropped == {}
    assert duel.victim.error is not None


@ROLES
def test_d22_unknown_transport_parameters(
    server_files: CertificateFiles, monkeypatch: pytest.MonkeyPatch, victim_is_server: bool
) -> None:
    """RFC 9000 §7.4.2; some are reserved for just this test (§18.1)."""
    unknown = parameter(31 * 1000 + 27, b"whatever") + parameter(2**62 - 2, b"")
    change_parameters(monkeypatch, of_client=victim_is_server, appended=unknown)
    duel = Duel(server_files, victim_is_server=victim_is_server, space=INITIAL)
    finish(duel)
