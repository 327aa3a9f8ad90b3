from __future__ import annotations

import pytest

from chat.client.events import Refused
from chat.client.tui.model import Model
from chat.client.tui.typist import Typist, lines_of
from chat.message import Kind
from tests.chat.client.fake_server import FakeServer
from tests.chat.client.people import Person


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ("hello", ["hello"]),
        ("  hello ", ["  hello"]),
        ("", []),
        (" \n\n", []),
        ("one\r\n\n  two\nthree\n", ["one", "  two", "three"]),
        ("a\udcff\udc80b", ["a\ufffd\ufffdb"]),
        ("/who", ["/who"]),
        ("see\n/etc/passwd\n/quit", ["see", "//etc/passwd", "//quit"]),
        ("/me sings\nla\nla", ["/me sings", "/me la", "/me la"]),
        ("/msg Ada one\ntwo\n/three", ["/msg Ada one", "/msg Ada two", "/msg Ada /three"]),
        ('/MSG "Ada L." one\ntwo', ['/MSG "Ada L." one', '/MSG "Ada L." two']),
        ("/msg Ada\ntwo", ["/msg Ada", "/msg Ada two"]),
        ("/join tea\nhello", ["/join tea", "hello"]),
    ],
)
def test_lines(text: str, lines: list[str]) -> None:
    assert lines_of(text) == lines


class Desk:
    """A typist whose session is not connected."""

    def __init__(self) -> None:
        self.left = 0
        self.person = Unwilling(FakeServer().dial)
        self.model = Model("zoe", "lobby", ask_names=lambda: None, clock=lambda: 0.0)
        self.typist = Typist(self.person, self.model, self._leave)

    def _leave(self) -> None:
        self.left += 1


class Unwilling(Person):
    """Has a server that cannot be asked for anything."""

    def ask(self, kind: str, *, nickname: str = "", room: str = "") -> None:
        raise ValueError("cannot be asked")


def test_what_is_typed_is_said_and_shown_until_it_comes_back() -> None:
    server = FakeServer()
    person = Person(server.dial)
    model = Model("zoe", "lobby", ask_names=lambda: None, clock=lambda: 0.0)
    typist = Typist(person, model, lambda: None)
    typist.start()
    person.start()
    wire = server.wire()
    typist.type("hello")
    typist.type("/me waves")
    assert [typed.text for typed in model.unconfirmed] == ["hello", "waves"]
    typist.type("/join tea")
    heard = [wire.take(), wire.take(), wire.heard()]
    assert [(message.kind, message.text) for message in heard[:2]] == [(Kind.SAY, "hello"), (Kind.ME, "waves")]
    assert (heard[2].kind, heard[2].room) == (Kind.JOIN, "tea")
    typist.finish()
    assert person.end() is None


def test_commands_that_need_no_server() -> None:
    desk = Desk()
    desk.typist.type("/quiet")
    assert desk.person.quiet
    assert desk.model.quiet
    desk.typist.type("/help")
    desk.typist.type("/nonsense")
    desk.typist.type("/quit")
    rows = ["".join(text for _, text in row) for row in desk.model.rows(100, 20)]
    assert "quiet: no bell" in rows[0]
    assert "/help" in rows[1]
    assert "! there is no /nonsense" in rows[-1]
    assert desk.left == 1


def test_what_a_server_cannot_be_asked_is_told() -> None:
    """The session refuses, in another thread."""
    desk = Desk()
    desk.typist.start()
    desk.typist.type("/who")
    assert desk.person.next(Refused) == Refused("cannot be asked", Kind.WHO)
