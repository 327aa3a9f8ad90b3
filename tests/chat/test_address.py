"""Addresses as people write them."""

from __future__ import annotations

import pytest

from chat.address import format_address, parse_address, parse_port


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("localhost", ("localhost", 4242)),
        ("localhost:1", ("localhost", 1)),
        ("chat.example.org:65535", ("chat.example.org", 65535)),
        ("192.0.2.1:99", ("192.0.2.1", 99)),
        ("[::1]", ("::1", 4242)),
        ("[::1]:99", ("::1", 99)),
        ("[fe80::1%eth0]:99", ("fe80::1%eth0", 99)),
        ("::1", ("::1", 4242)),
    ],
)
def test_parse(text: str, address: tuple[str, int]) -> None:
    assert parse_address(text, 4242) == address


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "is no HOST"),
        (":4242", "is no HOST"),
        ("a b", "is no HOST"),
        ("::1:4242:x", r"written \[::1\]:4242"),
        ("[::1", "is no HOST"),
        ("[localhost]:1", "'localhost' is no IPv6 address"),
        ("host:", "'' is no port: a number from 1 to 65535"),
        ("host:0", "'0' is no port"),
        ("host:65536", "'65536' is no port"),
        ("host:٣", "is no port"),
        ("host:http", "'http' is no port"),
    ],
)
def test_no_address(text: str, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        parse_address(text, 4242)


def test_port_zero_lets_the_system_choose() -> None:
    assert parse_port("0") == 0
    with pytest.raises(ValueError, match="'-1' is no port: a number from 0"):
        parse_port("-1")


@pytest.mark.parametrize(
    ("address", "text"),
    [
        (("127.0.0.1", 4242), "127.0.0.1:4242"),
        (("::1", 4242, 0, 0), "[::1]:4242"),
        (("fe80::1%eth0", 4242, 0, 2), "[fe80::1%eth0]:4242"),
        (("::ffff:192.0.2.1", 4242, 0, 0), "192.0.2.1:4242"),
    ],
)
def test_format(address: tuple[str | int, ...], text: str) -> None:
    assert format_address(address) == text
