"""A person of few means: speaks `quicmini-chat/1` over one connection after another, and notes what it is told."""

from __future__ import annotations

import threading
from contextlib import suppress

from chat.exchange import Inbox, Outbox, chat_config
from chat.message import ALPN_PROTOCOLS, SPOKEN, Dialect, Kind, Message
from quicmini import Connection, ConnectionClosed, connect

__all__ = ["Talker"]

PATIENCE = 60.0  # seconds: a limit against hangs
AT_ONCE = 50  # messages that are sent before the first is acknowledged


class Talker:
    """Says `count` messages, each until it is acknowledged, and hears everybody's."""

    def __init__(self, name: str, count: int) -> None:
        self.name = name
        self.session = name.encode().hex().ljust(16, "0")
        self.texts = {seq: f"{name} {seq}" for seq in range(1, count + 1)}
        self.settled = 0
        self.heard: dict[int, Message] = {}  # by number
        self.twice: list[Message] = []  # heard again on the same connection
        self.seen = 0
        self.store = ""
        self.changed = threading.Condition()

    def wait(self, *, settled: int = 0, heard: int = 0) -> None:
        """Wait until so many of its messages are settled, and it has heard so many."""
        with self.changed:
            assert self.changed.wait_for(lambda: self.settled >= settled and len(self.heard) >= heard, PATIENCE)

    def converse(self, address: tuple[str, int], cafile: str) -> None:
        """Go on until the connection ends. Blocks."""
        connection = connect(
            address, alpn_protocols=list(ALPN_PROTOCOLS), cafile=cafile, config=chat_config(keep_alive_interval=1)
        )
        hello = Message(self.name, "", kind=Kind.HELLO, session=self.session, seen=self.seen, store=self.store)
        outbox = Outbox(connection)
        outbox.send(hello.encode(Dialect.CHAT))
        here: set[int] = set()
        links: dict[int, int] = {}
        sender: threading.Thread | None = None
        with suppress(ConnectionClosed):
            for message in Inbox(connection):
                with self.changed:
                    if message.kind == Kind.WELCOME:
                        self.store, self.seen = message.store, max(self.seen, message.seen)
                        self.settled = max(self.settled, message.seq)
                        sender = threading.Thread(target=self._talk, args=(connection, outbox, self.settled))
                        sender.start()
                    elif message.kind == Kind.ACK:
                        self.settled = max(self.settled, message.seq)
                    elif message.kind in SPOKEN:
                        if message.number in here:
                            self.twice.append(message)
                        here.add(message.number)
                        links[message.after] = message.number
                        self.heard[message.number] = message
                        while self.seen in links:
                            self.seen = links.pop(self.seen)
                    self.changed.notify_all()
        connection.close(timeout=0)
        with self.changed:
            self.changed.notify_all()
        if sender:
            sender.join()

    def _talk(self, connection: Connection, outbox: Outbox, settled: int) -> None:
        with suppress(ConnectionClosed):
            for seq, text in self.texts.items():
                if seq <= settled:
                    continue
                with self.changed:
                    while seq > self.settled + AT_ONCE and not self.changed.wait(0.1):
                        connection.stats()
                        if connection_is_over(connection):
                            return
                outbox.send(Message(self.name, text, seq=seq, session=self.session).encode(Dialect.CHAT))


def connection_is_over(connection: Connection) -> bool:
    """Whether nothing can be sent any more."""
    return "open" not in repr(connection)
