"""What a client remembers of a connection, so that the next one with the same server is cheaper (RFC 9846 §2.2).

A session is a secret: whoever has it can pose as the server to this client, and as this client to the server.
"""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass, field
from struct import Struct

from quicmini.crypto.keys import CIPHER_SUITES
from quicmini.errors import HandshakeError
from quicmini.tls.codec import Reader, encode_vector

__all__ = ["MAX_TICKET_LIFETIME", "MAX_TICKET_SIZE", "Session", "identity_of"]

# Seconds: nobody may use a ticket for longer, whatever it says (RFC 9846 §4.7.1).
MAX_TICKET_LIFETIME = 7 * 24 * 3600

# Bytes of a ticket that a client keeps; it is free to use none (RFC 9846 §4.7.1). Each ClientHello that resumes has to
# carry the ticket, and would not be one any more with the 65,535 that a server may send.
MAX_TICKET_SIZE = 16 * 1024

_FORMAT = b"quicmini session 1\n"
_NUMBERS = Struct(">HdIIB")  # what follows; then vectors


def identity_of(certificate: bytes | None) -> bytes:
    """What tells a client's identities apart: the hash of its certificate (DER), None if it has shown none."""
    return hashlib.sha256(certificate or b"").digest()


@dataclass(frozen=True, slots=True)
class Session:
    """A ticket, and what belongs to it (RFC 9846 §4.7.1, RFC 9001 §4.6.1).

    issued_at: seconds since 1970, when the ticket arrived; lifetime: seconds. server_name: whom the client asked for.
    early_data: whether the server takes 0-RTT. transport_parameters: the server's, encoded; 0-RTT data keeps to these
    limits (RFC 9000 §7.4.1). version: the QUIC version of the connection, the only one that the ticket is for
    (RFC 9369 §5). peer_chain: the server's certificates, DER, its own first: they are verified again before the
    session is used. identity: `identity_of` the certificate that the client has shown, b"" if it was not asked for
    one: a session with one identity is never used by another.
    """

    ticket: bytes
    psk: bytes = field(repr=False)
    cipher_suite: int
    issued_at: float
    lifetime: int
    age_add: int
    server_name: str | None
    alpn_protocol: str
    early_data: bool
    transport_parameters: bytes
    version: int
    peer_chain: tuple[bytes, ...] = field(repr=False)
    identity: bytes = b""

    @property
    def peer_certificate(self) -> bytes:
        """The server's own certificate, DER."""
        return self.peer_chain[0]

    @property
    def hash_name(self) -> str:
        """The hash that the pre-shared key is for: the only one that it may be used with (RFC 9846 §4.7.1)."""
        return CIPHER_SUITES[self.cipher_suite].hash_name

    def age(self, now: float) -> float | None:
        """The ticket's age in seconds, None if it is of no use any more, or not yet: `now` is seconds since 1970."""
        age = now - self.issued_at
        return age if 0 <= age <= min(self.lifetime, MAX_TICKET_LIFETIME) else None

    def to_bytes(self) -> bytes:
        """For a file, which nobody else should be able to read: `from_bytes` makes the same session of it."""
        numbers = _NUMBERS.pack(self.cipher_suite, self.issued_at, self.lifetime, self.age_add, self.early_data)
        fields = (
            self.ticket,
            self.psk,
            (self.server_name or "").encode(),
            self.alpn_protocol.encode(),
            self.transport_parameters,
            self.version.to_bytes(4),
            self.identity,
            *self.peer_chain,
        )
        return _FORMAT + numbers + b"".join(encode_vector(3, value) for value in fields)

    @classmethod
    def from_bytes(cls, data: bytes) -> Session:
        """The session that `to_bytes` wrote. Raises ValueError if these bytes are none."""
        if not data.startswith(_FORMAT):
            raise ValueError("these bytes are no session, or one of another version of this library")
        try:
            return cls._parse(Reader(data[len(_FORMAT) :], "the session"))
        except (HandshakeError, UnicodeDecodeError):
            raise ValueError("the session is damaged") from None

    @classmethod
    def _parse(cls, reader: Reader) -> Session:
        suite, issued_at, lifetime, age_add, early_data = _NUMBERS.unpack(reader.take(_NUMBERS.size))
        ticket, psk, server_name, alpn_protocol, parameters, version, identity = (reader.vector(3) for _ in range(7))
        chain = []
        while not reader.at_end:
            chain.append(reader.vector(3, minimum=1))
        session = cls(
            ticket=ticket,
            psk=psk,
            cipher_suite=suite,
            issued_at=issued_at,
            lifetime=lifetime,
            age_add=age_add,
            server_name=server_name.decode() or None,
            alpn_protocol=alpn_protocol.decode(),
            early_data=early_data == 1,
            transport_parameters=parameters,
            version=int.from_bytes(version),
            peer_chain=tuple(chain),
            identity=identity,
        )
        known = CIPHER_SUITES.get(suite)
        if known is None or len(psk) != known.hash_length or not (ticket and chain and math.isfinite(issued_at)):
            raise ValueError("the session is damaged")
        return session
