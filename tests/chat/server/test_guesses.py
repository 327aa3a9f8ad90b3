"""Who guesses at the password is slowed down; who knows it is not locked out for long."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from chat.exchange import ErrorCode
from chat.message import Dialect, Kind, Message
from chat.server import guesses as rule
from chat.server.admission import Admission, Refused
from chat.server.guesses import FORGOTTEN, FREE, LONGEST, MAX_GUESSERS, Guesses
from chat.server.history import History
from chat.server.hub import Hub
from chat.server.sending import QUEUE_LIMIT
from tests.chat.server.fake import Person


class Clock:
    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def admission(clock: Clock) -> Admission:
    return Admission(password="open sesame", guesses=Guesses(clock))


def refusal(call: Callable[[], None]) -> Refused:
    with pytest.raises(Refused) as caught:
        call()
    return caught.value


def guess(admission: Admission, origin: str = "192.0.2.1", known: str = "") -> ErrorCode:
    return refusal(lambda: admission.check_password("guess", origin, known)).error_code


def guess_until_refused(admission: Admission, origin: str = "192.0.2.1") -> int:
    """How many wrong passwords were looked at."""
    for looked_at in range(100):
        if guess(admission, origin) == ErrorCode.GUESSES:
            return looked_at
    raise AssertionError("nobody slows the guesser down")


def test_the_time_grows(clock: Clock, admission: Admission) -> None:
    assert guess_until_refused(admission) == FREE + 1
    for delay in (1, 2, 4, 8, 15, 15, 15):
        clock.now += delay - 0.5
        assert guess(admission) == ErrorCode.GUESSES  # and this makes it no longer
        clock.now += 0.5
        assert guess(admission) == ErrorCode.PASSWORD


def test_what_is_told(admission: Admission) -> None:
    guess_until_refused(admission)
    refused = refusal(lambda: admission.check_password("open sesame", "192.0.2.1"))
    assert refused.reason == "too many wrong passwords came from your address: try again in 1 s"


def test_the_right_one_behind_the_same_address(clock: Clock, admission: Admission) -> None:
    """It waits for the longest time at most, and the guesser gains nothing by it."""
    for _ in range(20):
        guess_until_refused(admission)
        clock.now += LONGEST
    guess(admission)
    clock.now += LONGEST
    admission.check_password("open sesame", "192.0.2.1")
    assert guess_until_refused(admission) == 1


def test_another_address(admission: Admission) -> None:
    guess_until_refused(admission)
    admission.check_password("open sesame", "192.0.2.2")


def test_who_was_let_in_before(admission: Admission) -> None:
    """It is known by its secret; and does not guess at no cost either."""
    guess_until_refused(admission)
    admission.check_password("open sesame", "192.0.2.1", "Ada's session")
    for _ in range(FREE + 1):
        assert guess(admission, known="Ada's session") == ErrorCode.PASSWORD
    assert guess(admission, known="Ada's session") == ErrorCode.GUESSES


def test_nothing_is_guessed_with_an_empty_one(admission: Admission) -> None:
    """A client that does not know yet that there is a password."""
    for _ in range(FREE + 2):
        refused = refusal(lambda: admission.check_password("", "192.0.2.1"))
        assert refused.error_code == ErrorCode.PASSWORD
    admission.check_password("open sesame", "192.0.2.1")


def test_it_is_forgotten(clock: Clock, admission: Admission) -> None:
    guess_until_refused(admission)
    clock.now += FORGOTTEN
    guess(admission, "192.0.2.2")
    assert guess_until_refused(admission) == FREE + 1


def test_the_table_has_a_limit(clock: Clock) -> None:
    guesses = Guesses(clock)
    for number in range(MAX_GUESSERS + 10):
        guesses.wrong(str(number))
    assert len(guesses) == MAX_GUESSERS
    clock.now += FORGOTTEN
    guesses.wrong("the only one")
    assert len(guesses) == 1


def test_over_the_hub(clock: Clock, admission: Admission, monkeypatch: pytest.MonkeyPatch) -> None:
    """A hello with a wrong password is refused, then not looked at; a session that was there before still comes in."""
    monkeypatch.setattr(rule, "FREE", 0)
    hub = Hub(History(None), admission)

    def hello(name: str, password: str) -> ErrorCode | None:
        person = Person(hub, name, Dialect.CHAT, QUEUE_LIMIT)
        person.client.origin = "192.0.2.1"
        person.send(Message(name, password, kind=Kind.HELLO, session=person.session))
        person.lose()
        return person.dropped()

    assert hello("Ada", "open sesame") is None
    assert hello("Eve", "guess") == ErrorCode.PASSWORD
    assert hello("Eve", "guess") == ErrorCode.GUESSES
    assert hello("Bob", "open sesame") == ErrorCode.GUESSES
    assert hello("Ada", "open sesame") is None
    clock.now += 1.0
    assert hello("Bob", "open sesame") is None
