"""What was said here and the server has not confirmed: kept, and sent again after a return."""

from __future__ import annotations

from chat.message import Message

__all__ = ["MAX_UNCONFIRMED", "Outgoing"]

# Messages; the server holds as many that have overtaken the one it waits for. At 64 KiB each, 16 MiB.
MAX_UNCONFIRMED = 256


class Outgoing:
    """The messages of one session, numbered 1, 2, 3 …, until the server has them for good. Not locked.

    A message is taken in by `add`, goes to each connection once (`next_unsent`), and is forgotten when an
    acknowledgement, or the welcome after a return, covers it.
    """

    def __init__(self, session: str) -> None:
        self._session = session
        self._waiting: dict[int, Message] = {}  # by seq, in order
        self._last = 0  # the highest seq that was given
        self._sent = 0  # the highest that went to the present connection

    def __len__(self) -> int:
        return len(self._waiting)

    @property
    def full(self) -> bool:
        """Whether `add` has to wait."""
        return len(self._waiting) >= MAX_UNCONFIRMED

    def add(self, message: Message) -> Message:
        """The message with its number, kept until it is confirmed. Raises OverflowError if there is no room."""
        if self.full:
            raise OverflowError(f"{MAX_UNCONFIRMED} messages wait to be confirmed")
        self._last += 1
        numbered = message._replace(session=self._session, seq=self._last)
        self._waiting[self._last] = numbered
        return numbered

    def next_unsent(self) -> Message | None:
        """The next that this connection has not had; None if it has had all."""
        while self._sent < self._last:
            self._sent += 1
            if message := self._waiting.get(self._sent):
                return message
        return None

    def returned(self, committed: int) -> list[Message]:
        """A new connection begins: what the server has not committed goes to it again; returns what it has."""
        confirmed = self.confirm(committed)
        self._sent = min(self._waiting, default=self._last + 1) - 1
        return confirmed

    def confirm(self, seq: int) -> list[Message]:
        """The server has everything up to seq; returns what it had not confirmed before."""
        confirmed = []
        for number in list(self._waiting):
            if number > seq:
                break
            confirmed.append(self._waiting.pop(number))
        return confirmed

    def drop_kind(self, kind: str) -> list[Message]:
        """What of this kind was waiting, and is not sent any more."""
        dropped = [message for message in self._waiting.values() if message.kind == kind]
        for message in dropped:
            del self._waiting[message.seq]
        return dropped

    def drop(self, seq: int) -> Message | None:
        """The server will not have this one; returns it if it was waiting."""
        return self._waiting.pop(seq, None)
