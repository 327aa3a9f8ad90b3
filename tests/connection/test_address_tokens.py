"""Tokens for the address of a client: what they prove, to whom, and for how long (RFC 9000 §8.1)."""

from __future__ import annotations

import pytest

from quicmini.connection.address_tokens import (
    MAX_REMEMBERED_TOKENS,
    NEW_TOKEN_LIFETIME,
    RETRY_TOKEN_LIFETIME,
    AddressProof,
    AddressTokens,
)
from quicmini.connection.state import Address
from quicmini.errors import TransportError, TransportErrorCode
from quicmini.wire.packet import VERSION_1, VERSION_2
from tests.connection.pair import CLIENT, counting_random

OTHER_HOST: Address = ("198.51.100.7", CLIENT[1])
OTHER_PORT: Address = (CLIENT[0], 4242)
UNPROVEN = AddressProof(False, b"retry cid")


@pytest.fixture
def tokens() -> AddressTokens:
    return AddressTokens(counting_random("tokens"))


def retry_token(tokens: AddressTokens) -> bytes:
    return tokens.for_retry(CLIENT, b"original", b"retry cid", VERSION_1, 100.0)


def test_a_retry_token_brings_both_ids_back(tokens: AddressTokens) -> None:
    proof = tokens.check(retry_token(tokens), CLIENT, b"retry cid", VERSION_1, 101.0)
    assert proof == AddressProof(True, b"original", b"retry cid")


@pytest.mark.parametrize(
    ("address", "destination_cid", "now"),
    [
        (OTHER_HOST, b"retry cid", 101.0),
        (OTHER_PORT, b"retry cid", 101.0),
        (CLIENT, b"original", 101.0),
        (CLIENT, b"retry cid", 100.1 + RETRY_TOKEN_LIFETIME),
    ],
)
def test_a_retry_token_elsewhere_or_too_late_is_invalid(
    tokens: AddressTokens, address: Address, destination_cid: bytes, now: float
) -> None:
    """RFC 9000 §8.1.2: the client would ignore a second Retry, so that it should be told at once."""
    with pytest.raises(TransportError) as caught:
        tokens.check(retry_token(tokens), address, destination_cid, VERSION_1, now)
    assert caught.value.error_code == TransportErrorCode.INVALID_TOKEN


def test_a_new_token_proves_the_host(tokens: AddressTokens) -> None:
    """RFC 9000 §8.1.3: the port is another one by then."""
    token = tokens.for_later(CLIENT, VERSION_1, 100.0)
    assert tokens.check(token, OTHER_PORT, b"dcid", VERSION_1, 5000.0) == AddressProof(True, b"dcid")


def test_a_new_token_works_once(tokens: AddressTokens) -> None:
    """RFC 9000 §8.1.4."""
    token = tokens.for_later(CLIENT, VERSION_1, 100.0)
    assert tokens.check(token, CLIENT, b"dcid", VERSION_1, 101.0).validated
    assert not tokens.check(token, CLIENT, b"dcid", VERSION_1, 102.0).validated


def test_what_a_new_token_does_not_prove(tokens: AddressTokens) -> None:
    """It is as if there were none (RFC 9000 §8.1.3), and it is not used up."""
    token = tokens.for_later(CLIENT, VERSION_1, 100.0)
    assert not tokens.check(token, OTHER_HOST, b"dcid", VERSION_1, 101.0).validated
    assert not tokens.check(token, CLIENT, b"dcid", VERSION_1, 100.1 + NEW_TOKEN_LIFETIME).validated
    assert tokens.check(token, CLIENT, b"dcid", VERSION_1, 101.0).validated


@pytest.mark.parametrize("token", [b"", b"x", bytes(27), bytes(28), bytes(100)])
def test_somebody_elses_token_proves_nothing(tokens: AddressTokens, token: bytes) -> None:
    assert tokens.check(token, CLIENT, b"retry cid", VERSION_1, 101.0) == UNPROVEN


def test_another_servers_tokens_prove_nothing(tokens: AddressTokens) -> None:
    other = AddressTokens(counting_random("other"))
    for token in (retry_token(other), other.for_later(CLIENT, VERSION_1, 100.0)):
        assert tokens.check(token, CLIENT, b"retry cid", VERSION_1, 101.0) == UNPROVEN


def test_tokens_of_another_version_prove_nothing(tokens: AddressTokens) -> None:
    """RFC 9369 §4.1, §5."""
    for token in (retry_token(tokens), tokens.for_later(CLIENT, VERSION_1, 100.0)):
        assert tokens.check(token, CLIENT, b"retry cid", VERSION_2, 101.0) == UNPROVEN


def test_the_memory_for_used_tokens_is_bounded(tokens: AddressTokens) -> None:
    used = [tokens.for_later(CLIENT, VERSION_1, 100.0) for _ in range(MAX_REMEMBERED_TOKENS + 1)]
    for token in used:
        assert tokens.check(token, CLIENT, b"dcid", VERSION_1, 101.0).validated
    assert len(tokens._used) == MAX_REMEMBERED_TOKENS
    assert not tokens.check(used[-1], CLIENT, b"dcid", VERSION_1, 101.0).validated


def test_kept_keys() -> None:
    """A server that was restarted knows the tokens of the one before it, until their key is replaced."""
    first = AddressTokens(counting_random("first"), (b"1" * 32,))
    token = first.for_later(CLIENT, VERSION_1, 100.0)
    second = AddressTokens(counting_random("second"), (b"2" * 32, b"1" * 32))
    assert second.check(token, CLIENT, b"dcid", VERSION_1, 200.0).validated
    third = AddressTokens(counting_random("third"), (b"2" * 32, b"1" * 32))
    third.replace_keys((b"3" * 32, b"2" * 32))
    assert not third.check(token, CLIENT, b"dcid", VERSION_1, 200.0).validated


def test_a_clock_that_has_begun_again() -> None:
    """With the machine; a token from later than now is none."""
    tokens = AddressTokens(counting_random("tokens"), (b"1" * 32,))
    token = tokens.for_later(CLIENT, VERSION_1, 100.0)
    assert not tokens.check(token, CLIENT, b"dcid", VERSION_1, 99.0).validated
