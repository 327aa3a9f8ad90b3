"""One client, as the hub sees it: who it is, and how what it is sent looks in its dialect."""

from __future__ import annotations

import logging
from collections import OrderedDict, deque
from collections.abc import Callable

from chat.exchange import ErrorCode
from chat.message import Dialect, Kind, Message, sender_id
from chat.server.history import Entry
from chat.server.limits import RateLimit
from chat.server.sending import Sender
from chat.server.sequence import Sequence
from chat.text import SERVER_NAME

__all__ = ["Client", "Encoded", "simple_form"]

NO_CONNECTION = logging.LoggerAdapter(logging.getLogger("chat"), {})
MAX_SENDERS = 1024  # of whom a client's last message is known: as many as there can be clients

MAX_REFUSED = 256  # seqs that are remembered: a client has no more under way

# A message that goes to many is encoded once for each form that it takes: (dialect, after, sender_after).
Encoded = dict[tuple[str, int, int], bytes]


class Client:
    """What the hub knows of one client; for holders of the hub's lock, but `name` and `dialect`, which stay.

    session: empty until the client has introduced itself. nickname, room: empty while it has none.
    certified: the nickname that its certificate gives it, empty if it may choose one. log: for what happens to it.
    origin: where it comes from, as `origin_of` gives it.
    behind: it is sent the history first; what is said meanwhile comes with that. left: it will not come
    back. gone: the hub has removed it.
    """

    def __init__(
        self,
        name: str,
        dialect: str,
        sender: Sender,
        limit: RateLimit,
        certified: str = "",
        log: logging.LoggerAdapter[logging.Logger] = NO_CONNECTION,
        origin: str = "",
    ) -> None:
        self.name = name
        self.dialect = dialect
        self.sender = sender
        self.limit = limit
        self.certified = certified
        self.log = log
        self.origin = origin
        self.sequence = Sequence()
        self.refused: deque[int] = deque(maxlen=MAX_REFUSED)  # of its session, the last seqs that were
        self.session = ""
        self.id = ""
        self.nickname = ""
        self.former_nickname = ""  # one of the seed's goes on calling itself what it was called before it was renamed
        self.room = ""
        self.behind = False
        self.left = False
        self.gone = False
        self.cursor = 0  # the number up to which it has been sent the history
        self._last = 0  # the number of what it was sent last
        self._last_of: OrderedDict[str, int] = OrderedDict()  # by sender

    def __str__(self) -> str:
        return self.name

    @property
    def is_simple(self) -> bool:
        """Whether it speaks the seed's dialect."""
        return self.dialect == Dialect.SIMPLE

    def begin(self, session: str, last: int) -> None:
        """It has introduced itself, and has had everything up to number `last`."""
        self.session = session
        self.id = sender_id(session)
        self._last = self.cursor = last

    def deliver(self, entry: Entry, encoded: Encoded) -> bool:
        """Send what somebody has said; False if too much is waiting for this client. Does not block."""
        if self.behind:
            return True
        return self.sender.post(self.chained(entry, encoded))

    def chained(self, entry: Entry, encoded: Encoded) -> bytes:
        """The bytes of what is sent to this client next: they name what it was sent before."""
        number = self.cursor = entry.message.number
        after, self._last = self._last, number
        sender_after = self._last_of.pop(entry.sender, 0)
        self._last_of[entry.sender] = number
        if len(self._last_of) > MAX_SENDERS:
            self._last_of.popitem(last=False)
        key = (self.dialect, after, sender_after)
        if self.is_simple:
            key = (self.dialect, 0, 0)
        if (data := encoded.get(key)) is None:
            data = encoded[key] = self._encode(entry.message._replace(after=after, sender_after=sender_after))
        return data

    def tell(self, message: Message) -> bool:
        """Send what is neither numbered nor kept; False if too much is waiting for this client. Does not block."""
        if self.is_simple and message.kind not in _SIMPLE:
            return True
        return self.sender.post(self._encode(message))

    def drop(self, error_code: ErrorCode, reason: str) -> None:
        """Close its connection at once."""
        self.sender.drop(error_code, reason)

    def _encode(self, message: Message) -> bytes:
        return (simple_form(message) if self.is_simple else message).encode(self.dialect)


def simple_form(message: Message) -> Message:
    """What a client that knows nicknames and texts alone is sent for `message`."""
    return _SIMPLE[message.kind](message)


_SIMPLE: dict[str, Callable[[Message], Message]] = {
    Kind.SAY: lambda message: Message(message.nickname, message.text),
    Kind.ME: lambda message: Message(message.nickname, f"* {message.nickname} {message.text}"),
    Kind.MSG: lambda message: Message(message.nickname, f"(to {message.recipient} alone) {message.text}"),
    Kind.NOTICE: lambda message: Message(SERVER_NAME, message.text),
    Kind.REFUSED: lambda message: Message(SERVER_NAME, message.text),
}
