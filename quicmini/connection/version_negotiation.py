"""How both sides come to the version of QUIC that they speak (RFC 9368, RFC 9369 §4).

Versions 1 and 2 are compatible: a server may answer a first flight of the one in the other. A client learns of that by
the headers of the server's packets, and version_information, which the handshake authenticates, confirms it.
"""

from __future__ import annotations

from functools import lru_cache

from quicmini.config import KNOWN_VERSIONS
from quicmini.connection.core import Core
from quicmini.crypto.protection import Opener, Sealer, initial_protection
from quicmini.errors import TransportError, TransportErrorCode
from quicmini.recovery.sent import PacketNumberSpace
from quicmini.wire.packet import VERSION_1, LongHeader, PacketType
from quicmini.wire.transport_parameters import (
    VERSION_INFORMATION,
    TransportParameters,
    VersionInformation,
    encode_parameter,
    encode_version_information,
    parse_transport_parameters,
)

__all__ = [
    "adopt_version",
    "can_read",
    "check_servers_version",
    "initial_opener",
    "server_parameters",
    "version_information",
]


def version_information(core: Core) -> bytes:
    """The transport parameter for the present version (RFC 9368 §3)."""
    return _version_information(core.version, core.versions.available)


@lru_cache(maxsize=len(KNOWN_VERSIONS))  # a program has one or two, and each connection needs it
def _version_information(chosen: int, available: tuple[int, ...]) -> bytes:
    return encode_parameter(VERSION_INFORMATION, encode_version_information(VersionInformation(chosen, available)))


# Packets


def can_read(core: Core, header: LongHeader) -> bool:
    """Whether packets of this version are for this connection.

    All but Initials and 0-RTT packets have the negotiated version. A client's Initials may have the original one until
    it has heard of another, and a client has to expect every version that it has offered (RFC 9369 §4.1).
    """
    versions = core.versions
    if header.packet_type is PacketType.ZERO_RTT:
        return header.version == versions.original
    if header.version == core.version:
        return True
    unsure = core.is_client and not versions.settled and header.version in versions.available
    return header.packet_type is PacketType.INITIAL and (unsure or header.version == versions.original)


def initial_opener(core: Core, version: int) -> Opener:
    """The opener of Initial packets in a version other than the present one."""
    return _protection(core, version)[1]


def _protection(core: Core, version: int) -> tuple[Sealer, Opener]:
    known = core.versions.protections
    if version not in known:  # bounded by the versions that this side has
        known[version] = initial_protection(core.initial_cid, version, is_client=core.is_client)
    return known[version]


def adopt_version(core: Core, version: int) -> None:
    """This is the negotiated version: all that is sent from now on has it."""
    core.versions.settled = True
    if version != core.version:
        space = core.spaces[PacketNumberSpace.INITIAL]
        if space.sealer is not None and space.opener is not None:
            core.versions.protections[core.version] = (space.sealer, space.opener)
        core.version = version
        space.sealer, space.opener = _protection(core, version)


# version_information


def server_parameters(core: Core, own: bytes, clients: bytes) -> bytes:
    """A server's transport parameters, once it has seen the client's and chosen the version (RFC 9368 §2.3).

    own: those that depend on nothing. The version is the one that this side prefers among those that the client's
    first flight is compatible with; after a HelloRetryRequest, which had the original version, it is that one: no
    CRYPTO frame may have another version than the negotiated one (RFC 9369 §4.1).
    """
    core.peer_parameters = parameters = parse_transport_parameters(clients, from_client=True)
    information = parameters.version_information
    if information is not None:
        if information.chosen_version != core.versions.original:
            raise _error("the client's version is not that of its packets")
        if not core.versions.settled:
            version = core.versions.preferred(information.available_versions)
            adopt_version(core, core.versions.original if version is None else version)
    core.versions.settled = True
    core.local_parameters = own + version_information(core)
    return core.local_parameters


def check_servers_version(core: Core, parameters: TransportParameters) -> None:
    """A client makes sure that nobody between it and the server has chosen the version (RFC 9368 §4)."""
    versions, information = core.versions, parameters.version_information
    if information is None:
        # A server that knows version 1 alone may not have heard of the mechanism (RFC 9368 §8).
        if core.version != versions.original or (versions.reacted and core.version != VERSION_1):
            raise _error("the server does not confirm the version")
    elif information.chosen_version != core.version:
        raise _error("the server's version is not that of its packets")
    elif versions.reacted and (
        not information.available_versions
        or versions.preferred((*information.available_versions, core.version)) != versions.original
    ):
        raise _error("the server has a better version than the Version Negotiation packet said")


def _error(reason: str) -> TransportError:
    return TransportError(TransportErrorCode.VERSION_NEGOTIATION_ERROR, reason, 0x06)
