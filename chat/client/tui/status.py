"""The status line: what is the case, as much of it as fits."""

from __future__ import annotations

from typing import NamedTuple

from chat.client.events import State
from chat.client.tui.cells import Fragments, columns, elided

__all__ = ["Path", "Status", "status_line"]

BETWEEN = " · "
MIN_WIDTH, MAX_WIDTH = 12, 80  # columns of the names that are told; with fewer, only how many they are
MAX_NAMES = 100
LONG_SILENCE = 3.0  # seconds without an answer of the server after which it is said


class Path(NamedTuple):
    """What QUIC does on the present connection. rtt: seconds, smoothed; again: bytes that were sent again; in_flight:
    bytes for which no acknowledgement has come; received: packets, as lost is."""

    rtt: float = 0.0
    lost: int = 0
    again: int = 0
    in_flight: int = 0
    received: int = 0


class Status(NamedTuple):
    """What there is to know. attempt: to come back. waiting: messages that are not confirmed; below: messages under
    what is in view; moved: the address to which the connection has moved, early: whether it began with 0-RTT; silent:
    seconds for which the server has not answered, although QUIC waits for it."""

    room: str = ""
    names: tuple[str, ...] = ()
    state: State = State.CONNECTING
    reason: str = ""
    attempt: int = 0
    path: Path = Path()
    silent: float = 0.0
    moved: str = ""
    early: bool = False
    resumed: bool = False
    waiting: int = 0
    below: int = 0
    lines: int = 1
    quiet: bool = False


class _Form(NamedTuple):
    """One way to say something. worth: what is worth least is said in fewer words first, or not at all."""

    worth: int
    text: str


class _Part(NamedTuple):
    """Something that is said in one of these forms, the longest first."""

    forms: list[_Form]
    style: str = ""


def status_line(status: Status, width: int) -> Fragments:
    """The line, exactly so many columns wide."""
    parts = [part for part in _parts(status) if part.forms]
    while parts and _length(parts) > width - 2:
        least = min(parts, key=lambda part: part.forms[0].worth)
        del least.forms[0]
        parts = [part for part in parts if part.forms]
    fragments: Fragments = [("", " "[:width])]
    for index, part in enumerate(parts):
        fragments += [("", BETWEEN)] if index else []
        fragments.append((part.style, part.forms[0].text))
    return [*fragments, ("", " " * max(0, width - 1 - _length(parts)))]


def _length(parts: list[_Part]) -> int:
    return sum(columns(part.forms[0].text) for part in parts) + len(BETWEEN) * max(0, len(parts) - 1)


def _parts(status: Status) -> list[_Part]:
    return [
        _part(status.below, (4, f"↓ {status.below} more below"), (9, f"↓ {status.below}")),
        _part(
            status.lines > 1,
            (5, f"{status.lines} lines, Enter sends each as a message"),
            (8, f"{status.lines} lines"),
        ),
        _part(status.room, (5, elided(status.room, 32)), (7, elided(status.room, 12))),
        _state(status),
        _part(status.waiting, (5, f"{status.waiting} not confirmed"), (8, f"{status.waiting}…")),
        _people(status.names),
        *(_path(status) if status.state is State.CONNECTED else ()),
        _part(status.quiet, (2, "quiet")),
    ]


def _part(is_there: object, *forms: tuple[int, str]) -> _Part:
    return _Part([_Form(*form) for form in forms] if is_there else [])


def _state(status: Status) -> _Part:
    if status.state is State.CONNECTED and status.silent >= LONG_SILENCE:
        silent = f"no answer for {status.silent:.0f} s"
        return _part(True, (7, f"connected, {silent}"), (10, silent))._replace(style="class:status.lost")
    if status.state is not State.LOST:
        return _part(status.state, (10, str(status.state)))
    lost = "reconnecting" + (f" ({status.attempt})" if status.attempt else "")
    why = f": {elided(status.reason, 40)}" if status.reason else ""
    return _part(status.state, (6, lost + why), (8, lost), (10, "reconnecting"))._replace(style="class:status.lost")


def _people(names: tuple[str, ...]) -> _Part:
    """All names, fewer and fewer of them, their number."""
    count = f"{len(names)} here"
    all_names = ", ".join(names[:MAX_NAMES])
    shorter = [elided(all_names, width) for width in range(min(columns(all_names) - 1, MAX_WIDTH), MIN_WIDTH, -4)]
    return _part(names, *((3, f"{count}: {text}") for text in (all_names, *shorter)), (6, count))


def _path(status: Status) -> list[_Part]:
    path = status.path
    rtt = _milliseconds(path.rtt)
    again = f", {_bytes(path.again)} sent again" if path.again else ""
    began = "0-RTT" if status.early else "resumed"
    return [
        _part(path.rtt, (5, f"RTT {rtt}"), (6, rtt)),
        _part(True, (2, f"{path.lost} packet{'s' * (path.lost != 1)} lost{again}"), (4, f"{path.lost} lost")),
        _part(status.moved, (2, f"moved to {status.moved}"), (4, "moved")),
        _part(status.early or status.resumed, (1, began)),
    ]


def _milliseconds(seconds: float) -> str:
    number = seconds * 1000
    return f"{number:.1f} ms" if number < 10 else f"{number:.0f} ms"


def _bytes(count: int) -> str:
    return f"{count} bytes" if count < 1000 else f"{count / 1000:.1f} kB" if count < 1e6 else f"{count / 1e6:.1f} MB"
