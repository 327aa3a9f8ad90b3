"""From the events of one side, or of both, to the rows of a diagram.

Both sides' logs tell when each packet left and came. One side's log tells that of its own packets by the
acknowledgements that come back, and of the peer's packets those that came; what did not come leaves a gap in their
numbers. Events are told in the order of their times.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from quicmini.study.trace.frames import acknowledged, frame_texts, kind_of, number_of, spans
from quicmini.study.trace.history import History
from quicmini.study.trace.logs import Event
from quicmini.study.trace.notes import NOTES, Remark, remarks_on_recovery
from quicmini.study.trace.rows import Note, Packet, Recovery, Row, other

__all__ = ["Story"]

# By qlog's word for a packet's type: how it is called here, and the packet number space (RFC 9000 §12.3).
_KINDS = {
    "initial": ("Initial", "initial"),
    "0RTT": ("0RTT", "application"),
    "0rtt": ("0RTT", "application"),
    "handshake": ("Handshake", "handshake"),
    "1RTT": ("1RTT", "application"),
    "1rtt": ("1RTT", "application"),
    "retry": ("Retry", ""),
    "version_negotiation": ("Version Negotiation", ""),
}

# Which rule declares a packet lost (RFC 9002 §6.1).
_LOSS_TRIGGERS = {
    "reordering_threshold": "packet threshold",
    "time_threshold": "time threshold",
    "pto_expired": "probe timeout",
}

# Milliseconds after a packet in which a change of the recovery state is taken to come from it.
_SAME_MOMENT = 0.5

# A packet is taken to be missing in the receiver's log if that goes on for this long without it: milliseconds.
_OVERDUE = 3000.0

_MAX_SIZE = 65535  # bytes of a packet

# Gaps in the numbers of a peer's packets that are shown; larger ones are something else.
_MAX_GAP = 64


class Story:
    """The rows of one connection, in the order in which packets were sent and things were found out.

    sides: whose logs there are, as far as that is known before. closed: when a side stopped listening, milliseconds.
    """

    def __init__(self, sides: Iterable[str]) -> None:
        self.sides = set(sides)
        self.rows: list[Row] = []
        self.closed: dict[str, float] = {}
        self.flights: dict[str, float] = {}  # by sender: the shortest time on the way that was seen
        self._known: dict[tuple[str, str, int], Packet] = {}
        self._open: dict[tuple[str, str], dict[int, Packet]] = {}  # sent, and what became of them is not known
        self._largest: dict[tuple[str, str], int] = {}  # by sender and space: the largest number that came
        self._largest_acked: dict[tuple[str, str], int] = {}
        self._recovery: dict[str, Recovery] = {}
        self._last_sent: dict[str, Packet] = {}
        self._losses: dict[str, Note] = {}
        self._arrived: dict[str, float] = {}  # by sender: when the newest packet that came was sent
        self._latest: dict[str, float] = {}  # by side: the time of its newest event
        self._history = History()

    def tell(self, side: str, event: Event) -> None:
        """Add an event of a side's log."""
        self._latest[side] = event.time
        self.sides.add(side)
        handle = _HANDLERS.get(event.name)
        if handle is not None:
            handle(self, side, event)
            return
        note = NOTES.get(event.name)
        remark = note(event.data) if note is not None else None
        if remark is not None:
            self._remark(side, event.time, remark)
        if _stops_listening(event):
            self.closed.setdefault(side, event.time)

    def settle(self) -> None:
        """There is no more to come: what was never received or acknowledged did not arrive, where that can be told."""
        for (sender, space), packets in self._open.items():
            for packet in packets.values():
                packet.missing = self._is_missing(packet, sender, space)

    # Packets

    def _sent(self, side: str, event: Event) -> None:
        packet, space = _packet(side, event)
        known = self._find(packet, space)
        if known is not None and not known.seen_leaving:  # the receiver's clock is ahead
            known.seen_leaving = True
            known.time = min(known.time, packet.time)
            packet = known
        else:
            self._add(packet, space)
            if packet.number is not None:
                self._open.setdefault((side, space), {})[packet.number] = packet
        packet.recovery = self._recovery.get(side)
        self._last_sent[side] = packet

    def _received(self, side: str, event: Event) -> None:
        sender = other(side)
        packet, space = _packet(sender, event)
        known = self._find(packet, space)
        if known is not None and known.arrival is None and known.seen_leaving:
            packet = known
            flight = event.time - packet.time
            self.flights[sender] = min(flight, self.flights.get(sender, flight))
        else:
            packet.seen_leaving = False
            if known is not None:
                known.arrival, known.texts = event.time, ["came after the next one"]
            elif sender not in self.sides:
                self._show_gap(packet, space)
            self._add(packet, space)
        packet.arrival = event.time
        self._arrived[sender] = max(packet.time, self._arrived.get(sender, packet.time))
        self._forget(packet, space)
        if sender in self.sides:
            self._overtake(packet, space)
        if not space:  # the answer to a first flight, from a server that remembers nothing of it
            for first in self._open.pop((side, "initial"), {}).values():
                first.acknowledged = True
        for frame in _frames(event):
            if kind_of(frame) == "ack":
                self._acknowledge(side, space, frame)

    def _acknowledge(self, sender: str, space: str, frame: dict[str, Any]) -> None:
        waiting = self._open.get((sender, space), {})
        for low, high in acknowledged(frame):
            numbers = range(low, high + 1)
            few = numbers if len(numbers) < len(waiting) else [number for number in waiting if number in numbers]
            for number in few:
                if (packet := waiting.pop(number, None)) is not None:
                    packet.acknowledged = True
            self._largest_acked[sender, space] = max(high, self._largest_acked.get((sender, space), -1))

    def _lost(self, side: str, event: Event) -> None:
        packet, space = _packet(side, event)
        known = self._find(packet, space)
        if known is None:
            return
        known.declared_lost = True
        why = _LOSS_TRIGGERS.get(str(event.data.get("trigger")), "")
        note = self._losses.get(side)
        if note is None or note.why != why or event.time - note.time > _SAME_MOMENT:
            note = self._losses[side] = Note(event.time, side, "", "bad", why=why)
            self.rows.append(note)
        note.lost.append(known)

    def _dropped(self, side: str, event: Event) -> None:
        """It did arrive, but which one it was is not said: the oldest one of its type and size."""
        header = _mapping(event.data.get("header"))
        kind, _ = _kind_of(event)
        size = _size(event)
        candidates = (
            packet
            for (sender, _), packets in self._open.items()
            if sender == other(side)
            for packet in packets.values()
            if packet.size == size and kind in (packet.kind, "packet")
        )
        packet = min(candidates, key=lambda each: each.time, default=None)
        if packet is not None:
            packet.dropped = True
            self._forget(packet, _space_of(packet))
        details = _mapping(event.data.get("details"))
        reason = details.get("reason") or event.data.get("trigger") or "no reason is given"
        what = packet.name if packet is not None else f"{kind} {header.get('packet_number', '')}".rstrip()
        text = f"drops {'a packet' if what == 'packet' else what}{f' of {size} bytes' if size else ''}: {reason}"
        self.rows.append(Note(event.time, side, text, "bad"))

    def _find(self, packet: Packet, space: str) -> Packet | None:
        if packet.number is None:
            return None
        return self._known.get((packet.sender, space, packet.number))

    def _add(self, packet: Packet, space: str) -> None:
        if packet.number is not None:
            self._known[packet.sender, space, packet.number] = packet
        packet.again = self._history.add(packet, space)
        self.rows.append(packet)

    def _forget(self, packet: Packet, space: str) -> None:
        if packet.number is not None:
            self._open.get((packet.sender, space), {}).pop(packet.number, None)

    def _overtake(self, packet: Packet, space: str) -> None:
        """Whatever was sent before a packet that came is missing, unless it comes yet."""
        waiting = self._open.get((packet.sender, space), {})
        for number, earlier in list(waiting.items()):
            if packet.number is None or number > packet.number:
                break  # they are in the order in which they were sent
            earlier.missing = True
            del waiting[number]

    def _show_gap(self, packet: Packet, space: str) -> None:
        """Numbers that did not come before this one may still come; until then they are missing."""
        key = packet.sender, space
        before = self._largest.get(key)
        if packet.number is None:
            return
        self._largest[key] = max(packet.number, -1 if before is None else before)
        first = 0 if before is None else before + 1
        if first < packet.number <= first + _MAX_GAP:
            for number in range(first, packet.number):
                if any(
                    (packet.sender, each, number) in self._known for each in ("initial", "handshake", "application")
                ):
                    continue  # some have one counter for all spaces
                gap = Packet(packet.time, packet.sender, packet.kind, number, seen_leaving=False, missing=True)
                gap.texts = ["not seen: lost, late, or never sent"]
                self._known[packet.sender, space, number] = gap
                self.rows.append(gap)

    def _is_missing(self, packet: Packet, sender: str, space: str) -> bool:
        receiver = other(sender)
        if receiver not in self.sides:
            return packet.number is not None and packet.number < self._largest_acked.get((sender, space), -1)
        would_come = packet.time + self.flights.get(sender, 0.0)
        if would_come >= self.closed.get(receiver, float("inf")):
            return False
        overdue = self._latest.get(receiver, 0.0) > would_come + _OVERDUE
        return overdue or self._arrived.get(sender, packet.time) > packet.time

    # Everything else

    def _metrics(self, side: str, event: Event) -> None:
        before = self._recovery.get(side, Recovery())
        data = event.data
        window, in_flight = (
            number_of(data.get("congestion_window", data.get("cwnd"))),
            number_of(data.get("bytes_in_flight")),
        )
        measured = before.rtt is not None or "latest_rtt" in data  # until then it is an assumption (RFC 9002 §6.2.2)
        rtt = data.get("smoothed_rtt") if measured else None
        now = Recovery(
            before.window if window is None else window,
            before.in_flight if in_flight is None else in_flight,
            float(rtt) if isinstance(rtt, int | float) else before.rtt,
        )
        self._recovery[side] = now
        last = self._last_sent.get(side)
        if last is not None and event.time - last.time < _SAME_MOMENT:
            last.recovery = now
        for remark in remarks_on_recovery(before.window, now.window, data):
            self._remark(side, event.time, remark)

    def _remark(self, side: str, time: float, remark: Remark) -> None:
        note = Note(time, side, remark.text, remark.meaning, remark.detail)
        at = len(self.rows)
        if remark.phase:  # new keys are there before the packets that they protect, which some logs tell of first
            while at and _is_protected(self.rows[at - 1], side, remark.phase, time):
                at -= 1
        self.rows.insert(at, note)


_HANDLERS: dict[str, Callable[[Story, str, Event], None]] = {
    "packet_sent": Story._sent,
    "packet_received": Story._received,
    "packet_lost": Story._lost,
    "packet_dropped": Story._dropped,
    "metrics_updated": Story._metrics,
    "recovery_metrics_updated": Story._metrics,
    "metric_update": Story._metrics,
}


def _is_protected(row: Row, side: str, phase: int, now: float) -> bool:
    """Whether it is a packet that the side has just sent in that key phase."""
    if not isinstance(row, Packet) or row.sender != side:
        return False
    return row.phase == phase and now - row.time < _SAME_MOMENT


def _mapping(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _kind_of(event: Event) -> tuple[str, str]:
    """How the packet's type is called, and its space; older drafts have the type outside the header."""
    header = _mapping(event.data.get("header"))
    words = (header.get("packet_type"), event.data.get("packet_type"), event.data.get("type"))
    word = next((str(word) for word in words if word), "")
    return _KINDS.get(word, ("packet", "application"))


def _space_of(packet: Packet) -> str:
    return next((space for kind, space in _KINDS.values() if kind == packet.kind), "application")


def _size(event: Event) -> int:
    raw, header = _mapping(event.data.get("raw")), _mapping(event.data.get("header"))
    sizes = (raw.get("length"), header.get("packet_size"), event.data.get("packet_size"))
    return next((number for size in sizes if (number := number_of(size)) is not None and number <= _MAX_SIZE), 0)


def _frames(event: Event) -> list[dict[str, Any]]:
    frames = event.data.get("frames")
    return [frame for frame in frames if isinstance(frame, dict)] if isinstance(frames, list) else []


def _packet(sender: str, event: Event) -> tuple[Packet, str]:
    """The packet that an event is about, and its packet number space: "" for those without a number."""
    header = _mapping(event.data.get("header"))
    kind, space = _kind_of(event)
    frames = _frames(event)
    number = number_of(header.get("packet_number", event.data.get("packet_number"))) if space else None
    packet = Packet(event.time, sender, kind, number, _size(event), frame_texts(frames), spans=spans(frames))
    packet.kinds = frozenset(map(kind_of, frames))
    packet.phase = number_of(header.get("key_phase"))
    packet.version = str(header.get("version") or "")
    versions = event.data.get("supported_versions")
    if isinstance(versions, list):
        packet.texts.append(f"offers version {', '.join(map(str, versions))}")
    token = _mapping(header.get("token") or event.data.get("retry_token"))
    if size := number_of(_mapping(token.get("raw")).get("length")):
        packet.texts.insert(0, f"token of {size} bytes")
    return packet, space


def _stops_listening(event: Event) -> bool:
    return event.name == "connection_closed" or (
        event.name == "connection_state_updated" and event.data.get("new") in ("closing", "draining", "closed")
    )
