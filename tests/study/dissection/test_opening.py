"""Keys that fit, keys that do not, and keys that change on the way."""

from __future__ import annotations

import pytest

from quicmini.crypto.keys import CIPHER_SUITES, CipherSuite
from quicmini.crypto.protection import Opener, Sealer, initial_protection
from quicmini.study.dissection.opening import Failure, Keys, Opened, initial_keys, logged_keys
from quicmini.wire.packet import VERSION_1, VERSION_2, PacketType, encode_short_header

CID = b"12345678"
LABEL = "CLIENT_TRAFFIC_SECRET_0"
PAYLOAD = b"\x01\x00\x00\x00"


def secret_of(suite: CipherSuite) -> bytes:
    return bytes(range(suite.hash_length))


def sealed(sealer: Sealer, number: int, phase: int = 0) -> bytes:
    return sealer.seal(encode_short_header(CID, number, 2, key_phase=bool(phase & 1)), number, PAYLOAD)


def keys_of(suite: CipherSuite) -> Keys:
    keys = logged_keys({LABEL: secret_of(suite)}, PacketType.ONE_RTT, VERSION_1, to_server=True)
    assert keys is not None
    return keys


@pytest.mark.parametrize("suite", CIPHER_SUITES.values(), ids=lambda suite: suite.name)
def test_the_suite_is_found(suite: CipherSuite) -> None:
    keys = keys_of(suite)
    packet = sealed(Sealer(suite, secret_of(suite), VERSION_1), 7)
    opened = keys.open(packet, 9, -1)
    assert opened == Opened(7, 2, 0x41, PAYLOAD, f"{LABEL}, {suite.name}, key phase 0")
    assert keys.open(packet, 9, 7) == opened


def test_key_updates_and_stragglers() -> None:
    suite = CIPHER_SUITES[0x1301]
    keys, sealers = keys_of(suite), [Sealer(suite, secret_of(suite), VERSION_1)]
    for _ in range(4):
        sealers.append(sealers[-1].updated())
    # Packets of the phase before come late; one is damaged, and changes nothing.
    order = [(0, 0), (2, 1), (1, 0), (3, 1), (6, 2), (4, 1), (7, 2), (8, 3), (9, 4)]
    largest = -1
    for number, phase in order:
        packet = sealed(sealers[phase], number, phase)
        damaged = keys.open(packet[:-1] + bytes((packet[-1] ^ 1,)), 9, largest)
        assert isinstance(damaged, Failure)
        opened = keys.open(packet, 9, largest)
        assert isinstance(opened, Opened)
        assert (opened.packet_number, opened.keys.endswith(f"key phase {phase}")) == (number, True)
        largest = max(largest, number)


def test_the_first_packet_is_of_the_second_phase() -> None:
    suite = CIPHER_SUITES[0x1303]
    keys, sealer = keys_of(suite), Sealer(suite, secret_of(suite), VERSION_1).updated()
    for number, each in ((7, sealer), (8, sealer), (9, sealer.updated())):
        assert isinstance(keys.open(sealed(each, number, 1 if each is sealer else 0), 9, number - 1), Opened)


def test_damaged_packets_have_the_next_keys_derived_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """For each of the cipher suites that the secret's length leaves."""
    derived = []

    def updated(opener: Opener) -> Opener:
        derived.append(opener.suite.name)
        return derive(opener)

    derive = Opener.updated
    monkeypatch.setattr(Opener, "updated", updated)
    keys = keys_of(CIPHER_SUITES[0x1301])
    for number in range(100):  # half of them seem to be of the next phase
        assert isinstance(keys.open(b"\x40" + CID + number.to_bytes(2) * 20, 9, -1), Failure)
    assert sorted(derived) == ["TLS_AES_128_GCM_SHA256", "TLS_CHACHA20_POLY1305_SHA256"]


def test_which_step_failed() -> None:
    suite = CIPHER_SUITES[0x1301]
    packet = sealed(Sealer(suite, secret_of(suite), VERSION_1), 7)
    keys = keys_of(suite)
    short = keys.open(packet[:20], 9, -1)
    assert isinstance(short, Failure)
    assert short.why == "header protection: 20 bytes are too few to take a sample from (RFC 9001 §5.4.2)"
    damaged = keys.open(packet[:-1] + b"?", 9, -1)
    assert isinstance(damaged, Failure)
    assert damaged.why == (
        "header protection gives packet number 7 in 2 bytes, key phase bit 0; AEAD authentication failed "
        f"({LABEL}, TLS_AES_128_GCM_SHA256): damaged on the way, or protected with other keys"
    )
    assert not damaged.needs_keys


def test_a_secret_that_is_not_logged_or_of_no_suite() -> None:
    assert logged_keys({}, PacketType.ONE_RTT, VERSION_1, to_server=True) is None
    odd = logged_keys({LABEL: b"short"}, PacketType.ONE_RTT, VERSION_1, to_server=True)
    assert odd is not None
    assert odd.open(bytes(40), 9, -1) == Failure("no cipher suite has a secret of this length: " + LABEL)


@pytest.mark.parametrize("version", [VERSION_1, VERSION_2])
def test_initial_keys_are_of_a_side_and_a_version(version: int) -> None:
    sealer, _ = initial_protection(CID, version, is_client=True)
    packet = sealer.seal(b"\xc1" + bytes(8), 0, bytes(20))
    assert isinstance(initial_keys(CID, version, to_server=True).open(packet, 7, -1), Opened)
    assert isinstance(initial_keys(CID, version, to_server=False).open(packet, 7, -1), Failure)
