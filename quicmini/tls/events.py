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
    """Secrets for a level; None for a direction that is not ready yet, or was announced before (RFC 9001 §4.1.4).

    A server may send 1-RTT packets before it may read any (RFC 9001 §5.7): it gets that level in two events.
    """

    level: EncryptionLevel
    suite: CipherSuite
    send_secret: bytes | None
    receive_secret: bytes | None


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
