"""Datagrams taken apart, as lines for people: a field a line, its offset, bytes, name, meaning, and RFC section."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from textwrap import wrap

from quicmini.study.dissection.packets import Address, Datagram, Packet
from quicmini.study.fields import Field
from quicmini.study.terminal import WIDTH, Ink
from quicmini.study.texts import bytes_text
from quicmini.study.versions import version_name
from quicmini.wire.packet import PacketType

__all__ = ["datagram_lines"]

_BYTES_SHOWN = 8
_ECN_NAMES = ("", "ECT(1)", "ECT(0)", "CE")
_OFFSET_WIDTH = 6
_RAW_WIDTH = 2 * _BYTES_SHOWN + 1
_NAME_AT = _OFFSET_WIDTH + 2 + _RAW_WIDTH + 1
_VALUE_AT = _NAME_AT + 29
_SECTION_WIDTH = 19  # with the space before it: as long as "RFC 9846 §4.3.11.2"


def datagram_lines(datagram: Datagram, ink: Ink, first_time: float) -> Iterator[str]:
    """All of a datagram. first_time: of the first one, from which time counts."""
    parts = [f"Datagram {datagram.number}"]
    if datagram.time:
        parts.append(f"{datagram.time - first_time:.6f} s")
    if datagram.source and datagram.destination:
        parts.append(f"{_address(datagram.source)} → {_address(datagram.destination)}")
    parts.append(bytes_text(len(datagram.data)))
    if datagram.ecn:
        parts.append(_ECN_NAMES[datagram.ecn])
    yield ink("title", ", ".join(parts))
    if datagram.remark:
        yield f"  {ink('bad', datagram.remark)}"
    for packet in datagram.packets:
        yield from _packet_lines(packet, ink)


def _address(address: Address) -> str:
    host, port = address
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _packet_lines(packet: Packet, ink: Ink) -> Iterator[str]:
    yield from _packet_title(packet, ink)
    for line in _lines(packet.remark):
        yield f"    {line}"
    yield from _field_lines(packet.header, ink)
    for line in _lines(f"not opened: {packet.problem}" if packet.problem else ""):
        yield f"    {ink('bad', line)}"
    payload = packet.payload
    if payload is None:
        return
    for line in _lines(f"decrypted payload, {bytes_text(len(payload.data))} ({payload.keys})"):
        yield f"    {ink('title', line)}"
    yield from _field_lines(payload.frames, ink)
    if payload.waiting:
        yield f"    {ink('faint', payload.waiting)}"
    for message in payload.messages:
        whole = f"bytes {message.offset} to {message.end - 1} of the CRYPTO stream"
        yield f"    {ink('title', f'TLS message, complete now: {whole}')}"
        yield from _field_lines([message], ink)


def _packet_title(packet: Packet, ink: Ink) -> Iterator[str]:
    """Its name and number, and what is known of its journey; more than one line only where numbers are huge."""
    title = packet.name if packet.packet_number is None else f"{packet.name} {packet.packet_number}"
    parts = [f"{title}: bytes {packet.offset} to {packet.offset + len(packet.raw) - 1}"]
    if packet.version and packet.packet_type not in (None, PacketType.ONE_RTT):  # a short header has none
        parts.append(version_name(packet.version))
    if packet.key_phase is not None:
        parts.append(f"key phase {packet.key_phase}")
    if packet.connection is not None:
        parts.append(f"connection {packet.connection}")
    if packet.to_server is not None:
        parts.append("from the client" if packet.to_server else "from the server")
    first, *more = _lines(", ".join([*parts, packet.section]))
    side = "title" if packet.to_server is None else "client" if packet.to_server else "server"
    yield f"  {ink(side, first[: len(title)])}{first[len(title) :]}"
    for line in more:
        yield f"    {line}"


def _field_lines(fields: Iterable[Field], ink: Ink, depth: int = 0) -> Iterator[str]:
    for field in fields:
        yield from _field(field, ink, depth)
        yield from _field_lines(field.children, ink, depth + 1)


def _field(field: Field, ink: Ink, depth: int) -> Iterator[str]:
    raw = field.raw[:_BYTES_SHOWN].hex() + ("…" if len(field.raw) > _BYTES_SHOWN else "")
    value = field.value if field.value != raw else ""
    name = "  " * depth + field.name
    name_width = max(_VALUE_AT - _NAME_AT, len(name) + 1)
    room = WIDTH - _NAME_AT - name_width - (_SECTION_WIDTH if field.section else 0)
    first, *more = _wrapped(value, room)
    what = "bad" if field.name == "unreadable" else "value"
    line = (
        f"{ink('faint', f'{field.offset:>{_OFFSET_WIDTH}}  {raw:<{_RAW_WIDTH}}')} "
        f"{ink('name', f'{name:<{name_width}}')}{ink(what, f'{first:<{room}}')}"
    )
    yield f"{line} {ink('faint', field.section)}" if field.section else line.rstrip()
    for each in more:
        yield " " * _VALUE_AT + ink(what, each)


def _lines(text: str) -> list[str]:
    """None if there is no text. Most need no wrapping, which is slow."""
    return [text] if 0 < len(text) <= WIDTH - 4 else wrap(text, WIDTH - 4)


def _wrapped(value: str, room: int) -> list[str]:
    """In a first line of `room` columns, and more from `_VALUE_AT` on to the right edge."""
    if len(value) <= room:
        return [value]
    width = WIDTH - _VALUE_AT
    lines = wrap(value, width, initial_indent="\0" * max(0, width - room))
    return [lines[0].lstrip("\0"), *lines[1:]]
