"""Sealed tokens: readable for whoever has the key and the purpose, for nobody else."""

from __future__ import annotations

import os

import pytest

from quicmini.crypto.tokens import KEY_LIFETIME, TOKEN_KEY_LENGTH, TOKEN_OVERHEAD, TicketKeys, TokenKey
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


def opens(keys: TicketKeys, token: bytes, now: float) -> bool:
    try:
        return keys.open(token, b"purpose", now) == b"content"
    except DecodeError:
        return False


@pytest.mark.parametrize("start", [0.0, 5 * KEY_LIFETIME, 1.7e9])
def test_keys_change_and_open_for_a_while_what_the_last_one_sealed(start: float) -> None:
    keys = TicketKeys(os.urandom)
    first = keys.seal(b"content", b"purpose", start)
    last = keys.seal(b"content", b"purpose", start + KEY_LIFETIME - 1)
    for age, good in ((1, True), (KEY_LIFETIME, True), (2 * KEY_LIFETIME - 1, True), (2 * KEY_LIFETIME, False)):
        keys.seal(b"content", b"purpose", start + age)
        assert opens(keys, first, start + age) is good
        assert opens(keys, last, start + age) is good


def test_after_a_quiet_time_no_old_key_is_kept() -> None:
    keys = TicketKeys(os.urandom)
    token = keys.seal(b"content", b"purpose", 0.0)
    assert not opens(keys, token, 2 * KEY_LIFETIME)


def test_a_clock_that_is_put_back_changes_no_keys() -> None:
    keys = TicketKeys(os.urandom)
    token = keys.seal(b"content", b"purpose", 1000.0)
    assert opens(keys, token, 10.0)


def test_ticket_keys_keep_purposes_apart() -> None:
    keys = TicketKeys(os.urandom)
    with pytest.raises(DecodeError):
        keys.open(keys.seal(b"content", b"purpose", 0.0), b"another", 0.0)


def test_keys_that_are_handed_in_are_shared_and_change_on_request_only() -> None:
    old, new = bytes(TOKEN_KEY_LENGTH), bytes(range(TOKEN_KEY_LENGTH))
    one, two = TicketKeys(os.urandom, [old]), TicketKeys(os.urandom, [old])
    token = one.seal(b"content", b"purpose", 0.0)
    assert opens(two, token, 100 * KEY_LIFETIME)
    two.replace([new, old])
    assert opens(two, token, 0.0)
    assert not opens(one, two.seal(b"content", b"purpose", 0.0), 0.0)
    two.replace([new])
    assert not opens(two, token, 0.0)


@pytest.mark.parametrize("keys", [[], [bytes(16)]])
def test_keys_that_cannot_work(keys: list[bytes]) -> None:
    with pytest.raises(ValueError, match="key"):
        TicketKeys(os.urandom, [bytes(TOKEN_KEY_LENGTH)]).replace(keys)
