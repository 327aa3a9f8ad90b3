"""One connection as a session uses it: whole messages in and out."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Protocol

from chat.exchange import Inbox, Outbox
from chat.message import Dialect, Message
from quicmini import Connection, Session

__all__ = ["Connect", "Dial", "QuicDial", "QuicWire", "Wire"]

OPEN_TIMEOUT = 10.0  # seconds for a handshake
MOVE_TIMEOUT = 5.0  # seconds for the server to answer at a new address


class Wire(Protocol):
    """A connection with the server. What ends it is raised as a ConnectionClosed by whatever is called."""

    @property
    def id(self) -> str:
        """By which logs, qlog and captures name it."""

    @property
    def early(self) -> bool:
        """Whether what is sent before `establish` goes with the first flight; afterwards, whether it was taken so."""

    @property
    def resumed(self) -> bool:
        """Whether it goes on from an earlier one; once established."""

    @property
    def dialect(self) -> Dialect:
        """What is spoken, or before `establish` will most likely be."""

    @property
    def local_host(self) -> str:
        """This side's address."""

    @property
    def remote(self) -> tuple[str, int]:
        """The server's address, resolved."""

    @property
    def ticket(self) -> Session | None:
        """With which a later connection resumes this one."""

    def establish(self) -> None:
        """Wait until the handshake is complete. Blocks; raises OSError too."""

    def send(self, message: Message) -> None:
        """Hand over one message. Blocks while the server takes no more."""

    def __iter__(self) -> Iterator[Message]:
        """The server's messages, until the connection ends."""

    def migrate(self, host: str) -> None:
        """Go on from another address of this machine. Blocks; raises OSError if it stays where it is."""

    def close(self, *, abandon: bool = False) -> None:
        """End it, after everything has been delivered. Blocks. abandon: at once, as nobody is thought to be there."""


# Connects, with the ticket of an earlier connection or without; early: as soon as something can be sent.
Dial = Callable[[Session | None, bool], Wire]


class Connect(Protocol):
    """`quicmini.connect`, whose other arguments are settled: whom to trust above all."""

    def __call__(self, *, session: Session | None, early_data: bool) -> Connection: ...


class QuicDial:
    """Makes wires of QUIC connections."""

    def __init__(self, connect: Connect) -> None:
        self._connect = connect

    def __call__(self, ticket: Session | None, early: bool) -> QuicWire:
        early = early and ticket is not None and ticket.early_data and ticket.alpn_protocol == Dialect.CHAT
        return QuicWire(self._connect(session=ticket, early_data=early), early=early)


class QuicWire:
    """A wire over `connection`; early: which was asked to send data early. One thread may send while another reads."""

    def __init__(self, connection: Connection, *, early: bool = False) -> None:
        self.connection = connection
        # A ticket that is of no use any more makes it a connection like any other.
        established = connection.selected_alpn_protocol() is not None
        self._early = early and (not established or connection.early_data_accepted is True)
        self._outbox = Outbox(connection)

    @property
    def id(self) -> str:
        return self.connection.original_connection_id.hex()

    @property
    def early(self) -> bool:
        return self._early and self.connection.early_data_accepted is not False

    @property
    def resumed(self) -> bool:
        return self.connection.session_resumed

    @property
    def dialect(self) -> Dialect:
        return Dialect(self.connection.selected_alpn_protocol() or Dialect.CHAT)

    @property
    def local_host(self) -> str:
        return self.connection.local_address[0]

    @property
    def remote(self) -> tuple[str, int]:
        return self.connection.remote_address

    @property
    def ticket(self) -> Session | None:
        return self.connection.session

    def establish(self) -> None:
        self.connection.handshake(OPEN_TIMEOUT)

    def send(self, message: Message) -> None:
        self._outbox.send(message.encode(self.dialect))

    def __iter__(self) -> Iterator[Message]:
        return iter(Inbox(self.connection))

    def migrate(self, host: str) -> None:
        self.connection.migrate((host, 0), timeout=MOVE_TIMEOUT)

    def close(self, *, abandon: bool = False) -> None:
        self.connection.close(timeout=0) if abandon else self.connection.close()
