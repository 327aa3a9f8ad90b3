"""What servers tell each other over a bus, as JSON. Whatever is read there is checked and bounded."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from typing import Any, NamedTuple

from chat.message import SPOKEN, Kind, Message
from chat.server.client import simple_form
from chat.server.history import Entry
from chat.server.others import Person
from chat.server.rooms import room_key
from chat.text import RESERVED_NAMES, check_name, name_key

__all__ = [
    "BEGINNING",
    "MAX_PAYLOAD_SIZE",
    "MAX_PEOPLE",
    "MAX_PEOPLE_SIZE",
    "Relayed",
    "decode_entry",
    "decode_people",
    "encode_entry",
    "encode_people",
    "position_of",
]

MAX_PAYLOAD_SIZE = 512 * 1024  # bytes of one message: 64 KiB of text, of which JSON may write a byte as six
MAX_PEOPLE = 4096  # of one server; the rest is not heard of
MAX_PEOPLE_SIZE = 2 * 1024 * 1024  # bytes in which one server tells of its people
MAX_TIME = 1 << 53  # milliseconds, or anything else that JSON calls a number

BEGINNING = f"{0:020d}-{0:020d}"  # the position before all others

_STREAM_ID = re.compile(r"([0-9]{1,20})-([0-9]{1,20})")
_POSITION = re.compile(r"[0-9]{20}-[0-9]{20}")
_SENDER = re.compile(r"[0-9a-f]{16}")
_ID = re.compile(r"([0-9a-f]{16})-[0-9]{1,18}")


class Relayed(NamedTuple):
    """A message from the bus. position: where it was there. since: up to where its server had read when it was said.

    Positions are ordered as texts.
    """

    entry: Entry
    position: str
    since: str


def position_of(stream_id: bytes) -> str:
    """The position of what has an id in a stream of Redis. Raises ValueError for what is none."""
    match = _STREAM_ID.fullmatch(stream_id.decode("ascii", "replace"))
    if match is None:
        raise ValueError(f"{stream_id[:64]!r} is no place in a stream")
    return f"{int(match[1]):020d}-{int(match[2]):020d}"


def encode_entry(entry: Entry, since: str) -> bytes:
    """What was said, for the other servers."""
    message = entry.message
    return _dump(
        [
            [message.id, message.time, message.kind, message.room, message.nickname, message.recipient, message.text],
            [entry.sender, entry.addressee, since],
        ]
    )


def decode_entry(payload: bytes, position: str) -> Relayed:
    """What another server has said. Raises ValueError, with a sentence, for what none of ours would say."""
    if len(payload) > MAX_PAYLOAD_SIZE:
        raise ValueError(f"a message of more than {MAX_PAYLOAD_SIZE} bytes")
    match _load(payload):
        case [
            [str(id), int(time), str(kind), str(room), str(nickname), str(recipient), str(text)],
            [str(sender), str(addressee), str(since)],
        ]:
            pass
        case _:
            raise ValueError("no message")
    parts = _ID.fullmatch(id)
    to_one = kind == Kind.MSG
    if not (
        parts
        and parts[1] == sender
        and kind in SPOKEN
        and 0 <= time < MAX_TIME
        and _POSITION.fullmatch(since)
        and (_SENDER.fullmatch(addressee) if to_one else not addressee)
        and (not room if to_one else room and room_key(room) == room)
    ):
        raise ValueError("a message that contradicts itself")
    if nickname:
        check_name(nickname)
    if recipient:
        check_name(recipient)
    text.encode()  # raises ValueError for half a surrogate pair, which JSON can write
    message = Message(nickname, text, id, time, kind, room, recipient)
    simple_form(message).encode()
    return Relayed(Entry(message, sender, addressee), position, since)


def encode_people(people: Iterable[Person]) -> bytes:
    """Who is on this server: those who are present first, and MAX_PEOPLE at most."""
    ordered = sorted(people, key=lambda person: (not person.present, person.since))
    return _dump([list(person) for person in ordered[:MAX_PEOPLE]])


def decode_people(data: bytes) -> list[Person]:
    """Who is on another server. Raises ValueError, with a sentence, if it is not told as one of ours would."""
    people = _load(data)
    if not isinstance(people, list) or len(people) > MAX_PEOPLE:
        raise ValueError("no list of people")
    return [_person(each) for each in people]


def _person(fields: object) -> Person:
    match fields:
        case [str(id), str(nickname), str(room), int(since), bool(present)]:
            pass
        case _:
            raise ValueError("no list of people")
    if not _SENDER.fullmatch(id) or not 0 <= since < MAX_TIME or room_key(room) != room:
        raise ValueError("somebody who cannot be")
    if name_key(check_name(nickname)) in RESERVED_NAMES:
        raise ValueError("somebody with a name that nobody can have")
    return Person(id, nickname, room, since, present)


def _dump(value: object) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


def _load(data: bytes) -> Any:
    try:
        return json.loads(data.decode())
    except RecursionError:
        raise ValueError("no JSON of ours: too deep") from None
