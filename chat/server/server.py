"""The server: takes clients in, and reads what they send.

Threads: `Server.serve` accepts; each client has a handler, which reads its messages and has the hub do what they ask
for. The postman sends what comes of it (see `postman`); what cannot be sent at once is for a thread that a client has
now and then (see `sending`).
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable

from chat.address import format_address
from chat.exchange import ErrorCode, Inbox, Outbox, dialect_of
from chat.logs import connection_log
from chat.message import Dialect
from chat.server.admission import Admission, Refused, certified_name, origin_of
from chat.server.bus import Bus
from chat.server.client import Client
from chat.server.group import Group
from chat.server.history import MEMORY_LIMIT, History
from chat.server.hub import Hub
from chat.server.ledger import Ledger
from chat.server.limits import RateLimit
from chat.server.pace import Pace
from chat.server.postman import Postman
from chat.server.requests import answer
from chat.server.sending import CLOSE_TIMEOUT, NO_THREAD, QUEUE_LIMIT, Sender
from quicmini import Connection, ConnectionClosed, ConnectionClosedOK, Listener

__all__ = ["Server"]

logger = logging.getLogger("chat")

SWEEP_INTERVAL = 5.0  # seconds between two looks at who will not come back


class Server:
    """A chat over the connections of `listener`, which it owns from now on, as it does the history.

    history: by default one in memory. bus: joins it with other servers; by default there are none. queue_limit: how
    many messages may wait for a client before it is dropped as too slow. make_limit: how much a client may say;
    make_pace: how fast its streams are looked at.
    """

    def __init__(
        self,
        listener: Listener,
        history: History | None = None,
        *,
        admission: Admission | None = None,
        bus: Bus | None = None,
        queue_limit: int = QUEUE_LIMIT,
        make_limit: Callable[[], RateLimit] = RateLimit,
        make_pace: Callable[[], Pace] = Pace,
    ) -> None:
        self._listener = listener
        self._history = history or History(None, MEMORY_LIMIT)
        self._admission = admission or Admission()
        self._queue_limit = queue_limit
        self._make_limit = make_limit
        self._make_pace = make_pace
        self._hub = Hub(self._history, self._admission)
        self._postman = Postman()
        self._hub.send_to = self._postman.call
        self._bus = bus
        self._closed = threading.Event()

    def serve(self) -> None:
        """Serve every client that comes. Blocks until `close` is called in another thread."""
        if self._bus is not None:
            self._bus.start(Group(self._hub, Ledger(self._history)))
            self._hub.changed = self._bus.wake
        self._postman.start()
        sweeper = threading.Thread(target=self._sweep, name="chat sweeper", daemon=True)
        sweeper.start()
        for connection in self._listener:
            name = f"client {format_address(connection.remote_address)}"
            try:
                threading.Thread(target=self._handle, args=(connection,), name=name, daemon=True).start()
            except RuntimeError:  # no thread can be had just now
                connection_log(connection).warning("refused %s: %s", name, NO_THREAD)
                connection.close(ErrorCode.FULL, NO_THREAD, timeout=0)
        sweeper.join()

    def close(self) -> None:
        """Send what is waiting, close every connection with error code 0, then the listener and the history.

        Blocks until the clients have acknowledged it, CLOSE_TIMEOUT at most (and a second for the listener).
        """
        clients = self._hub.close()
        deadline = time.monotonic() + CLOSE_TIMEOUT
        for client in clients:
            client.sender.finish(0, "the server is shutting down")
        for client in clients:
            client.sender.join(max(0.0, deadline - time.monotonic()))
        if self._bus is not None:
            self._bus.close()
        self._postman.close()
        self._closed.set()
        self._listener.close()
        self._history.close()

    def _sweep(self) -> None:
        while not self._closed.wait(SWEEP_INTERVAL):
            try:
                self._hub.sweep()
            except Exception:
                logger.exception("unexpected error in looking at who will not come back")

    def _handle(self, connection: Connection) -> None:
        """Serve one client until its connection ends: the thread of its handler."""
        host = connection.remote_address[0]
        name = format_address(connection.remote_address)
        try:
            self._admission.enter(host)
        except Refused as refused:
            _refuse(connection, name, refused)
            return
        client: Client | None = None
        end: ConnectionClosed | None = None
        try:
            client = self._introduce(connection, name)
            if client is not None:
                for message in Inbox(connection, self._make_pace().wait):
                    answer(self._hub, client, message)
        except ConnectionClosed as error:
            end = error
        finally:
            self._admission.leave(host)
            if client is None:
                if end is not None:
                    connection_log(connection).warning("client %s: %s", name, end)
                connection.close(timeout=0)
            else:
                is_ok = end is None or isinstance(end, ConnectionClosedOK)
                left = isinstance(end, ConnectionClosedOK) and end.remote
                self._hub.remove(client, left, "" if is_ok else str(end))
                client.sender.drop(0, "")

    def _introduce(self, connection: Connection, name: str) -> Client | None:
        """The client, once the hub has it; None if it is too late. Raises ConnectionClosed."""
        connection.handshake()  # until then what came early could be a replay (RFC 9001 §9.2)
        dialect = dialect_of(connection)
        certificate = connection.getpeercert()
        try:
            certified = certified_name(certificate) if certificate is not None else ""
            if dialect is Dialect.SIMPLE:
                self._admission.check_password("")  # it knows no way to say one
        except Refused as refused:
            _refuse(connection, name, refused)
            return None
        sender = Sender(connection, Outbox(connection), name, self._queue_limit)
        origin = origin_of(connection.remote_address[0])
        client = Client(name, dialect, sender, self._make_limit(), certified, connection_log(connection), origin)
        if not self._hub.add(client):
            connection.close(0, "the server is shutting down")
            return None
        return client


def _refuse(connection: Connection, name: str, refused: Refused) -> None:
    connection_log(connection).warning("refused client %s: %s", name, refused.reason)
    connection.close(refused.error_code, refused.reason)
