"""The client's side: lines in, messages out, and when it leaves."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from chat.client import Session, read_lines
from chat.exchange import Inbox, Outbox
from chat.message import MAX_MESSAGE_SIZE, Message
from quicmini import ApplicationError, Connection, ConnectionClosedOK

Pair = tuple[Connection, Connection]


def lines(content: bytes, tmp_path: Path) -> list[str]:
    path = tmp_path / "lines"
    path.write_bytes(content)
    with path.open("rb") as file:
        return list(read_lines(file.fileno()))


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"", []),
        (b"one\ntwo\n", ["one", "two"]),
        (b"one\r\n\ntwo", ["one", "", "two"]),
        ("smørrebrød\n".encode(), ["smørrebrød"]),
        (b"\xff\xfe\n", ["\N{REPLACEMENT CHARACTER}" * 2]),
        (b"one\rtwo\n", ["one\rtwo"]),
    ],
)
def test_lines(tmp_path: Path, content: bytes, expected: list[str]) -> None:
    assert lines(content, tmp_path) == expected


@pytest.mark.parametrize("length", [MAX_MESSAGE_SIZE, MAX_MESSAGE_SIZE + 1, MAX_MESSAGE_SIZE + 2, 1_000_000])
def test_of_a_line_that_is_too_long_only_the_start_is_kept(tmp_path: Path, length: int) -> None:
    first, second = lines(b"x" * length + b"\nnext\n", tmp_path)
    assert len(first) == min(length, MAX_MESSAGE_SIZE + 1)
    assert second == "next"


def relay(server: Connection, count: int) -> None:
    """What the server does, for one client."""
    inbox, outbox = iter(Inbox(server)), Outbox(server)
    for _ in range(count):
        outbox.send(next(inbox).encode())


def test_it_leaves_when_its_lines_have_come_back(pair: Pair) -> None:
    client, server = pair
    session = Session(client, "zoe")
    shown: list[str] = []
    session.say(iter(["one", "two", "two"]))
    relay(server, 3)
    session.receive(shown.append)
    assert sorted(shown) == ["[zoe]: one", "[zoe]: two", "[zoe]: two"]
    with pytest.raises(ConnectionClosedOK):
        server.accept_stream()


def test_it_leaves_without_them_when_none_comes_back(pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("chat.client.ECHO_TIMEOUT", 0.01)
    client, server = pair
    session = Session(client, "zoe")
    shown: list[str] = []
    session.say(iter(["one"]))
    session.receive(shown.append)
    assert shown == []
    assert next(iter(Inbox(server))) == Message("zoe", "one")


def test_others_are_shown_and_not_counted(pair: Pair) -> None:
    client, server = pair
    session = Session(client, "zoe")
    shown: list[str] = []
    outbox = Outbox(server)
    outbox.send(Message("bob", "one").encode())
    outbox.send(Message("zoe", "not said here").encode())
    session.say(iter(["one"]))
    relay(server, 1)
    session.receive(shown.append)
    assert sorted(shown) == ["[bob]: one", "[zoe]: not said here", "[zoe]: one"]


def test_a_line_that_cannot_be_sent_is_counted(pair: Pair, caplog: pytest.LogCaptureFixture) -> None:
    client, server = pair
    session = Session(client, "zoe")
    session.say(iter(["x" * MAX_MESSAGE_SIZE, "short"]))
    relay(server, 1)
    session.receive(lambda line: None)
    assert session.not_sent == 1
    assert caplog.messages == ["not sent: a message of more than 65536 bytes"]


def endless(reader: int) -> Iterator[str]:
    """Lines that never end: nobody writes to the pipe."""
    yield "one"
    yield from read_lines(reader)


def test_a_server_that_leaves_first(pair: Pair) -> None:
    client, server = pair
    session = Session(client, "zoe")
    reader, writer = os.pipe()
    session.say(endless(reader))
    relay(server, 1)
    server.close(0, "good night")
    with pytest.raises(ConnectionClosedOK, match="good night"):
        session.receive(lambda line: None)
    os.close(writer)


def test_a_server_that_breaks_off(pair: Pair) -> None:
    client, server = pair
    session = Session(client, "zoe")
    session.say(iter(["one", "two"]))
    relay(server, 1)
    server.close(2, "too slow")
    with pytest.raises(ApplicationError, match="too slow"):
        session.receive(lambda line: None)


def test_leaving_early(pair: Pair) -> None:
    client, server = pair
    session = Session(client, "zoe")
    reader, writer = os.pipe()
    session.say(endless(reader))
    assert next(iter(Inbox(server))).text == "one"
    session.leave()
    session.receive(lambda line: None)
    with pytest.raises(ConnectionClosedOK):
        server.accept_stream()
    os.close(writer)
