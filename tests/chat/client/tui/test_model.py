from __future__ import annotations

import datetime

from chat.client.events import (
    CaughtUp,
    Confirmed,
    Ended,
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
from chat.client.tui.entries import nick_style
from chat.client.tui.model import MAX_NAMES_AGE, Model
from chat.client.tui.status import Path
from chat.message import Dialect, Kind

NOON = datetime.datetime(2026, 11, 21, 12, 0).timestamp()


class Scene:
    """A model in the year 2026, and how often it has asked who is there."""

    def __init__(self, dialect: str = Dialect.CHAT) -> None:
        self.now = NOON
        self.asked = 0
        self.model = Model("Zoe", "lobby", ask_names=self._ask, clock=lambda: self.now)
        self.model.show(Welcomed("Zoe", "lobby" if dialect == Dialect.CHAT else "", "", dialect))
        self.model.show(StateChanged(State.CONNECTED))

    def _ask(self) -> None:
        self.asked += 1

    def rows(self, height: int = 20) -> list[str]:
        """What is to be read, without the time."""
        rows = ["".join(text for _, text in row) for row in self.model.rows(100, height)]
        return [row.removeprefix("12:00 ") for row in rows]


def test_what_is_said() -> None:
    scene = Scene()
    for said in (
        Said("Ada", "hello"),
        Said("Ada", "waves", Kind.ME),
        Said("Ada", "a secret", Kind.MSG, recipient="Zoe"),
        Said("Ada\n12:01 Bob", "\x1b[2J"),
    ):
        scene.model.show(said)
    assert scene.rows() == ["Ada: hello", "* Ada waves", "Ada → Zoe: a secret", "Ada␊12:01 Bob: ␛[2J"]


def test_the_servers_time_is_shown() -> None:
    scene = Scene()
    later = int(1000 * datetime.datetime(2026, 11, 21, 13, 5).timestamp())
    scene.model.show(Said("Ada", "hello", time=later))
    scene.model.show(Notice("Bob joined", "lobby", later))
    assert scene.rows() == ["13:05 Ada: hello", "13:05 · Bob joined"]


def test_the_bell_rings_once_for_a_mention() -> None:
    model = Scene().model
    model.show(Said("Ada", "Zoe!", mention=True, old=True))
    assert not model.take_bell()
    model.show(Said("Ada", "Zoe!", mention=True))
    model.show(Said("Ada", "hello"))
    assert model.take_bell()
    assert not model.take_bell()
    model.quiet = True
    model.show(Said("Ada", "Zoe!", mention=True))
    assert not model.take_bell()
    assert "reverse" in model.rows(60, 1)[0][1][0]


def test_quiet_announces_nobody() -> None:
    scene = Scene()
    scene.model.quiet = True
    scene.model.show(Notice("Bob joined", "lobby"))
    scene.model.show(Notice("the server is about to restart"))
    assert scene.rows() == ["· the server is about to restart"]


def test_what_was_typed_stands_below_until_it_comes_back() -> None:
    scene = Scene()
    for number in range(7):
        scene.model.typed(Kind.SAY, f"line {number}", "")
    scene.model.show(Said("Ada", "first!"))
    assert scene.rows() == ["Ada: first!", *(f"Zoe: line {number}" for number in range(5)), "… and 2 more"]
    scene.model.show(Said("Zoe", "line 0", mine=True))
    scene.model.show(Refused("too long", Kind.SAY, 2, "line 1"))
    assert scene.rows() == [
        *("Ada: first!", "Zoe: line 0", "! not sent: too long (line 1)"),
        *(f"Zoe: line {number}" for number in range(2, 7)),
    ]


def test_refusals_for_the_same_reason_are_counted() -> None:
    """As of a paste that was too long for the server."""
    scene = Scene()
    for number in range(500, 503):
        scene.model.show(Refused("too fast", Kind.SAY, number, f"line {number}"))
        scene.rows()
    scene.model.show(Refused("too long", Kind.SAY, 503, "line 503"))
    scene.model.show(Said("Ada", "stop!"))
    scene.model.show(Refused("too long", Kind.SAY, 504, "line 504"))
    for _ in range(2):
        scene.model.show(Refused("there is no /foo", "/foo"))
    assert scene.rows() == [
        "! not sent: too fast (line 500, and 2 more)",
        "! not sent: too long (line 503)",
        "Ada: stop!",
        "! not sent: too long (line 504)",
        *["! there is no /foo"] * 2,
    ]


def test_an_old_message_of_ones_own_is_not_what_was_typed_just_now() -> None:
    scene = Scene()
    scene.model.typed(Kind.SAY, "hi", "")
    scene.model.show(Said("Zoe", "hi", mine=True, old=True))
    assert len(scene.model.unconfirmed) == 1
    scene.model.show(Welcomed("Zoe", "tea"))
    assert scene.model.unconfirmed == []  # nobody here will see it come back


def test_the_history_that_was_asked_for_comes_into_view() -> None:
    scene = Scene()
    for number in range(100, 130):
        scene.model.show(Said("Ada", f"number {number}", room="lobby", number=number))
    assert scene.rows(3) == ["Ada: number 127", "Ada: number 128", "Ada: number 129"]
    scene.model.asked(Kind.HISTORY)
    for number in range(80, 100):
        scene.model.show(Said("Ada", f"number {number}", room="lobby", number=number, old=True))
    assert scene.rows(3) == ["Ada: number 80", "Ada: number 81", "Ada: number 82"]


def test_who_is_there_is_asked_by_itself_and_not_too_often() -> None:
    scene = Scene()
    assert scene.asked == 1
    scene.model.show(Names("lobby", ("Ada", "Zoe")))
    for _ in range(100):
        scene.model.show(Notice("somebody joined", "lobby"))
    assert scene.asked == 1
    scene.model.measured(Path(), 0)
    assert scene.asked == 1
    scene.now += 1
    scene.model.measured(Path(), 0)
    scene.model.measured(Path(), 0)
    assert scene.asked == 2
    assert scene.model.status.names == ("Ada", "Zoe")
    scene.model.show(Notice("a word for you alone"))
    assert scene.asked == 2


def test_who_is_there_is_asked_again_now_and_then() -> None:
    """Who comes back is not announced."""
    scene = Scene()
    scene.now += MAX_NAMES_AGE - 0.1
    scene.model.measured(Path(), 0)
    assert scene.asked == 1
    scene.now += 0.1
    scene.model.measured(Path(), 0)
    scene.model.measured(Path(), 0)
    assert scene.asked == 2
    scene.model.show(StateChanged(State.LOST, "gone"))
    scene.now += MAX_NAMES_AGE
    scene.model.measured(Path(), 0)
    assert scene.asked == 2


def test_a_server_that_does_not_answer_is_told() -> None:
    scene = Scene()
    for path, silent in (
        (Path(received=7), 0),
        (Path(received=7), 0),
        (Path(received=7, in_flight=100), 5),  # since it was last seen that nothing was awaited
        (Path(received=7, in_flight=200), 10),
        (Path(received=8, in_flight=200), 0),
        (Path(received=8, in_flight=200), 5),
        (Path(received=8), 0),
    ):
        scene.now += 5
        scene.model.measured(path, 0)
        assert scene.model.status.silent == silent
    scene.now += 5
    scene.model.measured(Path(received=8, in_flight=1), 0)
    scene.model.show(StateChanged(State.LOST, "gone"))
    assert scene.model.status.silent == 0


def test_only_an_answer_that_the_person_wants_is_shown() -> None:
    scene = Scene()
    scene.model.show(Names("lobby", ("Ada", "Zoe")))
    scene.model.show(Refused("too fast", Kind.WHO))
    assert scene.rows() == []
    scene.model.asked(Kind.WHO)
    scene.model.show(Names("lobby", ("Ada", "Zoe")))
    scene.model.asked(Kind.WHO)
    scene.model.show(Refused("too fast", Kind.WHO))
    assert scene.rows() == ["· in lobby: Ada, Zoe", "! too fast"]


def test_a_simple_server_is_not_asked_who_is_there() -> None:
    scene = Scene(Dialect.SIMPLE)
    scene.model.show(Notice("hm", "lobby"))
    assert scene.asked == 0
    assert scene.model.status.room == ""
    assert scene.rows() == ["· hm"]


def test_rooms_and_names() -> None:
    scene = Scene()
    scene.model.show(Names("lobby", ("Ada", "Zoe")))
    scene.model.show(Rooms((Room("lobby", 2), Room("tea", 1))))
    scene.model.show(Welcomed("Zoe", "tea", "1 in tea"))
    assert scene.model.status.names == ()
    scene.model.show(Names("lobby", ("Ada",)))  # late
    assert scene.model.status.names == ()
    scene.model.show(Welcomed("Zoë", "tea", "1 in tea"))
    assert scene.rows() == [
        *("· rooms: lobby (2), tea (1)", "· you are in tea now", "· 1 in tea"),
        "· you are Zoë now",  # and nothing new of the room
    ]
    assert scene.model.rooms == {"lobby", "tea"}
    assert (scene.model.nickname, scene.asked) == ("Zoë", 3)


def test_a_connection_that_is_lost_and_comes_back() -> None:
    scene = Scene()
    scene.model.show(Moved("10.0.0.7"))
    assert "moved to 10.0.0.7" in _status(scene.model)
    scene.model.show(StateChanged(State.LOST, "nothing is heard of the server"))
    scene.model.show(StateChanged(State.LOST, "nobody listens there", 1))
    assert "reconnecting (1): nobody listens there" in _status(scene.model)
    scene.model.show(Welcomed("Zoe", "lobby", "hello!", Dialect.CHAT, returned=True, resumed=True, early=True))
    scene.model.show(StateChanged(State.CONNECTED))
    scene.model.show(CaughtUp(1))
    scene.model.show(CaughtUp(0))
    scene.model.measured(Path(0.010, 2, 2500), 3)
    assert _status(scene.model) == (
        "lobby · connected · 3 not confirmed · RTT 10 ms · 2 packets lost, 2.5 kB sent again · 0-RTT"
    )
    scene.model.show(Confirmed(1, 0))
    assert "not confirmed" not in _status(scene.model)
    assert scene.rows() == [
        "· connection lost: nothing is heard of the server; coming back",
        "· back again, 1 message caught up",
        "· back again",
    ]
    scene.model.show(Ended())


def test_each_line_of_a_notice_is_an_entry() -> None:
    scene = Scene()
    scene.model.show(Notice("one\ntwo"))
    assert scene.rows() == ["· one", "· two"]


def test_a_nickname_has_its_colour_however_it_is_written() -> None:
    assert nick_style("Ada") == nick_style("ADA") == "#af8700 bold"  # 136 of 256
    assert len({nick_style(f"n{number}") for number in range(100)}) > 10


def _status(model: Model) -> str:
    return "".join(text for _, text in model.status_line(120)).strip()
