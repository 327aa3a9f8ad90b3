"""A wrong byte in a sample packet is told by the field that it lies in."""

from __future__ import annotations

import pytest

from quicmini.study.comparison import Comparison
from quicmini.study.vectors import check


def damage(name: str, value: str, offset: int) -> list[str]:
    """What is told of the comparison of that value, after the highest bit of one of its bytes was flipped."""
    (comparison,) = [
        each for each in check(name).told if isinstance(each, Comparison) and each.what == value and each.layout
    ]
    assert isinstance(comparison.expected, bytes)
    damaged = bytearray(comparison.expected)
    damaged[offset] ^= 0x80
    return comparison._replace(actual=bytes(damaged)).difference()[3:]


INITIAL, RETRY, SHORT = "rfc9001-a2-client-initial", "rfc9001-a4-retry", "rfc9001-a5-chacha20-short-header"


@pytest.mark.parametrize(
    ("name", "value", "offset", "lines"),
    [
        (INITIAL, "packet", 4, ["it lies in packet > Version, byte 4 of 4 (RFC 8999 §5.1)",
                                "which should say 'QUIC v1', and is Version 'unknown'"]),
        (INITIAL, "packet", 6, ["it lies in packet > Destination Connection ID, byte 1 of 8 (RFC 8999 §5.1)",
                                "which should say '8394c8f03e515708', and is Destination Connection ID "
                                "'0394c8f03e515708'"]),
        (INITIAL, "packet", 21, ["it lies in packet > Packet Number, byte 4 of 4 (RFC 9000 §17.2.2)",
                                 "which should say '7b9aec34', and is Packet Number '7b9aecb4'"]),
        (INITIAL, "packet", 22, ["it lies in packet > encrypted payload > CRYPTO > Type, its only byte "
                                 "(RFC 9000 §12.4)"]),
        (INITIAL, "packet", 22 + 4 + 10, ["it lies in packet > encrypted payload > CRYPTO > Crypto Data > ClientHello "
                                          "> random, byte 5 of 32 (RFC 9846 §4.2.2)"]),
        (INITIAL, "packet", 1183, ["it lies in packet > encrypted payload > PADDING, byte 917 of 917 "
                                   "(RFC 9000 §19.1)"]),
        (INITIAL, "packet", 1199, ["it lies in packet > authentication tag, byte 16 of 16 (RFC 9001 §5.3)"]),
        (INITIAL, "protected_header", 0, ["it lies in packet > first byte, its only byte (RFC 9000 §17.2.2)",
                                          "its Header Form should be '1... .... long', and is '0... .... short'"]),
        (INITIAL, "protected_header", 18, ["it lies in packet > Packet Number, byte 1 of 4 (RFC 9000 §17.2.2)",
                                           "which should say '7b9aec34', and is Packet Number 'fb9aec34'"]),
        (INITIAL, "unprotected_header", 0, ["it lies in header > first byte, its only byte (RFC 9000 §17.2.2)",
                                            "its Header Form should be '1... .... long', and is '0... .... short'"]),
        (SHORT, "unprotected_header", 0, ["it lies in header > first byte, its only byte (RFC 9000 §17.3.1)",
                                          "its Header Form should be '0... .... short', and is '1... .... long'"]),
        (INITIAL, "unprotected payload", 4, ["it lies in payload > CRYPTO > Crypto Data > ClientHello > msg_type, its "
                                             "only byte (RFC 9846 §4)",
                                             "which should say 'ClientHello (0x01)', and is msg_type '0x81'"]),
        (RETRY, "packet", 20, ["it lies in packet > Retry Integrity Tag, byte 1 of 16 (RFC 9001 §5.8)"]),
        (SHORT, "packet", 2, ["it lies in packet > Packet Number, byte 2 of 3 (RFC 9000 §17.3.1)",
                              "which should say 'fe4189', and is Packet Number 'fec189'"]),
        (SHORT, "packet", 4, ["it lies in packet > encrypted payload > PING > Type, its only byte (RFC 9000 §12.4)"]),
    ],
)  # fmt: skip
def test_where_a_wrong_byte_lies(name: str, value: str, offset: int, lines: list[str]) -> None:
    assert damage(name, value, offset) == lines
