"""Where a bus is, as people write it."""

from __future__ import annotations

import sys

import pytest

from chat.server.bus import BusAddress, BusError, parse_bus
from chat.server.open_bus import open_bus


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("redis://localhost", ("redis://localhost", "quicmini-chat", "redis://localhost")),
        ("redis://localhost:6380/2", ("redis://localhost:6380/2", "quicmini-chat", "redis://localhost:6380/2")),
        ("redis://h/1?prefix=our-chat", ("redis://h/1", "our-chat", "redis://h/1")),
        ("rediss://me:secret@[::1]:1/0", ("rediss://me:secret@[::1]:1/0", "quicmini-chat", "rediss://[::1]:1/0")),
    ],
)
def test_a_bus_has_an_address(text: str, address: tuple[str, str, str]) -> None:
    assert parse_bus(text) == BusAddress(*address)


@pytest.mark.parametrize(
    "text",
    [
        *("", "localhost:6379", "http://localhost", "redis://", "redis://h:x", "redis://h:70000", "redis://h/one"),
        *("redis://h/1/2", "redis://h?database=1", "redis://h?prefix", "redis://h#part", "redis://[::1"),
    ],
)
def test_what_is_no_bus_is_said_so(text: str) -> None:
    with pytest.raises(ValueError, match=r" is no bus: it is written redis://HOST|1 to 64 letters"):
        parse_bus(text)


@pytest.mark.parametrize("text", ["http://me:secret@h", "redis://:secret@/0", "redis://me:secret@h:x"])
def test_a_password_is_not_repeated(text: str) -> None:
    with pytest.raises(ValueError, match="is no bus") as error:
        parse_bus(text)
    assert "secret" not in str(error.value)


@pytest.mark.parametrize("prefix", ["", "a b", "x" * 65, "ü"])
def test_a_prefix_is_a_plain_word(prefix: str) -> None:
    with pytest.raises(ValueError, match="the prefix of a bus is 1 to 64 letters"):
        parse_bus(f"redis://h?prefix={prefix}")


def test_without_the_client_library_it_is_said_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "redis", None)
    monkeypatch.delitem(sys.modules, "chat.server.redis_bus", raising=False)
    with pytest.raises(BusError, match="pip install redis"):
        open_bus(parse_bus("redis://localhost"))
