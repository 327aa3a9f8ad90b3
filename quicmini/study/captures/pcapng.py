"""pcapng: a file of blocks, those that tell of a section, of its interfaces, of secrets, and those with frames
(draft-ietf-opsawg-pcapng). Blocks of other types are passed over, as the format wants it."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from typing import NamedTuple

from quicmini.study.captures.capture import CapturedFrame, CaptureError, Remarks

__all__ = ["SECTION_HEADER", "PcapngFile"]

SECTION_HEADER = bytes.fromhex("0a0d0d0a")  # reads the same in both byte orders
_BYTE_ORDERS = {bytes.fromhex("4d3c2b1a"): "<", bytes.fromhex("1a2b3c4d"): ">"}

_SMALLEST_BLOCK = 12  # bytes: type, length, and the length again
_INTERFACE, _PACKET, _SIMPLE_PACKET, _ENHANCED_PACKET, _SECRETS = 1, 2, 3, 6, 10
_TLS_KEY_LOG = 0x544C534B
_OPTION_TIME_RESOLUTION, _OPTION_TIME_OFFSET = 9, 14


class _Interface(NamedTuple):
    """units: of a frame's time in a second. offset: seconds to add."""

    link_type: int
    snap_length: int
    units: int
    offset: int


class PcapngFile:
    """Iterates over the frames in order: None for one that has a number but cannot be read.

    secrets: key log texts, as far as the file has been read.
    """

    def __init__(self, data: bytes, remarks: Remarks) -> None:
        self.secrets: list[str] = []
        self._data = data
        self._remarks = remarks
        self._order = "<"
        self._interfaces: list[_Interface] = []

    def __iter__(self) -> Iterator[CapturedFrame | None]:
        """Raises CaptureError for a section header that cannot be read."""
        number = 0
        for kind, body in self._blocks():
            if kind == _INTERFACE:
                self._add_interface(body)
            elif kind == _SECRETS:
                self._add_secrets(body)
            elif kind in _FRAMES:
                number += 1
                yield self._frame(kind, body, number)

    def _blocks(self) -> Iterator[tuple[int, bytes]]:
        """Type and body of each block. A new section may change the byte order."""
        data, pos = self._data, 0
        while pos < len(data):
            is_section = data[pos : pos + 4] == SECTION_HEADER
            if is_section:
                self._begin_section(pos)
            if pos + _SMALLEST_BLOCK > len(data):
                self._remarks.end(f"the file ends within a block that begins at byte {pos}")
                return
            kind, length = struct.unpack_from(self._order + "II", data, pos)
            end = pos + length
            if length < _SMALLEST_BLOCK or length % 4:
                self._remarks.end(f"the file is damaged: the block at byte {pos} cannot have a length of {length}")
                return
            if end > len(data):
                self._remarks.end(f"the file ends within a block: {end - len(data)} bytes are missing")
                return
            if data[pos + 4 : pos + 8] != data[end - 4 : end]:
                self._remarks.end(f"the file is damaged: the block at byte {pos} does not end with its own length")
                return
            if not is_section:
                yield kind, data[pos + 8 : end - 4]
            pos = end

    def _begin_section(self, pos: int) -> None:
        data = self._data
        order = _BYTE_ORDERS.get(data[pos + 8 : pos + 12])
        if order is None or pos + 16 > len(data):
            raise CaptureError(f"the pcapng section at byte {pos} has no readable header")
        major, minor = struct.unpack_from(order + "HH", data, pos + 12)
        if major != 1:
            raise CaptureError(f"pcapng version {major}.{minor} is not known: version 1.0 is")
        self._order = order
        self._interfaces = []

    def _add_interface(self, body: bytes) -> None:
        if len(body) < 8:
            return  # frames that refer to it are remarked
        link_type, _, snap_length = struct.unpack_from(self._order + "HHI", body)
        units, offset = 1_000_000, 0
        for code, value in self._options(body, 8):
            if code == _OPTION_TIME_RESOLUTION and value:
                exponent = value[0] & 0x7F
                units = 2**exponent if value[0] & 0x80 else 10**exponent
            elif code == _OPTION_TIME_OFFSET and len(value) == 8:
                (offset,) = struct.unpack(self._order + "q", value)
        self._interfaces.append(_Interface(link_type, snap_length, units, offset))

    def _options(self, body: bytes, pos: int) -> Iterator[tuple[int, bytes]]:
        while pos + 4 <= len(body):
            code, length = struct.unpack_from(self._order + "HH", body, pos)
            if code == 0 or pos + 4 + length > len(body):
                return
            yield code, body[pos + 4 : pos + 4 + length]
            pos += 4 + length + -length % 4

    def _add_secrets(self, body: bytes) -> None:
        if len(body) < 8:
            return
        kind, length = struct.unpack_from(self._order + "II", body)
        if kind == _TLS_KEY_LOG:
            self.secrets.append(body[8 : 8 + length].decode("ascii", "replace"))

    def _frame(self, kind: int, body: bytes, number: int) -> CapturedFrame | None:
        try:
            interface_id, time, start, captured = _FRAMES[kind](self, body)
        except struct.error:
            self._remarks.add(number, "its block is too short")
            return None
        if interface_id >= len(self._interfaces):
            self._remarks.add(number, "it is of an interface that the file does not describe")
            return None
        interface = self._interfaces[interface_id]
        if kind == _SIMPLE_PACKET and interface.snap_length:
            captured = min(captured, interface.snap_length)
        seconds = 0.0 if time is None else time / interface.units + interface.offset
        return CapturedFrame(seconds, interface.link_type, body[start : start + captured])

    def _enhanced(self, body: bytes) -> tuple[int, int | None, int, int]:
        interface_id, high, low, captured = struct.unpack_from(self._order + "IIII", body)
        return interface_id, high << 32 | low, 20, captured

    def _obsolete(self, body: bytes) -> tuple[int, int | None, int, int]:
        interface_id, _drops, high, low, captured = struct.unpack_from(self._order + "HHIII", body)
        return interface_id, high << 32 | low, 20, captured

    def _simple(self, body: bytes) -> tuple[int, int | None, int, int]:
        (original,) = struct.unpack_from(self._order + "I", body)
        return 0, None, 4, original


# Block type -> a method that tells interface, time (None: not known), where the frame begins, and its length.
_FRAMES: dict[int, Callable[[PcapngFile, bytes], tuple[int, int | None, int, int]]] = {
    _PACKET: PcapngFile._obsolete,
    _SIMPLE_PACKET: PcapngFile._simple,
    _ENHANCED_PACKET: PcapngFile._enhanced,
}
