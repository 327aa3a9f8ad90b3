"""From captured datagrams and a key log to packets and frames: what a network analyser does, with our own tools.

Initial keys come from the packets themselves (RFC 9001 §5.2), all others from the key log. Packets are told apart by
connection IDs: those of long headers, and those that NEW_CONNECTION_ID frames bring.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from quicmini.crypto.keys import CIPHER_SUITES, INITIAL_SUITE, initial_secrets
from quicmini.crypto.protection import Opener
from quicmini.errors import DecodeError, TransportError
from quicmini.study.link.link import Captured
from quicmini.wire.frames import Crypto, Frame, NewConnectionId, parse_frames
from quicmini.wire.packet import (
    MAX_CID_LENGTH,
    LongHeader,
    PacketType,
    RetryPacket,
    UnknownVersion,
    VersionNegotiation,
    decode_packet_number,
    parse_long_header,
)

__all__ = ["Packet", "crypto_stream", "dissect"]

Secrets = Mapping[str, bytes]

# The labels of the secrets that protect a kind of packet, sent by the client and by the server.
_LABELS = {
    PacketType.ZERO_RTT: ("CLIENT_EARLY_TRAFFIC_SECRET", ""),
    PacketType.HANDSHAKE: ("CLIENT_HANDSHAKE_TRAFFIC_SECRET", "SERVER_HANDSHAKE_TRAFFIC_SECRET"),
    PacketType.ONE_RTT: ("CLIENT_TRAFFIC_SECRET_0", "SERVER_TRAFFIC_SECRET_0"),
}
# 0-RTT and 1-RTT packets share a packet number space (RFC 9000 §12.3).
_SPACES = {PacketType.ZERO_RTT: PacketType.ONE_RTT}

_USUAL_CID_LENGTH = 8  # bytes: what both implementations choose

_LONG = 20  # bytes: of longer fields, people want to see the length

_CLIENT_RANDOM = slice(6, 38)  # in a ClientHello: type, length and legacy version come before it


@dataclass(frozen=True)
class Packet:
    """One packet of a captured datagram.

    connection: a number for each connection, from 0; None: belongs to none that is known. size: bytes of the packet.
    frames: None if it could not be decrypted; so are then packet_number and key_phase.
    """

    captured: Captured
    packet_type: PacketType
    size: int
    connection: int | None = None
    version: int = 0
    destination_cid: bytes = b""
    source_cid: bytes = b""
    token: bytes = b""
    packet_number: int | None = None
    key_phase: int | None = None
    frames: tuple[Frame, ...] | None = None

    @property
    def to_server(self) -> bool:
        return self.captured.to_server

    def __str__(self) -> str:
        """One line for people: when, whither, what."""
        fate = "lost" if self.captured.arrival is None else "corrupted" if self.captured.corrupted else ""
        frames = "?" if self.frames is None else ", ".join(_summary(frame) for frame in self.frames)
        phase = f" phase {self.key_phase}" if self.key_phase else ""
        mark = ("", ", ECT(1)", ", ECT(0)", ", CE")[self.captured.ecn]
        return (
            f"{self.captured.time:9.4f} {'->' if self.to_server else '<-'} {self.captured.path[0]}:"
            f"{self.captured.path[1]} {fate:9} {self.connection} {self.packet_type.name:9} "
            f"{self.destination_cid.hex()} {self.packet_number}{phase} ({self.size}{mark}): {frames}"
        )


class _Keys:
    """The keys of one kind of packet in one direction: guesses at the cipher suite, then one opener a key phase."""

    def __init__(self, guesses: list[Opener]) -> None:
        self._openers = guesses
        self._guessing = True

    def candidates(self) -> Iterator[Opener]:
        """What may open the next packet, the likeliest first (RFC 9001 §6)."""
        if self._guessing:
            yield from tuple(self._openers)
        else:
            yield from reversed(self._openers[-2:])
            yield self._openers[-1].updated()

    def fitted(self, opener: Opener) -> None:
        """A packet authenticated with this candidate."""
        if self._guessing:
            self._openers, self._guessing = [opener], False
        elif opener not in self._openers:
            self._openers.append(opener)


@dataclass(eq=False)
class _Connection:
    """What is known of a connection that is looked at."""

    number: int
    initial_cid: bytes  # what the Initial keys come from
    retries: set[bytes] = field(default_factory=set)  # source connection IDs of Retry packets not followed so far
    secrets: Secrets | None = None
    client_hello: dict[int, bytes] = field(default_factory=dict)
    keys: dict[tuple[PacketType, bool, int], _Keys] = field(default_factory=dict)
    largest: dict[tuple[PacketType, bool], int] = field(default_factory=dict)
    version: int = 0


def _summary(frame: Frame) -> str:
    """A frame without the bytes that it carries."""
    fields = (
        f"{name}={len(value) if isinstance(value, bytes) and len(value) > _LONG else value!r}"
        for name, value in zip(frame._fields, frame, strict=True)
    )
    return f"{type(frame).__name__}({', '.join(fields)})"


def dissect(captured: Iterable[Captured], key_log: Mapping[bytes, Secrets]) -> list[Packet]:
    """Every packet that was sent, in order, as its sender made it (not as the link may have corrupted it)."""
    dissector = _Dissector(key_log)
    return [packet for datagram in captured for packet in dissector.packets(datagram)]


def crypto_stream(packets: Iterable[Packet], packet_type: PacketType, *, to_server: bool) -> bytes:
    """The CRYPTO data of one level and direction from its start to the first gap."""
    pieces: dict[int, bytes] = {}
    for packet in packets:
        if packet.packet_type is packet_type and packet.to_server == to_server:
            _gather(pieces, packet.frames or ())
    return _contiguous(pieces)


def _gather(pieces: dict[int, bytes], frames: Iterable[Frame]) -> None:
    for frame in frames:
        if isinstance(frame, Crypto) and len(frame.data) > len(pieces.get(frame.offset, b"")):
            pieces[frame.offset] = frame.data


def _contiguous(pieces: Mapping[int, bytes]) -> bytes:
    data = b""
    for offset in sorted(pieces):
        if offset > len(data):
            break
        data += pieces[offset][len(data) - offset :]
    return data


class _Dissector:
    def __init__(self, key_log: Mapping[bytes, Secrets]) -> None:
        self._key_log = key_log
        self._by_cid: dict[bytes, _Connection] = {}
        self._count = 0

    def packets(self, captured: Captured) -> Iterator[Packet]:
        datagram = captured.datagram
        position = 0
        while position < len(datagram):
            if datagram[position] < 0x80:
                if any(datagram[position:]):  # no more than a datagram's padding, otherwise (RFC 9000 §12.2)
                    yield self._short(captured, datagram[position:])
                return
            try:
                header = parse_long_header(datagram, position)
            except DecodeError:
                return  # padding after the last packet, or noise
            if not isinstance(header, LongHeader):
                yield self._unprotected(captured, header, len(datagram) - position)
                return
            yield self._long(captured, header, datagram[position : header.end], header.pn_offset - position)
            position = header.end

    def _unprotected(
        self, captured: Captured, header: RetryPacket | VersionNegotiation | UnknownVersion, size: int
    ) -> Packet:
        kind = PacketType.RETRY if isinstance(header, RetryPacket) else PacketType.VERSION_NEGOTIATION
        version = 0 if isinstance(header, VersionNegotiation) else header.version
        token = header.token if isinstance(header, RetryPacket) else b""
        connection = self._by_cid.get(header.destination_cid)
        if connection is not None and kind is PacketType.RETRY:
            connection.retries.add(header.source_cid)
            self._by_cid[header.source_cid] = connection
        number = connection.number if connection else None
        return Packet(captured, kind, size, number, version, header.destination_cid, header.source_cid, token)

    def _long(self, captured: Captured, header: LongHeader, packet: bytes, pn_offset: int) -> Packet:
        connection = self._connection_of(captured, header)
        if connection and captured.to_server and header.destination_cid in connection.retries:
            # The client has followed this Retry packet, one of several it may be: Initial keys change (RFC 9001 §5.2).
            connection.initial_cid = header.destination_cid
            connection.retries.clear()
            connection.keys.clear()
        opened = connection and self._open(connection, captured, header, packet, pn_offset)
        number, _, frames = opened or (None, None, None)
        if connection and frames:
            self._learn(connection, captured, header, frames)
        return Packet(
            captured,
            header.packet_type,
            len(packet),
            connection.number if connection else None,
            header.version,
            header.destination_cid,
            header.source_cid,
            header.token,
            number,
            None,
            frames,
        )

    def _connection_of(self, captured: Captured, header: LongHeader) -> _Connection | None:
        connection = self._by_cid.get(header.destination_cid) or self._by_cid.get(header.source_cid)
        if connection is None and captured.to_server and header.packet_type is PacketType.INITIAL:
            connection = _Connection(self._count, header.destination_cid)
            self._count += 1
            self._by_cid[header.destination_cid] = connection
        if connection is not None:
            self._by_cid.setdefault(header.source_cid, connection)
        return connection

    def _learn(
        self, connection: _Connection, captured: Captured, header: LongHeader, frames: tuple[Frame, ...]
    ) -> None:
        connection.version = header.version
        if connection.secrets is None and captured.to_server and header.packet_type is PacketType.INITIAL:
            _gather(connection.client_hello, frames)
            random = _contiguous(connection.client_hello)[_CLIENT_RANDOM]
            connection.secrets = self._key_log.get(random)

    def _short(self, captured: Captured, packet: bytes) -> Packet:
        for length in (_USUAL_CID_LENGTH, *range(1, MAX_CID_LENGTH + 1)):
            connection = self._by_cid.get(packet[1 : 1 + length])
            if connection is not None:
                return self._short_of(connection, captured, packet, length)
        # An ID that no frame has brought: a preferred address has one (RFC 9000 §9.6).
        for connection in set(self._by_cid.values()):
            found = self._short_of(connection, captured, packet, _USUAL_CID_LENGTH)
            if found.frames is not None:
                self._by_cid[found.destination_cid] = connection
                return found
        return Packet(captured, PacketType.ONE_RTT, len(packet))

    def _short_of(self, connection: _Connection, captured: Captured, packet: bytes, length: int) -> Packet:
        cid = packet[1 : 1 + length]
        header = LongHeader(connection.version, PacketType.ONE_RTT, cid, b"", b"", 1 + length, len(packet))
        opened = self._open(connection, captured, header, packet, 1 + length)
        number, first_byte, frames = opened or (None, None, None)
        for frame in frames or ():
            if isinstance(frame, NewConnectionId):
                self._by_cid[frame.connection_id] = connection
        key_phase = None if first_byte is None else first_byte >> 2 & 1
        return Packet(
            captured,
            PacketType.ONE_RTT,
            len(packet),
            connection.number,
            connection.version,
            cid,
            packet_number=number,
            key_phase=key_phase,
            frames=frames,
        )

    def _open(
        self, connection: _Connection, captured: Captured, header: LongHeader, packet: bytes, pn_offset: int
    ) -> tuple[int, int, tuple[Frame, ...]] | None:
        """Packet number, first byte and frames, with whichever keys fit."""
        kind, to_server = header.packet_type, captured.to_server
        keys = self._keys(connection, header, to_server=to_server)
        if keys is None:
            return None
        space = (_SPACES.get(kind, kind), to_server)
        for opener in keys.candidates():
            try:
                first_byte, truncated, length = opener.unmask(packet, pn_offset)
                number = decode_packet_number(connection.largest.get(space, -1), truncated, 8 * length)
                frames = tuple(parse_frames(opener.open(packet, pn_offset, first_byte, length, number)))
            except (DecodeError, TransportError):
                continue
            keys.fitted(opener)
            connection.largest[space] = max(number, connection.largest.get(space, -1))
            return number, first_byte, frames
        return None

    def _keys(self, connection: _Connection, header: LongHeader, *, to_server: bool) -> _Keys | None:
        key = (header.packet_type, to_server, header.version)
        if key not in connection.keys:
            guesses = self._make_openers(connection, header, to_server=to_server)
            if not guesses:
                return None
            connection.keys[key] = _Keys(guesses)
        return connection.keys[key]

    def _make_openers(self, connection: _Connection, header: LongHeader, *, to_server: bool) -> list[Opener]:
        if header.packet_type is PacketType.INITIAL:
            client, server = initial_secrets(connection.initial_cid, header.version)
            return [Opener(INITIAL_SUITE, client if to_server else server, header.version)]
        client_label, server_label = _LABELS[header.packet_type]
        secret = (connection.secrets or {}).get(client_label if to_server else server_label)
        if secret is None:
            return []
        suites = [suite for suite in CIPHER_SUITES.values() if suite.hash_length == len(secret)]
        return [Opener(suite, secret, header.version) for suite in suites]
