"""What was said here and the server has not confirmed: kept, and sent again after a return.

What was confirmed is kept as well, for a while. Another server of the same chat does not know it if the one that has
confirmed it died before it could tell; that one is sent it again, before what follows: so each server has it, and
everything from this sender in its order. Of what was refused the number is kept, as no number may be missing.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import islice
from typing import NamedTuple

from chat.message import Kind, Message

__all__ = [
    "MAX_ACKNOWLEDGEMENTS",
    "MAX_DIGITS",
    "MAX_KEPT",
    "MAX_KEPT_SIZE",
    "MAX_UNCONFIRMED",
    "WINDOW",
    "Acknowledgement",
    "Outgoing",
    "parse_seqs",
]

MAX_UNCONFIRMED = 256  # messages; the server holds as many that have overtaken the one it waits for
WINDOW = 1024 * 1024  # characters of text on their way at the same time, for the same reason
MAX_KEPT = 256  # messages that are settled, and can be sent again
MAX_KEPT_SIZE = 256 * 1024  # characters of text that these have together
MAX_DIGITS = 19  # of a number that the wire can carry
MAX_ACKNOWLEDGEMENTS = 2 * MAX_UNCONFIRMED  # that wait for what they have overtaken; a server needs one for a message


class Acknowledgement(NamedTuple):
    """The server has settled what is numbered above `after`, up to `seq`: it has everything but the refused ones."""

    seq: int
    after: int = 0
    refused: tuple[int, ...] = ()

    @classmethod
    def of(cls, message: Message) -> Acknowledgement:
        """What a message of Kind.ACK says."""
        return cls(message.seq, message.after, parse_seqs(message.text))


def parse_seqs(text: str) -> tuple[int, ...]:
    """The first MAX_UNCONFIRMED numbers in a text, which has spaces between them; what is none says nothing."""
    seqs = (int(seq) for seq in text.split() if seq.isdecimal() and len(seq) < MAX_DIGITS)
    return tuple(islice(seqs, MAX_UNCONFIRMED))


class Outgoing:
    """The messages of one session, numbered 1, 2, 3 …, until the server has them for good. Not locked.

    A message is taken in by `add`, goes to each connection once (`next_unsent`), and is forgotten when an
    acknowledgement, or the welcome after a return, covers it, or a refusal names it. An acknowledgement waits for those
    before it and for the refusals that it names, which may come later: what is refused is never confirmed.
    last: the highest number that was given; sent: the highest that went to the present connection; settled: up to
    which the present server has everything; confirmed: up to which some server has.
    """

    def __init__(self, session: str) -> None:
        self.last = 0
        self.sent = 0
        self.settled = 0
        self.confirmed = 0
        self._session = session
        self._waiting: dict[int, Message] = {}  # by number, in order
        self._under_way = 0  # characters
        self._acknowledgements: list[Acknowledgement] = []  # that wait
        self._kept: dict[int, Message] = {}  # the last that are settled, by number, without a gap up to `confirmed`
        self._kept_size = 0  # characters
        self._again: dict[int, Message] = {}  # of these, what is still to be sent to the present server
        self._again_until = 0  # the highest number that it is sent so

    def __len__(self) -> int:
        return len(self._waiting)

    @property
    def full(self) -> bool:
        """Whether `add` has to wait."""
        return len(self._waiting) >= MAX_UNCONFIRMED

    @property
    def repeatable(self) -> int:
        """How many of the last messages up to `confirmed` can be sent again."""
        return max(0, self.confirmed + 1 - min(self._kept, default=self.last + 1))

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
            if (again := self._again.pop(self.sent + 1, None)) is not None:
                self.sent += 1
                return again
            if self.settled < self._again_until <= self.sent:
                return None  # the server keeps only so much that has overtaken these
            message = self._waiting.get(self.sent + 1)
            if message is not None:
                if self._under_way and self._under_way + len(message.text) > WINDOW:
                    return None
                self._under_way += len(message.text)
            self.sent += 1
            if message is not None:
                return message
        return None

    def returned(self, settled: int) -> list[Message]:
        """A new connection begins: what the server has not settled goes to it again; returns what it has."""
        messages = self.confirm(settled)
        self._again = {seq: message for seq, message in self._kept.items() if seq > settled}
        self._again_until = max(self._again, default=0)
        self.settled = min(settled, self.last) if self._again else self.confirmed
        self.sent = self.settled
        self._under_way = 0
        return messages

    def repeats(self, seq: int) -> bool:
        """Whether the present server is only sent this one again: the person knows what has become of it."""
        return seq in self._kept and seq <= self._again_until

    def forget_settled(self) -> None:
        """Send nothing again that is settled now: it was said elsewhere."""
        self._kept.clear()
        self._kept_size = 0

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

    def drop_refused(self, named: Iterable[int] = ()) -> list[Message]:
        """The connection has ended: returns what was refused on it without a refusal's having come. An acknowledgement
        has named it, or the next connection's welcome (`named`). The server will not have it."""
        refused = {*named, *(seq for each in self._acknowledgements for seq in each.refused)}
        self._acknowledgements.clear()
        return [self._refuse(seq) for seq in sorted(refused & self._waiting.keys())]

    def confirm(self, seq: int) -> list[Message]:
        """The server has everything up to seq; returns what it had not confirmed before."""
        confirmed = []
        self.settled = max(self.settled, min(seq, self.last))
        self.confirmed = max(self.confirmed, self.settled)
        for number in list(self._waiting):
            if number > seq:
                break
            confirmed.append(self._keep(self._forget(number)))
        return confirmed

    def drop(self, seq: int) -> Message | None:
        """The server will not have this one; returns it if it was waiting."""
        return self._refuse(seq) if seq in self._waiting else None

    def drop_kind(self, kind: str) -> list[Message]:
        """What of this kind was waiting, and is not sent any more."""
        return [self._forget(seq) for seq, message in list(self._waiting.items()) if message.kind == kind]

    def _refuse(self, seq: int) -> Message:
        """It will not be had; what takes its place, should another server need its number, nobody will have either: it
        is for nobody."""
        message = self._forget(seq)
        self._keep(message._replace(kind=Kind.MSG, recipient="", text=""))
        return message

    def _keep(self, message: Message) -> Message:
        self._kept[message.seq] = message
        self._kept_size += len(message.text)
        while len(self._kept) > MAX_KEPT or self._kept_size > MAX_KEPT_SIZE:
            self._kept_size -= len(self._kept.pop(min(self._kept)).text)
        return message

    def _forget(self, seq: int) -> Message:
        message = self._waiting.pop(seq)
        if seq <= self.sent:
            self._under_way = max(0, self._under_way - len(message.text))
        return message
