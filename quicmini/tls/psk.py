"""The extensions by which a client offers pre-shared keys (RFC 9846 §4.3.9, §4.3.11)."""

from __future__ import annotations

from typing import NamedTuple

from quicmini.errors import crypto_error
from quicmini.tls.codec import Reader, encode_vector
from quicmini.tls.codes import Alert

__all__ = ["ONLY_WITH_KEY_SHARES", "OfferedPsks", "PskIdentity", "allows_key_shares"]

_PSK_DHE_KE = 1  # a pre-shared key together with key shares: the only mode here, for the sake of forward secrecy
_MIN_BINDER = 32  # bytes

# The psk_key_exchange_modes of every ClientHello.
ONLY_WITH_KEY_SHARES = encode_vector(1, bytes((_PSK_DHE_KE,)))


def allows_key_shares(modes: bytes) -> bool:
    """Whether a client's psk_key_exchange_modes let a server use a pre-shared key the way this project does."""
    reader = Reader(modes, "psk_key_exchange_modes")
    offered = reader.vector(1, minimum=1)
    reader.finish()
    return _PSK_DHE_KE in offered


class PskIdentity(NamedTuple):
    """A ticket, and its age in milliseconds plus the ticket's age_add, modulo 2**32 (RFC 9846 §4.3.11.1)."""

    ticket: bytes
    obfuscated_age: int


class OfferedPsks(NamedTuple):
    """The pre_shared_key of a ClientHello: each binder proves that the client has the key of that identity."""

    identities: tuple[PskIdentity, ...]
    binders: tuple[bytes, ...]

    @property
    def binders_size(self) -> int:
        """How many bytes at the end of the ClientHello the binders do not cover: themselves (RFC 9846 §4.3.11.2)."""
        return 2 + sum(1 + len(binder) for binder in self.binders)

    @classmethod
    def parse(cls, data: bytes) -> OfferedPsks:
        reader = Reader(data, "pre_shared_key")
        identity_list = Reader(reader.vector(2, minimum=7), "pre_shared_key")
        binder_list = Reader(reader.vector(2, minimum=1 + _MIN_BINDER), "pre_shared_key")
        reader.finish()
        identities, binders = [], []
        while not identity_list.at_end:
            identities.append(PskIdentity(identity_list.vector(2, minimum=1), identity_list.number(4)))
        while not binder_list.at_end:
            binders.append(binder_list.vector(1, minimum=_MIN_BINDER))
        if len(identities) != len(binders):
            raise crypto_error(Alert.ILLEGAL_PARAMETER, "pre_shared_key must have a binder for each identity")
        return cls(tuple(identities), tuple(binders))

    def encode(self) -> bytes:
        identities = b"".join(
            encode_vector(2, identity.ticket) + identity.obfuscated_age.to_bytes(4) for identity in self.identities
        )
        return encode_vector(2, identities) + encode_vector(2, b"".join(encode_vector(1, b) for b in self.binders))
