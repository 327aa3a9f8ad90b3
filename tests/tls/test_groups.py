"""Key exchange: RFC 8448's keys, each group with itself, shares that are no points."""

from __future__ import annotations

import pytest
from cryptography.hazmat.primitives.asymmetric.mlkem import MLKEM768PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey

import vectors
from quicmini.tls import groups
from quicmini.tls.codes import Alert, NamedGroup
from quicmini.tls.groups import GROUPS
from tests.tls.peers import alert_of, counting_random

HYBRID = NamedGroup.X25519MLKEM768

# Bytes of the client's share and of the server's.
SIZES = {
    HYBRID: (1184 + 32, 1088 + 32),
    NamedGroup.X25519: (32, 32),
    NamedGroup.SECP256R1: (65, 65),
    NamedGroup.SECP384R1: (97, 97),
}


def test_the_key_exchange_of_rfc_8448() -> None:
    values = vectors.load("rfc8448-3-simple-1rtt").values
    share = GROUPS[NamedGroup.X25519].offer(lambda size: values.octets("client_x25519_private"))
    assert share.public == values.octets("client_x25519_public")
    server_share, secret = GROUPS[NamedGroup.X25519].respond(
        share.public, lambda size: values.octets("server_x25519_private")
    )
    assert server_share == values.octets("server_x25519_public")
    assert secret == share.shared_secret(server_share) == values.octets("ecdhe_shared")


@pytest.mark.parametrize("code", GROUPS)
def test_both_sides_have_the_same_secret(code: int) -> None:
    group = GROUPS[code]
    share = group.offer(counting_random("client"))
    server_share, secret = group.respond(share.public, counting_random("server"))
    assert share.group == code
    assert (len(share.public), len(server_share)) == SIZES[NamedGroup(code)]
    assert share.shared_secret(server_share) == secret


@pytest.mark.parametrize("code", GROUPS)
def test_keys_come_from_the_randomness_alone(code: int) -> None:
    first, again, other = (GROUPS[code].offer(counting_random(seed)).public for seed in ("a", "a", "b"))
    assert first == again != other


@pytest.mark.parametrize("code", [NamedGroup.SECP256R1, NamedGroup.SECP384R1])
@pytest.mark.parametrize("byte", [b"\0", b"\xff"])
def test_any_randomness_gives_a_key(code: int, byte: bytes) -> None:
    assert GROUPS[code].offer(lambda size: byte * size).public[0] == 4


def test_the_orders_are_the_curves_orders() -> None:
    """Order minus one, as a private key, is minus the base point: the same x coordinate as for one."""
    for code, order in ((NamedGroup.SECP256R1, groups.P256_ORDER), (NamedGroup.SECP384R1, groups.P384_ORDER)):

        def scalar(value: int, code: int = code) -> bytes:
            return GROUPS[code].offer(lambda size: (value - 1).to_bytes(size)).public

        x = slice(1, (SIZES[code][0] + 1) // 2)
        assert scalar(1)[x] == scalar(order - 1)[x]
        assert scalar(1) != scalar(order - 1)
        assert scalar(order) == scalar(1)  # the scalar wraps before it could be the order itself


@pytest.mark.parametrize("code", GROUPS)
@pytest.mark.parametrize("share", [b"", b"\4", bytes(31), bytes(32), bytes(65), b"\4" + bytes(64), b"\4" + b"\1" * 96])
def test_shares_that_are_no_keys(code: int, share: bytes) -> None:
    """Wrong lengths, points off the curve, the point of order one of X25519 (RFC 9846 §7.4.2)."""
    offered = GROUPS[code].offer(counting_random("client"))
    assert alert_of(offered.shared_secret, share) == Alert.ILLEGAL_PARAMETER
    assert alert_of(GROUPS[code].respond, share, counting_random("server")) == Alert.ILLEGAL_PARAMETER


def test_the_hybrid_is_ml_kem_and_x25519_one_after_the_other() -> None:
    """draft-ietf-tls-ecdhe-mlkem §3: shares and secrets alike, ML-KEM first."""
    ours = counting_random("client")
    ml_kem, x25519 = MLKEM768PrivateKey.from_seed_bytes(ours(64)), X25519PrivateKey.from_private_bytes(ours(32))
    share = GROUPS[HYBRID].offer(counting_random("client"))
    assert share.public == ml_kem.public_key().public_bytes_raw() + x25519.public_key().public_bytes_raw()
    server_share, secret = GROUPS[HYBRID].respond(share.public, counting_random("server"))
    peer = X25519PublicKey.from_public_bytes(server_share[-32:])
    assert secret == ml_kem.decapsulate(server_share[:-32]) + x25519.exchange(peer)


def test_hybrid_shares_with_one_half_that_is_wrong() -> None:
    client = GROUPS[HYBRID].offer(counting_random("client"))
    respond = GROUPS[HYBRID].respond
    not_reduced = b"\xff" * 1184 + client.public[-32:]  # coefficients above the modulus (FIPS 203 §7.2)
    for share in (not_reduced, client.public[:-32] + bytes(32), client.public[:-1], client.public + b"\0"):
        assert alert_of(respond, share, counting_random("server")) == Alert.ILLEGAL_PARAMETER
    answer, secret = respond(client.public, counting_random("server"))
    for share in (answer[:-32] + bytes(32), answer[:-1], answer + b"\0"):
        assert alert_of(client.shared_secret, share) == Alert.ILLEGAL_PARAMETER
    # A wrong ciphertext cannot be told from a right one: it leads to another secret (FIPS 203 §6.3).
    assert client.shared_secret(bytes(1088) + answer[-32:]) != secret


def test_a_compressed_point_is_refused() -> None:
    """TLS 1.3 has one form only (RFC 9846 §4.3.8.2)."""
    share = GROUPS[NamedGroup.SECP256R1].offer(counting_random("client"))
    compressed = bytes((2 + share.public[-1] % 2,)) + share.public[1:33]
    assert alert_of(share.shared_secret, compressed) == Alert.ILLEGAL_PARAMETER
