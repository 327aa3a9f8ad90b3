"""Sealed tokens: readable for whoever has the key and the purpose, for nobody else."""

from __future__ import annotations

import os

import pytest

from quicmini.crypto.tokens import TOKEN_KEY_LENGTH, TOKEN_OVERHEAD, TokenKey
from quicmini.errors import DecodeError


@pytest.fixture
def key() -> TokenKey:
    return TokenKey(bytes(TOKEN_KEY_LENGTH), os.urandom)


def test_what_was_sealed_comes_back(key: TokenKey) -> None:
    token = key.seal(b"content", b"purpose")
    assert key.open(token, b"purpose") == b"content"
    assert len(token) == len(b"content") + TOKEN_OVERHEAD
    assert b"content" not in token


def test_two_tokens_of_the_same_content_differ(key: TokenKey) -> None:
    assert key.seal(b"content", b"purpose") != key.seal(b"content", b"purpose")


def test_another_key_or_purpose_opens_nothing(key: TokenKey) -> None:
    token = key.seal(b"content", b"purpose")
    other = TokenKey(b"\x01" * TOKEN_KEY_LENGTH, os.urandom)
    for holder, purpose in ((other, b"purpose"), (key, b"another")):
        with pytest.raises(DecodeError):
            holder.open(token, purpose)


def test_every_changed_bit_and_every_cut_is_noticed(key: TokenKey) -> None:
    token = key.seal(b"x", b"")
    for bit in range(8 * len(token)):
        changed = (int.from_bytes(token) ^ 1 << bit).to_bytes(len(token))
        with pytest.raises(DecodeError):
            key.open(changed, b"")
    for size in range(len(token)):
        with pytest.raises(DecodeError):
            key.open(token[:size], b"")


def test_a_key_of_another_length_is_refused() -> None:
    with pytest.raises(ValueError, match="32 bytes"):
        TokenKey(b"short", os.urandom)
