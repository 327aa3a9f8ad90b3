"""Who is on which server, as the servers of a Redis bus tell each other.

Below the prefix of the bus there are:

    servers        the ids of the servers, with the time of their last sign of life
    server:ID      who is on a server, as a text that expires soon after the server has died
    presence       a stream of ids of servers whose people have changed: a hint to look at once
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from typing import Any, NamedTuple

from chat.server.bus_format import MAX_PEOPLE_SIZE, decode_people, encode_people
from chat.server.group import Group
from chat.server.others import Person

__all__ = ["MAX_SERVERS", "BusTiming", "Presence"]

PRESENCE_LENGTH = 100  # hints that the bus holds
MAX_SERVERS = 64  # other servers that are listened to: those that gave a sign of life last

_SERVER_ID = re.compile("[0-9a-f]{16}")


class BusTiming(NamedTuple):
    """All in seconds. heartbeat: between two signs of life. lifetime: after which a server without one has died.
    grace: for which a server is missed before its people have left. first_pause, longest_pause: before the bus is tried
    again."""

    heartbeat: float = 3.0
    lifetime: float = 10.0
    grace: float = 5.0
    first_pause: float = 0.1
    longest_pause: float = 3.0


class Presence:
    """Tells the others of a group, and looks what they tell. One thread may look while another tells; what fails raises
    what the client library does.

    stream: the key of the stream of hints. hint: the id of the last of them that was read. ignore: is told what is
    wrong with what no server of ours would tell.
    """

    def __init__(self, prefix: str, timing: BusTiming, group: Group, ignore: Callable[[ValueError], None]) -> None:
        self.stream = f"{prefix}:presence"
        self.hint = "0-0"
        self._servers, self._server = f"{prefix}:servers", f"{prefix}:server:"
        self._timing = timing
        self._group = group
        self._ignore = ignore
        self._seen: dict[str, list[Person]] = {}  # by server
        self._missed_since: dict[str, float] = {}
        self._next_beat = 0.0
        self._told = -1  # the version of our people that the others know

    def look(self, client: Any) -> None:
        """Read who is on the other servers."""
        ids = [
            id.decode("ascii", "replace") for id in client.execute_command("ZREVRANGE", self._servers, 0, MAX_SERVERS)
        ]
        ids = [id for id in ids if _SERVER_ID.fullmatch(id) and id != self._group.id][:MAX_SERVERS]
        seen: dict[str, list[Person]] = {}
        for id in ids:
            if told := client.execute_command("GETRANGE", self._server + id, 0, MAX_PEOPLE_SIZE):
                try:
                    seen[id] = decode_people(told)
                except ValueError as error:
                    self._ignore(error)
        now = time.monotonic()
        missed = {id: self._missed_since.get(id, now) for id in self._seen.keys() - seen.keys()}
        for id, since in missed.items():
            if now - since < self._timing.grace:  # a bus that was restarted knows nobody at first
                seen[id] = self._seen[id]
        self._seen, self._missed_since = seen, missed
        self._group.see(seen)

    def tell(self, client: Any, is_last: bool) -> bool:
        """Tell who is here, if that is news, or the time has come for a sign of life, which is returned. is_last: they
        are waited for until this server is back."""
        group, now, version = self._group, time.monotonic(), self._group.version()
        is_due = now >= self._next_beat
        if not is_due and version == self._told and not is_last:
            return False
        people = group.people()
        if is_last:
            people = [person._replace(present=False) for person in people]
        with client.pipeline(transaction=True) as pipeline:
            lifetime = int(self._timing.lifetime * 1000)
            pipeline.execute_command("ZADD", self._servers, int(time.time() * 1000), group.id)
            pipeline.execute_command("ZREMRANGEBYRANK", self._servers, 0, -2 * MAX_SERVERS)
            pipeline.execute_command("SET", self._server + group.id, encode_people(people), "PX", lifetime)
            if version != self._told or is_last:
                length = ("MAXLEN", "~", PRESENCE_LENGTH)
                pipeline.execute_command("XADD", self.stream, *length, "*", "s", group.id)
            pipeline.execute()
        self._told = version
        if is_due:
            self._next_beat = now + self._timing.heartbeat
        return is_due
