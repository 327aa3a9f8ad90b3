"""What TLS tells QUIC (RFC 9001 §4.1), in the order in which it happened."""

from __future__ import annotations

from typing import NamedTuple

from quicmini.crypto.keys import CipherSuite, EncryptionLevel
from quicmini.tls.session import Session

__all__ = [
    "CryptoData",
    "EarlyDataDecided",
    "HandshakeComplete",
    "KeysReady",
    "PeerTransportParameters",
    "SessionTicket",
    "TlsEvent",
]


class CryptoData(NamedTuple):
    """Handshake bytes to send in CRYPTO frames at this level."""

    level: EncryptionLevel
    data: bytes


class KeysReady(NamedTuple):
    """Secrets for a level; None for a direction that is not ready yet, was announced before, or does not exist.

    ZERO_RTT has one direction: a client gets its secret with the ClientHello, a server when it accepts. A server that
    does also gets its 1-RTT secret early, to acknowledge the early data (RFC 9001 §4.1.4, RFC 9000 §12.3).
    """

    level: EncryptionLevel
    suite: CipherSuite
    send_secret: bytes | None = None
    receive_secret: bytes | None = None


class PeerTransportParameters(NamedTuple):
    """The peer's quic_transport_parameters; not authenticated until HandshakeComplete (RFC 9001 §8.2)."""

    data: bytes


class EarlyDataDecided(NamedTuple):
    """Whether the server takes the 0-RTT data that the client has offered to send (RFC 9001 §4.6.2).

    It comes only if there was such an offer, once, and on the client before PeerTransportParameters. If it is
    accepted, a server's ZERO_RTT keys follow.
    """

    accepted: bool


class HandshakeComplete(NamedTuple):
    """Both Finished messages are through (RFC 9001 §4.1.1).

    peer_certificate: DER, None where the peer has none; of a resumed session it is the one shown back then.
    server_name: what the client asked for (SNI). resumed: with a ticket of an earlier connection (RFC 9846 §2.2).
    """

    alpn_protocol: str
    cipher_suite: CipherSuite
    group: int
    peer_certificate: bytes | None
    server_name: str | None
    resumed: bool = False
    early_data_accepted: bool = False


class SessionTicket(NamedTuple):
    """Client: the server has sent a ticket, with which a later connection may resume this one (RFC 9846 §4.7.1)."""

    session: Session


TlsEvent = CryptoData | KeysReady | PeerTransportParameters | EarlyDataDecided | HandshakeComplete | SessionTicket
