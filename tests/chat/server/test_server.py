"""The server's side: who gets what, and who is shown the door."""

from __future__ import annotations

import logging
import re
import threading
from collections.abc import Callable, Iterator

import pytest

from chat.exchange import ErrorCode, Inbox, Outbox
from chat.message import Message
from chat.server import Server
from chat.server.admission import Admission
from chat.server.hub import Hub
from chat.server.sending import NO_THREAD
from chat.text import SERVER_NAME
from quicmini import ApplicationError, Config, Connection, ConnectionClosedOK, Listener
from tests.chat.conftest import Connector, serving


class Log(logging.Handler):
    """What was logged, to wait for."""

    def __init__(self) -> None:
        super().__init__()
        self._lines: list[str] = []
        self._changed = threading.Condition()

    def emit(self, record: logging.LogRecord) -> None:
        with self._changed:
            self._lines.append(record.getMessage())
            self._changed.notify_all()

    def wait(self, line: str, times: int = 1) -> None:
        with self._changed:
            assert self._changed.wait_for(lambda: self._lines.count(line) >= times, 30), self._lines

    def has(self, matches: Callable[[str], bool]) -> bool:
        return any(map(matches, self._lines))


@pytest.fixture
def log(caplog: pytest.LogCaptureFixture) -> Iterator[Log]:
    """The chat's log while the test runs."""
    caplog.set_level(logging.INFO, "chat")
    log = Log()
    logging.getLogger("chat").addHandler(log)
    yield log
    logging.getLogger("chat").removeHandler(log)


def name(connection: Connection) -> str:
    return f"127.0.0.1:{connection.local_address[1]}"


def said(connection: Connection) -> Iterator[Message]:
    """What people say, without what the server says itself."""
    return (message for message in Inbox(connection) if message.nickname != SERVER_NAME)


def join(connector: Connector, log: Log, config: Config | None = None) -> Connection:
    """A client that the server has added."""
    connection = connector(config)
    log.wait(f"added client {name(connection)}")
    return connection


@pytest.mark.usefixtures("server")
def test_everyone_gets_every_message_the_sender_too(connector: Connector, log: Log) -> None:
    clients = [join(connector, log) for _ in range(3)]
    Outbox(clients[0]).send(Message("zoe", "hello").encode())
    for client in clients:
        assert next(said(client)) == Message("zoe", "hello")


@pytest.mark.usefixtures("server")
def test_a_client_that_leaves_is_removed(connector: Connector, log: Log) -> None:
    client = join(connector, log)
    client.close()
    log.wait(f"removed client {name(client)}")
    assert not log.has(lambda line: line.startswith("client "))


@pytest.mark.usefixtures("server")
def test_a_client_that_leaves_with_an_error_is_said_so(connector: Connector, log: Log) -> None:
    client = join(connector, log)
    client.close(42, "no time")
    log.wait(f"client {name(client)}: the peer closed the connection: application error 0x2a (no time)")
    log.wait(f"removed client {name(client)}")


@pytest.mark.usefixtures("server")
def test_a_slow_client_is_dropped_and_nobody_waits_for_it(connector: Connector, log: Log) -> None:
    """It allows 4 streams and reads nothing; 10 messages may wait for it, and one is in the hands of the writer."""
    slow = join(connector, log, Config(max_streams_bidi=4))
    client = join(connector, log)
    outbox, received = Outbox(client), said(client)
    for number in range(16):
        outbox.send(Message("zoe", str(number)).encode())
        assert next(received).text == str(number)
    log.wait(f"removed client {name(slow)}")
    log.wait(f"dropped client {name(slow)}: too slow, 10 messages were waiting for it")
    for number in range(16, 20):
        outbox.send(Message("zoe", str(number)).encode())
        assert next(received).text == str(number)
    for _ in range(4):
        slow.accept_stream().recv(1000)
    with pytest.raises(ApplicationError, match="too slow") as end:
        slow.accept_stream()
    assert end.value.error_code == ErrorCode.TOO_SLOW
    log.wait(f"removed client {name(slow)}")


@pytest.mark.usefixtures("server")
def test_a_message_that_grows_too_long_is_not_relayed(connector: Connector, log: Log) -> None:
    """Each byte that is no UTF-8 becomes three."""
    client = join(connector, log)
    filler = Message("zoe", "#" * 60_000).encode()
    Outbox(client).send(filler.replace(b"#", b"\xff"))
    log.wait(f"not relayed for {name(client)}: a message of more than 65536 bytes")
    Outbox(client).send(Message("zoe", "next").encode())
    assert next(said(client)).text == "next"


@pytest.mark.parametrize(
    ("admission", "sentence"),
    [
        (Admission(max_clients=1), "the server is full (1 clients)"),
        (Admission(max_per_address=1), "the server is full for your address (1 clients)"),
    ],
)
def test_clients_have_a_limit(
    listener: Listener, connector: Connector, log: Log, admission: Admission, sentence: str
) -> None:
    with serving(Server(listener, admission=admission)):
        first = join(connector, log)
        second = connector()
        with pytest.raises(ApplicationError, match=re.escape(sentence)) as end:
            second.accept_stream()
        assert end.value.error_code == ErrorCode.FULL
        first.close()
        log.wait(f"removed client {name(first)}")
        join(connector, log)


def test_closing_delivers_what_waits_and_says_goodbye(server: Server, connector: Connector, log: Log) -> None:
    clients = [join(connector, log) for _ in range(3)]
    for number in range(5):
        Outbox(clients[0]).send(Message("zoe", str(number)).encode())
    inboxes = [said(client) for client in clients]
    for _ in range(5):
        next(inboxes[0])
    server.close()
    for client, inbox in zip(clients[1:], inboxes[1:], strict=True):
        assert {next(inbox).text for _ in range(5)} == {"0", "1", "2", "3", "4"}
        with pytest.raises(ConnectionClosedOK, match="the server is shutting down"):
            next(inbox)
        log.wait(f"removed client {name(client)}")


def test_who_comes_when_there_is_no_thread_is_sent_away(
    listener: Listener, connector: Connector, log: Log, monkeypatch: pytest.MonkeyPatch
) -> None:
    start = threading.Thread.start

    def start_no_handler(thread: threading.Thread) -> None:
        if thread.name.startswith("client "):
            raise RuntimeError("can't start new thread")
        start(thread)

    with serving(Server(listener)):
        with monkeypatch.context() as patch:
            patch.setattr(threading.Thread, "start", start_no_handler)
            with pytest.raises(ApplicationError, match=NO_THREAD) as end:
                connector().next_readable(30)
        assert end.value.error_code == ErrorCode.FULL
        join(connector, log)


def test_what_goes_wrong_with_one_client_costs_no_place(
    listener: Listener, connector: Connector, log: Log, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(connection: Connection) -> None:
        raise RuntimeError("a bug")

    monkeypatch.setattr(threading, "excepthook", lambda arguments: None)
    admission = Admission(max_clients=1)
    with serving(Server(listener, admission=admission)):
        with monkeypatch.context() as patch:
            patch.setattr("chat.server.server.dialect_of", fail)
            with pytest.raises(ConnectionClosedOK):
                connector().next_readable(30)
        join(connector, log)


def test_a_bug_does_not_end_the_looks_at_who_is_gone(
    listener: Listener, log: Log, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(hub: Hub) -> None:
        raise RuntimeError("a bug")

    monkeypatch.setattr("chat.server.server.SWEEP_INTERVAL", 0.01)
    monkeypatch.setattr(Hub, "sweep", fail)
    with serving(Server(listener)):
        log.wait("unexpected error in looking at who will not come back", times=2)
