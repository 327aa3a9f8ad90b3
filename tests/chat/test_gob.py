"""Go's own bytes, both ways (gob.json), and what Go writes for structs of other shapes (gob_foreign.json)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chat.gob import MAX_DEPTH, GobError, Value, decode
from chat.gob_writing import encode_struct

GO = json.loads(Path(__file__).with_name("gob.json").read_text())
FOREIGN = json.loads(Path(__file__).with_name("gob_foreign.json").read_text())
GOBS = [bytes.fromhex(case["gob"]) for case in [*GO, *FOREIGN]]

DEFINITION = GOBS[0][:0x2C]  # of Go's Message{Nickname, Text}, type 65
TYPE = b"\xff\x82"  # 65


def message(*parts: bytes) -> bytes:
    """One message of a gob, its length before it; for tests below 128 bytes."""
    content = b"".join(parts)
    return bytes([len(content)]) + content


def slice_definition(type_id: int, element: int) -> bytes:
    """A type definition with one-byte numbers: type IDs below 64."""
    return message(bytes([type_id * 2 - 1, 2, 2, element * 2, 0, 0]))


@pytest.mark.parametrize("case", GO, ids=lambda case: repr(case["nickname"]))
class TestGoesBytes:
    def test_read(self, case: dict[str, str]) -> None:
        raw = bytes.fromhex(case["gob"])
        expected = {"Nickname": case["nickname"], "Text": case["text"]}
        assert decode(raw) == ({name: text for name, text in expected.items() if text}, len(raw))

    def test_written(self, case: dict[str, str]) -> None:
        fields = {"Nickname": case["nickname"], "Text": case["text"]}
        assert encode_struct("Message", fields) == bytes.fromhex(case["gob"])

    def test_a_part_is_no_gob_yet(self, case: dict[str, str]) -> None:
        raw = bytes.fromhex(case["gob"])
        assert [decode(raw[:length]) for length in range(len(raw))] == [None] * len(raw)


def test_every_kind_of_field_is_read() -> None:
    values = {case["note"]: decode(bytes.fromhex(case["gob"])) for case in FOREIGN}

    def fields(note: str) -> dict[str, Value]:
        decoded = values[note]
        assert decoded is not None
        value, _ = decoded
        assert isinstance(value, dict)
        return value

    basic = fields("unknown fields of every basic type")
    assert basic["Age"] == 70
    assert basic["Neg"] == -(2**63)
    assert basic["U"] == 2**64 - 1
    assert basic["F"] == -2.5
    assert basic["Ok"] is True
    assert basic["C"] == 1 - 2j
    assert basic["Raw"] == b"\x00\xff"
    inner = {"A": -7, "B": ["x", "y", ""], "C": ["pi", 3.14]}
    nested = fields("unknown nested structs, slices, arrays, maps")
    assert nested["Nested"] == nested["Ptr"] == inner
    assert nested["List"] == [inner, {}, inner]
    assert nested["Arr"] == [1, 0, -1]
    assert nested["M"] == [-5, inner]
    assert fields("unknown recursive type")["Tree"] == {"Name": "a", "Next": {"Name": "b"}, "Kids": [{"Name": "c"}, {}]}
    assert fields("unknown interface: struct")["Any"] == {"X": 3, "Y": -4}
    assert fields("unknown interface: string")["Any"] == "boo"
    assert fields("unknown interface: map of interfaces")["Any"] == ["p", {"X": 1, "Y": 2}]
    assert fields("unknown interface: slice of interfaces")["Any"] == [{"X": 1, "Y": 2}, "s", None, 5]
    assert isinstance(fields("unknown types with encoders of their own")["When"], bytes)


def test_only_the_first_value_is_read() -> None:
    assert decode(GOBS[0] + GOBS[1]) == ({"Nickname": "Cave Johnson", "Text": "Hello"}, len(GOBS[0]))


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        (message(), "1 bytes announced, 0 there"),
        (b"\xf0" + bytes(16), "an integer of 16 bytes"),
        (message(b"\x80"), "an integer of 128 bytes"),
        (message(b"\x00"), "type 0 cannot be defined"),
        (message(b"\x0b"), "type 6 cannot be defined"),
        (slice_definition(33, 2) * 2, "type 33 cannot be defined, or not again"),
        (message(TYPE, b"\x00"), "type 65 is not defined"),
        (DEFINITION + message(TYPE, b"\x03"), "field 2 of a struct of 2 fields"),
        (DEFINITION + message(TYPE, b"\x01\x05hello\x00"[:4]), "5 bytes announced, 2 there"),
        (DEFINITION + message(TYPE, b"\x00\x00"), "1 bytes behind the end"),
        (DEFINITION + message(TYPE), "1 bytes announced, 0 there"),
        (message(b"\x41\x00"), "type 33 is of no known kind"),
        (message(b"\x41\x02\x00\x00"), "a type definition without Elem"),
        (message(b"\x41\x03\x02\x01\x00\x00\x00"), "a field that is no field"),
        (message(b"\x0c\x01\x05hello"), "without the zero byte"),
        (slice_definition(33, 2) + message(b"\x42\x00\x7f"), "127 elements announced, 0 bytes there"),
        (slice_definition(33, 2) + message(b"\x42\x00\xf8" + b"\xff" * 8), "elements announced"),
        (slice_definition(33, 34) + message(b"\x42\x00\x01\x00"), "type 34 is not defined"),
    ],
)
def test_what_is_no_gob_is_refused(raw: bytes, reason: str) -> None:
    with pytest.raises(GobError, match=reason):
        decode(raw)


@pytest.mark.parametrize("depth", [MAX_DEPTH - 1, MAX_DEPTH])
def test_depth_has_a_limit(depth: int) -> None:
    """A slice of itself: one byte for each level."""
    raw = slice_definition(33, 33) + message(b"\x42\x00", b"\x01" * depth, b"\x00")
    if depth < MAX_DEPTH:
        assert decode(raw) is not None
        return
    with pytest.raises(GobError, match="nested deeper than 64"):
        decode(raw)


def test_interfaces_nest_no_deeper() -> None:
    nested = b"\x01x\x10\x00\x00" * 300  # the type of each value is interface again
    raw = b"\xfe" + (len(nested) + 3).to_bytes(2, "big") + b"\x10\x00" + nested + b"\x00"
    with pytest.raises(GobError, match="nested deeper than 64"):
        decode(raw)


class TestAnyBytes:
    """Any bytes give a value, None or a GobError."""

    @staticmethod
    def check(raw: bytes) -> Any:
        try:
            return decode(raw)
        except GobError:
            return None

    @settings(deadline=None, max_examples=200)
    @given(st.binary(max_size=300))
    def test_random(self, raw: bytes) -> None:
        self.check(raw)

    @settings(deadline=None, max_examples=300)
    @given(st.sampled_from(GOBS), st.data())
    def test_a_gob_with_bytes_changed(self, raw: bytes, data: st.DataObject) -> None:
        changed = bytearray(raw)
        for position, value in data.draw(st.lists(st.tuples(st.integers(0, len(raw) - 1), st.integers(0, 255)))):
            changed[position] = value
        self.check(bytes(changed))

    @settings(deadline=None, max_examples=100)
    @given(st.lists(st.binary(max_size=40), max_size=6))
    def test_messages_of_random_content(self, contents: list[bytes]) -> None:
        self.check(DEFINITION + b"".join(map(message, contents)))


@settings(deadline=None, max_examples=100)
@given(st.dictionaries(st.text(min_size=1), st.text(), min_size=1, max_size=8))
def test_round_trip(fields: dict[str, str]) -> None:
    raw = encode_struct("T", fields)
    assert decode(raw) == ({name: text for name, text in fields.items() if text}, len(raw))


def test_what_utf8_cannot_carry_is_replaced() -> None:
    """A lone surrogate comes from the command line or from stdin when their bytes are no UTF-8."""
    decoded = decode(encode_struct("T", {"Text": "a\udcffb"}))
    assert decoded is not None
    assert decoded[0] == {"Text": "a?b"}


def test_a_definition_that_is_known_does_not_stand_for_another() -> None:
    """Two senders may give the same number to different types, and what is refused is refused each time."""
    one, two = encode_struct("Message", {"Text": "a"}), encode_struct("Other", {"Name": "b", "Text": "c"})
    for _ in range(2):
        assert decode(one) == ({"Text": "a"}, len(one))
        assert decode(two) == ({"Name": "b", "Text": "c"}, len(two))
    broken = one.replace(b"Text", b"Te\x01t"[:4], 1)
    for _ in range(2):
        assert decode(broken) == ({"Te\x01t": "a"}, len(broken))
        with pytest.raises(GobError):
            decode(b"\x03\x81\x01\x00" + one)
