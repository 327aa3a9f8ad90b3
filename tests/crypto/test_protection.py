"""Sealing and opening packets: bursts, key updates, and everything that must not open."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quicmini.crypto.keys import CIPHER_SUITES, INITIAL_SUITE, CipherSuite
from quicmini.crypto.protection import Opener, Sealer, initial_protection
from quicmini.errors import DecodeError
from quicmini.wire.packet import VERSION_1, VERSION_2, decode_packet_number, encode_short_header

SUITES = list(CIPHER_SUITES.values())
every_suite = pytest.mark.parametrize("suite", SUITES, ids=lambda suite: suite.name)

DCID = b"12345678"
PN_OFFSET = 1 + len(DCID)


def pair(suite: CipherSuite = INITIAL_SUITE, version: int = VERSION_1) -> tuple[Sealer, Opener]:
    secret = bytes(range(suite.hash_length))
    return Sealer(suite, secret, version), Opener(suite, secret, version)


def short_packet(number: int, payload: bytes, pn_length: int = 2) -> tuple[bytes, int, bytes]:
    return encode_short_header(DCID, number, pn_length), number, payload


def opened(opener: Opener, packet: bytes, pn_offset: int, largest: int) -> bytes:
    first_byte, truncated, pn_length = opener.unmask(packet, pn_offset)
    number = decode_packet_number(largest, truncated, 8 * pn_length)
    return opener.open(packet, pn_offset, first_byte, pn_length, number)


@given(
    suite=st.sampled_from(SUITES),
    version=st.sampled_from([VERSION_1, VERSION_2]),
    start=st.binary(min_size=1, max_size=50),
    pn_length=st.integers(1, 4),
    number=st.integers(0, 2**62 - 1),
    payload=st.binary(min_size=3, max_size=1500),
)
@settings(deadline=None, max_examples=200)
def test_what_was_sealed_opens(
    suite: CipherSuite, version: int, start: bytes, pn_length: int, number: int, payload: bytes
) -> None:
    """Any header: long and short first bytes, any length before the packet number."""
    sealer, opener = pair(suite, version)
    first_byte = start[0] & 0xFC | pn_length - 1
    truncated = number & (1 << 8 * pn_length) - 1
    header = bytes((first_byte,)) + start[1:] + truncated.to_bytes(pn_length)
    packet = sealer.seal(header, number, payload)
    assert len(packet) == len(header) + len(payload) + Sealer.overhead
    assert opener.unmask(packet, len(start)) == (first_byte, truncated, pn_length)
    assert opener.open(packet, len(start), first_byte, pn_length, number) == payload


@pytest.mark.parametrize("version", [VERSION_1, VERSION_2])
def test_both_sides_protect_initials_with_what_the_first_id_gives(version: int) -> None:
    client = initial_protection(DCID, version, is_client=True)
    server = initial_protection(DCID, version, is_client=False)
    header, number, payload = short_packet(1, b"payload")
    for (sealer, own_opener), (_, opener) in ((client, server), (server, client)):
        packet = sealer.seal(header, number, payload)
        assert opened(opener, packet, PN_OFFSET, 0) == payload
        with pytest.raises(DecodeError):
            opened(own_opener, packet, PN_OFFSET, 0)


@every_suite
def test_a_burst_equals_single_packets(suite: CipherSuite) -> None:
    sealer, opener = pair(suite)
    burst = [short_packet(1000 + i, bytes(20 + 30 * i), 1 + i % 4) for i in range(40)]
    packets = sealer.seal_batch(burst)
    assert packets == [pair(suite)[0].seal(*each) for each in burst]
    assert opener.unmask_batch(packets, PN_OFFSET) == [opener.unmask(packet, PN_OFFSET) for packet in packets]
    assert [opened(opener, packet, PN_OFFSET, 999 + i) for i, packet in enumerate(packets)] == [p for _, _, p in burst]


def test_a_burst_may_mix_long_and_short_headers() -> None:
    sealer, opener = pair()
    burst = [(b"\xc3" + DCID + bytes(3) + b"\x05", 5, b"long!"), (b"\x43" + DCID + bytes(3) + b"\x06", 6, b"short")]
    packets = sealer.seal_batch(burst)
    assert opener.unmask_batch(packets, PN_OFFSET) == [(0xC3, 5, 4), (0x43, 6, 4)]


def test_no_packets_is_no_work() -> None:
    sealer, opener = pair()
    assert sealer.seal_batch([]) == []
    assert opener.unmask_batch([], PN_OFFSET) == []
    assert sealer.sealed == 0


def test_only_the_protected_bits_of_the_first_byte_change() -> None:
    """RFC 9001 §5.4.1: five bits of a short header, four of a long one. 64 packets leave no bit to chance."""
    for first_byte, protected in ((0x43, 0x1F), (0xC3, 0x0F)):
        header = bytes((first_byte,)) + bytes(4)
        packets = pair()[0].seal_batch([(header, 0, bytes((i, 0, 0, 0))) for i in range(64)])
        changed = 0
        for packet in packets:
            changed |= packet[0] ^ first_byte
        assert changed == protected


def test_a_payload_without_a_sample_is_refused() -> None:
    """RFC 9001 §5.4.2: packet number and payload have at least 4 bytes together."""
    for pn_length in range(1, 5):
        sealer, opener = pair()
        enough = sealer.seal(*short_packet(0, bytes(4 - pn_length), pn_length))
        assert opened(opener, enough, PN_OFFSET, -1) == bytes(4 - pn_length)
        if pn_length < 4:
            with pytest.raises(ValueError, match="pad the payload"):
                sealer.seal(*short_packet(0, bytes(3 - pn_length), pn_length))


def test_a_packet_too_short_for_a_sample_is_dropped() -> None:
    sealer, opener = pair()
    packet = sealer.seal(*short_packet(7, bytes(2)))
    for length in range(len(packet)):
        with pytest.raises(DecodeError, match="too short"):
            opener.unmask(packet[:length], PN_OFFSET)
    assert opener.unmask_batch([b"", packet, packet[:-1], packet], PN_OFFSET) == [
        None,
        (0x41, 7, 2),
        None,
        (0x41, 7, 2),
    ]
    assert opener.unmask_batch([b"", b"\x40"], PN_OFFSET) == [None, None]


@every_suite
def test_no_damaged_byte_goes_unnoticed(suite: CipherSuite) -> None:
    sealer, opener = pair(suite)
    packet = sealer.seal(*short_packet(7, b"payload"))
    for at in range(len(packet)):
        damaged = packet[:at] + bytes((packet[at] ^ 0x01,)) + packet[at + 1 :]
        with pytest.raises(DecodeError, match="authenticate"):
            opened(opener, damaged, PN_OFFSET, 6)
    assert opener.failures == len(packet)
    assert opened(opener, packet, PN_OFFSET, 6) == b"payload"


def test_a_wrong_packet_number_or_first_byte_does_not_open() -> None:
    """Both are authenticated: the nonce is made of the full number, the associated data of the unprotected header."""
    sealer, opener = pair()
    packet = sealer.seal(*short_packet(0x1_0007, b"payload"))
    assert opener.unmask(packet, PN_OFFSET) == (0x41, 7, 2)
    assert opener.open(packet, PN_OFFSET, 0x41, 2, 0x1_0007) == b"payload"
    for first_byte, number in ((0x41, 0x0007), (0x45, 0x1_0007), (0x61, 0x1_0007)):
        with pytest.raises(DecodeError):
            opener.open(packet, PN_OFFSET, first_byte, 2, number)
    assert opener.failures == 3


@given(packet=st.binary(max_size=60), pn_offset=st.integers(1, 25))
@settings(deadline=None, max_examples=300)
def test_no_bytes_raise_anything_but_decode_error(packet: bytes, pn_offset: int) -> None:
    with pytest.raises(DecodeError):
        opened(pair()[1], packet, pn_offset, 10)


@every_suite
@pytest.mark.parametrize("version", [VERSION_1, VERSION_2])
def test_a_key_update_changes_key_and_iv_but_not_header_protection(suite: CipherSuite, version: int) -> None:
    """RFC 9001 §6.1."""
    sealer, opener = pair(suite, version)
    next_sealer, next_opener = sealer.updated(), opener.updated()
    packet = next_sealer.seal(*short_packet(7, b"payload"))
    assert opener.unmask(packet, PN_OFFSET) == next_opener.unmask(packet, PN_OFFSET) == (0x41, 7, 2)
    assert opened(next_opener, packet, PN_OFFSET, 6) == b"payload"
    with pytest.raises(DecodeError):
        opened(opener, packet, PN_OFFSET, 6)
    third = next_sealer.updated().seal(*short_packet(8, b"payload"))
    assert opened(next_opener.updated(), third, PN_OFFSET, 7) == b"payload"


def test_packets_are_counted_for_each_set_of_keys() -> None:
    """RFC 9001 §6.6: the confidentiality limit holds for each key."""
    sealer, _ = pair()
    sealer.seal_batch([short_packet(i, b"payload") for i in range(3)])
    sealer.seal(*short_packet(3, b"payload"))
    assert sealer.sealed == 4
    assert sealer.updated().sealed == 0
