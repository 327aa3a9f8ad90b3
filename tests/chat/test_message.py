"""The chat's message: what is accepted from the wire, and what reaches a terminal."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from chat.gob import GobError, encode_strings
from chat.message import MAX_MESSAGE_SIZE, Message, printable

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
        raw = encode_strings("Message", {"Text": "x" * MAX_MESSAGE_SIZE})
        assert Message.decode(raw[:MAX_MESSAGE_SIZE]) is None
        with pytest.raises(GobError, match="more than 65536 bytes"):
            Message.decode(raw[: MAX_MESSAGE_SIZE + 1])


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("smørrebrød → 蛋糕 🍰\ttabbed", "smørrebrød → 蛋糕 🍰\ttabbed"),
        ("\x1b[2J\x1b]0;title\x07", "␛[2J␛]0;title␇"),
        ("one\r\n[boss]: two", "one␍␊[boss]: two"),
        ("\x00\x7f\x9b31m", "␀␡\N{REPLACEMENT CHARACTER}31m"),
        ("a\u2028b\u2029c\u202ed\u2066e", "a�b�c�d�e"),
        ("👩\u200d🚀", "👩\u200d🚀"),
    ],
)
def test_printable(text: str, shown: str) -> None:
    assert printable(text) == shown


def test_line() -> None:
    assert Message("Zoë", "hi\n").line() == "[Zoë]: hi␊"
