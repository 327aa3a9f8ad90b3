"""What can make a client send its first flight again: a Retry packet (RFC 9000 §8.1.2, §17.2.5).

Nothing of it is authenticated by the peer's keys, so that each is believed once at most, and only before a packet came
that is; what it brought about is checked when the handshake is authenticated (§7.3).
"""

from __future__ import annotations

from hmac import compare_digest

from quicmini.connection.core import Core
from quicmini.crypto.protection import initial_protection
from quicmini.crypto.retry import retry_integrity_tag
from quicmini.recovery.sent import PacketNumberSpace
from quicmini.wire.packet import RetryPacket

__all__ = ["MAX_TOKEN_LENGTH", "follow_retry"]

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
    space = core.spaces[PacketNumberSpace.INITIAL]
    space.sealer, space.opener = initial_protection(core.initial_cid, core.version, is_client=True)
    core.versions.protections.clear()
    core.send_again(PacketNumberSpace.INITIAL)
    core.send_again(PacketNumberSpace.APPLICATION)  # 0-RTT: the server has not kept it
    return True
