"""What a datagram consists of, once it is taken apart."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from quicmini.study.fields import Field
from quicmini.wire.frames import Frame
from quicmini.wire.packet import PacketType

__all__ = ["Address", "Datagram", "Packet", "Payload"]

Address = tuple[str, int]


class Payload(NamedTuple):
    """What was inside a packet's protection. Offsets in `frames` count from the start of `data`.

    keys: which ones opened it, for people. parsed: the valid frames as values. messages: the TLS messages that are
    complete with this packet; their offsets count in the CRYPTO stream. waiting: what is said of one that is not.
    """

    data: bytes
    keys: str
    frames: tuple[Field, ...]
    parsed: tuple[Frame, ...]
    messages: tuple[Field, ...] = ()
    waiting: str = ""


class Packet(NamedTuple):
    """One packet. Offsets in `header` count from the start of the datagram, as does `offset`.

    name: of the packet's type, or of what it is instead. section: where the RFC draws it. packet_type: None if it is
    not known. connection: a number for each connection, from 0; None: belongs to none that is known. to_server: None
    as long as nobody knows. packet_number, key_phase, payload: None if it could not be opened; then `problem` is why.
    needs_keys: with a key log it might open.
    """

    name: str
    offset: int
    raw: bytes
    header: tuple[Field, ...]
    section: str
    packet_type: PacketType | None = None
    connection: int | None = None
    to_server: bool | None = None
    version: int = 0
    destination_cid: bytes = b""
    source_cid: bytes = b""
    token: bytes = b""
    versions: tuple[int, ...] = ()
    packet_number: int | None = None
    key_phase: int | None = None
    payload: Payload | None = None
    problem: str = ""
    needs_keys: bool = False
    remark: str = ""

    def walk(self) -> Iterator[Field]:
        """All fields of header and payload, in reading order."""
        for field in self.header + (self.payload.frames if self.payload else ()):
            yield from field.walk()


class Datagram(NamedTuple):
    """A datagram taken apart. number, time (seconds since 1970, 0: not known), addresses, ecn: as captured, if it was.

    remark: what is to be said of the whole, such as that the capture kept only a part of it.
    """

    number: int
    time: float
    source: Address | None
    destination: Address | None
    data: bytes
    packets: tuple[Packet, ...]
    remark: str = ""
    ecn: int = 0
