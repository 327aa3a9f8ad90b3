"""0-RTT: data that a client sends with its first flight, under keys of an earlier connection (RFC 9001 §4.6).

The client keeps to the limits that the server gave it then. If the server does not take the data, all of it is sent
again, under the new limits; nothing of what was sent before counts. Whoever has recorded a first flight can send it
again: the application decides what it takes from data that came before the handshake was complete (RFC 9001 §9.2).
"""

from __future__ import annotations

from math import inf

from quicmini.connection.core import Core
from quicmini.crypto.protection import Opener, Sealer
from quicmini.errors import TransportError, TransportErrorCode
from quicmini.recovery.sent import PacketNumberSpace
from quicmini.tls.events import KeysReady
from quicmini.wire.packet import PacketType
from quicmini.wire.transport_parameters import TransportParameters, parse_transport_parameters

__all__ = [
    "accept_ticket",
    "apply_limits",
    "decide",
    "end_reading",
    "install_keys",
    "refuse",
]

# What a server must not reduce if it takes 0-RTT data (RFC 9000 §7.4.1, RFC 9221 §3).
_LIMITS = (
    "active_connection_id_limit",
    "initial_max_data",
    "initial_max_stream_data_bidi_local",
    "initial_max_stream_data_bidi_remote",
    "initial_max_stream_data_uni",
    "initial_max_streams_bidi",
    "initial_max_streams_uni",
    "max_datagram_frame_size",
)

# Probe timeouts after the handshake for which 0-RTT packets that were overtaken are still read (RFC 9001 §4.9.3).
RETENTION = 3

_CRYPTO = 0x06  # frame type that a TransportError names


def _are_reduced(today: TransportParameters, remembered: TransportParameters) -> bool:
    return any(getattr(today, name) < getattr(remembered, name) for name in _LIMITS)


def install_keys(core: Core, keys: KeysReady) -> None:
    """The keys of 0-RTT packets, for their one direction; they have the original version (RFC 9369 §4.1)."""
    space, early = core.spaces[PacketNumberSpace.APPLICATION], core.early
    if early is None:
        return
    if keys.send_secret is not None and early.remembered is not None:
        early.offered = True
        space.sealer = Sealer(keys.suite, keys.send_secret, core.versions.original)
        space.packet_type = PacketType.ZERO_RTT
        core.streams.set_remote(early.remembered)
        core.datagrams.remote_limit = early.remembered.max_datagram_frame_size
    elif keys.receive_secret is not None:
        early.opener = Opener(keys.suite, keys.receive_secret, core.versions.original)


def decide(core: Core, accepted: bool) -> None:
    """The server takes the data, or not (RFC 9001 §4.6.2)."""
    if not accepted and core.is_client:
        refuse(core)
    elif core.early is not None:
        core.early.accepted = accepted


# A client


def refuse(core: Core) -> None:
    """What was sent was in vain: it goes again in 1-RTT packets, once `apply_limits` has said what may."""
    space, early = core.spaces[PacketNumberSpace.APPLICATION], core.early
    if early is not None and early.offered and early.accepted is None:
        early.accepted = False
        early.rejected_below = space.next_packet_number
        space.sealer = None
        space.packet_type = PacketType.ONE_RTT
        core.send_again(PacketNumberSpace.APPLICATION)


def apply_limits(core: Core, parameters: TransportParameters) -> None:
    """The limits of this connection, instead of the remembered ones (RFC 9000 §7.4.1)."""
    early = core.early
    if core.is_client and early is not None and early.remembered is not None:
        if early.accepted is False:
            core.streams.start_over(parameters)
            return
        if early.accepted and _are_reduced(parameters, early.remembered):
            reason = "the server took early data, and reduced the limits that it was sent under"
            raise TransportError(TransportErrorCode.PROTOCOL_VIOLATION, reason, _CRYPTO)
    core.streams.set_remote(parameters)


# A server


def accept_ticket(core: Core, limits: TransportParameters, ticket_data: bytes) -> bool:
    """Whether today's limits allow all that the ticket's do, which it has remembered (RFC 9000 §7.4.1)."""
    if core.early is None:
        return False
    try:
        remembered = parse_transport_parameters(ticket_data, from_client=False)
    except TransportError:
        return False
    core.early.remembered = remembered
    return not _are_reduced(limits, remembered)


def end_reading(core: Core, now: float) -> None:
    """The handshake is complete: 0-RTT packets may still come for a while (RFC 9001 §4.9.3)."""
    if core.early is not None and core.early.read_until == inf:
        core.early.read_until = now + RETENTION * core.recovery.pto_base()
