"""The chat's message: what is accepted from the wire, and what reaches a terminal."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from chat.gob import GobError
from chat.gob_writing import encode_struct
from chat.message import MAX_MESSAGE_SIZE, MAX_SIZES, Dialect, Kind, Message, message_id, sender_id

FOREIGN = json.loads(Path(__file__).with_name("gob_foreign.json").read_text())
ACCEPTED = [case for case in FOREIGN if "text" in case]
REFUSED = [case for case in FOREIGN if "text" not in case]


@pytest.mark.parametrize("case", ACCEPTED, ids=lambda case: case["note"])
def test_structs_of_other_shapes(case: dict[str, str]) -> None:
    assert Message.decode(bytes.fromhex(case["gob"])) == Message(case["nickname"], case["text"])


@pytest.mark.parametrize("case", REFUSED, ids=lambda case: case["note"])
def test_other_values_are_refused(case: dict[str, str]) -> None:
    with pytest.raises(GobError, match="Nickname"):
        Message.decode(bytes.fromhex(case["gob"]))


def test_what_follows_a_message_is_refused() -> None:
    with pytest.raises(GobError, match="3 bytes behind the message"):
        Message.decode(Message("a", "b").encode() + b"???")


def test_an_unfinished_message_is_not_there_yet() -> None:
    assert Message.decode(b"") is None
    assert Message.decode(Message("a", "b").encode()[:-1]) is None


class TestSize:
    overhead = len(Message("", "x" * 60000).encode()) - 60000

    def test_the_most_that_fits(self) -> None:
        message = Message("", "x" * (MAX_MESSAGE_SIZE - self.overhead))
        assert len(message.encode()) == MAX_MESSAGE_SIZE
        assert Message.decode(message.encode()) == message

    def test_one_byte_more_is_not_sent(self) -> None:
        with pytest.raises(GobError, match="more than 65536 bytes"):
            Message("", "x" * (MAX_MESSAGE_SIZE - self.overhead + 1)).encode()

    def test_one_byte_more_is_not_accepted(self) -> None:
        raw = encode_struct("Message", {"Text": "x" * MAX_MESSAGE_SIZE})
        for length in (100, MAX_MESSAGE_SIZE, MAX_MESSAGE_SIZE + 1):  # as soon as its length is known
            with pytest.raises(GobError, match="more than 65536 bytes"):
                Message.decode(raw[:length])


def test_line() -> None:
    assert Message("Zoë", "hi\n").line() == "[Zoë]: hi␊"


class TestChatDialect:
    """The further fields: what Go writes for a struct that has them (gob_chat.json), and what each dialect reads."""

    GO = json.loads(Path(__file__).with_name("gob_chat.json").read_text())
    SAID = Message("Ada", "hello", "0123", 1792000000123, "", "lobby", "", 3, 300, 299, 64, "aa", 5, "s")

    @staticmethod
    def of(fields: dict[str, Any]) -> Message:
        return Message(*fields.values())

    @pytest.mark.parametrize("case", GO, ids=lambda case: case["gob"][-12:])
    def test_goes_bytes_both_ways(self, case: dict[str, Any]) -> None:
        raw = bytes.fromhex(case["gob"])
        assert Message.decode(raw, Dialect.CHAT) == self.of(case["message"])
        assert self.of(case["message"]).encode(Dialect.CHAT) == raw

    def test_the_seed_has_two_fields(self) -> None:
        assert self.SAID.encode(Dialect.SIMPLE) == Message("Ada", "hello").encode()
        assert Message.decode(self.SAID.encode(Dialect.CHAT), Dialect.SIMPLE) == Message("Ada", "hello")

    def test_an_empty_message_costs_its_definition_only(self) -> None:
        assert len(self.SAID.encode(Dialect.CHAT)) - len(Message("", "").encode(Dialect.CHAT)) < 80
        assert Message.decode(Message("", "").encode(Dialect.CHAT), Dialect.CHAT) == Message("", "")

    def test_neither_nickname_nor_text_is_needed(self) -> None:
        ack = Message("", "", kind=Kind.ACK, seq=7)
        assert Message.decode(ack.encode(Dialect.CHAT), Dialect.CHAT) == ack

    def test_a_field_of_another_type_is_refused_where_it_counts(self) -> None:
        raw = encode_struct("Message", {"Nickname": "Ada", "Time": "noon"})
        assert Message.decode(raw, Dialect.SIMPLE) == Message("Ada", "")
        with pytest.raises(GobError, match="Time must be an integer"):
            Message.decode(raw, Dialect.CHAT)
        with pytest.raises(GobError, match="Room must be a string"):
            Message.decode(encode_struct("Message", {"Nickname": "Ada", "Room": 4}), Dialect.CHAT)

    def test_what_fits_the_seed_fits_here(self) -> None:
        longest = Message("", "x" * (MAX_MESSAGE_SIZE - TestSize.overhead))
        full = longest._replace(id="i" * 40, room="r" * 128, recipient="n" * 128, session="s" * 64, number=2**62)
        assert Message.decode(full.encode(Dialect.CHAT), Dialect.CHAT) == full
        with pytest.raises(GobError, match="more than 65536 bytes"):
            Message.decode(full.encode(Dialect.CHAT), Dialect.SIMPLE)

    def test_an_id_tells_a_sender_from_others_and_not_its_session(self) -> None:
        assert message_id("secret", 7) == f"{sender_id('secret')}-7"
        assert "secret" not in message_id("secret", 7)
        assert sender_id("secret") != sender_id("other")


@pytest.mark.parametrize("dialect", list(Dialect))
def test_what_announces_too_much_is_refused_before_it_is_there(dialect: Dialect) -> None:
    most = MAX_SIZES[dialect]
    for length in (100 * 1024 * 1024, most - 4):
        with pytest.raises(GobError, match=f"more than {most} bytes"):
            Message.decode(b"\xfc" + length.to_bytes(4, "big"), dialect)
    assert Message.decode(b"\xfc" + (most - 5).to_bytes(4, "big"), dialect) is None


def test_an_integer_is_one_of_go_s_signed_ones() -> None:
    """Go would write others in a field of type uint64; SQLite has no place for them."""
    raw = encode_struct("Message", {"Seq": 1 << 62}).replace(b"\x03Seq\x01\x04", b"\x03Seq\x01\x06")
    with pytest.raises(GobError, match="Seq is more than 9223372036854775807"):
        Message.decode(raw, Dialect.CHAT)
