"""From captured datagrams and a key log to packets and frames, with `quicmini.study.dissection`, in a form for checks.

Beside each packet stands what the link knows of its datagram.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from quicmini.study.dissection import packets as dissection
from quicmini.study.dissection.dissector import Dissector
from quicmini.study.link.link import Captured
from quicmini.wire.frames import Crypto, Frame
from quicmini.wire.packet import PacketType

__all__ = ["Packet", "crypto_stream", "dissect"]

Secrets = Mapping[str, bytes]

_SERVER = ("server", 0)  # the other end of every path

_LONG = 20  # bytes: of longer fields, people want to see the length


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


def _summary(frame: Frame) -> str:
    """A frame without the bytes that it carries."""
    fields = (
        f"{name}={len(value) if isinstance(value, bytes) and len(value) > _LONG else value!r}"
        for name, value in zip(frame._fields, frame, strict=True)
    )
    return f"{type(frame).__name__}({', '.join(fields)})"


def dissect(captured: Iterable[Captured], key_log: Mapping[bytes, Secrets]) -> list[Packet]:
    """Every packet that was sent, in order, as its sender made it (not as the link may have corrupted it)."""
    dissector = Dissector(key_log)
    return [packet for datagram in captured for packet in _packets(dissector, datagram)]


def _packets(dissector: Dissector, captured: Captured) -> Iterator[Packet]:
    ends = (captured.path, _SERVER) if captured.to_server else (_SERVER, captured.path)
    for packet in dissector.datagram(captured.datagram, source=ends[0], destination=ends[1]).packets:
        packet_type = _type_of(packet)
        if packet_type is None:
            continue
        yield Packet(
            captured,
            packet_type,
            len(packet.raw),
            packet.connection,
            packet.version,
            packet.destination_cid,
            packet.source_cid,
            packet.token,
            packet.packet_number,
            packet.key_phase,
            packet.payload.parsed if packet.payload else None,
        )


def _type_of(packet: dissection.Packet) -> PacketType | None:
    """None for padding and noise. A short header that belongs to nobody is one of a 1-RTT packet, by its looks."""
    if packet.packet_type is not None or packet.name == "padding" or packet.raw[0] & 0x80:
        return packet.packet_type
    return PacketType.ONE_RTT


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
