"""What reaches a screen, and what is a name."""

from __future__ import annotations

import unicodedata
from typing import Literal

import pytest

from chat.text import MAX_NAME_LENGTH, PIECE, check_name, name_key, printable


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


@pytest.mark.parametrize("name", ["Zoë", "x", "a b", "x" * MAX_NAME_LENGTH, "👩\u200d🚀"])
def test_names(name: str) -> None:
    assert check_name(name) == name


@pytest.mark.parametrize("name", ["", " a", "a ", "x" * (MAX_NAME_LENGTH + 1), "a\x1b[m", "a\tb", "a\nb", "a\u202eb"])
def test_no_names(name: str) -> None:
    with pytest.raises(ValueError, match="is no room: 1 to 32 characters"):
        check_name(name, "room")


def test_what_a_refusal_shows_is_harmless() -> None:
    with pytest.raises(ValueError, match="is no nickname") as error:
        check_name("\x1b]0;" + "x" * 1000)
    assert str(error.value).isprintable()
    assert len(str(error.value)) < 250


@pytest.mark.parametrize(
    ("one", "other"), [("Zoë", "ZOË"), ("Zoe\u0308", "Zoë"), ("STRASSE", "straße"), ("Ａda", "ada")]
)
def test_names_that_are_the_same(one: str, other: str) -> None:
    assert name_key(one) == name_key(other)


def test_names_that_are_not() -> None:
    assert name_key("Ada") != name_key("Ida")


def test_a_long_text_is_normalized_in_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    sizes = []
    normalize = unicodedata.normalize

    def measured(form: Literal["NFKC"], text: str) -> str:
        sizes.append(len(text))
        return normalize(form, text)

    monkeypatch.setattr(unicodedata, "normalize", measured)
    assert name_key("Zoë" * 1000) == "zoë" * 1000
    name_key("\u0301\u0316" * 10_000)  # at once it takes half a second
    assert max(sizes) == PIECE
