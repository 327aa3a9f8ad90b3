"""Clients of a hub without connections: what they say goes straight to the hub, and what they are sent is kept."""

from __future__ import annotations

import threading
from collections.abc import Callable
from itertools import count

from chat.message import Dialect, Kind, Message
from chat.server.client import Client
from chat.server.hub import Hub
from chat.server.limits import RateLimit
from chat.server.requests import answer
from chat.server.sending import QUEUE_LIMIT, Sender

__all__ = ["Member"]

_sessions = count(1)


class _Wire:
    """Stands for a connection that is never full."""

    def __init__(self, dialect: str) -> None:
        self.changed = threading.Condition(threading.RLock())
        self.received: list[Message] = []
        self.closed: str | None = None
        self._dialect = dialect

    def send(self, data: bytes) -> None:
        message = Message.decode(data, self._dialect)
        assert message is not None
        with self.changed:
            self.received.append(message)
            self.changed.notify_all()

    def try_send(self, data: bytes) -> bool:
        self.send(data)
        return True

    def close(self, error_code: int = 0, reason: str = "", *, timeout: float | None = 0) -> None:
        del error_code, timeout
        with self.changed:
            self.closed = reason
            self.changed.notify_all()


class Member:
    """Somebody who has said hello to a hub, or, with `simple`, one of the seed's clients."""

    def __init__(
        self,
        hub: Hub,
        nickname: str,
        room: str = "lobby",
        *,
        session: str = "",
        simple: bool = False,
        seq: int = 0,
        repeatable: int = 0,
        seen: Message | None = None,
        store: str = "",
    ) -> None:
        self.nickname = nickname
        self.session = session or f"{next(_sessions):016x}"
        self._hub = hub
        self._seq = seq
        dialect = Dialect.SIMPLE if simple else Dialect.CHAT
        self._wire = _Wire(dialect)
        self.client = Client(
            nickname, dialect, Sender(self._wire, self._wire, nickname, QUEUE_LIMIT), RateLimit(1_000_000, 1_000_000)
        )
        assert hub.add(self.client)
        if not simple:
            number, id = (seen.number, seen.id) if seen else (0, "")
            hello = Message(nickname, "", id, kind=Kind.HELLO, room=room, seq=seq, number=repeatable, seen=number)
            self.ask(hello._replace(session=self.session, store=store))

    def ask(self, message: Message) -> None:
        answer(self._hub, self.client, message)

    def say(self, text: str, kind: str = Kind.SAY, recipient: str = "") -> None:
        self._seq += 1
        self.ask(Message(self.nickname, text, kind=kind, recipient=recipient, seq=self._seq, session=self.session))

    def go_on(self, settled: int) -> None:
        """What it says next comes behind what is settled."""
        self._seq = settled

    def leave(self) -> None:
        self._hub.remove(self.client, True, "")

    def lose(self) -> None:
        """Its connection breaks."""
        self._hub.remove(self.client, False, "")

    @property
    def closed(self) -> str | None:
        """Why the server has closed its connection."""
        return self._wire.closed

    @property
    def received(self) -> list[Message]:
        with self._wire.changed:
            return list(self._wire.received)

    def texts(self, *kinds: str) -> list[str]:
        """What it was sent of these kinds, in its order."""
        return [message.text for message in self.received if message.kind in kinds]

    @property
    def heard(self) -> list[str]:
        return self.texts(Kind.SAY, Kind.ME, Kind.MSG)

    def who(self) -> str:
        """Who is in its room, as it is told when it asks."""
        before = len(self.texts(Kind.NAMES))
        self.ask(Message("", "", kind=Kind.WHO))
        self._wait(lambda: len(self.texts(Kind.NAMES)) > before, "names")
        return self.texts(Kind.NAMES)[-1]

    @property
    def notices(self) -> list[str]:
        return self.texts(Kind.NOTICE)

    @property
    def welcome(self) -> Message:
        """The last; waits for the first."""
        self._wait(lambda: any(message.kind == Kind.WELCOME for message in self._wire.received), "welcome")
        return [message for message in self.received if message.kind == Kind.WELCOME][-1]

    def hears(self, *texts: str) -> None:
        """Wait until it has heard all of these."""
        self._wait(lambda: set(texts) <= set(self.heard), texts)

    def is_told(self, *texts: str) -> None:
        """Wait until the server has told it all of these."""
        self._wait(lambda: set(texts) <= set(self.notices), texts)

    def is_closed(self) -> None:
        """Wait until the server has closed its connection."""
        self._wait(lambda: self.closed is not None, "the end")

    def _wait(self, condition: Callable[[], bool], what: object) -> None:
        with self._wire.changed:
            assert self._wire.changed.wait_for(condition, 30), (what, self._wire.received[-10:])
