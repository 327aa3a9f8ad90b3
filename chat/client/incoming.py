"""What others said, on its way to the screen: each message once, and each sender's in order.

The streams of a connection overtake each other. The server tells with each message what it has sent before it: `after`,
on this connection, and `sender_after`, from the same sender. The first makes a chain; as far as it is gapless nothing
is missing, and the highest number there, `seen`, is what a returning client begins from. Beyond it a message is shown
as soon as its sender's earlier one was: one sender's lost packet holds nobody else up.

Another server of the same chat numbers the same messages otherwise, and does not know exactly what was shown: it sends
rather more. IDs tell what was shown; and what a sender said before the first that was shown of it is from before one
came, and stays away.

What somebody has asked for from the past comes in batches of its own, each a chain from 0 to the number that all of its
messages name (`seen`): it is shown when all of it is there.
"""

from __future__ import annotations

from collections.abc import Hashable

from chat.client.outgoing import MAX_DIGITS
from chat.message import Message

__all__ = ["MAX_HELD", "MAX_REMEMBERED", "Incoming"]

MAX_REMEMBERED = 4096  # what was shown is remembered so long: IDs, and numbers, and senders
MAX_HELD = 4096  # messages that wait for an earlier one; a server that withholds more is not waited for


class _Recent:
    """The last MAX_REMEMBERED things that were added."""

    def __init__(self) -> None:
        self._things: dict[Hashable, None] = {}

    def __contains__(self, thing: Hashable) -> bool:
        return thing in self._things

    def add(self, thing: Hashable) -> None:
        self._things[thing] = None
        if len(self._things) > MAX_REMEMBERED:
            del self._things[next(iter(self._things))]

    def clear(self) -> None:
        self._things.clear()


class Incoming:
    """Decides what is shown, and when. Not locked.

    store: what the numbers are valid for; seen: everything up to this number was shown, or does not concern us.
    seen_id: the id of a message of which the same is true, which another server may know.
    """

    def __init__(self) -> None:
        self.store = ""
        self.seen = 0
        self.seen_id = ""
        self._ids = _Recent()
        self._first: dict[str, int] = {}  # the seq of the first that was shown, by sender
        self._numbers = _Recent()  # of what was shown from this store
        self._base = 0  # what the server began this connection from
        self._tail = 0  # the end of the gapless chain
        self._chained = False  # whether its first link has come
        self._links: dict[int, Message] = {}  # messages beyond it, by what they come after
        self._batches: dict[int, dict[int, Message]] = {}  # by their last number: their links
        self._held: dict[int, dict[int, Message]] = {}  # messages that are not shown yet, by what they wait for

    def welcomed(self, store: str, seen: int, known_id: str = "") -> list[Message]:
        """A connection begins: the server sends what has a number above `seen`. Returns what is to be shown now.

        What was held back is sent again by the same store, and by another server of the same chat, which names the
        message up to which everything was shown: `known_id`. Any other does not have it, nor what it waited for.
        """
        orphans: list[Message] = []
        if store != self.store:
            if not known_id or known_id != self.seen_id:
                orphans = self._all_held()
            self.store, self.seen = store, 0
            self._numbers.clear()
        self.seen = max(self.seen, seen)
        self._base = self._tail = self.seen
        self._chained = False
        self._links.clear()
        self._held.clear()
        self._batches.clear()
        return [message for message in orphans if self._show(message)]

    @property
    def collecting(self) -> bool:
        """Whether something of what was asked for from the past is still to come."""
        return bool(self._batches)

    def receive(self, message: Message) -> list[Message]:
        """A message has come: what is to be shown now, in this order."""
        if message.seen:
            return self._collect(message)
        self._links.setdefault(message.after, message)
        shown: list[Message] = []
        if self._known(message) or self._ready(message):
            shown = self._release(message)
        else:
            self._held.setdefault(message.sender_after, {})[message.number] = message
        shown += self._follow_chain()
        if len(self._links) > MAX_HELD or sum(map(len, self._held.values())) > MAX_HELD:
            shown += self._give_up_waiting()
        return shown

    def _collect(self, message: Message) -> list[Message]:
        """A part of a batch; all of it, if it is the last that was missing."""
        links = self._batches.setdefault(message.seen, {})
        links[message.after] = message
        batch: list[Message] = []
        after = 0
        while (link := links.get(after)) is not None and len(batch) < len(links):
            batch.append(link)
            after = link.number
        if after != message.seen:
            if sum(map(len, self._batches.values())) > MAX_HELD:
                self._batches.clear()
            return []
        del self._batches[message.seen]
        return [each for each in batch if self._show(each)]

    def _is_older(self, message: Message) -> bool:
        """Whether its sender said it before the first that was shown; notes which that is."""
        sender, _, seq = message.id.rpartition("-")
        if not sender or not seq.isdecimal() or len(seq) >= MAX_DIGITS:
            return False
        first = self._first.setdefault(sender, int(seq))
        if len(self._first) > MAX_REMEMBERED:
            del self._first[next(iter(self._first))]
        return int(seq) < first

    def _known(self, message: Message) -> bool:
        return message.id in self._ids if message.id else message.number in self._numbers

    def _ready(self, message: Message) -> bool:
        """Whether the sender's message before this one was shown, or never will be."""
        before = message.sender_after
        return not before or before in self._numbers or before <= self._base < message.number

    def _release(self, message: Message) -> list[Message]:
        """Show the message, and those that waited for it, and those that waited for them."""
        shown = []
        todo = [message]
        while todo:
            message = todo.pop()
            if self._is_older(message):
                self._numbers.add(message.number)  # what comes behind it need not wait
            elif self._show(message):
                shown.append(message)
            todo += reversed(self._held.pop(message.number, {}).values())
        return shown

    def _show(self, message: Message) -> bool:
        """Note that it is shown; False if it was before."""
        known = self._known(message)
        self._numbers.add(message.number)
        self._ids.add(message.id)
        return not known

    def _follow_chain(self) -> list[Message]:
        """Go on to where something is missing. All that was passed is there, so that nothing needs to wait for it."""
        shown: list[Message] = []
        if not self._chained and 0 in self._links:
            self._tail = 0  # a server that counts from this connection's first
        while (message := self._links.pop(self._tail, None)) is not None:
            self._chained = True
            self._tail = message.number
            if message.number > self.seen:
                self.seen, self.seen_id = message.number, message.id
            self._let_go(message)
            shown += self._release(message)
        return shown

    def _let_go(self, message: Message) -> None:
        held = self._held.get(message.sender_after)
        if held is not None:
            held.pop(message.number, message)
            if not held:
                del self._held[message.sender_after]

    def _give_up_waiting(self) -> list[Message]:
        waiting = self._all_held()
        self._held.clear()
        self._links.clear()
        return [message for message in waiting if self._show(message)]

    def _all_held(self) -> list[Message]:
        held = [message for each in self._held.values() for message in each.values()]
        return sorted(held, key=lambda message: message.number)
