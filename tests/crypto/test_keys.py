"""Cipher suites and key derivation beyond what the vectors show."""

from __future__ import annotations

import pytest

from quicmini.crypto.keys import (
    CIPHER_SUITES,
    CipherSuite,
    derive_packet_keys,
    initial_secrets,
    next_secret,
)
from quicmini.wire.packet import VERSION_1, VERSION_2

SUITES = list(CIPHER_SUITES.values())


@pytest.mark.parametrize("suite", SUITES, ids=lambda suite: suite.name)
def test_keys_have_the_lengths_of_the_suite(suite: CipherSuite) -> None:
    secret = bytes(suite.hash_length)
    key, iv, hp = derive_packet_keys(suite, secret, VERSION_1)
    assert (len(key), len(iv), len(hp)) == (suite.key_length, 12, suite.key_length)
    assert len(next_secret(suite, secret, VERSION_1)) == suite.hash_length


@pytest.mark.parametrize("suite", SUITES, ids=lambda suite: suite.name)
def test_versions_derive_different_keys(suite: CipherSuite) -> None:
    secret = bytes(suite.hash_length)
    assert set(derive_packet_keys(suite, secret, VERSION_1)).isdisjoint(derive_packet_keys(suite, secret, VERSION_2))
    assert next_secret(suite, secret, VERSION_1) != next_secret(suite, secret, VERSION_2)


def test_limits_are_those_of_the_rfc() -> None:
    """RFC 9001 §6.6."""
    limits = {suite.code: (suite.confidentiality_limit, suite.integrity_limit) for suite in SUITES}
    assert limits == {0x1301: (2**23, 2**52), 0x1302: (2**23, 2**52), 0x1303: (2**62, 2**36)}


def test_an_unknown_version_has_no_keys() -> None:
    with pytest.raises(ValueError, match="0x0000002a"):
        initial_secrets(b"\x01\x02\x03\x04\x05\x06\x07\x08", 42)
