"""What one session says, once and in its order, however its streams overtake each other or come again."""

from __future__ import annotations

from chat.message import Message

__all__ = ["MAX_REORDERED", "MAX_REORDERED_SIZE", "Sequence"]

MAX_REORDERED = 256  # messages of one session that may wait for one before them
MAX_REORDERED_SIZE = 1024 * 1024  # characters that these may have together, in whichever fields


class Sequence:
    """Puts the messages of a session into the order of their seq: 1, 2, 3 …

    Nothing comes out before `begin` has told where the session is; `last` is what came out last.
    """

    def __init__(self) -> None:
        self.last = 0
        self._begun = False
        self._waiting: dict[int, Message] = {}
        self._size = 0

    def begin(self, last: int) -> list[Message]:
        """The session is settled up to `last`. Returns what has come already and follows."""
        self._begun = True
        self.last = last
        for seq in [seq for seq in self._waiting if seq <= last]:
            self._pop(seq)
        return self._following()

    def take(self, message: Message) -> list[Message]:
        """A message has come. Returns what is in order now: nothing, this one, or those that waited for it as well.

        What has come out before, comes out no more. Raises OverflowError if too much would have to wait.
        """
        if message.seq <= self.last or message.seq in self._waiting:
            return []
        if not self._begun or message.seq != self.last + 1:
            size = self._size + _size(message)
            if len(self._waiting) == MAX_REORDERED or size > MAX_REORDERED_SIZE:
                raise OverflowError(f"{len(self._waiting)} messages wait for one before them")
            self._waiting[message.seq] = message
            self._size = size
            return []
        self.last = message.seq
        return [message, *self._following()]

    def _following(self) -> list[Message]:
        following = []
        while self.last + 1 in self._waiting:
            self.last += 1
            following.append(self._pop(self.last))
        return following

    def _pop(self, seq: int) -> Message:
        message = self._waiting.pop(seq)
        self._size -= _size(message)
        return message


def _size(message: Message) -> int:
    return sum(len(field) for field in message if isinstance(field, str))
