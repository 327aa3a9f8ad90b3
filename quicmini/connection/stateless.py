"""What an endpoint says without a connection: made from the packet that it answers, and forgotten (RFC 9000 §5.2.2)."""

from __future__ import annotations

from quicmini.crypto.protection import Sealer
from quicmini.crypto.retry import retry_integrity_tag
from quicmini.errors import TransportError
from quicmini.wire.frames import ConnectionClose
from quicmini.wire.packet import LongHeader, PacketType, encode_long_header, encode_retry

__all__ = ["refusal", "retry"]


def refusal(header: LongHeader, sealer: Sealer, error: TransportError) -> bytes:
    """An Initial that closes the connection which the client's Initial wanted to open (RFC 9000 §5.2.2, §8.1.2).

    sealer: the server's, for the connection ID of the client's packet.
    """
    payload = ConnectionClose(error.error_code, 0, error.reason).encode()
    length = len(payload) + Sealer.overhead
    start = encode_long_header(
        PacketType.INITIAL, header.version, header.source_cid, header.destination_cid, b"", 0, 2, length
    )
    return sealer.seal(start, 0, payload)


def retry(header: LongHeader, retry_cid: bytes, token: bytes, unused_bits: int) -> bytes:
    """A Retry packet: the client is to prove its address, and to use `retry_cid` from now on (RFC 9000 §17.2.5.1)."""
    packet = encode_retry(header.version, header.source_cid, retry_cid, token, unused_bits)
    return packet + retry_integrity_tag(packet, header.destination_cid, header.version)
