"""What was said, until the server has it."""

from __future__ import annotations

import pytest

from chat.client.outgoing import MAX_UNCONFIRMED, WINDOW, Outgoing
from chat.message import Message


def outgoing(*texts: str) -> Outgoing:
    out = Outgoing("session")
    for text in texts:
        out.add(Message("zoe", text))
    return out


def sent(out: Outgoing) -> list[str]:
    texts = []
    while message := out.next_unsent():
        texts.append(message.text)
    return texts


def test_each_goes_once_with_its_number() -> None:
    out = outgoing("one", "two")
    first = out.next_unsent()
    assert first == Message("zoe", "one", session="session", seq=1)
    assert sent(out) == ["two"]
    assert sent(out) == []


def test_confirming_forgets() -> None:
    out = outgoing("one", "two", "three")
    sent(out)
    assert [message.text for message in out.confirm(2)] == ["one", "two"]
    assert out.confirm(1) == []
    assert (len(out), out.confirmed) == (1, 2)


def test_a_return_sends_the_rest_again() -> None:
    out = outgoing("one", "two", "three")
    sent(out)
    out.confirm(1)
    assert [message.text for message in out.returned(2)] == ["two"]
    assert sent(out) == ["three"]


def test_a_server_that_knows_less_than_it_has_confirmed() -> None:
    """Its store is gone; what it had confirmed is gone with it, and is not kept here."""
    out = outgoing("one", "two")
    sent(out)
    out.confirm(2)
    out.add(Message("zoe", "three"))
    assert out.returned(0) == []
    assert sent(out) == ["three"]


def test_a_server_that_confirms_what_was_never_said() -> None:
    out = outgoing("one")
    out.confirm(1000)
    assert out.confirmed == 1
    assert out.add(Message("zoe", "two")).seq == 2
    assert sent(out) == ["two"]


def test_the_count_has_a_limit() -> None:
    out = outgoing(*["x"] * MAX_UNCONFIRMED)
    assert out.full
    with pytest.raises(OverflowError):
        out.add(Message("zoe", "one more"))
    out.confirm(1)
    out.add(Message("zoe", "one more"))


def test_what_is_under_way_has_a_limit() -> None:
    """The server keeps no more than that for the one message that is missing."""
    third = "x" * (WINDOW // 3)
    out = outgoing(third, third, third, third, "x" * (2 * WINDOW))
    assert len(sent(out)) == 3
    out.confirm(1)
    assert len(sent(out)) == 1
    out.confirm(3)
    assert sent(out) == []
    out.confirm(4)
    assert len(sent(out)) == 1  # what is longer than that goes alone


def test_what_is_dropped_is_not_waited_for() -> None:
    out = outgoing("one", "two", "three")
    out.next_unsent()
    assert out.drop(1) == Message("zoe", "one", session="session", seq=1)
    assert out.drop(1) is None
    assert out.drop(2) is not None
    assert sent(out) == ["three"]
