from __future__ import annotations

import pytest

from chat.client.events import State
from chat.client.tui.cells import columns
from chat.client.tui.status import Path, Status, status_line

CONNECTED = Status("lobby", ("Ada", "Bob", "Zoë"), State.CONNECTED, path=Path(0.0123, 3, 1200))


def line(status: Status, width: int) -> str:
    text = "".join(text for _, text in status_line(status, width))
    assert columns(text) == width
    return text.rstrip()


def test_all_of_it() -> None:
    everything = CONNECTED._replace(moved="10.0.0.7", early=True, quiet=True, waiting=2, below=4, lines=3)
    assert line(everything, 250) == (
        " ↓ 4 more below · 3 lines, Enter sends each as a message · lobby · connected · 2 not confirmed · "
        "3 here: Ada, Bob, Zoë · RTT 12 ms · 3 packets lost, 1.2 kB sent again · moved to 10.0.0.7 · 0-RTT · quiet"
    )


def test_less_of_it_where_there_is_less_room() -> None:
    assert line(CONNECTED, 100) == (
        " lobby · connected · 3 here: Ada, Bob, Zoë · RTT 12 ms · 3 packets lost, 1.2 kB sent again"
    )
    assert line(CONNECTED, 60) == " lobby · connected · 3 here · RTT 12 ms · 3 lost"
    assert line(CONNECTED, 40) == " lobby · connected · 3 here · RTT 12 ms"
    nearby = CONNECTED._replace(path=Path(0.0012))
    assert line(nearby, 40) == " lobby · connected · 3 here · 1.2 ms"
    assert line(CONNECTED, 20) == " lobby · connected"


def test_many_names() -> None:
    many = CONNECTED._replace(names=tuple(f"person {number}" for number in range(200)))
    assert line(many, 100).startswith(" lobby · connected · 200 here: person 0, person 1, person 2,")


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (Status("lobby"), " lobby · connecting"),
        (
            CONNECTED._replace(state=State.LOST, reason="nobody listens there", attempt=3, waiting=1),
            " lobby · reconnecting (3): nobody listens there · 1 not confirmed · 3 here: Ada, Bob, Zoë",
        ),
        (CONNECTED._replace(silent=7.4), " lobby · connected, no answer for 7 s · 3 here: Ada, Bob, Zoë"),
        (CONNECTED._replace(silent=2.9), " lobby · connected · 3 here"),
        (CONNECTED._replace(path=Path(0.0012, 1, 5), resumed=True), "RTT 1.2 ms · 1 packet lost, 5 bytes sent again"),
        (CONNECTED._replace(path=Path(0.0012, 0, 0), resumed=True), "RTT 1.2 ms · 0 packets lost · resumed"),
    ],
)
def test_states(status: Status, expected: str) -> None:
    assert expected in line(status, 100)


def test_a_lost_connection_is_told_first() -> None:
    lost = CONNECTED._replace(state=State.LOST, reason="x" * 300, attempt=12, below=7)
    assert line(lost, 30) == " ↓ 7 · reconnecting (12)"
    assert ("class:status.lost", "reconnecting (12)") in status_line(lost, 30)


@pytest.mark.parametrize("width", range(0, 130, 7))
def test_it_always_fits(width: int) -> None:
    status = CONNECTED._replace(names=("蛋糕",) * 50, room="茶" * 32, waiting=10**6, below=10**6, lines=99)
    text = "".join(text for _, text in status_line(status, width))
    assert columns(text) == width
