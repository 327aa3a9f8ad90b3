"""Rows as lines of text: the client on the left, the server on the right, an arrow for each packet.

 ms   client                                                    server   cwnd  in flight   rtt
0.0 │─ Initial 0  CRYPTO[0:1154] ──────────────────── +15.2 ─▶│       12,000      1,200
"""

from __future__ import annotations

from collections.abc import Iterator

from quicmini.study.terminal import WIDTH, Ink
from quicmini.study.trace.elision import Prologue, Run
from quicmini.study.trace.frames import range_text
from quicmini.study.trace.rows import CLIENT, SERVER, Fate, Note, Packet, Recovery, Row
from quicmini.wire.packet import VERSION_2

__all__ = ["Diagram"]

_TIME = 9  # columns
_RECOVERY = ((9, "cwnd"), (10, "in flight"), (8, "rtt"))
_INNER = WIDTH - _TIME - 3 - sum(width for width, _ in _RECOVERY)

# The part of its way that a packet gets which is lost.
_LOST_AT = 0.7

# The room that an arrow needs besides what is written on it.
_SHAFT = 14

_MAX_LINES = 4  # for the frames of one packet, unless all is wanted

_HEADS = {
    Fate.ARRIVED: {CLIENT: "▶", SERVER: "◀"},
    Fate.UNKNOWN: {CLIENT: "▷", SERVER: "◁"},
    Fate.LOST: {CLIENT: "✗", SERVER: "✗"},
}
_FATES = {
    Fate.ARRIVED: "arrived",
    Fate.UNKNOWN: "unknown",
    Fate.LOST: "lost",
}

_Piece = tuple[str, str]  # text, and what it means (`Ink`): "" for plain text


# As logs write it: in hexadecimal, or as a number. All but version 1 is worth a word.
_VERSION_2 = (f"{VERSION_2:x}", str(VERSION_2))


class Diagram:
    """Draws the rows of one connection, in their order.

    start: the time that is 0 on the left, in the milliseconds of the rows. all_details: every note, every frame.
    """

    def __init__(self, ink: Ink, start: float, *, all_details: bool = False) -> None:
        self._ink = ink
        self._start = start
        self._all = all_details
        self._shown: dict[str, Recovery] = {}

    def head(self) -> str:
        """The names of the columns."""
        ink = self._ink
        gap = " " * (_INNER - len(CLIENT) - len(SERVER) + 2)
        names = "".join(f"{name:>{width}}" for width, name in _RECOVERY)
        time = ink("faint", "ms".rjust(_TIME))
        return f"{time} {ink(CLIENT, CLIENT)}{gap}{ink(SERVER, SERVER)}{ink('faint', names)}"

    def lines(self, row: Row | Run | Prologue) -> Iterator[str]:
        """One row, in as many lines as it takes."""
        if isinstance(row, Run | Prologue):
            yield from self._run(row)
        elif isinstance(row, Note):
            if self._all or not row.detail:
                yield from self._note(row)
        else:
            yield from self._packet(row)

    def _packet(self, packet: Packet) -> Iterator[str]:
        first, *rest = _wrapped(packet.texts, _INNER - _SHAFT - len(_title(packet)) - 2, _INNER - 8)
        recovery = self._recovery_text(packet)
        yield self._frame(self._time(packet.time), self._arrow(packet, first), recovery)
        if len(rest) >= _MAX_LINES and not self._all:
            rest = [*rest[: _MAX_LINES - 1], "…"]
        for line in rest:
            yield self._frame("", self._aside(packet.sender, line, ""))
        for span, before in packet.again:
            text = f"↻ {span} again, first in {before.name} ({_FATES[before.fate]})"
            yield self._frame("", self._aside(packet.sender, text, "value"))

    def _arrow(self, packet: Packet, frames: str) -> str:
        """The line of a packet between the two sides, as wide as the room between them."""
        fate, sender = packet.fate, packet.sender
        dash = "─" if packet.seen_leaving or packet.arrival is not None else "┄"
        label = [(" ", ""), (_title(packet), "title"), (f" {frames} " if frames else " ", "")]
        tip = [(_HEADS[fate][sender], "bad" if fate is Fate.LOST else sender)]
        flight: list[_Piece] = []
        if packet.arrival is not None and packet.seen_leaving:
            flight = [(f" +{_milliseconds(max(packet.arrival - packet.time, 0.0))} ", "faint")]
            tip = [(dash, sender), *tip] if sender == CLIENT else [*tip, (dash, sender)]
        way = int(_INNER * _LOST_AT) if fate is Fate.LOST else _INNER
        shaft = dash * max(way - 1 - sum(map(_width, (label, flight, tip))), 1)
        groups = [[(dash, sender)], label, [(shaft, sender)], flight, tip]
        blank = [(" " * (_INNER - sum(map(_width, groups))), "")]
        pieces = [*groups, blank] if sender == CLIENT else [blank, *reversed(groups)]
        return "".join(self._ink(meaning, text) if meaning else text for group in pieces for text, meaning in group)

    def _note(self, note: Note) -> Iterator[str]:
        text = _losses(note) if note.lost else note.text
        lines = _folded(text, _INNER - 4)
        width = max(map(len, lines)) if note.side == SERVER else 0
        for index, line in enumerate(lines):
            bullet, time = ("● ", self._time(note.time)) if index == 0 else ("  ", "")
            yield self._frame(time, self._aside(note.side, bullet + line.ljust(width), note.meaning, 1))

    def _run(self, run: Run | Prologue) -> Iterator[str]:
        for text in run.texts():
            yield self._frame("⋮", self._ink("faint", f"{_cut(text, _INNER):^{_INNER}}"))

    def _aside(self, side: str, text: str, meaning: str, indent: int = 3) -> str:
        """Text that stands on one side's half."""
        text = _cut(text, _INNER - indent)
        written = self._ink(meaning, text) if meaning else text
        blank = " " * (_INNER - indent - len(text))
        return " " * indent + written + blank if side == CLIENT else blank + written + " " * indent

    def _frame(self, time: str, inner: str, recovery: str = "") -> str:
        ink = self._ink
        return f"{ink('faint', f'{time:>{_TIME}}')} {ink(CLIENT, '│')}{inner}{ink(SERVER, '│')}{recovery}"

    def _time(self, time: float) -> str:
        return _milliseconds(time - self._start)

    def _recovery_text(self, packet: Packet) -> str:
        """What of it has changed since the last packet of the same side."""
        now, before = packet.recovery or Recovery(), self._shown.get(packet.sender, Recovery())
        self._shown[packet.sender] = now
        shown, old = ((_bytes(each.window), _bytes(each.in_flight), _milliseconds(each.rtt)) for each in (now, before))
        cells = zip(_RECOVERY, shown, old, strict=True)
        text = "".join(f"{value if value != was else '':>{width}}" for (width, _), value, was in cells)
        return self._ink(packet.sender, text.rstrip()) if text.strip() else ""


def _width(group: list[_Piece]) -> int:
    return sum(len(text) for text, _ in group)


def _bytes(count: int | None) -> str:
    if count is None:
        return ""
    return f"{count:,}" if count < 10_000_000 else f"{count // 1_000_000} MB" if count < 10**12 else "a lot"


def _milliseconds(time: float | None) -> str:
    if time is None:
        return ""
    return f"{time:.1f}" if abs(time) < 100_000 else f"{time:.0f}" if abs(time) < 1e7 else f"{time:.0e}"


def _title(packet: Packet) -> str:
    version = " v2" if packet.version in _VERSION_2 else ""
    return f"{packet.name}{version}{f' phase {packet.phase}' if packet.phase else ''}"


def _losses(note: Note) -> str:
    """Packets that are declared lost, and how many of them did arrive nevertheless."""
    ranges: list[tuple[int, int]] = []
    for number in sorted(packet.number or 0 for packet in note.lost):
        if ranges and number == ranges[-1][1] + 1:
            ranges[-1] = ranges[-1][0], number
        else:
            ranges.append((number, number))
    names = ", ".join(range_text(*each) for each in ranges)
    why = f" ({note.why})" if note.why else ""
    wrong = sum(packet.arrival is not None for packet in note.lost)
    but = f", but {'it' if wrong == len(note.lost) == 1 else wrong} did arrive" if wrong else ""
    return f"declares {note.lost[0].kind} {names} lost{why}{but}"


def _wrapped(texts: list[str], first_room: int, room: int) -> list[str]:
    """Frames with commas between them, on as many lines as they need; the first may be empty."""
    lines = [""]
    for index, text in enumerate(texts):
        text = _cut(_clean(text), room) + ("," if index < len(texts) - 1 else "")
        width = first_room if len(lines) == 1 else room
        longer = f"{lines[-1]} {text}".lstrip()
        if len(longer) <= width:
            lines[-1] = longer
        else:
            lines.append(text)
    return lines


def _folded(text: str, room: int) -> list[str]:
    lines = [""]
    for word in _clean(text).split(" "):
        longer = f"{lines[-1]} {word}".lstrip()
        if len(longer) <= room:
            lines[-1] = longer
        else:
            lines.append(_cut(word, room))
    return lines


def _cut(text: str, room: int) -> str:
    return text if len(text) <= room else text[: room - 1] + "…"


def _clean(text: str) -> str:
    """Without what moves a terminal's cursor: a log may come from anywhere."""
    return "".join(character if character.isprintable() else "·" for character in text)
