"""A packet number space with its keys, numbers, handshake bytes and ACKs (RFC 9000 §12.3)."""

from __future__ import annotations

from quicmini.connection.crypto_stream import CryptoStream
from quicmini.crypto.protection import Opener, Sealer
from quicmini.recovery.acks import AckTracker
from quicmini.recovery.sent import PacketNumberSpace
from quicmini.wire.packet import PacketType

__all__ = ["Space"]

_PACKET_TYPES = {
    PacketNumberSpace.INITIAL: PacketType.INITIAL,
    PacketNumberSpace.HANDSHAKE: PacketType.HANDSHAKE,
    PacketNumberSpace.APPLICATION: PacketType.ONE_RTT,
}


class Space:
    """A packet number space. `sealer` and `opener` are None before the keys are there and after they are discarded."""

    __slots__ = (
        "acks",
        "crypto",
        "discarded",
        "next_packet_number",
        "number",
        "opener",
        "packet_type",
        "sealer",
    )

    def __init__(self, number: PacketNumberSpace, max_ack_delay: float) -> None:
        self.number = number
        self.packet_type = _PACKET_TYPES[number]
        # ACKs of the handshake are not delayed (RFC 9000 §13.2.1).
        self.acks = AckTracker(max_ack_delay if number is PacketNumberSpace.APPLICATION else 0.0)
        self.crypto = CryptoStream()
        self.sealer: Sealer | None = None
        self.opener: Opener | None = None
        self.discarded = False
        self.next_packet_number = 0

    def discard(self) -> None:
        """Forget the keys, and with them everything that could still be sent or understood (RFC 9001 §4.9)."""
        self.sealer = None
        self.opener = None
        self.discarded = True
        self.acks = AckTracker(0.0)
        self.crypto = CryptoStream()
