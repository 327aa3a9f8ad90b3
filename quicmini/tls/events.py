"""What TLS tells QUIC (RFC 9001 §4.1), in the order in which it happened."""

from __future__ import annotations

from typing import NamedTuple

from quicmini.crypto.keys import CipherSuite, EncryptionLevel

__all__ = ["CryptoData", "HandshakeComplete", "KeysReady", "PeerTransportParameters", "TlsEvent"]


class CryptoData(NamedTuple):
    """Handshake bytes to send in CRYPTO frames at this level."""

    level: EncryptionLevel
    data: bytes


class KeysReady(NamedTuple):
    """The secrets of both directions at a level (RFC 9001 §4.1.4)."""

    level: EncryptionLevel
    suite: CipherSuite
    send_secret: bytes
    receive_secret: bytes


class PeerTransportParameters(NamedTuple):
    """The peer's quic_transport_parameters; not authenticated until HandshakeComplete (RFC 9001 §8.2)."""

    data: bytes


class HandshakeComplete(NamedTuple):
    """Both Finished messages are through (RFC 9001 §4.1.1).

    peer_certificate: DER, None where the peer has none. server_name: what the client asked for (SNI).
    """

    alpn_protocol: str
    cipher_suite: CipherSuite
    group: int
    peer_certificate: bytes | None
    server_name: str | None


TlsEvent = CryptoData | KeysReady | PeerTransportParameters | HandshakeComplete
