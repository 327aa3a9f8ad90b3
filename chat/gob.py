"""Go's `encoding/gob`: enough of it to read any value. `chat.gob_writing` writes one kind of struct.

The chat's messages travel as gobs, because its first client and server were Go programs. The format describes itself
(https://pkg.go.dev/encoding/gob, "Encoding Details"):

    gob        = message* with a *type definition* each, then one message with the *value*
    message    = length (uint), then that many bytes: type ID (int), then the content
                 a negative ID -n defines type n: the content is a `wireType` struct
                 a positive ID names the type of the value that follows
    uint       = below 128 one byte; else a byte that holds the negated count of bytes, then these, big-endian
    int        = a uint: the sign in the lowest bit, the other bits inverted if it is set
    string     = length (uint), then that many bytes
    struct     = (delta, value)*, 0: delta is how far the field number moved from the last one, which began as -1;
                 a field whose value is zero is left out

`wireType` is itself a struct of a known type, so type definitions are read and written by the code for values: see
`DEFINITIONS`. Nothing here trusts its input: anything but a gob raises `GobError`, the depth of nested values has a
limit, and every step of every loop consumes input, so the work is bounded by the bytes that there are.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from functools import lru_cache
from typing import NamedTuple, TypeAlias

__all__ = ["GobError", "Value", "count_messages", "decode"]

MAX_DEPTH = 64  # values inside values; Go's own limit for what it skips is 10,000, deeper than Python's stack
MAX_UINT_SIZE = 8  # bytes
MAX_KNOWN = 32  # type definitions that are read once, …
MAX_KNOWN_SIZE = 1024  # … of so many bytes at most
FIRST_USER_TYPE = 65  # the number that Go gives to a program's first type

Value: TypeAlias = "bool | int | float | complex | str | bytes | list[Value] | dict[str, Value] | None"


class GobError(ValueError):
    """The bytes are no gob, or not one that this module reads; the text says why."""


class Struct(NamedTuple):
    """A struct type: (name, type ID) of each field, in order."""

    fields: tuple[tuple[str, int], ...]


class Sequence(NamedTuple):
    """A slice or array type."""

    element: int


class Map(NamedTuple):
    """A map type; its values are read as a list: key, element, key, element …"""

    key: int
    element: int


class Opaque(NamedTuple):
    """A type with an encoding of its own (Go's GobEncoder and the like): bytes to us."""


Type: TypeAlias = Struct | Sequence | Map | Opaque

BOOL, INT, UINT, FLOAT, BYTES, STRING, COMPLEX, INTERFACE = range(1, 9)

# The types that describe types, with the numbers that Go gives them.
WIRE_TYPE, ARRAY, COMMON, SLICE, STRUCT, FIELD, FIELDS, MAP, ENCODER = range(16, 25)
DEFINITIONS: dict[int, Type] = {
    WIRE_TYPE: Struct(
        (
            ("ArrayT", ARRAY),
            ("SliceT", SLICE),
            ("StructT", STRUCT),
            ("MapT", MAP),
            ("GobEncoderT", ENCODER),
            ("BinaryMarshalerT", ENCODER),
            ("TextMarshalerT", ENCODER),
        )
    ),
    ARRAY: Struct((("CommonType", COMMON), ("Elem", INT), ("Len", INT))),
    COMMON: Struct((("Name", STRING), ("Id", INT))),
    SLICE: Struct((("CommonType", COMMON), ("Elem", INT))),
    STRUCT: Struct((("CommonType", COMMON), ("Field", FIELDS))),
    FIELD: Struct((("Name", STRING), ("Id", INT))),
    FIELDS: Sequence(FIELD),
    MAP: Struct((("CommonType", COMMON), ("Key", INT), ("Elem", INT))),
    ENCODER: Struct((("CommonType", COMMON),)),
}


class _Incomplete(Exception):
    """The data ends before the gob does."""


class Reader:
    """A cursor that reads one message after the other; nothing is read across the end of a message."""

    __slots__ = ("data", "limit", "pos", "stop")

    def __init__(self, data: bytes, limit: int | None = None) -> None:
        self.data = data
        self.limit = limit
        self.pos = 0
        self.stop = 0

    def next_message(self) -> None:
        """Go on to the next message; raises _Incomplete if it is not all there."""
        self.expect_end()
        self.stop = len(self.data)
        if self.pos == self.stop:
            raise _Incomplete
        first = self.data[self.pos]
        if first >= 0x80 and self.left <= min(0x100 - first, MAX_UINT_SIZE):
            raise _Incomplete
        length = self.uint()
        if self.limit is not None and self.pos + length > self.limit:
            raise GobError(f"a message of more than {self.limit} bytes")
        if length > self.left:
            raise _Incomplete
        self.stop = self.pos + length

    @property
    def left(self) -> int:
        return self.stop - self.pos

    def expect_end(self) -> None:
        if self.left:
            raise GobError(f"{self.left} bytes behind the end of a message")

    def take(self, count: int) -> bytes:
        if count > self.left:
            raise GobError(f"{count} bytes announced, {self.left} there")
        start = self.pos
        self.pos = start + count
        return self.data[start : self.pos]

    def uint(self) -> int:
        first = self.take(1)[0]
        if first < 0x80:
            return first
        size = 0x100 - first
        if size > MAX_UINT_SIZE:
            raise GobError(f"an integer of {size} bytes; {MAX_UINT_SIZE} is the most")
        return int.from_bytes(self.take(size), "big")

    def integer(self) -> int:
        number = self.uint()
        return ~(number >> 1) if number & 1 else number >> 1

    def real(self) -> float:
        """The bytes of a float64 are sent in reverse order as a uint: that makes round numbers short."""
        value: float = struct.unpack("<d", self.uint().to_bytes(8, "big"))[0]
        return value

    def blob(self) -> bytes:
        return self.take(self.uint())

    def string(self) -> str:
        return self.blob().decode("utf-8", "replace")

    def count(self) -> int:
        """How many elements follow: never more than bytes, as the smallest element takes one."""
        count = self.uint()
        if count > self.left:
            raise GobError(f"{count} elements announced, {self.left} bytes there")
        return count


_BASIC: dict[int, Callable[[Reader], Value]] = {
    BOOL: lambda reader: bool(reader.uint()),
    INT: Reader.integer,
    UINT: Reader.uint,
    FLOAT: Reader.real,
    BYTES: Reader.blob,
    STRING: Reader.string,
    COMPLEX: lambda reader: complex(reader.real(), reader.real()),
}


def decode(data: bytes, limit: int | None = None) -> tuple[Value, int] | None:
    """Read the gob at the start of `data`: its value and its length in bytes; None if `data` ends before it does.

    limit: bytes that it may have; one that announces more is refused before they are there. None: any number.

    A struct becomes a dict without its zero fields, a map a flat list. Go's strings may hold any bytes: what is no
    UTF-8 in them is replaced by U+FFFD. Raises GobError. Does not block.
    """
    reader = Reader(data, limit)
    types: dict[int, Type] = {}
    try:
        while True:
            reader.next_message()
            type_id = reader.integer()
            if type_id > 0:
                value = _decode_at_top(types, type_id, reader, 0)
                reader.expect_end()
                return value, reader.pos
            _check_new(types, -type_id)
            definition = reader.take(reader.left)
            known = len(definition) <= MAX_KNOWN_SIZE
            types[-type_id] = (_known_type if known else _defined_type)(-type_id, definition)
    except _Incomplete:
        return None


def count_messages(data: bytes, limit: int | None = None) -> int:
    """How many of a gob's messages are all there: only one more can make `decode` fare better than before.

    Raises GobError for one that announces more than the limit. Does not block.
    """
    reader = Reader(data, limit)
    count = 0
    try:
        while True:
            reader.next_message()
            reader.pos = reader.stop
            count += 1
    except _Incomplete:
        return count


def _decode_at_top(types: dict[int, Type], type_id: int, reader: Reader, depth: int) -> Value:
    """A value that comes right behind its type ID: what is no struct has a zero byte before it."""
    if not isinstance(types.get(type_id), Struct) and reader.take(1) != b"\0":
        raise GobError(f"a value of type {type_id} without the zero byte before it")
    return _decode_value(types, type_id, reader, depth)


def _decode_value(types: dict[int, Type], type_id: int, reader: Reader, depth: int) -> Value:
    if basic := _BASIC.get(type_id):
        return basic(reader)
    if depth == MAX_DEPTH:
        raise GobError(f"values nested deeper than {MAX_DEPTH}")
    depth += 1
    if type_id == INTERFACE:
        return _decode_interface(types, reader, depth)
    match types.get(type_id):
        case Struct(fields):
            return _decode_struct(types, fields, reader, depth)
        case Sequence(element):
            return [_decode_value(types, element, reader, depth) for _ in range(reader.count())]
        case Map(key, element):
            kinds = (key, element)
            return [_decode_value(types, kind, reader, depth) for _ in range(reader.count()) for kind in kinds]
        case Opaque():
            return reader.blob()
        case None:
            raise GobError(f"type {type_id} is not defined")


def _decode_struct(
    types: dict[int, Type], fields: tuple[tuple[str, int], ...], reader: Reader, depth: int
) -> dict[str, Value]:
    values: dict[str, Value] = {}
    number = -1
    while delta := reader.uint():
        number += delta
        if number >= len(fields):
            raise GobError(f"field {number} of a struct of {len(fields)} fields")
        name, type_id = fields[number]
        values[name] = _decode_value(types, type_id, reader, depth)
    return values


def _decode_interface(types: dict[int, Type], reader: Reader, depth: int) -> Value:
    """A value of any type: the type's name (none: nil), its ID, the value's length, the value.

    Where Go meets a type that it has not defined yet, it sends the definition here: that ends the message, and the
    value goes on in the next one; inside another interface only a length stands between.
    """
    if not reader.blob():
        return None
    while (type_id := reader.integer()) <= 0:
        _define(types, -type_id, reader)
        if reader.left:
            reader.uint()
        else:
            reader.next_message()
    reader.uint()
    return _decode_at_top(types, type_id, reader, depth)


def _define(types: dict[int, Type], type_id: int, reader: Reader) -> None:
    """Read a type definition into `types`."""
    _check_new(types, type_id)
    types[type_id] = _read_type(type_id, reader)


def _check_new(types: dict[int, Type], type_id: int) -> None:
    if type_id in types or type_id <= INTERFACE:
        raise GobError(f"type {type_id} cannot be defined, or not again")


def _defined_type(type_id: int, definition: bytes) -> Type:
    """The type that these bytes define, and nothing else."""
    reader = Reader(definition)
    reader.stop = len(definition)
    defined = _read_type(type_id, reader)
    reader.expect_end()
    return defined


# A chat's messages all begin with the same definition: to read it each time is most of the work.
_known_type = lru_cache(MAX_KNOWN)(_defined_type)


def _read_type(type_id: int, reader: Reader) -> Type:
    match _decode_value(DEFINITIONS, WIRE_TYPE, reader, 0):
        case {"StructT": dict(described)}:
            return Struct(_struct_fields(described.get("Field", [])))
        case {"SliceT": dict(described)} | {"ArrayT": dict(described)}:
            return Sequence(_type_id(described, "Elem"))
        case {"MapT": dict(described)}:
            return Map(_type_id(described, "Key"), _type_id(described, "Elem"))
        case {"GobEncoderT": _} | {"BinaryMarshalerT": _} | {"TextMarshalerT": _}:
            return Opaque()
        case _:
            raise GobError(f"type {type_id} is of no known kind")


def _struct_fields(described: Value) -> tuple[tuple[str, int], ...]:
    fields: dict[str, int] = {}
    for field in described if isinstance(described, list) else []:
        match field:
            case {"Name": str(name), "Id": int(type_id)} if name not in fields:
                fields[name] = type_id
            case _:
                raise GobError(f"a struct type with a field that is no field: {field!r}")
    return tuple(fields.items())


def _type_id(described: dict[str, Value], name: str) -> int:
    type_id = described.get(name)
    if not isinstance(type_id, int):
        raise GobError(f"a type definition without {name}")
    return type_id
