"""The extensions of pre-shared keys on the wire."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quicmini.errors import HandshakeError
from quicmini.tls.codes import Alert
from quicmini.tls.psk import ONLY_WITH_KEY_SHARES, OfferedPsks, PskIdentity, allows_key_shares
from tests.tls.peers import alert_of

OFFER = OfferedPsks((PskIdentity(b"one", 1), PskIdentity(b"two", 2**32 - 1)), (bytes(32), bytes(48)))


def test_an_offer_comes_back() -> None:
    encoded = OFFER.encode()
    assert OfferedPsks.parse(encoded) == OFFER
    assert encoded[: -OFFER.binders_size].endswith(b"two\xff\xff\xff\xff")


IDENTITY = b"\0\7\0\1x\0\0\0\0"
BINDER = b"\0\x21\x20" + bytes(32)


@pytest.mark.parametrize(
    ("data", "alert"),
    [
        (b"", Alert.DECODE_ERROR),
        (b"\0\0" + BINDER, Alert.DECODE_ERROR),
        (b"\0\6\0\0\0\0\0\0" + BINDER, Alert.DECODE_ERROR),
        (b"\0\7\0\0\0\0\0\0\0" + BINDER, Alert.DECODE_ERROR),
        (IDENTITY, Alert.DECODE_ERROR),
        (IDENTITY + b"\0\0", Alert.DECODE_ERROR),
        (IDENTITY + b"\0\x20\x1f" + bytes(31), Alert.DECODE_ERROR),
        (IDENTITY + b"\0\x22\x1f" + bytes(33), Alert.DECODE_ERROR),
        (IDENTITY + BINDER + b"\0", Alert.DECODE_ERROR),
        (IDENTITY + b"\0\x42" + BINDER[2:] * 2, Alert.ILLEGAL_PARAMETER),
        (b"\0\x0e" + IDENTITY[2:] * 2 + BINDER, Alert.ILLEGAL_PARAMETER),
    ],
)
def test_what_is_malformed(data: bytes, alert: Alert) -> None:
    assert alert_of(OfferedPsks.parse, data) == alert


def test_the_least_there_can_be() -> None:
    assert OfferedPsks.parse(IDENTITY + BINDER) == OfferedPsks((PskIdentity(b"x", 0),), (bytes(32),))


@settings(deadline=None, max_examples=200)
@given(st.binary(max_size=100))
def test_noise_raises_alerts_only(data: bytes) -> None:
    for parse in (OfferedPsks.parse, allows_key_shares):
        try:
            parse(data)
        except HandshakeError:
            continue


@pytest.mark.parametrize(
    ("modes", "allowed"), [(ONLY_WITH_KEY_SHARES, True), (b"\2\0\1", True), (b"\1\0", False), (b"\2\x0b\x2a", False)]
)
def test_the_modes(modes: bytes, allowed: bool) -> None:
    assert allows_key_shares(modes) is allowed


@pytest.mark.parametrize("modes", [b"", b"\0", b"\2\1", b"\1\1\1"])
def test_malformed_modes(modes: bytes) -> None:
    assert alert_of(allows_key_shares, modes) == Alert.DECODE_ERROR
