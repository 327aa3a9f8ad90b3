"""Packet headers as fields, as far as they can be read without keys (RFC 9000 §17, RFC 8999 §5, RFC 9369 §3)."""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

from quicmini.study.dissection.frame_fields import PACKET_NAMES
from quicmini.study.field_reader import FieldReader, Unreadable
from quicmini.study.fields import Field, unreadable
from quicmini.study.texts import bytes_text, shown_bytes
from quicmini.study.versions import version_name
from quicmini.wire.packet import MAX_CID_LENGTH, VERSION_1, VERSION_2, PacketType

__all__ = ["Header", "first_byte_field", "read_header", "read_short_header"]

_RETRY_TAG_LENGTH = 16

# The type bits of a long header (RFC 9000 §17.2 Table 5, RFC 9369 §3.2).
_I, _0, _H, _R = PacketType.INITIAL, PacketType.ZERO_RTT, PacketType.HANDSHAKE, PacketType.RETRY
_TYPES = {VERSION_1: (_I, _0, _H, _R), VERSION_2: (_R, _I, _0, _H)}

SECTIONS = {
    PacketType.VERSION_NEGOTIATION: "RFC 9000 §17.2.1",
    PacketType.INITIAL: "RFC 9000 §17.2.2",
    PacketType.ZERO_RTT: "RFC 9000 §17.2.3",
    PacketType.HANDSHAKE: "RFC 9000 §17.2.4",
    PacketType.RETRY: "RFC 9000 §17.2.5",
    PacketType.ONE_RTT: "RFC 9000 §17.3.1",
    None: "RFC 8999 §5.1",
}


class Header(NamedTuple):
    """What stands in front of what is protected.

    packet_type: None if the version is not spoken here, or the header ends too early to tell. pn_offset: where the
    protected packet number starts, 0 if there is none. end: where the packet ends. Both from the start of the
    datagram. problem: why the header could not be read to its end; "" if it was. tag: of a Retry packet.
    """

    packet_type: PacketType | None
    name: str
    fields: tuple[Field, ...]
    end: int
    version: int = 0
    destination_cid: bytes = b""
    source_cid: bytes = b""
    token: bytes = b""
    tag: bytes = b""
    versions: tuple[int, ...] = ()
    pn_offset: int = 0
    problem: str = ""

    @property
    def section(self) -> str:
        """Where the RFC draws this packet."""
        return SECTIONS[self.packet_type]

    @property
    def is_long(self) -> bool:
        """Whether it has a version and two connection IDs."""
        return self.packet_type is not PacketType.ONE_RTT


class _Bits(NamedTuple):
    """A field of the first byte: its mask, and what its values mean."""

    name: str
    mask: int
    meanings: tuple[str, ...] = ()
    protected: bool = False


_FORM = _Bits("Header Form", 0x80, ("short", "long"))
_FIXED = _Bits("Fixed Bit", 0x40)
_RESERVED_LONG = _Bits("Reserved Bits", 0x0C, protected=True)
_PN_LENGTH = _Bits("Packet Number Length", 0x03, tuple(bytes_text(n) for n in (1, 2, 3, 4)), protected=True)

_SHORT = (
    _FORM, _FIXED, _Bits("Spin Bit", 0x20), _Bits("Reserved Bits", 0x18, protected=True),
    _Bits("Key Phase", 0x04, protected=True), _PN_LENGTH,
)  # fmt: skip


def _first_byte_bits(packet_type: PacketType | None, version: int) -> tuple[_Bits, ...]:
    if packet_type is PacketType.ONE_RTT:
        return _SHORT
    if packet_type is None:  # all that is the same in every version
        return _FORM, _Bits("Version-Specific Bits", 0x7F)
    if packet_type is PacketType.VERSION_NEGOTIATION:
        return _FORM, _Bits("Unused", 0x7F)
    kind = _Bits("Long Packet Type", 0x30, tuple(PACKET_NAMES[each] for each in _TYPES[version]))
    if packet_type is PacketType.RETRY:
        return _FORM, _FIXED, kind, _Bits("Unused", 0x0F)
    return _FORM, _FIXED, kind, _RESERVED_LONG, _PN_LENGTH


@lru_cache(maxsize=1024)  # much the same for all packets of a connection, and six fields each time
def first_byte_field(
    packet_type: PacketType | None, version: int, offset: int, on_wire: int, unmasked: int | None = None
) -> Field:
    """The first byte, each group of its bits a child. unmasked: without header protection, None: not known."""
    first = on_wire if unmasked is None else unmasked
    section = SECTIONS[packet_type]
    raw = bytes((first,))
    children = []
    for bits in _first_byte_bits(packet_type, version):
        drawn = _drawn(first, bits.mask)
        shift = (bits.mask & -bits.mask).bit_length() - 1
        number = (first & bits.mask) >> shift
        meaning = bits.meanings[number] if bits.meanings else str(number)
        if bits.protected and unmasked is None:
            meaning = "protected"
        children.append(Field(bits.name, offset, raw, f"{drawn} {meaning}", section))
    value = "" if unmasked is None or unmasked == on_wire else f"{on_wire:02x} on the wire"
    return Field("first byte", offset, raw, value, section, tuple(children))


def _drawn(byte: int, mask: int) -> str:
    bits = "".join("." if not mask >> at & 1 else str(byte >> at & 1) for at in range(7, -1, -1))
    return f"{bits[:4]} {bits[4:]}"


def read_header(datagram: bytes, start: int) -> Header:
    """The long header at `start`, to its end or to where it breaks off. Never raises."""
    reader = FieldReader(datagram, start + 1, section=SECTIONS[None])
    header = Header(None, "long header", (), len(datagram))
    try:
        header = _read_invariants(reader, header, datagram[start])
        reader.section = header.section
        header = _READERS[header.packet_type](reader, header)
    except Unreadable as error:
        reader.fields.append(unreadable(reader.position, datagram[reader.position :], str(error)))
        header = header._replace(problem=str(error))
    first = first_byte_field(header.packet_type, header.version, start, datagram[start])
    return header._replace(fields=(first, *reader.fields))


def _read_invariants(reader: FieldReader, header: Header, first_byte: int) -> Header:
    """What is the same in all versions (RFC 8999 §5.1)."""
    version = reader.number("Version", 4, show=version_name)
    cids = []
    for whose in "Destination", "Source":
        length = reader.number(f"{whose} Connection ID Length", 1, show=bytes_text)
        cids.append(reader.octets(f"{whose} Connection ID", length, show=bytes.hex))
    packet_type = _type_of(first_byte, version)
    if packet_type in (_I, _0, _H, _R) and max(map(len, cids)) > MAX_CID_LENGTH:
        reader.fail("not valid: a connection ID is longer than 20 bytes (RFC 9000 §17.2)")
    name = f"version {version:#010x}" if packet_type is None else PACKET_NAMES[packet_type]
    return header._replace(
        packet_type=packet_type, name=name, version=version, destination_cid=cids[0], source_cid=cids[1]
    )


def _type_of(first_byte: int, version: int) -> PacketType | None:
    if version == 0:
        return PacketType.VERSION_NEGOTIATION
    types = _TYPES.get(version)
    return types[first_byte >> 4 & 0x03] if types else None


def _read_unknown(reader: FieldReader, header: Header) -> Header:
    reader.rest("Version-Specific Data", show=shown_bytes)
    return header


def _read_versions(reader: FieldReader, header: Header) -> Header:
    versions = [reader.number("Supported Version", 4, show=version_name)]
    while reader.left:
        versions.append(reader.number("Supported Version", 4, show=version_name))
    return header._replace(versions=tuple(versions))


def _read_retry(reader: FieldReader, header: Header) -> Header:
    length = reader.left - _RETRY_TAG_LENGTH
    if length < 1:
        reader.fail("truncated: no room for a Retry Token and the Retry Integrity Tag of 16 bytes")
    token = reader.octets("Retry Token", length, show=bytes_of)
    tag = reader.octets("Retry Integrity Tag", _RETRY_TAG_LENGTH, section="RFC 9001 §5.8")
    return header._replace(token=token, tag=tag)


def bytes_of(data: bytes) -> str:
    """How many bytes, for values that mean something to their maker only."""
    return bytes_text(len(data))


def _read_initial(reader: FieldReader, header: Header) -> Header:
    token = reader.octets("Token", reader.varint("Token Length", show=bytes_text), show=bytes_of)
    return _read_protected(reader, header._replace(token=token))


def _read_protected(reader: FieldReader, header: Header) -> Header:
    length = reader.varint("Length", show=bytes_text)
    pn_offset, left = reader.position, reader.left
    problem = f"truncated: the Length field says {length} bytes, {left} are left" if length > left else ""
    return header._replace(pn_offset=pn_offset, end=pn_offset + min(length, left), problem=problem)


_READERS = {
    None: _read_unknown,
    PacketType.VERSION_NEGOTIATION: _read_versions,
    PacketType.RETRY: _read_retry,
    PacketType.INITIAL: _read_initial,
    PacketType.ZERO_RTT: _read_protected,
    PacketType.HANDSHAKE: _read_protected,
}


def read_short_header(datagram: bytes, start: int, cid_length: int) -> Header:
    """The short header at `start`; its packet takes all the rest (RFC 9000 §12.2). Never raises.

    cid_length: bytes of the Destination Connection ID. The header does not tell: it is known from the handshake.
    """
    kind = PacketType.ONE_RTT
    reader = FieldReader(datagram, start + 1, section=SECTIONS[kind])
    header = Header(kind, PACKET_NAMES[kind], (), len(datagram))
    try:
        cid = reader.octets("Destination Connection ID", cid_length, show=bytes.hex)
        header = header._replace(destination_cid=cid, pn_offset=reader.position)
    except Unreadable as error:
        reader.fields.append(unreadable(reader.position, datagram[reader.position :], str(error)))
        header = header._replace(problem=str(error))
    return header._replace(fields=(first_byte_field(kind, 0, start, datagram[start]), *reader.fields))
