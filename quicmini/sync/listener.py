"""Server side: `listen` and the `Listener`."""

from __future__ import annotations

import errno
import os
import socket
import threading
from collections import deque
from collections.abc import Iterator, Sequence
from types import TracebackType
from typing import Self

from quicmini.config import Config
from quicmini.connection.connection import Connection as Core
from quicmini.connection.endpoint import Endpoint, ServerSettings
from quicmini.crypto.tokens import TicketKeys
from quicmini.sync.addresses import check_address, family_of
from quicmini.sync.clock import calendar
from quicmini.sync.connection import Connection
from quicmini.sync.deadline import Deadline
from quicmini.sync.driver import Driver
from quicmini.sync.loop import Loop
from quicmini.sync.recording import recorded, socket_type
from quicmini.sync.udp import UdpSocket
from quicmini.tls.certificates import load_credential, load_trust_store
from quicmini.tls.context import ServerContext, protocol_names

__all__ = ["Listener", "listen"]

_DEFAULTS = Config()

# Seconds that a closed listener goes on telling its peers so: the longest that `close` blocks (RFC 9000 §10.2).
_LINGER = 0.5


def listen(
    address: tuple[str, int],
    *,
    alpn_protocols: Sequence[str],
    certfile: str,
    keyfile: str,
    client_cafile: str | None = None,
    bind_preferred_address: bool = True,
    config: Config = _DEFAULTS,
) -> Listener:
    """Listen for QUIC connections on `address`: (host, port).

    An empty host means all addresses of the machine, "::" of both IP versions; port 0 lets the system choose.
    alpn_protocols: the application protocols offered, the preferred one first (RFC 7301). certfile, keyfile: PEM files
    with the certificate chain and its key. client_cafile: PEM file with the authorities of clients' certificates: each
    client must have one of those (`Connection.getpeercert`); by default clients are not asked.
    bind_preferred_address: False if what is sent to `Config.preferred_address` comes here anyway. Does not block beyond
    name resolution. Raises OSError if the address cannot be used (EADDRINUSE, EACCES, …) or a file not be read,
    ValueError if its content, or another argument, is not what it should be, TypeError for what is of another type.
    """
    host, port = check_address(address)
    config = recorded(config, is_client=False)
    context = ServerContext(
        alpn_protocols=protocol_names(alpn_protocols),
        cipher_suites=config.cipher_suites,
        groups=config.groups,
        credential=load_credential(certfile, keyfile),
        ticket_keys=TicketKeys(os.urandom, config.ticket_keys),
        session_tickets=config.session_tickets,
        early_data=config.early_data,
        client_trust_store=load_trust_store(client_cafile) if client_cafile is not None else None,
        clock=calendar,
    )
    context.replay_guard.start(context.now())  # early data that an earlier process may have taken, is not taken
    endpoint = Endpoint(config, random=os.urandom, server=ServerSettings(context))
    infos = socket.getaddrinfo(host or None, port, type=socket.SOCK_DGRAM, flags=socket.AI_PASSIVE)
    family, _, _, _, local = infos[0]
    udp = socket_type(config.capture).bind(family, local)
    listener = Listener(udp, endpoint, config)
    if config.preferred_address is not None and bind_preferred_address:
        try:
            listener.listen_too(config.preferred_address)
        except BaseException:
            listener.close()
            raise
    return listener


class Listener:
    """Takes in connections; from `listen`. Any thread may use it; as a context manager it closes itself."""

    def __init__(self, udp: UdpSocket, endpoint: Endpoint, config: Config) -> None:
        self._endpoint = endpoint
        self._max_pending = config.max_pending
        self._lock = threading.Lock()  # taken after a connection's lock, never before
        self._changed = threading.Condition(self._lock)
        self._pending = 0  # connections that nobody has accepted yet, and whose handshake may be under way
        self._complete: deque[Driver] = deque()
        self._closed = False
        host, port = udp.local_address
        self._loop = Loop(udp, endpoint, name=f"quicmini listener {host}:{port}", adopt=self._adopt)
        self._loop.start()

    def __repr__(self) -> str:
        return f"<Listener on {self.address}{' (closed)' if self._closed else ''}>"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def listen_too(self, address: tuple[str, int]) -> None:
        """Take in what comes to another address, for connections that were made at the first one. OSError if it cannot
        be used, ValueError and TypeError for what is no address."""
        address = check_address(address)
        self._loop.add_socket(type(self._loop.udp).bind(family_of(address), address))

    def reload_certificate(self, certfile: str, keyfile: str, client_cafile: str | None = None) -> None:
        """Show another certificate in handshakes that begin from now on: a renewed one, before the old one expires.

        Connections go on undisturbed, and sessions can still be resumed. certfile, keyfile: as in `listen`.
        client_cafile: believe other authorities of clients' certificates as well, from now on; None: the same as
        before, or nobody is asked. A client whose certificate is not theirs cannot resume its session either, though a
        connection that it has goes on. Does not block beyond reading the files. Raises OSError if one of them cannot be
        read, ValueError if its content is not what it should be: then nothing has changed.
        """
        credential = load_credential(certfile, keyfile)
        trust_store = load_trust_store(client_cafile) if client_cafile is not None else None
        self._endpoint.replace_credential(credential, trust_store)

    def replace_ticket_keys(self, keys: Sequence[bytes]) -> None:
        """Seal session tickets and address validation tokens with the first of these keys from now on, and open them
        with all: see `Config.ticket_keys`. Raises ValueError if there is none, or one has not 32 bytes,
        TypeError if one is not of type bytes."""
        if not all(isinstance(key, bytes) for key in keys):
            raise TypeError("the keys must be a list of bytes objects")
        self._endpoint.replace_ticket_keys(keys)

    @property
    def address(self) -> tuple[str, int]:
        """The host and port that it listens on."""
        return self._loop.udp.local_address

    def accept(self, timeout: float | None = None) -> Connection:
        """The next connection whose handshake is complete. Blocks; TimeoutError after `timeout` seconds, OSError
        (EBADF) once the listener is closed. At most `Config.max_pending` connections wait here, more are refused.

        With `Config.early_data` a connection comes as soon as it has early data: `Stream.early_data` tells which
        streams may be replays, `Connection.handshake` waits until none is."""
        deadline = Deadline(timeout)
        with self._lock:
            while not self._complete:
                if self._closed:
                    raise OSError(errno.EBADF, "the listener is closed")
                self._changed.wait(deadline.left("a connection"))
            driver = self._complete.popleft()
            self._count_pending(-1)
        return Connection(driver)

    def __iter__(self) -> Iterator[Connection]:
        """The connections as they come, until `close`."""
        while True:
            try:
                connection = self.accept()
            except OSError:
                if self._closed:
                    return
                raise
            yield connection

    def close(self) -> None:
        """Close all connections, with error code 0 and without waiting for what they have yet to deliver, then the
        socket. Blocks for half a second at most: until peers whose packets still come have been told; not at all in a
        signal handler that has interrupted a thread which waits for a connection's data. May be repeated.
        """
        with self._lock:
            self._closed = True
            self._endpoint.accepting = False
            self._complete.clear()
            self._changed.notify_all()
        for driver in self._loop.drivers():
            driver.close(0, "")
        self._loop.close(_LINGER)
        if not self._loop.turns.mine:
            self._loop.thread.join()

    # Called by the I/O thread

    def _adopt(self, core: Core) -> Driver:
        with self._lock:
            self._count_pending(1)
        return Driver(core, self._loop, self)

    def ready(self, driver: Driver) -> None:
        """A connection that `accept` may hand out."""
        with self._lock:
            if not self._closed:
                self._complete.append(driver)
                self._changed.notify()

    def terminated(self, driver: Driver) -> None:
        """A connection that never got ready makes room; one that did is still handed out: it may have been served."""
        if not driver.ready:
            with self._lock:
                self._count_pending(-1)

    def _count_pending(self, change: int) -> None:
        self._pending += change
        self._endpoint.accepting = self._pending < self._max_pending and not self._closed
