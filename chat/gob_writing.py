"""Writes a struct as Go's `encoding/gob` does, byte for byte; `chat.gob` describes the format."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache

from chat.gob import DEFINITIONS, FIRST_USER_TYPE, INT, STRING, WIRE_TYPE, Sequence, Struct, Type

__all__ = ["encode_struct"]

MAX_TYPES = 16  # struct types whose definition is kept: a program has a few


def encode_struct(type_name: str, fields: Mapping[str, str | int]) -> bytes:
    """The gob of a struct `type_name`: what Go writes for its program's first type, its fields being string and int.

    The fields come in the order of `fields`, which names all of them: of one whose value is zero only the definition is
    written. Lone surrogates, which UTF-8 cannot carry, become question marks.
    """
    types = tuple((name, INT if isinstance(value, int) else STRING) for name, value in fields.items())
    value = _encode_int(FIRST_USER_TYPE) + _encode_struct({}, types, fields)
    return _definition(type_name, types) + _encode_bytes(value)


@lru_cache(MAX_TYPES)
def _definition(type_name: str, fields: tuple[tuple[str, int], ...]) -> bytes:
    """The message that defines the type. It is the same for every value, so it is made once."""
    described = {
        "StructT": {
            "CommonType": {"Name": type_name, "Id": FIRST_USER_TYPE},
            "Field": [{"Name": name, "Id": type_id} for name, type_id in fields],
        }
    }
    return _encode_bytes(_encode_int(-FIRST_USER_TYPE) + _encode_value(DEFINITIONS, WIRE_TYPE, described))


def _encode_value(types: dict[int, Type], type_id: int, value: object) -> bytes:
    match types.get(type_id), value:
        case Struct(fields), dict(values):
            return _encode_struct(types, fields, values)
        case Sequence(element), list(elements):
            return _encode_uint(len(elements)) + b"".join(_encode_value(types, element, each) for each in elements)
        case None, str(text):
            return _encode_bytes(text.encode("utf-8", "replace"))
        case None, int(number):
            return _encode_int(number)
    raise TypeError(f"type {type_id} is not for {value!r}")


def _encode_struct(types: dict[int, Type], fields: tuple[tuple[str, int], ...], values: Mapping[str, object]) -> bytes:
    parts = []
    last = -1
    for number, (name, type_id) in enumerate(fields):
        if value := values.get(name):
            parts += [_encode_uint(number - last), _encode_value(types, type_id, value)]
            last = number
    return b"".join(parts) + b"\0"


def _encode_uint(number: int) -> bytes:
    if number < 0x80:
        return bytes([number])
    size = (number.bit_length() + 7) // 8
    return bytes([0x100 - size]) + number.to_bytes(size, "big")


def _encode_int(number: int) -> bytes:
    return _encode_uint(~number << 1 | 1 if number < 0 else number << 1)


def _encode_bytes(data: bytes) -> bytes:
    return _encode_uint(len(data)) + data
