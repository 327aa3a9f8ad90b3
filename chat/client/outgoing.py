"""What was said here and the server has not confirmed: kept, and sent again after a return."""

from __future__ import annotations

from itertools import islice
from typing import NamedTuple

from chat.message import Message

__all__ = ["MAX_ACKNOWLEDGEMENTS", "MAX_DIGITS", "MAX_UNCONFIRMED", "WINDOW", "Acknowledgement", "Outgoing"]

MAX_UNCONFIRMED = 256  # messages; the server holds as many that have overtaken the one it waits for
WINDOW = 1024 * 1024  # characters of text on their way at the same time, for the same reason
MAX_DIGITS = 19  # of a number that the wire can carry
MAX_ACKNOWLEDGEMENTS = 2 * MAX_UNCONFIRMED  # that wait for what they have overtaken; a server needs one for a message


class Acknowledgement(NamedTuple):
    """The server has settled what is numbered above `after`, up to `seq`: it has everything but the refused ones."""

    seq: int
    after: int = 0
    refused: tuple[int, ...] = ()

    @classmethod
    def of(cls, message: Message) -> Acknowledgement:
        """What a message of Kind.ACK says; what is no number in it says nothing."""
        seqs = (int(seq) for seq in message.text.split() if seq.isdecimal() and len(seq) < MAX_DIGITS)
        return cls(message.seq, message.after, tuple(islice(seqs, MAX_UNCONFIRMED)))


class Outgoing:
    """The messages of one session, numbered 1, 2, 3 …, until the server has them for good. Not locked.

    A message is taken in by `add`, goes to each connection once (`next_unsent`), and is forgotten when an
    acknowledgement, or the welcome after a return, covers it, or a refusal names it. An acknowledgement waits for those
    before it and for the refusals that it names, which may come later: what is refused is never confirmed.
    last: the highest number that was given; sent: the highest that went to the present connection; confirmed: up to
    which the server has everything.
    """

    def __init__(self, session: str) -> None:
        self.last = 0
        self.sent = 0
        self.confirmed = 0
        self._session = session
        self._waiting: dict[int, Message] = {}  # by number, in order
        self._under_way = 0  # characters
        self._acknowledgements: list[Acknowledgement] = []  # that wait

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
        self.last += 1
        numbered = message._replace(session=self._session, seq=self.last)
        self._waiting[self.last] = numbered
        return numbered

    def next_unsent(self) -> Message | None:
        """The next that this connection has not had; None if it has had all, or too much is on its way."""
        while self.sent < self.last:
            message = self._waiting.get(self.sent + 1)
            if message is not None:
                if self._under_way and self._under_way + len(message.text) > WINDOW:
                    return None
                self._under_way += len(message.text)
            self.sent += 1
            if message is not None:
                return message
        return None

    def returned(self, confirmed: int) -> list[Message]:
        """A new connection begins: what the server has not confirmed goes to it again; returns what it has."""
        messages = self.confirm(confirmed)
        self.sent = self.confirmed
        self._under_way = 0
        return messages

    def acknowledge(self, acknowledgement: Acknowledgement) -> list[Message]:
        """An acknowledgement has come; returns what the server has and had not confirmed before."""
        if len(self._acknowledgements) < MAX_ACKNOWLEDGEMENTS:
            self._acknowledgements.append(acknowledgement)
        return self.settle()

    def settle(self) -> list[Message]:
        """Let the acknowledgements count that need not wait any more; returns what they confirm."""
        confirmed, waiting = [], []
        for each in sorted(self._acknowledgements, key=lambda each: each.after):
            if each.after <= self.confirmed and self._waiting.keys().isdisjoint(each.refused):
                confirmed += self.confirm(each.seq)
            else:
                waiting.append(each)
        self._acknowledgements = waiting
        return confirmed

    def drop_refused(self) -> list[Message]:
        """The connection has ended: returns what it has brought an acknowledgement for, but no refusal, though that
        names it. The server will not have it."""
        refused = {seq for each in self._acknowledgements for seq in each.refused}
        self._acknowledgements.clear()
        return [self._forget(seq) for seq in sorted(refused & self._waiting.keys())]

    def confirm(self, seq: int) -> list[Message]:
        """The server has everything up to seq; returns what it had not confirmed before."""
        confirmed = []
        self.confirmed = max(self.confirmed, min(seq, self.last))
        for number in list(self._waiting):
            if number > seq:
                break
            confirmed.append(self._forget(number))
        return confirmed

    def drop(self, seq: int) -> Message | None:
        """The server will not have this one; returns it if it was waiting."""
        return self._forget(seq) if seq in self._waiting else None

    def drop_kind(self, kind: str) -> list[Message]:
        """What of this kind was waiting, and is not sent any more."""
        return [self._forget(seq) for seq, message in list(self._waiting.items()) if message.kind == kind]

    def _forget(self, seq: int) -> Message:
        message = self._waiting.pop(seq)
        if seq <= self.sent:
            self._under_way = max(0, self._under_way - len(message.text))
        return message
