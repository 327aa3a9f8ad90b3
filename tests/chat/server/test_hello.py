"""A client of `quicmini-chat/1` says hello soon, or makes room for another."""

from __future__ import annotations

import threading

import pytest

import chat.server.hub
import chat.server.server
from chat.exchange import ErrorCode, chat_config
from chat.message import ALPN_PROTOCOLS, Dialect, Kind, Message
from chat.server import Server
from chat.server.admission import Admission
from chat.server.hub import HELLO_TIMEOUT
from quicmini import ApplicationError, connect, listen
from tests.certificates import CertificateFiles
from tests.chat.conftest import serving
from tests.chat.server.fake import World


def test_who_says_no_hello_is_sent_away() -> None:
    world = World()
    silent = world.person("Ada")
    world.now += HELLO_TIMEOUT - 1
    world.hub.sweep()
    assert silent.dropped() is None
    world.now += 1
    world.hub.sweep()
    assert silent.dropped() == ErrorCode.NO_HELLO


def test_whatever_else_it_asks_for() -> None:
    world = World()
    person = world.person("Ada")
    world.now += HELLO_TIMEOUT
    person.send(Message("", "", kind=Kind.WHO))
    person.say("nobody knows who I am")
    world.hub.sweep()
    assert person.dropped() == ErrorCode.NO_HELLO


@pytest.mark.parametrize("dialect", Dialect)
def test_who_has_introduced_itself_may_be_silent(dialect: Dialect) -> None:
    """One of the seed's is in the lobby at once, and may listen for ever."""
    world = World()
    person = world.person("Ada", dialect)
    if dialect is Dialect.CHAT:
        person.hello()
    world.now += 1000 * HELLO_TIMEOUT
    world.hub.sweep()
    assert person.dropped() is None


class WatchedAdmission(Admission):
    """Has room for one client, and tells when it has left."""

    def __init__(self) -> None:
        super().__init__(max_clients=1)
        self.left = threading.Event()

    def leave(self, host: str) -> None:
        super().leave(host)
        self.left.set()


def test_its_place_is_another_s(server_files: CertificateFiles, monkeypatch: pytest.MonkeyPatch) -> None:
    """Real connections, each of which needs the place of the one before it."""
    monkeypatch.setattr(chat.server.server, "SWEEP_INTERVAL", 0.05)
    monkeypatch.setattr(chat.server.hub, "HELLO_TIMEOUT", 0.1)
    admission = WatchedAdmission()
    listener = listen(
        ("127.0.0.1", 0),
        alpn_protocols=ALPN_PROTOCOLS,
        certfile=server_files.certfile,
        keyfile=server_files.keyfile,
        config=chat_config(),
    )
    with serving(Server(listener, admission=admission)):
        for _ in range(2):
            with connect(listener.address, alpn_protocols=[Dialect.CHAT], cafile=server_files.cafile) as client:
                with pytest.raises(ApplicationError, match="no hello came within") as end:
                    client.next_readable()
                assert (end.value.error_code, end.value.remote) == (ErrorCode.NO_HELLO, True)
            assert admission.left.wait(30)
            admission.left.clear()
