"""A server in the same process, without connections: what it sends, and when, is up to the test.

server = FakeServer()
zoe = Person(server.dial)
zoe.start()
wire = server.wire()            # the connection that she has made, hello and welcome exchanged
wire.heard()                    # what she sends next
wire.say("bob", "hello")        # to her; numbered and chained
wire.cut(IdleTimeoutError())
"""

from __future__ import annotations

import queue
from collections.abc import Iterator

from chat.client.wire import Wire
from chat.message import Dialect, Kind, Message, message_id
from quicmini import ConnectionClosed, ConnectionClosedOK, Session

__all__ = ["FakeServer", "FakeWire"]

PATIENCE = 30.0  # seconds: a limit against hangs
REMOTE = ("192.0.2.1", 4242)


class FakeServer:
    """Keeps messages, and what it has of each session. greet: whether it answers a hello by itself.

    refuse: what the next attempts to connect are refused with, one after the other.
    """

    def __init__(self, store: str = "store", *, greet: bool = True) -> None:
        self.store = store
        self.greet = greet
        self.refuse: list[Exception] = []
        self.messages: list[Message] = []
        self.committed: dict[str, int] = {}
        self.dialled: list[tuple[Session | None, bool]] = []
        self._wires: queue.SimpleQueue[FakeWire] = queue.SimpleQueue()

    def dial(self, ticket: Session | None, early: bool) -> Wire:
        """What a session connects with."""
        self.dialled.append((ticket, early))
        if self.refuse:
            raise self.refuse.pop(0)
        wire = FakeWire(self)
        self._wires.put(wire)
        return wire

    def wire(self) -> FakeWire:
        """The next connection that is made; it has been greeted, if it should be."""
        wire = self._wires.get(timeout=PATIENCE)
        if self.greet:
            wire.greet()
        return wire

    def keep(self, nickname: str, text: str, **fields: str) -> Message:
        """Number a message and keep it."""
        number = 10 * len(self.messages) + 10
        message = Message(nickname, text, id=fields.pop("id", f"{nickname}-{number}"), number=number, room="lobby")
        self.messages.append(message)
        return message


class FakeWire:
    """One connection, from both sides: the protocol's methods are the client's."""

    id = "0123456789abcdef"
    early = False
    resumed = False
    dialect = Dialect.CHAT
    remote = REMOTE
    ticket = None

    def __init__(self, server: FakeServer) -> None:
        self.local_host = "192.0.2.7"
        self.migrated: queue.SimpleQueue[str] = queue.SimpleQueue()
        self.migration_error: Exception | None = None
        self.hello = Message("", "")
        self.closed = False
        self._server = server
        self._to_server: queue.SimpleQueue[Message] = queue.SimpleQueue()
        self._to_client: queue.SimpleQueue[Message | Exception] = queue.SimpleQueue()
        self._last = 0
        self._last_of: dict[str, int] = {}

    # The client's side

    def establish(self) -> None:
        pass

    def send(self, message: Message) -> None:
        self._to_server.put(message)

    def __iter__(self) -> Iterator[Message]:
        while True:
            message = self._to_client.get()
            if isinstance(message, Exception):
                raise message
            yield message

    def migrate(self, host: str) -> None:
        self.migrated.put(host)
        if self.migration_error:
            raise self.migration_error
        self.local_host = host

    def close(self, *, abandon: bool = False) -> None:
        self.closed = True
        self.cut(ConnectionClosedOK())

    # The server's side

    def heard(self) -> Message:
        """The next message of the client."""
        return self._to_server.get(timeout=PATIENCE)

    @property
    def is_quiet(self) -> bool:
        """Whether everything that the client has sent was heard."""
        return self._to_server.empty()

    def tell(self, message: Message) -> None:
        """Send something as it is."""
        self._to_client.put(message)

    def greet(self) -> None:
        """Hear the hello, welcome the client, and send what it has missed."""
        server = self._server
        self.hello = hello = self.heard()
        assert hello.kind == Kind.HELLO
        seen = hello.seen if hello.store == server.store else 0
        missed = [message for message in server.messages if message.number > seen]
        newest = server.messages[-1].number if server.messages else 0
        committed = server.committed.setdefault(hello.session, hello.seq)
        self._last = seen
        self.tell(
            Message(
                hello.nickname,
                "welcome",
                kind=Kind.WELCOME,
                room=hello.room,
                seq=committed,
                store=server.store,
                seen=seen,
                number=newest,
            )
        )
        for message in missed:
            self.tell(self.chained(message))

    def chained(self, message: Message) -> Message:
        """A message as the next to be sent here."""
        after, self._last = self._last, message.number
        sender_after = self._last_of.get(message.nickname, 0)
        self._last_of[message.nickname] = message.number
        return message._replace(after=after, sender_after=sender_after)

    def say(self, nickname: str, text: str) -> Message:
        """Someone says something, and it is sent here. Returns what was sent."""
        message = self.chained(self._server.keep(nickname, text))
        self.tell(message)
        return message

    def take(self, *, acknowledge: bool = True, relay: bool = True) -> Message:
        """Hear what the client says next and commit it; the acknowledgement and the relay can get lost."""
        said = self.heard()
        assert said.seq == self._server.committed[said.session] + 1, said
        self._server.committed[said.session] = said.seq
        kept = self._server.keep(self.hello.nickname, said.text, id=message_id(said.session, said.seq))
        if acknowledge:
            self.tell(Message("", "", kind=Kind.ACK, seq=said.seq))
        if relay:
            self.tell(self.chained(kept))
        return said

    def cut(self, error: ConnectionClosed) -> None:
        """The connection ends, as the client sees it."""
        self._to_client.put(error)
