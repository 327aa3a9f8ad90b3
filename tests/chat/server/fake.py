"""A hub without connections: clients whose outbox is a list, and a clock that stands still."""

from __future__ import annotations

from chat.exchange import ErrorCode
from chat.message import Dialect, Kind, Message
from chat.server.admission import Admission
from chat.server.client import Client
from chat.server.history import History
from chat.server.hub import Hub
from chat.server.limits import RateLimit
from chat.server.requests import answer
from chat.server.sending import QUEUE_LIMIT, Sender

__all__ = ["Person", "World"]


class Wires:
    """Stands for a connection and its outbox. credit: how many messages it still takes without waiting."""

    def __init__(self) -> None:
        self.sent: list[bytes] = []
        self.credit = 1 << 30
        self.closed: tuple[int, str] | None = None

    def try_send(self, data: bytes) -> bool:
        if not self.credit:
            return False
        self.credit -= 1
        self.sent.append(data)
        return True

    def send(self, data: bytes) -> None:
        self.sent.append(data)

    def close(self, error_code: int = 0, reason: str = "", *, timeout: object = None) -> None:
        self.closed = (error_code, reason)


class World:
    """A hub and its history, in memory unless one is given."""

    def __init__(self, history: History | None = None) -> None:
        self.now = 1_000.0
        self.clock_change = 0.0
        self.history = history or History(None)
        self.hub = Hub(self.history, Admission(), self.clock, lambda: self.now)

    def clock(self) -> float:
        return self.now + self.clock_change

    def person(self, name: str, dialect: Dialect = Dialect.CHAT, queue_limit: int = QUEUE_LIMIT) -> Person:
        """Somebody who has connected."""
        return Person(self.hub, name, dialect, queue_limit)


class Person:
    """One client of the hub."""

    def __init__(self, hub: Hub, name: str, dialect: Dialect, queue_limit: int) -> None:
        self.hub = hub
        self.name = name
        self.session = name.encode().hex().ljust(16, "0")[:64]
        self.wires = Wires()
        sender = Sender(self.wires, self.wires, name, queue_limit)
        self.client = Client(name, dialect, sender, RateLimit(burst=100_000))
        self.seq = 0
        assert hub.add(self.client)

    def send(self, message: Message) -> None:
        answer(self.hub, self.client, message)

    def hello(self, room: str = "", seen: int = 0, store: str = "", nickname: str = "", seq: int = 0) -> list[Message]:
        """Introduce oneself; returns what has come when all that was missed has."""
        hello = Message(nickname or self.name, "", kind=Kind.HELLO, room=room, seq=seq)
        self.send(hello._replace(session=self.session, seen=seen, store=store))
        messages: list[Message] = []
        while not messages or self.client.behind or self.client.sender.busy:
            messages += self.take()
        return messages + self.take()

    def say(self, text: str, kind: str = Kind.SAY, recipient: str = "", seq: int = 0) -> None:
        self.seq = seq or self.seq + 1
        self.send(Message("", text, kind=kind, recipient=recipient, seq=self.seq, session=self.session))

    def lose(self) -> None:
        """The connection breaks."""
        self.hub.remove(self.client, left=False, why="")

    def take(self) -> list[Message]:
        """What has been sent to it since the last time."""
        while self.client.sender.busy and not self.wires.closed:
            pass  # what is long, a thread sends
        data, self.wires.sent = self.wires.sent, []
        return [message for each in data if (message := Message.decode(each, self.client.dialect))]

    def texts(self, kind: str = Kind.SAY) -> list[str]:
        return [message.text for message in self.take() if message.kind == kind]

    def dropped(self) -> ErrorCode | None:
        return ErrorCode(self.wires.closed[0]) if self.wires.closed else None
