"""Captures that other tools made: see data/README.md."""

from __future__ import annotations

from pathlib import Path

import pytest

from quicmini.study.captures import Capture, read_capture

DATA = Path(__file__).parent / "data"
HELLO, THERE = b"hello", b"there" * 50


def read(name: str) -> Capture:
    return read_capture((DATA / name).read_bytes())


@pytest.mark.parametrize("name", ["ethernet.pcap", "cooked2.pcap", "cooked2.pcapng"])
def test_two_datagrams_on_loopback(name: str) -> None:
    capture = read(name)
    assert [(each.number, each.payload, each.truncated) for each in capture.datagrams] == [
        (1, HELLO, False),
        (2, THERE, False),
    ]
    assert {(each.source, each.destination) for each in capture.datagrams} == {
        (("127.0.0.1", 47112), ("127.0.0.1", 47111))
    }
    assert [round(each.time, 6) for each in capture.datagrams] == [1795356546.465184, 1795356546.465208]
    assert (capture.secrets, capture.remarks) == ("", [])


def test_a_capture_of_beginnings_with_nanoseconds() -> None:
    capture = read("ethernet-nanoseconds-60-bytes.pcap")
    assert [(each.payload, each.truncated) for each in capture.datagrams] == [(HELLO, False), (THERE[:18], True)]
    assert capture.datagrams[0].time == pytest.approx(1795356546.465185, abs=1e-6)


def test_bare_ip() -> None:
    (datagram,) = read("raw.pcapng").datagrams
    assert datagram.source == ("192.0.2.1", 47112)
    assert (datagram.destination, datagram.payload) == (("192.0.2.2", 47111), HELLO)


def test_ipv6_and_secrets_in_the_file() -> None:
    capture = read("ipv6-secrets.pcapng")
    (datagram,) = capture.datagrams
    assert (datagram.source, datagram.payload) == (("2001:db8::1", 47112), HELLO)
    assert capture.secrets == f"CLIENT_RANDOM {1:064} {2:096}\n"
