"""Connections that were played here, as the diagrams and those who look for a phenomenon have them."""

from __future__ import annotations

from typing import NamedTuple

from quicmini.observe.qlog_events import Renderer
from quicmini.study.link.recorder import Record
from quicmini.study.trace.logs import Event, Log
from quicmini.study.trace.pairing import Conversation
from quicmini.study.trace.rows import CLIENT, SERVER, Packet
from quicmini.study.trace.story import Story

__all__ = ["Take", "takes"]


class Take(NamedTuple):
    """One connection: the records of both sides, and the story of it."""

    client: Record
    server: Record
    conversation: Conversation
    story: Story

    def packets(self, sender: str) -> list[Packet]:
        """What one side has sent."""
        return [row for row in self.story.rows if isinstance(row, Packet) and row.sender == sender]


def takes(records: list[Record]) -> list[Take]:
    """A take for each connection that both sides know of, in the order in which they were made."""
    found = []
    for client in records:
        for server in records:
            if client.is_client and not server.is_client and client.connection == server.connection:
                logs = {CLIENT: _log(client), SERVER: _log(server)}
                conversation = Conversation(client.connection.hex(), logs)
                found.append(Take(client, server, conversation, conversation.story()))
    return found


def _log(record: Record) -> Log:
    """What qlog would have of it."""
    renderer = Renderer(is_client=record.is_client)
    events = []
    for now, occurrence in list(record.occurrences):
        event = renderer.render(occurrence)
        if event is not None:
            name, data = event
            events.append(Event(now * 1000, name.rpartition(":")[2], data))
    return Log(CLIENT if record.is_client else SERVER, record.connection.hex(), events)
