"""What is read from a bus is what one of our servers would write, or it is refused."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chat.message import Kind, Message
from chat.server.bus_format import (
    BEGINNING,
    MAX_PAYLOAD_SIZE,
    MAX_PEOPLE,
    MAX_PEOPLE_SIZE,
    decode_entry,
    decode_people,
    encode_entry,
    encode_people,
    position_of,
)
from chat.server.history import Entry
from chat.server.others import Person

ADA, BOB = "a" * 16, "b" * 16
SAID = Entry(Message("Ada", "hello", f"{ADA}-7", 1_700_000_000_000, Kind.SAY, "lobby"), ADA)
TO_ONE = Entry(Message("Ada", "psst", f"{ADA}-8", 1, Kind.MSG, "", "Bob"), ADA, BOB)
PERSON = Person(ADA, "Ada", "lobby", 5, True)


@pytest.mark.parametrize("entry", [SAID, TO_ONE])
def test_a_message_comes_as_it_went(entry: Entry) -> None:
    position = position_of(b"12-3")
    assert decode_entry(encode_entry(entry, BEGINNING), position) == (entry, position, BEGINNING)


def test_the_longest_message_fits() -> None:
    """A control character takes six bytes."""
    longest = SAID._replace(message=SAID.message._replace(text="\0" * 65_000))
    assert len(encode_entry(longest, BEGINNING)) < MAX_PAYLOAD_SIZE
    assert decode_entry(encode_entry(longest, BEGINNING), BEGINNING).entry == longest


def changed(part: int, index: int, value: Any) -> bytes:
    fields = json.loads(encode_entry(SAID, BEGINNING))
    fields[part][index] = value
    return json.dumps(fields).encode()


@pytest.mark.parametrize(
    "payload",
    [
        *(b"", b"\xff", b"{}", b"[" * 10_000, b"[[], []]", b"1" * 5000, b" " * (MAX_PAYLOAD_SIZE + 1)),
        *(changed(0, 0, "x"), changed(0, 0, f"{BOB}-7"), changed(0, 0, f"{ADA}-{'9' * 19}"), changed(0, 1, "1")),
        *(changed(0, 1, -1), changed(0, 1, 10**30), changed(0, 1, 1.5), changed(0, 2, "hello"), changed(0, 2, None)),
        *(changed(0, 2, "msg"), changed(0, 3, ""), changed(0, 3, "Lobby"), changed(0, 3, "x" * 33)),
        *(changed(0, 4, "x" * 33), changed(0, 4, " "), changed(0, 4, "\x1b[0m"), changed(0, 5, "\n")),
        *(changed(0, 6, "x" * 66_000), changed(0, 6, "\ud800"), changed(0, 6, 1)),
        *(changed(1, 0, "a"), changed(1, 0, BOB), changed(1, 1, BOB), changed(1, 2, "0-0"), changed(1, 2, 0)),
    ],
)
def test_what_nobody_of_ours_would_say_is_refused(payload: bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        decode_entry(payload, BEGINNING)


@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    for decode in (lambda: decode_entry(data, BEGINNING), lambda: decode_people(data), lambda: position_of(data)):
        try:
            decode()
        except ValueError:
            pass


def test_positions_are_in_the_order_of_their_ids() -> None:
    ids = [b"0-0", b"0-1", b"9-0", b"10-0", b"10-2", b"10-10", b"18446744073709551615-18446744073709551615"]
    positions = [position_of(id) for id in ids]
    assert positions == sorted(positions)
    assert positions[0] == BEGINNING


@pytest.mark.parametrize("id", [b"", b"1", b"1-", b"a-1", b"1-1-1", "١-١".encode(), b"1" * 21 + b"-1"])
def test_what_is_no_id_is_no_position(id: bytes) -> None:
    with pytest.raises(ValueError, match="no place in a stream"):
        position_of(id)


def test_people_come_as_they_went() -> None:
    people = [PERSON, PERSON._replace(id=BOB, nickname="Bob", present=False)]
    assert decode_people(encode_people(people)) == people


def test_of_too_many_people_those_who_are_there_come_first() -> None:
    """Also when all their names are as long as they can be."""
    away = [PERSON._replace(present=False)]
    here = [
        Person(f"{n:016x}", f"{n:0>26}\N{GRINNING FACE}{'é' * 5}", "é" * 32, 2**52, True) for n in range(MAX_PEOPLE)
    ]
    data = encode_people(away + here)
    assert len(data) <= MAX_PEOPLE_SIZE
    assert decode_people(data) == here


@pytest.mark.parametrize(
    "people",
    [
        *({}, [1], [[]], [[*PERSON, 1]], [[*PERSON]] * (MAX_PEOPLE + 1)),
        *([["x", *PERSON[1:]]], [[ADA, "", *PERSON[2:]]], [[ADA, "Server", *PERSON[2:]]], [[*PERSON[:4], 1]]),
        *([[ADA, "Ada", "Lobby", 1, True]], [[ADA, "Ada", "lobby", -1, True]], [[ADA, "a\u202eb", "lobby", 1, True]]),
    ],
)
def test_people_who_cannot_be_are_refused(people: Any) -> None:
    with pytest.raises(ValueError, match=r"."):
        decode_people(json.dumps(people).encode())
