"""A client of the seed's dialect that says too much: what is relayed, what it is told, and when it has to go."""

from __future__ import annotations

from functools import partial
from typing import NoReturn

import pytest

import chat.server.limits
import chat.server.server
from chat.exchange import ErrorCode, Inbox, Outbox
from chat.message import Message
from chat.server import Server
from chat.server.limits import RateLimit
from quicmini import ApplicationError, Connection, Listener
from tests.chat.conftest import Connector, serving

STINGY = partial(RateLimit, 2, 0.001)  # messages at once, and a second


def test_it_is_told_how_many_were_dropped(
    listener: Listener, connector: Connector, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(chat.server.server, "SWEEP_INTERVAL", 0.05)
    with serving(Server(listener, make_limit=STINGY)):
        client = connector()
        outbox = Outbox(client)
        for number in range(5):
            outbox.send(Message("zoe", str(number)).encode())
        dropped, relayed = 0, 0
        for message in Inbox(client):
            if message.nickname == "server" and "dropped: this server takes 2 messages at once" in message.text:
                dropped += int(message.text.split(" ")[0])
            relayed += message.nickname == "zoe"
            if dropped == 3:
                break
        assert relayed == 2


def flood(client: Connection) -> NoReturn:
    outbox, data = Outbox(client), Message("zoe", "flood").encode()
    while True:
        outbox.send(data)


def test_a_flood_ends_the_connection(listener: Listener, connector: Connector, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chat.server.limits, "MAX_DROPPED", 10)
    with serving(Server(listener, make_limit=STINGY)):
        client, other = connector(), connector()
        with pytest.raises(ApplicationError, match="more than anybody can read") as end:
            flood(client)
        assert end.value.error_code == ErrorCode.FLOOD
        Outbox(other).send(Message("bob", "quiet").encode())
        assert any(message == Message("bob", "quiet") for message in Inbox(other))
