"""What was said, until the server has it."""

from __future__ import annotations

import pytest

from chat.client.outgoing import MAX_KEPT, MAX_KEPT_SIZE, MAX_UNCONFIRMED, WINDOW, Outgoing
from chat.message import Kind, Message


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


def test_a_server_that_knows_less_than_another_has_confirmed() -> None:
    """It is sent the rest again, and what follows when it has settled that: it must not overtake."""
    out = outgoing("one", "two", "three")
    sent(out)
    out.confirm(2)
    assert out.repeatable == 2
    assert out.returned(1) == []
    assert sent(out) == ["two"]
    assert out.repeats(2)
    assert not out.repeats(3)
    assert (out.confirmed, out.settled, len(out)) == (2, 1, 1)
    assert out.confirm(2) == []
    assert sent(out) == ["three"]
    assert [message.text for message in out.confirm(3)] == ["three"]
    assert out.returned(0) == []
    assert sent(out) == ["one", "two", "three"]


def test_what_is_said_again_to_another_server_goes_on_when_it_is_asked_for_later() -> None:
    out = outgoing("one", "two")
    sent(out)
    out.confirm(2)
    out.returned(2)
    out.add(Message("zoe", "three"))
    assert sent(out) == ["three"]


def test_what_was_refused_leaves_no_gap_for_another_server() -> None:
    """Its place is taken by something that no server can take, and of which nobody is told."""
    out = outgoing("one", "two", "three")
    sent(out)
    assert out.drop(2) is not None
    assert len(out) == 2
    out.returned(0)
    again = [out.next_unsent() for _ in range(3)]
    second = Message("zoe", "", kind=Kind.MSG, session="session", seq=2)
    assert again == [Message("zoe", "one", session="session", seq=1), second, None]
    assert out.repeats(2)
    out.confirm(2)
    assert sent(out) == ["three"]


def test_what_could_be_sent_again_has_a_limit() -> None:
    out = Outgoing("session")
    for number in range(1, MAX_KEPT + 11):
        out.add(Message("zoe", "x"))
        out.confirm(number)
    assert out.repeatable == MAX_KEPT
    half = "x" * (MAX_KEPT_SIZE // 2)
    for number in range(out.last + 1, out.last + 4):
        out.add(Message("zoe", half))
        out.confirm(number)
    assert out.repeatable == 2
    out.forget_settled()
    assert out.repeatable == 0


def test_what_was_said_in_another_room_is_not_sent_again() -> None:
    out = outgoing("one", "two")
    sent(out)
    out.confirm(2)
    out.forget_settled()
    out.add(Message("zoe", "three"))
    out.returned(2)
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
