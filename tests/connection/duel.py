"""One side of a connection breaks a rule, the other one is watched: what `test_receiver_checks` and others share."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from quicmini.connection.connection import Connection
from quicmini.connection.state import Address, ConnectionState
from quicmini.errors import TransportError
from quicmini.recovery.sent import PacketNumberSpace
from quicmini.tls.codes import ExtensionType
from quicmini.tls.messages import ClientHello, EncryptedExtensions
from quicmini.wire.frames import Frame
from quicmini.wire.packet import LongHeader, PacketType, parse_long_header
from quicmini.wire.varint import decode_varint, encode_varint
from tests.certificates import CertificateFiles
from tests.connection.attacker import core_of, forge
from tests.connection.pair import CLIENT, SERVER, Pair

__all__ = ["Duel", "change_message", "change_parameters", "parameter"]

INITIAL, HANDSHAKE, APPLICATION = PacketNumberSpace


class Duel:
    """A pair whose `attacker` says what it must not, to the `victim`.

    space: how far the handshake has gone. INITIAL: nothing of the attacker has arrived, its first flight is in
    `flight`; HANDSHAKE: the victim reads Handshake packets, but the peer's Finished has not come; APPLICATION: it is
    confirmed.
    """

    def __init__(
        self,
        files: CertificateFiles,
        *,
        victim_is_server: bool,
        space: PacketNumberSpace = APPLICATION,
        **options: Any,
    ) -> None:
        self.victim_is_server = victim_is_server
        self.pair = pair = Pair(files, **options)
        # Stream IDs (RFC 9000 §2.1): of the attacker, and of the victim.
        self.peers_bidi, self.peers_uni = (0, 2) if victim_is_server else (1, 3)
        self.own_bidi, self.own_uni = (1, 3) if victim_is_server else (0, 2)
        self.flight: list[bytes] = []
        if space is APPLICATION:
            pair.handshake()
            return
        self.flight = pair.from_client()
        if space is HANDSHAKE or not victim_is_server:
            pair.to_server(self.flight)
            self.flight = pair.from_server()
        if space is HANDSHAKE:
            self._up_to_the_handshake_level()

    def _up_to_the_handshake_level(self) -> None:
        """The server's flight arrives: all of it at a client that attacks, else only its Initial packets."""
        if self.victim_is_server:
            self.pair.to_client(self.flight)
            self.flight = self.pair.from_client()
        else:
            self.pair.to_client([_initials(datagram) for datagram in self.flight])

    @property
    def victim(self) -> Connection:
        return self.pair.server if self.victim_is_server else self.pair.client

    @property
    def attacker(self) -> Connection:
        return self.pair.client if self.victim_is_server else self.pair.server

    @property
    def dropped(self) -> dict[str, int]:
        """What the victim has dropped in silence."""
        return self.victim.stats().packets_dropped

    def deliver(self, datagrams: list[bytes], source: Address | None = None) -> None:
        """Hand datagrams to the victim's endpoint, from the attacker's address or another one."""
        if self.victim_is_server:
            self.pair.to_server(datagrams, source or CLIENT)
        else:
            self.pair.to_client(datagrams, source or SERVER)

    def answers(self) -> list[bytes]:
        """What the victim sends now."""
        return self.pair.from_server() if self.victim_is_server else self.pair.from_client()

    def forge(self, *frames: Frame | bytes, space: PacketNumberSpace = APPLICATION, **options: Any) -> bytes:
        """A packet of the attacker with these frames."""
        payload = b"".join(frame if isinstance(frame, bytes) else frame.encode() for frame in frames)
        return forge(self.attacker, payload, space, **options)

    def hit(self, *frames: Frame | bytes, space: PacketNumberSpace = APPLICATION, **options: Any) -> int | None:
        """Send the frames in one packet; return the error code with which the victim closes, None if it does not."""
        self.deliver([self.forge(*frames, space=space, **options)])
        return self.verdict()

    def verdict(self) -> int | None:
        """The code of the victim's own error, which the attacker must have been told; None while it lives."""
        error = self.victim.error
        if error is None:
            return None
        assert isinstance(error, TransportError)
        assert not error.remote
        assert self.victim.state is ConnectionState.CLOSING
        # Straight to the attacker: the victim may use connection IDs that were made up.
        self.attacker.receive_datagrams(self.answers(), self.attacker.remote_address, self.pair.now)
        told = self.attacker.error
        assert isinstance(told, TransportError)
        assert told.remote
        assert (told.error_code, told.frame_type, told.reason) == (error.error_code, error.frame_type, error.reason)
        return error.error_code

    def crypto_offset(self, space: PacketNumberSpace = APPLICATION) -> int:
        """Where the attacker's handshake bytes go on: how much of them the victim's TLS has read."""
        return core_of(self.victim).spaces[space].crypto.received

    def still_talks(self) -> bool:
        """Whether a byte of the attacker still reaches the victim, and its acknowledgment comes back."""
        stream_id = self.attacker.open_stream(False)
        assert stream_id is not None
        self.attacker.write_stream(stream_id, b"alive", True)
        self.pair.run(seconds=1.0)
        return self.victim.read_stream(stream_id, 100) == b"alive" and self.attacker.all_acknowledged


def _initials(datagram: bytes) -> bytes:
    """The Initial packets at the start of a datagram."""
    pos = 0
    while pos < len(datagram):
        header = parse_long_header(datagram, pos)
        if not isinstance(header, LongHeader) or header.packet_type is not PacketType.INITIAL:
            break
        pos = header.end
    return datagram[:pos]


def change_message(monkeypatch: pytest.MonkeyPatch, message: type[Any], change: Callable[[Any], Any]) -> None:
    """Whoever sends this TLS message sends what `change` makes of it; the transcripts agree."""
    encode = message.encode
    monkeypatch.setattr(message, "encode", lambda self: encode(change(self)))


def change_parameters(
    monkeypatch: pytest.MonkeyPatch,
    *,
    of_client: bool,
    values: dict[int, bytes] | None = None,
    without: int | None = None,
    appended: bytes = b"",
) -> None:
    """One side's transport parameters leave with other values, without one, or with more bytes than they should."""
    code = ExtensionType.QUIC_TRANSPORT_PARAMETERS

    def lie(message: Any) -> Any:
        parameters = _split(message.extensions[code]) | (values or {})
        kept = [parameter(*item) for item in parameters.items() if item[0] != without]
        return message._replace(extensions=message.extensions | {code: b"".join(kept) + appended})

    change_message(monkeypatch, ClientHello if of_client else EncryptedExtensions, lie)


def parameter(identifier: int, value: bytes) -> bytes:
    """A transport parameter on the wire (RFC 9000 §18)."""
    return encode_varint(identifier) + encode_varint(len(value)) + value


def _split(data: bytes) -> dict[int, bytes]:
    found = {}
    pos = 0
    while pos < len(data):
        identifier, pos = decode_varint(data, pos)
        length, pos = decode_varint(data, pos)
        found[identifier] = data[pos : pos + length]
        pos += length
    return found
