"""A packet number space with its keys, numbers, handshake bytes and ACKs (RFC 9000 §12.3)."""

from __future__ import annotations

from quicmini.connection.crypto_stream import CryptoStream
from quicmini.crypto.keys import EncryptionLevel
from quicmini.crypto.protection import Opener, Sealer
from quicmini.recovery.acks import AckTracker
from quicmini.recovery.sent import PacketNumberSpace
from quicmini.wire.packet import PacketType

__all__ = ["LEVELS", "PACKET_TYPES", "Space"]

# The packets that have a number of a space, beside those of 0-RTT.
PACKET_TYPES = {
    PacketNumberSpace.INITIAL: PacketType.INITIAL,
    PacketNumberSpace.HANDSHAKE: PacketType.HANDSHAKE,
    PacketNumberSpace.APPLICATION: PacketType.ONE_RTT,
}

# The level whose CRYPTO frames they carry (there are none in 0-RTT, RFC 9001 §8.3).
LEVELS = {
    PacketNumberSpace.INITIAL: EncryptionLevel.INITIAL,
    PacketNumberSpace.HANDSHAKE: EncryptionLevel.HANDSHAKE,
    PacketNumberSpace.APPLICATION: EncryptionLevel.ONE_RTT,
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
        self.packet_type = PACKET_TYPES[number]
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
