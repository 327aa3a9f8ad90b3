"""What is learned from a connection while it is watched: the packets, and the TLS messages in them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from quicmini.config import Observer
from quicmini.connection import occurrences as told
from quicmini.connection.ecn import EcnState
from quicmini.errors import TransportError
from quicmini.study.dissection.crypto_streams import CryptoStream
from quicmini.study.fields import Field
from quicmini.wire.frames import Crypto, NewToken, parse_frames
from quicmini.wire.packet import PacketType

__all__ = ["Message", "Watch"]


class Message(NamedTuple):
    """A handshake message of the server: its bytes, and the same taken apart."""

    data: bytes
    field: Field


class Watch:
    """For `Config.observer` of one connection of a client.

    version: in use, None until one is chosen. retry: the server has sent a Retry packet. refused_versions: what a
    Version Negotiation packet has offered instead of the version that was tried. tokens: those of NEW_TOKEN frames.
    confirmed: HANDSHAKE_DONE has come. ecn: how far its validation has come. messages: of the server, in order.
    """

    def __init__(self) -> None:
        self.version: int | None = None
        self.retry = False
        self.refused_versions: tuple[int, ...] = ()
        self.tokens: list[bytes] = []
        self.confirmed = False
        self.ecn = EcnState.TESTING
        self.messages: list[Message] = []
        self._streams: dict[PacketType, CryptoStream] = {}

    def __call__(self, original_cid: bytes, is_client: bool) -> Observer:
        """The observer itself."""
        return self._see

    def all(self, name: str) -> list[Message]:
        """The server's messages of that name."""
        return [message for message in self.messages if message.field.name == name]

    def first(self, name: str) -> Message | None:
        """The first of them, if one has come."""
        return next(iter(self.all(name)), None)

    def _see(self, now: float, occurrence: object) -> None:
        handler = _HANDLERS.get(type(occurrence))
        if handler is not None:
            handler(self, occurrence)

    def _on_packet(self, packet: told.PacketReceived) -> None:
        packet_type = packet.header.packet_type
        self.retry = self.retry or packet_type is PacketType.RETRY
        self.refused_versions = packet.versions or self.refused_versions
        try:
            frames = parse_frames(packet.payload)
        except TransportError:
            return  # the connection will end for it
        for frame in frames:
            if isinstance(frame, Crypto):
                stream = self._streams.setdefault(packet_type, CryptoStream())
                self.messages += [Message(*found) for found in stream.insert(frame.offset, frame.data)]
            elif isinstance(frame, NewToken):
                self.tokens.append(frame.token)

    def _on_version(self, chosen: told.VersionChosen) -> None:
        self.version = chosen.version

    def _on_phase(self, change: told.PhaseChanged) -> None:
        self.confirmed = self.confirmed or change.new is told.Phase.CONFIRMED

    def _on_ecn(self, change: told.EcnChanged) -> None:
        self.ecn = change.new


_HANDLERS: dict[type, Callable[[Watch, Any], None]] = {
    told.PacketReceived: Watch._on_packet,
    told.VersionChosen: Watch._on_version,
    told.PhaseChanged: Watch._on_phase,
    told.EcnChanged: Watch._on_ecn,
}
