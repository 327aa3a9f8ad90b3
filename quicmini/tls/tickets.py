"""Session tickets as a server makes and reads them: sealed, so that it keeps no state for them (RFC 9846 §4.7.1)."""

from __future__ import annotations

import hashlib
from struct import Struct
from typing import NamedTuple

from quicmini.crypto.keys import CIPHER_SUITES, CipherSuite
from quicmini.errors import DecodeError, HandshakeError
from quicmini.tls.codec import Reader, encode_vector
from quicmini.tls.codes import ExtensionType
from quicmini.tls.context import ServerContext
from quicmini.tls.messages import MAX_EARLY_DATA_SIZE, NewSessionTicket
from quicmini.tls.psk import PskIdentity
from quicmini.tls.session import MAX_TICKET_LIFETIME
from quicmini.tls.verification import authenticated_client_key

__all__ = [
    "MAX_CHAIN_SIZE",
    "MAX_TICKETS_TRIED",
    "TICKET_LIFETIME",
    "Ticket",
    "acceptable_ticket",
    "early_data_is_fresh",
    "issue",
]

# Seconds; the sealing keys live for as long (RFC 9846 §4.7.1 allows a week).
TICKET_LIFETIME = 24 * 3600

# Tickets of one ClientHello that are looked at; a client that has more offers the best first (RFC 9846 §4.3.11).
MAX_TICKETS_TRIED = 4

# Bytes of a client's certificates that a ticket may carry: they make every ClientHello that resumes
# longer (RFC 9846 §4.3.11).
MAX_CHAIN_SIZE = 8 * 1024

_PURPOSE = b"quicmini session ticket 1"

_NUMBERS = Struct(">ddHIIB")  # the first six fields of a ticket; then vectors


class Ticket(NamedTuple):
    """What a server wants to know again when a client comes back.

    issued_at and authenticated_at are seconds since 1970: when this ticket was made, and when certificates were last
    exchanged. transport_data: whatever the transport wants to compare before it takes early data. client_chain: the
    client's certificates, DER.
    """

    issued_at: float
    authenticated_at: float
    cipher_suite: int
    age_add: int
    version: int
    early_data: bool
    psk: bytes
    alpn_protocol: str
    server_name: str
    transport_data: bytes
    client_chain: tuple[bytes, ...]

    def encode(self) -> bytes:
        numbers = _NUMBERS.pack(
            self.issued_at,
            self.authenticated_at,
            self.cipher_suite,
            self.age_add,
            self.version,
            self.early_data,
        )
        fields = (self.psk, self.alpn_protocol.encode(), self.server_name.encode(), self.transport_data)
        return numbers + b"".join(encode_vector(3, value) for value in (*fields, *self.client_chain))

    @classmethod
    def decode(cls, data: bytes) -> Ticket:
        reader = Reader(data, "the ticket")
        issued_at, authenticated_at, suite, age_add, version, early_data = _NUMBERS.unpack(reader.take(_NUMBERS.size))
        psk, alpn_protocol, server_name, transport_data = (reader.vector(3) for _ in range(4))
        chain = []
        while not reader.at_end:
            chain.append(reader.vector(3))
        return cls(
            issued_at,
            authenticated_at,
            suite,
            age_add,
            version,
            bool(early_data),
            psk,
            alpn_protocol.decode(),
            server_name.decode(),
            transport_data,
            tuple(chain),
        )

    @property
    def lifetime(self) -> int:
        """Seconds; tickets for tickets end when the certificates behind them are a week old (RFC 9846 §4.7.1)."""
        return min(TICKET_LIFETIME, int(self.authenticated_at + MAX_TICKET_LIFETIME - self.issued_at))

    def sent_at(self, identity: PskIdentity) -> float:
        """When the client says that it has sent the ClientHello with this ticket (RFC 9846 §8.3)."""
        return self.issued_at + (identity.obfuscated_age - self.age_add) % 2**32 / 1000


def issue(context: ServerContext, ticket: Ticket, nonce: bytes) -> bytes | None:
    """The NewSessionTicket message; None if the ticket would be of no use."""
    if context.ticket_keys is None or ticket.lifetime <= 0 or sum(map(len, ticket.client_chain)) > MAX_CHAIN_SIZE:
        return None
    sealed = context.ticket_keys.seal(ticket.encode(), _PURPOSE, ticket.issued_at)
    extensions: dict[int, bytes] = {}
    if ticket.early_data:
        context.replay_guard.start(ticket.issued_at)
        extensions[ExtensionType.EARLY_DATA] = MAX_EARLY_DATA_SIZE.to_bytes(4)
    return NewSessionTicket(ticket.lifetime, ticket.age_add, nonce, sealed, extensions).encode()


def acceptable_ticket(
    context: ServerContext,
    identities: tuple[PskIdentity, ...],
    suite: CipherSuite,
    server_name: str,
    version: int,
) -> tuple[int, Ticket] | None:
    """The first ticket that may be resumed with this cipher suite, and its place among the identities."""
    for place, identity in enumerate(identities[:MAX_TICKETS_TRIED]):
        ticket = _open(context, identity.ticket)
        if (
            ticket is not None
            and 0 <= context.now() - ticket.issued_at <= ticket.lifetime
            and CIPHER_SUITES[ticket.cipher_suite].hash_name == suite.hash_name
            and (ticket.server_name, ticket.version) == (server_name, version)
            and _client_is_trusted(context, ticket.client_chain)
        ):
            return place, ticket
    return None


def _open(context: ServerContext, sealed: bytes) -> Ticket | None:
    if context.ticket_keys is None:
        return None
    try:
        return Ticket.decode(context.ticket_keys.open(sealed, _PURPOSE, context.now()))
    except DecodeError:
        return None


def _client_is_trusted(context: ServerContext, chain: tuple[bytes, ...]) -> bool:
    """A resumed client shows no certificate: what it has shown must still be good (RFC 9846 §4.4.2)."""
    if context.client_trust_store is None:
        return True
    try:
        authenticated_client_key(chain, context.client_trust_store, context.clock())
    except HandshakeError:
        return False
    return True


def early_data_is_fresh(context: ServerContext, ticket: Ticket, identity: PskIdentity) -> bool:
    """Whether the ClientHello with this ticket is new, and the ticket was not used for early data before."""
    ticket_id = hashlib.sha256(identity.ticket).digest()[:16]
    sent_at = ticket.sent_at(identity)
    return context.replay_guard.first_use(ticket_id, issued_at=ticket.issued_at, sent_at=sent_at, now=context.now())
