"""Which logs are about the same connection, and what their clocks have to do with each other."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from heapq import merge
from typing import NamedTuple

from quicmini.study.trace.frames import number_of
from quicmini.study.trace.logs import Event, Log
from quicmini.study.trace.rows import CLIENT, SERVER
from quicmini.study.trace.story import Story

__all__ = ["Conversation", "pair"]


class Conversation(NamedTuple):
    """What is known of one connection. shift: milliseconds by which the server's clock was set."""

    connection: str
    logs: dict[str, Log]
    shift: float = 0.0

    def events(self) -> Iterator[tuple[str, Event]]:
        """Of both sides, by time; those of one side stay in their order where it is the same."""
        return merge(*map(self._of, self.logs), key=lambda each: each[1].time)

    def _of(self, side: str) -> list[tuple[str, Event]]:
        shift = self.shift if side == SERVER else 0.0
        events = [(side, event._replace(time=event.time + shift)) for event in self.logs[side].events]
        return sorted(events, key=lambda each: each[1].time)

    def story(self) -> Story:
        """All of it, told."""
        story = Story(self.logs)
        for side, event in self.events():
            story.tell(side, event)
        story.settle()
        return story


def pair(logs: Iterable[Log]) -> list[Conversation]:
    """A conversation for each connection. Two logs of different sides are about one, whatever they call it: after a
    Retry some know it by another connection ID."""
    logs = list(logs)
    if len(logs) == 2 and {log.role for log in logs} == {CLIENT, SERVER}:
        return [_conversation(logs)]
    by_connection: dict[object, list[Log]] = {}
    for index, log in enumerate(logs):
        found = by_connection.setdefault(log.connection or index, [])
        if any(each.role == log.role for each in found):
            found = by_connection.setdefault((log.connection, index), [])
        found.append(log)
    return [_conversation(found) for found in by_connection.values()]


def _conversation(logs: list[Log]) -> Conversation:
    sides = {log.role: log for log in sorted(logs, key=lambda log: log.role)}
    shift = _shift(sides[CLIENT], sides[SERVER]) if len(sides) == 2 else 0.0
    return Conversation(next(iter(sides.values())).connection, sides, shift)


def _shift(client: Log, server: Log) -> float:
    """None, unless packets would have come before they were sent: then both ways get the same least time."""
    there = min(_flights(client, server), default=None)
    back = min(_flights(server, client), default=None)
    if there is None or back is None or (there >= 0 and back >= 0):
        return 0.0
    return (back - there) / 2


def _flights(sender: Log, receiver: Log) -> Iterator[float]:
    """How long each packet was on its way, by the two clocks."""
    sent = {key: event.time for event in sender.events if event.name == "packet_sent" and (key := _key(event))}
    for event in receiver.events:
        key = _key(event) if event.name == "packet_received" else None
        if key in sent:
            yield event.time - sent[key]


def _key(event: Event) -> tuple[str, int] | None:
    header = event.data.get("header")
    if not isinstance(header, dict):
        return None
    number = number_of(header.get("packet_number"))
    return None if number is None else (str(header.get("packet_type")).lower(), number)
