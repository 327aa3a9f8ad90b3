"""The server: relays each message to every client, the one who sent it included.

Threads: `Server.serve` accepts; each client has a handler, which reads its messages, and a writer, which drains its
queue. The writer is what keeps one slow client from holding up the others: sending blocks for as long as that client
gives no stream credit. A handler therefore never sends; it puts the message into every client's queue, and a queue
that is full costs its owner the connection, nobody else anything.
"""

from __future__ import annotations

import logging
import queue
import threading
import time

from chat.address import format_address
from chat.exchange import ErrorCode, Inbox, Outbox
from chat.gob import GobError
from chat.message import Message
from quicmini import Connection, ConnectionClosed, ConnectionClosedOK, Listener

__all__ = ["Server"]

logger = logging.getLogger("chat")

QUEUE_LIMIT = 4096  # messages that may wait for one client, beyond those that QUIC has on the way
MAX_CLIENTS = 1024  # each costs two threads
CLOSE_TIMEOUT = 3.0  # seconds that `Server.close` gives all clients together to receive what was sent to them


class Server:
    """A chat over the connections of `listener`, which it owns from now on.

    queue_limit: how many messages may wait for a client before it is dropped as too slow.
    """

    def __init__(self, listener: Listener, *, queue_limit: int = QUEUE_LIMIT) -> None:
        self._listener = listener
        self._queue_limit = queue_limit
        self._lock = threading.Lock()
        self._clients: dict[Connection, _Client] = {}
        self._closing = False

    def serve(self) -> None:
        """Serve every client that comes. Blocks until `close` is called in another thread."""
        for connection in self._listener:
            name = f"client {format_address(connection.remote_address)}"
            threading.Thread(target=self._handle, args=(connection,), name=name, daemon=True).start()

    def close(self) -> None:
        """Send what is waiting, close every connection with error code 0, then the listener.

        Blocks until the clients have acknowledged it, CLOSE_TIMEOUT at most (and a second for the listener).
        """
        with self._lock:
            self._closing = True
            clients = list(self._clients.values())
        deadline = time.monotonic() + CLOSE_TIMEOUT
        for client in clients:
            client.finish()
        for client in clients:
            client.join(max(0.0, deadline - time.monotonic()))
        self._listener.close()

    def _handle(self, connection: Connection) -> None:
        """Serve one client until its connection ends: the thread of its handler."""
        client = _Client(connection, self._queue_limit)
        if not self._add(client):
            return
        end: ConnectionClosed | None = None
        try:
            for message in Inbox(connection):
                self._relay(message, client)
        except ConnectionClosed as error:
            end = error
        finally:
            self._remove(client, end)
            client.finish()

    def _relay(self, message: Message, sender: _Client) -> None:
        try:
            data = message.encode()
        except GobError as error:  # what was no UTF-8 grows when it is replaced
            logger.warning("not relayed for %s: %s", sender, error)
            return
        with self._lock:
            clients = list(self._clients.values())
        for client in clients:
            if not client.post(data):
                self._drop(client)

    def _add(self, client: _Client) -> bool:
        with self._lock:
            full = len(self._clients) >= MAX_CLIENTS
            if not full and not self._closing:
                self._clients[client.connection] = client
                logger.info("added client %s", client)
                client.start()
                return True
        if full:
            logger.warning("refused client %s: there are %d already", client, MAX_CLIENTS)
            client.connection.close(ErrorCode.FULL, f"the server is full ({MAX_CLIENTS} clients)")
        else:
            client.connection.close(0, "the server is shutting down")
        return False

    def _remove(self, client: _Client, end: ConnectionClosed | None) -> bool:
        """Forget the client, once; True for whoever did."""
        with self._lock:
            if self._clients.pop(client.connection, None) is None:
                return False
        if end is not None and not isinstance(end, ConnectionClosedOK):
            logger.warning("client %s: %s", client, end)
        logger.info("removed client %s", client)
        return True

    def _drop(self, client: _Client) -> None:
        if self._remove(client, None):
            logger.warning("dropped client %s: too slow, %d messages were waiting for it", client, self._queue_limit)
            client.drop()


class _Client:
    """One client: its connection, and the messages that wait for it."""

    def __init__(self, connection: Connection, queue_limit: int) -> None:
        self.connection = connection
        self._name = format_address(connection.remote_address)
        self._waiting: queue.Queue[bytes] = queue.Queue(queue_limit)
        self._writer = threading.Thread(target=self._write, name=f"writer {self._name}", daemon=True)

    def __str__(self) -> str:
        return self._name

    def start(self) -> None:
        self._writer.start()

    def join(self, timeout: float) -> None:
        self._writer.join(timeout)

    def post(self, data: bytes) -> bool:
        """Queue a message; False if there is no room. Does not block."""
        try:
            self._waiting.put_nowait(data)
        except queue.Full:
            return False
        return True

    def finish(self) -> None:
        """Close the connection when what is waiting has been sent. Does not block."""
        self.post(b"")

    def drop(self) -> None:
        """Close the connection for being too slow, without waiting for what is on the way."""
        self.connection.close(ErrorCode.TOO_SLOW, "too slow: too many messages were waiting", timeout=0)

    def _write(self) -> None:
        """Send what is waiting, until an empty message says that nothing follows: the thread of the writer."""
        outbox = Outbox(self.connection)
        try:
            while data := self._waiting.get():
                outbox.send(data)
            self.connection.close(0, "the server is shutting down")
        except ConnectionClosed:
            pass  # the handler learns of it too, and says so
