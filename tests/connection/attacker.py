"""A peer that breaks rules: packets with any frames, sealed with a connection's own keys so that they authenticate."""

from __future__ import annotations

from quicmini.connection.connection import Connection
from quicmini.connection.core import Core
from quicmini.crypto.protection import Sealer
from quicmini.recovery.sent import PacketNumberSpace, SentPacket
from quicmini.wire.packet import PacketType, encode_long_header, encode_short_header

__all__ = ["core_of", "forge"]


def core_of(connection: Connection) -> Core:
    """The inside of a connection: tests of what a peer can do to it look there."""
    return connection._core


def forge(
    sender: Connection,
    payload: bytes,
    space: PacketNumberSpace = PacketNumberSpace.APPLICATION,
    *,
    number: int | None = None,
    reserved_bits: bool = False,
    padded: bool = True,
    token: bytes = b"",
    sealer: Sealer | None = None,
    key_phase: bool | None = None,
    spin: bool = False,
) -> bytes:
    """A packet with this payload, as `sender` would protect it, or with the keys of another key phase.

    An Initial that is not empty gets 1200 bytes.
    """
    core = core_of(sender)
    own = core.spaces[space]
    sealer = sealer or own.sealer
    assert sealer is not None, "the keys are not there"
    if number is None:
        number = own.next_packet_number
        own.next_packet_number += 1
        # Its acknowledgment is expected; nothing happens if it does not come.
        core.recovery.on_packet_sent(space, SentPacket(number, core.now, 0, False, False, []), core.now)
    destination = core.remote_cids.current
    if own.packet_type is PacketType.ONE_RTT:
        phase = core.key_phases.bit != 0 if key_phase is None else key_phase
        header = encode_short_header(destination, number, 4, spin=spin, key_phase=phase)
    else:
        if space is PacketNumberSpace.INITIAL and payload:
            payload += bytes(1200 - 46 - len(payload) - len(token) if padded else 4)
        length = len(payload) + sealer.overhead
        source = core.local_cids.handshake_cid
        header = encode_long_header(own.packet_type, core.version, destination, source, token, number, 4, length)
    if reserved_bits:
        header = bytes([header[0] | (0x18 if space is PacketNumberSpace.APPLICATION else 0x0C)]) + header[1:]
    return sealer.seal(header, number, payload)
