"""What can be typed."""

from __future__ import annotations

import pytest

from chat.client.commands import COMMANDS, run
from chat.client.events import Event, Notice, Refused
from chat.message import Kind


class Recorder:
    """A person whose session does nothing."""

    def __init__(self) -> None:
        self.quiet = False
        self.done: list[tuple[str, ...]] = []
        self.told: list[Event] = []

    def say(self, text: str, kind: str = Kind.SAY, recipient: str = "", *, block: bool = True) -> bool:
        self.done.append(("say", text, kind, recipient))
        return True

    def ask(self, kind: str, *, nickname: str = "", room: str = "") -> None:
        self.done.append(("ask", kind, nickname, room))

    def tell(self, event: Event) -> None:
        self.told.append(event)

    def leave(self) -> None:
        self.done.append(("leave",))


@pytest.mark.parametrize(
    ("line", "done"),
    [
        ("hello", ("say", "hello", "", "")),
        ("", ("say", "", "", "")),
        ("//etc/passwd", ("say", "/etc/passwd", "", "")),
        (" /who", ("say", " /who", "", "")),
        ("/me waves", ("say", "waves", "me", "")),
        ("/ME waves", ("say", "waves", "me", "")),
        ("/msg Ada hello there", ("say", "hello there", "msg", "Ada")),
        ('/msg "Ada L." hello', ("say", "hello", "msg", "Ada L.")),
        ("/nick Ada L.", ("ask", "nick", "Ada L.", "")),
        ("/join garden", ("ask", "join", "", "garden")),
        ("/who", ("ask", "who", "", "")),
        ("/rooms ", ("ask", "rooms", "", "")),
        ("/history", ("ask", "history", "", "")),
        ("/quit", ("leave",)),
    ],
)
def test_lines(line: str, done: tuple[str, ...]) -> None:
    person = Recorder()
    run(person, line)
    assert person.done == [done]
    assert person.told == []


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("/jion garden", "there is no /jion; /help lists"),
        ("/", "there is no /;"),
        ("/me", "something is missing; for example: /me waves"),
        ("/msg Ada", "something is missing; for example: /msg Ada hello"),
        ('/msg "Ada', "something is missing"),
        ("/msg", "something is missing"),
        ('/msg "" hello', "something is missing"),
        ("/nick", "something is missing; for example: /nick Ada"),
        ("/nick  ", "something is missing; for example: /nick Ada"),
        ("/nick " + "x" * 33, "is no nickname"),
        ("/join", "something is missing; for example: /join garden"),
        ("/join " + "x" * 33, "is no room"),
        ("/quiet off", "nothing goes behind /quiet"),
        ("/quit now", "nothing goes behind /quit"),
        ("/who garden", "nothing goes behind /who"),
        ("/nick a\x1bb", "is no nickname"),
    ],
)
def test_lines_that_cannot_be(line: str, words: str) -> None:
    person = Recorder()
    run(person, line)
    assert person.done == []
    (refused,) = person.told
    assert isinstance(refused, Refused)
    assert words in refused.text
    assert refused.kind == line.split(" ")[0]


def test_what_is_missing_has_an_example() -> None:
    for name, command in COMMANDS.items():
        assert bool(command.usage) is bool(command.example)
        for example in filter(None, command.example.split(", or ")):
            person = Recorder()
            run(person, example)
            assert person.done, name


def test_help_has_a_line_for_each() -> None:
    person = Recorder()
    run(person, "/help")
    lines = [event.text for event in person.told if isinstance(event, Notice)]
    assert [line.split()[0] for line in lines] == [*(f"/{name}" for name in COMMANDS), "//TEXT"]
    assert max(map(len, lines)) <= 80
    for name in ("help", "nick", "who", "me", "msg", "join", "rooms", "history", "quiet", "quit"):
        assert name in COMMANDS


def test_quiet_is_switched() -> None:
    person = Recorder()
    for quiet in (True, False):
        run(person, "/quiet")
        assert person.quiet is quiet
