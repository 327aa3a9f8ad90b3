"""What can make a client send its first flight again: a Retry packet, or a Version Negotiation packet
(RFC 9000 §8.1.2, §17.2.5, RFC 9368 §2.1).

Neither is authenticated by the peer's keys, so that each is believed once at most, and only before a packet came that
is; what it brought about is checked when the handshake is authenticated (RFC 9000 §7.3, RFC 9368 §4).
"""

from __future__ import annotations

from hmac import compare_digest

from quicmini.connection.core import Core
from quicmini.connection.crypto_stream import CryptoStream
from quicmini.crypto.protection import initial_protection
from quicmini.crypto.retry import retry_integrity_tag
from quicmini.recovery.sent import PacketNumberSpace
from quicmini.wire.packet import RetryPacket

__all__ = ["MAX_TOKEN_LENGTH", "begin_again", "follow_retry"]

# Bytes of a token that is taken from a server: it has to fit every Initial packet, beside what that is sent for
# (RFC 9000 §17.2.2 sets no limit).
MAX_TOKEN_LENGTH = 512


def follow_retry(core: Core, packet: RetryPacket) -> bool:
    """Begin again with the server's token and connection ID (RFC 9000 §17.2.5.2); False: the packet is to be dropped.

    The caller has seen no other packet of the server.
    """
    expected = retry_integrity_tag(packet.without_tag, core.original_destination_cid, core.version)
    if (
        not core.is_client
        or core.retry_source_cid is not None
        or packet.version != core.version
        or packet.destination_cid != core.local_cids.handshake_cid
        or packet.source_cid == core.original_destination_cid
        or len(packet.token) > MAX_TOKEN_LENGTH
        or not compare_digest(packet.integrity_tag, expected)
    ):
        return False
    core.token = packet.token
    core.retry_source_cid = core.initial_cid = packet.source_cid
    core.remote_cids.replace_handshake_cid(packet.source_cid)
    _protect_initials(core)
    core.send_again(PacketNumberSpace.INITIAL)
    core.send_again(PacketNumberSpace.APPLICATION)  # 0-RTT: the server has not kept it
    return True


def begin_again(core: Core, version: int) -> None:
    """Start over in a version that a Version Negotiation packet has offered: nothing was exchanged yet."""
    core.token = b""  # it was for the other version (RFC 9369 §5)
    core.version = core.versions.original = version
    core.versions.reacted = True
    core.recovery.discard_space(PacketNumberSpace.INITIAL)
    core.spaces[PacketNumberSpace.INITIAL].crypto = CryptoStream()
    _protect_initials(core)


def _protect_initials(core: Core) -> None:
    """The keys of Initial packets follow from the connection ID and the version, one of which is new."""
    space = core.spaces[PacketNumberSpace.INITIAL]
    space.sealer, space.opener = initial_protection(core.initial_cid, core.version, is_client=True)
    core.versions.protections.clear()
