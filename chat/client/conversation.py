"""A session without threads and connections: messages of the server in, events out; what a person asks for in, messages
for the server out."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from itertools import islice
from typing import NamedTuple

from chat.client.events import CaughtUp, Confirmed, Event, Names, Notice, Refused, Room, Rooms, Said, Welcomed
from chat.client.incoming import Incoming
from chat.client.outgoing import MAX_DIGITS, Acknowledgement, Outgoing, parse_seqs
from chat.client.style import mentions
from chat.message import SPOKEN, Dialect, Kind, Message, message_id
from chat.text import name_key

__all__ = ["LOBBY", "Conversation"]

LOBBY = "lobby"
MAX_REQUESTS = 64  # that wait for a connection, and as many that wait for their answers
MAX_UNWELCOME = 4096  # messages that may overtake the welcome, of which they are to be judged by
MAX_NAMES = 4096  # of those who are in the room
SAFE_LENGTH = 10_000  # characters that fit into a message, whatever they are

_NO_WORDS = "the server has refused it, and the connection was lost before it could say why"
_TOO_SIMPLE = f"this server speaks {Dialect.SIMPLE}, which has lines and nicknames only"
_CHANGES = (Kind.JOIN, Kind.NICK)  # what is said before and behind them must not be taken for the other


class _Request(NamedTuple):
    """Something asked of the server. behind: the seq of what was said before."""

    message: Message
    behind: int


class Conversation:
    """What one person says and hears, over one connection after another. Not locked.

    session: 16 random hexadecimal digits, a secret: whoever has them can speak as this session. password: for a server
    that asks for one.
    """

    def __init__(self, nickname: str, room: str = LOBBY, *, session: str, password: str = "") -> None:
        self.nickname = nickname
        self.room = room
        self.names: tuple[str, ...] = ()
        self.dialect = Dialect.CHAT
        self.welcomed = False  # on the present connection
        self.refused: Refused | None = None  # why there was no welcome
        self.unheard: dict[int, str] = {}  # the texts that were said here and have not come back, by seq
        self._session = session
        self._own_id = message_id(session, 0).removesuffix("0")
        self._password = password
        self._ever_welcomed = False
        self._incoming = Incoming()
        self._outgoing = Outgoing(session)
        self._requests: deque[_Request] = deque(maxlen=MAX_REQUESTS)
        self._asked: _Request | None = None  # the one whose answer everything else waits for
        self._unanswered: deque[str] = deque(maxlen=MAX_REQUESTS)  # kinds of others, asked on the present connection
        self._unwelcome: list[Message] = []
        self._old_until: dict[str, int] = {}  # numbers up to this are from before one came, by room; "": everywhere
        self._missed_until = 0  # numbers up to this are from before the present connection
        self._catching_up: int | None = None  # what has come so far of what was missed; None: nothing is awaited
        self._oldest: dict[str, int] = {}  # the lowest number shown, by room

    # To the server

    @property
    def unconfirmed(self) -> int:
        """How many messages the server may not have."""
        return len(self._outgoing)

    @property
    def awaited(self) -> int:
        """How much there is still to come of what was said and asked here: the former comes back, the latter is
        answered."""
        return len(self.unheard) + len(self._requests) + bool(self._asked) + len(self._unanswered)

    @property
    def full(self) -> bool:
        """Whether nothing more can be said until the server has confirmed something."""
        return self._outgoing.full

    @property
    def secretive(self) -> bool:
        """Whether the greeting must not go out before the server has proved who it is, and what it speaks."""
        return bool(self._password)

    def hello(self) -> Message:
        """The greeting that begins a connection; what follows waits for the welcome."""
        incoming, outgoing = self._incoming, self._outgoing
        hello = Message(self.nickname, self._password, kind=Kind.HELLO, room=self.room, session=self._session)
        hello = hello._replace(seq=outgoing.confirmed, number=outgoing.repeatable)
        return hello._replace(id=incoming.seen_id, seen=incoming.seen, store=incoming.store)

    def begin(self) -> None:
        """A new connection: nothing has come on it."""
        self.welcomed = False
        if self._asked is not None:
            self._requests.appendleft(self._asked)
            self._asked = None
        self._unanswered.clear()
        self._unwelcome.clear()
        self._catching_up = None

    def say(self, text: str, kind: str = Kind.SAY, recipient: str = "") -> None:
        """Take in something to be said; a `recipient` is for Kind.MSG.

        Raises ValueError if it is too long, or cannot be said to one alone; OverflowError if too much waits to be
        confirmed.
        """
        if self.dialect is Dialect.SIMPLE and kind == Kind.MSG:
            raise ValueError(_TOO_SIMPLE)
        message = Message(self.nickname, text, kind=kind, room=self.room, recipient=recipient)
        if len(text) > SAFE_LENGTH:
            message.encode(Dialect.SIMPLE)  # the server may have to tell it to others in that
        self.unheard[self._outgoing.add(message).seq] = text

    def ask(self, kind: str, *, nickname: str = "", room: str = "") -> list[Event]:
        """Take in a request that is not kept: of several the last MAX_REQUESTS. Raises ValueError if it cannot be
        asked of this server."""
        if self.dialect is Dialect.SIMPLE:
            if kind != Kind.NICK:
                raise ValueError(_TOO_SIMPLE)
            self.nickname = nickname
            return [Welcomed(nickname, "", "", self.dialect)]
        self._requests.append(_Request(Message(nickname, "", kind=kind, room=room), self._outgoing.last))
        return []

    def next_message(self) -> Message | None:
        """What is to be sent next on the present connection; None if there is nothing, or no welcome yet."""
        if not self.welcomed or self._asked:
            return None
        if self._requests and self._requests[0].behind <= self._outgoing.sent:
            return self._next_request()
        message = self._outgoing.next_unsent()
        if message is None or self.dialect is Dialect.CHAT:
            return message
        self._outgoing.confirm(message.seq)  # nobody will: that QUIC delivers it has to do
        return _simple(message, self.nickname)

    def _next_request(self) -> Message | None:
        request = self._requests[0]
        asked = request.message
        if asked.kind not in _CHANGES:
            self._unanswered.append(asked.kind)
        elif self._outgoing.settled < request.behind:
            return None
        else:
            self._asked = request
        self._requests.popleft()
        return asked._replace(seen=self._oldest.get(self.room, 0)) if asked.kind == Kind.HISTORY else asked

    # From the server

    def _answered(self, kind: str) -> None:
        if kind in self._unanswered:
            self._unanswered.remove(kind)

    def simple(self) -> list[Event]:
        """The server speaks `simpleproto`: it greets nobody, and confirms nothing."""
        self.dialect = Dialect.SIMPLE
        events = self._welcome(Message(self.nickname, "", kind=Kind.WELCOME))
        for message in self._outgoing.drop_kind(Kind.MSG):
            self.unheard.pop(message.seq, None)
            events.append(Refused(_TOO_SIMPLE, Kind.MSG, message.seq, message.text))
        return events

    def received(self, message: Message) -> list[Event]:
        """What a message of the server means for the person. Kinds that are not known mean nothing."""
        if message.kind in SPOKEN:
            return self._heard(message)
        handler = _HANDLERS.get(message.kind)
        return handler(self, message) if handler else []

    def _heard(self, message: Message) -> list[Event]:
        if self.dialect is Dialect.SIMPLE:
            return [self._said(message)]
        if not self.welcomed:
            if len(self._unwelcome) < MAX_UNWELCOME:
                self._unwelcome.append(message)
            return []
        events: list[Event] = [self._said(each) for each in self._incoming.receive(message)]
        if message.seen and not self._incoming.collecting:
            self._answered(Kind.HISTORY)
        return events + self._caught_up()

    def _said(self, message: Message) -> Said:
        mine = self._is_mine(message)
        old = 0 < message.number <= max(self._old_until.get(each, 0) for each in ("", message.room))
        missed = not old and 0 < message.number <= self._missed_until
        if missed and self._catching_up is not None:
            self._catching_up += 1
        if message.number:
            known = self._oldest.get(message.room, message.number)
            self._oldest[message.room] = min(known, message.number)
        return Said(
            message.nickname,
            message.text,
            message.kind,
            message.room,
            message.recipient,
            message.number,
            message.id,
            message.time,
            mine,
            not mine and (message.kind == Kind.MSG or mentions(message.text, self.nickname)),
            old,
            missed,
        )

    def _is_mine(self, message: Message) -> bool:
        """Whether it was said here, or under the same name before this session began; the former has come back then."""
        seq = 0
        if self.dialect is Dialect.SIMPLE:
            same = (seq for seq, text in self.unheard.items() if text == message.text)
            seq = next(same, 0) if message.nickname == self.nickname else 0
        elif message.id.startswith(self._own_id):
            digits = message.id.removeprefix(self._own_id)
            seq = int(digits) if digits.isdecimal() and len(digits) < MAX_DIGITS else 0
        self.unheard.pop(seq, None)
        return bool(seq) or name_key(message.nickname) == name_key(self.nickname)

    def _welcome(self, message: Message) -> list[Event]:
        """The answer to the greeting, or to a change of nickname or room."""
        events: list[Event] = [Welcomed(message.nickname, message.room, message.text, self.dialect)]
        elsewhere = message.room != self.room
        if elsewhere:
            self.names = ()
        self.nickname, self.room = message.nickname, message.room
        if self.welcomed:
            self._asked = None
            if elsewhere:
                self._old_until[self.room] = message.number
                self._outgoing.forget_settled()
            return events
        self.welcomed = True
        if message.store != self._incoming.store:
            self._old_until.clear()
            self._oldest.clear()
        if self._ever_welcomed:
            self._missed_until, self._catching_up = message.number, 0
        else:
            self._old_until[""] = message.number
        self._ever_welcomed = True
        for each in self._outgoing.drop_refused(parse_seqs(message.recipient)):
            self.unheard.pop(each.seq, None)
            events.append(Refused(_NO_WORDS, each.kind, each.seq, each.text))
        events += self._confirmed(self._outgoing.returned(message.seq))
        events += [self._said(each) for each in self._incoming.welcomed(message.store, message.seen, message.id)]
        early, self._unwelcome = self._unwelcome, []
        for each in early:
            events += self._heard(each)
        return events + self._caught_up()

    def _caught_up(self) -> list[Event]:
        if self._catching_up is None or self._incoming.seen < self._missed_until:
            return []
        count, self._catching_up = self._catching_up, None
        return [CaughtUp(count)]

    def _acknowledged(self, message: Message) -> list[Event]:
        return self._confirmed(self._outgoing.acknowledge(Acknowledgement.of(message)))

    def _confirmed(self, messages: list[Message]) -> list[Event]:
        return [Confirmed(messages[-1].seq, self.unconfirmed)] if messages else []

    def _notice(self, message: Message) -> list[Event]:
        if not message.room:
            self._answered(Kind.HISTORY)  # there is none
        return [Notice(message.text, message.room, message.time)]

    def _names(self, message: Message) -> list[Event]:
        self._answered(Kind.WHO)
        names = _lines(message.text)
        if message.room == self.room:
            self.names = names
        return [Names(message.room, names)]

    def _rooms(self, message: Message) -> list[Event]:
        self._answered(Kind.ROOMS)
        lines = (line.rpartition(" ") for line in _lines(message.text))
        return [Rooms(tuple(Room(name, int(people)) for name, _, people in lines if people.isdecimal()))]

    def _refused(self, message: Message) -> list[Event]:
        if self._outgoing.repeats(message.seq):
            return []
        dropped = self._outgoing.drop(message.seq)
        self.unheard.pop(message.seq, None)
        self._answered(message.recipient)
        if self._asked and message.recipient == self._asked.message.kind:
            self._asked = None
        refused = Refused(message.text, message.recipient, message.seq, dropped.text if dropped else "")
        if not self.welcomed:
            self.refused = refused
            return []  # it ends the session, which says why
        return [refused, *self._confirmed(self._outgoing.settle())]


_HANDLERS: dict[str, Callable[[Conversation, Message], list[Event]]] = {
    Kind.WELCOME: Conversation._welcome,
    Kind.ACK: Conversation._acknowledged,
    Kind.NOTICE: Conversation._notice,
    Kind.NAMES: Conversation._names,
    Kind.ROOMS: Conversation._rooms,
    Kind.REFUSED: Conversation._refused,
}


def _simple(message: Message, nickname: str) -> Message:
    """What a server that knows lines only is sent."""
    text = f"* {message.text}" if message.kind == Kind.ME else message.text
    return Message(nickname, text)


def _lines(text: str) -> tuple[str, ...]:
    return tuple(islice(filter(None, text.split("\n")), MAX_NAMES))
