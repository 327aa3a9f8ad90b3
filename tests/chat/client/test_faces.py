"""How a session is shown: as lines, and as JSON."""

from __future__ import annotations

import io
import json
import logging

import pytest

from chat.client.events import (
    CaughtUp,
    Confirmed,
    Ended,
    Event,
    Moved,
    Names,
    Notice,
    Refused,
    Room,
    Rooms,
    Said,
    State,
    StateChanged,
    Welcomed,
)
from chat.client.json_lines import JsonFace
from chat.client.plain import PlainFace
from chat.client.style import NICK_COLOURS, colours_wanted, mentions, nick_colour
from tests.chat.client.fake_server import FakeServer
from tests.chat.client.people import Person


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def shown(*events: Event, out: io.StringIO, conversing: bool = False, quiet: bool = False) -> str:
    session = Person(FakeServer().dial)
    session.quiet = quiet
    face = PlainFace(session, conversing=conversing, out=out)
    for event in events:
        face.show(event)
    return out.getvalue()


SAID = Said("bob", "hello", time=1_000_000_000_000)


@pytest.mark.parametrize(
    ("said", "line"),
    [
        (SAID, "[bob]: hello\n"),
        (SAID._replace(kind="me"), "* bob hello\n"),
        (SAID._replace(kind="msg", recipient="zoe"), "[bob → zoe]: hello\n"),
        (SAID._replace(text="\x1b[31m\nred", nickname="b\x07b"), "[b␇b]: ␛[31m␊red\n"),
        (SAID._replace(mention=True), "[bob]: hello\n"),
        (SAID._replace(missed=True), "[bob]: hello\n"),
        (SAID._replace(old=True), ""),
    ],
)
def test_a_program_gets_what_is_said(said: Said, line: str) -> None:
    assert shown(said, out=io.StringIO()) == line


def test_the_rest_is_logged_for_a_program(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "chat")
    lost = StateChanged(State.LOST, "nothing is heard of the server")
    events = (
        Notice("ann joined\x07", "lobby"),
        lost,
        lost._replace(attempt=1),
        CaughtUp(0),
        CaughtUp(1),
        CaughtUp(2),
        Refused("too fast", "", 3, "hel\alo"),
        Confirmed(1, 0),
        Welcomed("zoe", "tea", "1 in tea"),
    )
    assert shown(*events, out=io.StringIO()) == ""
    assert caplog.messages == [
        "ann joined␇",
        "connection lost: nothing is heard of the server; coming back",
        "back again, nothing was missed",
        "back again, 1 message caught up",
        "back again, 2 messages caught up",
        "not sent: too fast (hel␇lo)",
    ]


def test_a_record_names_the_connection(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "chat")
    lost, zoe = StateChanged(State.LOST, "gone"), Welcomed("zoe", "lobby", "1 in lobby")
    shown(zoe._replace(connection="1f2e"), lost, zoe._replace(connection="3d4c"), CaughtUp(0), out=io.StringIO())
    assert [message.partition(":")[0] for message in caplog.messages] == [
        "connection lost",
        "back again, nothing was missed",
    ]
    assert [vars(record)["connection"] for record in caplog.records] == ["1f2e", "3d4c"]


def test_a_person_sees_who_comes_and_goes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    events = (
        SAID._replace(old=True, time=0),
        Notice("ann joined", "lobby"),
        Names("lobby", ("ann", "zoe")),
        Rooms((Room("lobby", 2),)),
        Welcomed("zoe", "lobby", "2 in lobby"),
        Welcomed("Zoe", "lobby", "2 in lobby"),
        Welcomed("Zoe", "tea", "1 in tea"),
    )
    lines = shown(*events, out=Terminal(), conversing=True).splitlines()
    assert lines == [
        *("[bob]: hello", "* ann joined", "* in lobby: ann, zoe", "* rooms: lobby (2)", "* 2 in lobby"),
        *("* you are Zoe now", "* you are in tea now", "* 1 in tea"),
    ]


def test_the_bell_rings_for_what_concerns_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    for_me = SAID._replace(mention=True)
    assert "\a" in shown(for_me, out=Terminal())
    assert "\a" not in shown(SAID, out=Terminal())
    assert "\a" not in shown(for_me, out=Terminal(), quiet=True)
    assert "\a" not in shown(for_me._replace(old=True), out=Terminal(), conversing=True)
    assert shown(Notice("ann joined", "lobby"), out=Terminal(), conversing=True, quiet=True) == ""


def test_nicknames_have_their_colours(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm-256color")
    assert f"\x1b[38;5;{nick_colour('bob')}mbob\x1b[39m" in shown(SAID, out=Terminal())
    monkeypatch.setenv("NO_COLOR", "1")
    assert "\x1b" not in shown(SAID, out=Terminal())


def test_colours_are_the_same_for_ever() -> None:
    """What is written here was computed once: a later version must not change it."""
    assert [nick_colour(name) for name in ("Ada", "bob", "蛋糕")] == [136, 28, 130]
    assert nick_colour("ADA") == nick_colour("ada")
    assert len({nick_colour(f"n{number}") for number in range(500)}) == len(NICK_COLOURS)


def test_who_wants_colours() -> None:
    assert colours_wanted(Terminal(), {"TERM": "xterm"})
    assert not colours_wanted(Terminal(), {"TERM": "dumb"})
    assert not colours_wanted(Terminal(), {"NO_COLOR": "yes"})
    assert colours_wanted(Terminal(), {"NO_COLOR": ""})
    assert not colours_wanted(io.StringIO(), {"TERM": "xterm"})


@pytest.mark.parametrize(
    ("text", "nickname", "expected"),
    [
        ("zoe: hello", "zoe", True),
        ("hello, Zoe!", "zoe", True),
        ("ZOË", "Zoë", True),
        ("zoetrope", "zoe", False),
        ("a zoe", "zo", False),
        ("what?", "w.at", False),
        ("hi c++ friend", "C++", True),
        ("Ada L. knows", "ada l.", True),
    ],
)
def test_mentions(text: str, nickname: str, expected: bool) -> None:
    assert mentions(text, nickname) is expected


EVENTS = (
    SAID,
    Confirmed(3, 0),
    Refused("no"),
    Notice("ann joined", "lobby"),
    Names("lobby", ("ann",)),
    Rooms((Room("lobby", 2),)),
    Welcomed("zoe", "lobby"),
    CaughtUp(2),
    Moved("192.0.2.1"),
    StateChanged(State.LOST, "gone", 1),
    Ended(None),
    Ended(ValueError("why")),
)


def test_json() -> None:
    out = io.StringIO()
    face = JsonFace(out=out)
    for event in EVENTS:
        face.show(event)
    objects = [json.loads(line) for line in out.getvalue().splitlines()]
    names = "said confirmed refused notice names rooms welcomed caught_up moved state_changed ended ended"
    assert " ".join(each["event"] for each in objects) == names
    assert objects[0]["nickname"] == "bob"
    assert objects[5]["rooms"] == [["lobby", 2]]
    assert objects[9]["state"] == "lost"
    assert [each["error"] for each in objects[-2:]] == [None, "why"]


def test_json_harms_no_terminal() -> None:
    out = io.StringIO()
    JsonFace(out=out).show(SAID._replace(text="\x1b[31m\u202e\x9b\n"))
    assert out.getvalue().isascii()
    assert out.getvalue()[:-1].isprintable()


@pytest.mark.parametrize("kind", ["", "me", "msg"])
def test_what_was_not_sent_is_counted(kind: str) -> None:
    session = Person(FakeServer().dial)
    for face in (JsonFace(out=io.StringIO()), PlainFace(session, conversing=True, out=io.StringIO())):
        face.show(Refused("too long", kind, said="hello"))
        face.show(Refused("taken", "nick"))
        assert face.not_sent == 1
