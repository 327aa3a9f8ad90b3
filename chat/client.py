"""The client: lines in are messages out, and messages in are lines out."""

from __future__ import annotations

import logging
import threading
from collections import Counter
from collections.abc import Callable, Iterator

from chat.exchange import Inbox, Outbox
from chat.gob import GobError
from chat.message import MAX_MESSAGE_SIZE, Message
from quicmini import Connection, ConnectionClosed, ConnectionClosedOK

__all__ = ["Session", "read_lines"]

logger = logging.getLogger("chat")

ECHO_TIMEOUT = 2.0  # seconds without any of one's own messages coming back, after which nobody waits for the others


class Session:
    """One person's part in the chat, over `connection`.

    Two threads: the caller's receives, a second one reads `lines` and sends them. When the lines end, that one waits
    for the server's relay of what it has sent, so that a filter prints its own lines too, and closes the connection;
    that blocks until the server has acknowledged everything, and ends `receive`.
    """

    def __init__(self, connection: Connection, nickname: str) -> None:
        self._connection = connection
        self._nickname = nickname
        self._lines_ended = False
        self._leaving = False
        self._not_sent = 0
        self._changed = threading.Condition()
        self._unheard: Counter[str] = Counter()  # texts that were sent and have not come back

    @property
    def not_sent(self) -> int:
        """How many lines were no message that may be sent."""
        return self._not_sent

    def say(self, lines: Iterator[str]) -> None:
        """Send each line as a message, and leave at the end of the lines. Does not block."""
        threading.Thread(target=self._say, args=(lines,), name="chat sender", daemon=True).start()

    def receive(self, show: Callable[[str], None]) -> None:
        """Pass every message to `show` as a line, until this side has left: everything was then acknowledged.

        Blocks; raises ConnectionClosed if the connection ended in any other way.
        """
        try:
            for message in Inbox(self._connection):
                show(message.line())
                self._heard(message)
        except ConnectionClosedOK as end:
            # A server that has relayed everything may be the first to leave.
            if end.remote and (self._unheard or not self._lines_ended):
                raise

    def leave(self) -> None:
        """Send no more lines, and close. Blocks until the server has acknowledged what was sent, or is gone."""
        self._leaving = True
        self._connection.close()

    def _say(self, lines: Iterator[str]) -> None:
        outbox = Outbox(self._connection)
        try:
            for line in lines:
                if self._leaving:
                    return
                self._send(outbox, line)
            self._lines_ended = True
            self._wait_for_echo()
        except ConnectionClosed:
            pass  # `receive` says why
        finally:
            self._connection.close()

    def _send(self, outbox: Outbox, text: str) -> None:
        try:
            data = Message(self._nickname, text).encode()
        except GobError as error:
            self._not_sent += 1
            logger.error("not sent: %s", error)
            return
        with self._changed:
            self._unheard[text] += 1
        outbox.send(data)

    def _heard(self, message: Message) -> None:
        if message.nickname != self._nickname:
            return
        with self._changed:
            self._unheard[message.text] -= 1
            if self._unheard[message.text] <= 0:
                del self._unheard[message.text]
            self._changed.notify()

    def _wait_for_echo(self) -> None:
        with self._changed:
            while self._unheard and self._changed.wait(ECHO_TIMEOUT):
                pass


def read_lines(descriptor: int) -> Iterator[str]:
    """The lines of an open file, without their ends; bytes that are no UTF-8 become U+FFFD.

    Of a line that is too long for a message only so much is kept that `Message.encode` refuses it.
    """
    limit = MAX_MESSAGE_SIZE + 1
    # A file object of its own: the interpreter cannot exit properly while a daemon thread reads sys.stdin.
    with open(descriptor, "rb", closefd=False) as file:
        while line := file.readline(limit):
            rest = line
            while not rest.endswith(b"\n") and (rest := file.readline(limit)):
                pass
            yield line.removesuffix(b"\n").removesuffix(b"\r").decode("utf-8", "replace")
