"""A bus on one Redis or Valkey server, for any number of chat servers.

Below the prefix there are:

    messages       a stream of what was said: every server reads all of it, from where it last was
    servers        the ids of the servers, with the time of their last sign of life
    server:ID      who is on a server, as a text that expires soon after the server has died
    presence       a stream of ids of servers whose people have changed: a hint to look at once

One thread reads and one writes, each over a connection of its own. While the bus cannot be reached both try again, with
ever longer pauses; what is said meanwhile waits in the outbox (see `ledger`).
"""

from __future__ import annotations

import logging
import random
import re
import sqlite3
import threading
import time
from collections.abc import Callable
from typing import Any, NamedTuple

from redis import Redis, RedisError
from redis.backoff import NoBackoff
from redis.retry import Retry

from chat.server.bus import BusAddress, BusError
from chat.server.bus_format import (
    BEGINNING,
    MAX_PEOPLE_SIZE,
    Relayed,
    decode_entry,
    decode_people,
    encode_people,
    position_of,
)
from chat.server.group import Group
from chat.server.others import Person
from chat.text import printable

__all__ = ["MAX_SERVERS", "STREAM_LENGTH", "RedisBus", "Timing"]

logger = logging.getLogger("chat")

STREAM_LENGTH = 20_000  # messages that the bus holds, about: a server that was away for more of them has a gap
PRESENCE_LENGTH = 100  # hints that it holds
READ_COUNT = 64  # messages, or hints, that are read at once
WRITE_COUNT = 64  # messages that are written at once
MAX_SERVERS = 64  # other servers that are listened to: those that gave a sign of life last
BLOCK_TIME = 2.0  # seconds that a read waits for something to come
REPLY_TIMEOUT = 5.0  # seconds, beyond that, for an answer
CLOSE_TIMEOUT = 3.0  # seconds for the last words

_SERVER_ID = re.compile("[0-9a-f]{16}")


class Timing(NamedTuple):
    """All in seconds. heartbeat: between two signs of life. lifetime: after which a server without one has died.
    grace: for which a server is missed before its people have left. first_pause, longest_pause: before the bus is tried
    again."""

    heartbeat: float = 3.0
    lifetime: float = 10.0
    grace: float = 5.0
    first_pause: float = 0.1
    longest_pause: float = 3.0


TIMING = Timing()


class RedisBus:
    """The bus at an address. Raises BusError if it cannot be used. `chat.server.bus.Bus` says what the methods do."""

    def __init__(self, address: BusAddress, timing: Timing = TIMING) -> None:
        self._name = address.name
        self._timing = timing
        self._reader, self._writer = _client(address), _client(address)
        prefix = address.prefix
        self._messages, self._presence = f"{prefix}:messages", f"{prefix}:presence"
        self._servers, self._server = f"{prefix}:servers", f"{prefix}:server:"
        self._closed = threading.Event()
        self._wake = threading.Event()
        self._again = threading.Event()  # what is pending is to be written again
        self._threads: list[threading.Thread] = []
        self._failing: set[Callable[[], None]] = set()
        self._lock = threading.Lock()  # for _failing
        self._garbage = 0
        self._hint = "0-0"  # the last in the stream `presence`
        self._seen: dict[str, list[Person]] = {}  # by server
        self._missed_since: dict[str, float] = {}
        self._sent = 0  # the rank of what was written last
        self._oldest = 0  # the rank of what was the first to be read back at the last heartbeat
        self._oldest_since = 0.0
        self._next_beat = 0.0
        self._told = -1  # the version of our people that the others know
        try:
            self._do("XLEN", self._messages)
        except (RedisError, OSError) as error:
            why = printable(str(error))
            raise BusError(f"cannot use the bus {self._name}: {why}; is a Redis or Valkey server there?") from error

    def start(self, group: Group) -> None:
        self._group = group
        try:
            self._resume()
            self._look()
            while self._read_messages(0):
                pass
        except (RedisError, OSError) as error:
            logger.warning("the bus %s: %s", self._name, printable(str(error)))
        for work, name in ((self._read, "bus reader"), (self._write, "bus writer")):
            thread = threading.Thread(target=self._keep_at, args=(work,), name=name, daemon=True)
            self._threads.append(thread)
            thread.start()

    def wake(self) -> None:
        self._wake.set()

    def close(self) -> None:
        self._closed.set()
        self._wake.set()
        deadline = time.monotonic() + CLOSE_TIMEOUT
        for thread in reversed(self._threads):  # the writer's last words wake the reader
            thread.join(max(0.0, deadline - time.monotonic()))

    # Failing, and trying again

    def _keep_at(self, work: Callable[[], None]) -> None:
        """Do what a thread is for until the bus is closed: each time it fails, after a pause, once more."""
        failures = 0
        since = time.monotonic()
        while True:
            try:
                work()
                if self._closed.is_set():
                    return
                failures, since = 0, time.monotonic()
                self._succeeds(work)
                continue
            except (RedisError, OSError, sqlite3.Error) as error:
                if self._closed.is_set():
                    return
                failures += 1
                if failures > 1:  # the first may only tell that the connection was lost, while there is a next
                    self._fails(work, error)
            if work == self._read and time.monotonic() - since > self._timing.lifetime:
                self._group.alone()
            self._again.set()
            if failures > 1:
                pause = min(self._timing.longest_pause, self._timing.first_pause * 2 ** min(failures, 16))
                self._closed.wait(pause * random.uniform(0.5, 1))

    def _fails(self, work: Callable[[], None], error: Exception) -> None:
        with self._lock:
            is_first = not self._failing
            self._failing.add(work)
        if is_first:
            advice = "all goes on here, and what is said gets to the other servers when it works again"
            logger.warning("the bus %s fails: %s; %s", self._name, printable(str(error)), advice)

    def _succeeds(self, work: Callable[[], None]) -> None:
        if work in self._failing:
            with self._lock:
                self._failing.discard(work)
                is_last = not self._failing
            if is_last:
                logger.info("the bus %s works again", self._name)

    def _do(self, *command: str | int) -> Any:
        """The answer to a command of the reader's."""
        return self._reader.execute_command(*command)

    # Reading

    def _read(self) -> None:
        """Look who is there, and read for one heartbeat."""
        self._resume()
        self._look()
        until = time.monotonic() + self._timing.heartbeat
        while not self._closed.is_set() and (left := until - time.monotonic()) > 0:
            self._read_messages(max(0.001, min(left, BLOCK_TIME)))

    def _resume(self) -> None:
        """Make sure that the bus still knows the place up to which it was read; otherwise it has lost something, or
        dropped it because this server was away for so long: then all it has is read again, and ids tell what is new."""
        cursor = self._group.ledger.cursor
        if cursor != BEGINNING and not self._do("XRANGE", self._messages, _id(cursor), _id(cursor)):
            self._start_over(cursor)

    def _start_over(self, cursor: str) -> None:
        if self._group.ledger.start_over(cursor):
            logger.warning("the bus %s has not kept everything: it is read from its beginning", self._name)
            self._again.set()
            self._wake.set()

    def _read_messages(self, seconds: float) -> bool:
        """Read what comes next, and wait so long for it (0: not at all); False if nothing has come."""
        cursor = self._group.ledger.cursor
        block = ("BLOCK", max(1, int(seconds * 1000))) if seconds else ()
        streams = (self._messages, self._presence, _id(cursor), self._hint)
        reply = self._do("XREAD", "COUNT", READ_COUNT, *block, "STREAMS", *streams)
        entries = {name.decode(): entries for name, entries in reply or ()}
        if hints := entries.get(self._presence):
            self._hint = hints[-1][0].decode()
            self._look()  # first, so that who is new is known when something of theirs follows
        if messages := entries.get(self._messages):
            relayed = [each for each in map(self._decoded, messages) if each is not None]
            self._group.take(relayed, cursor, position_of(messages[-1][0]))
        return bool(entries)

    def _decoded(self, entry: tuple[bytes, list[bytes] | None]) -> Relayed | None:
        stream_id, fields = entry
        try:
            match fields:
                case [b"m", bytes(payload)]:
                    return decode_entry(payload, position_of(stream_id))
            raise ValueError("no message")
        except ValueError as error:
            self._ignore(error)
            return None

    def _ignore(self, error: ValueError) -> None:
        self._garbage += 1
        if self._garbage == 1:
            why = printable(str(error))[:200]
            logger.warning("the bus %s carries something of no server of ours (%s): it is ignored", self._name, why)

    def _look(self) -> None:
        """Read who is on the other servers."""
        ids = [id.decode("ascii", "replace") for id in self._do("ZREVRANGE", self._servers, 0, MAX_SERVERS)]
        ids = [id for id in ids if _SERVER_ID.fullmatch(id) and id != self._group.id][:MAX_SERVERS]
        seen: dict[str, list[Person]] = {}
        for id in ids:
            if told := self._do("GETRANGE", self._server + id, 0, MAX_PEOPLE_SIZE):
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

    # Writing

    def _write(self) -> None:
        """Tell who is here, and write what waits; then wait for more, or for the next heartbeat."""
        self._wake.clear()
        self._tell()
        self._drain()
        if not self._closed.is_set():
            self._wake.wait(self._timing.heartbeat)
        if self._closed.is_set():
            self._tell(is_last=True)
            self._drain()

    def _tell(self, is_last: bool = False) -> None:
        """Tell who is here, if that is news or the time has come for a sign of life."""
        group, now, version = self._group, time.monotonic(), self._group.version()
        if now < self._next_beat and version == self._told and not is_last:
            return
        people = group.people()
        if is_last:
            people = [person._replace(present=False) for person in people]  # until this server is back
        with self._writer.pipeline(transaction=True) as pipeline:
            lifetime = int(self._timing.lifetime * 1000)
            pipeline.execute_command("ZADD", self._servers, int(time.time() * 1000), group.id)
            pipeline.execute_command("ZREMRANGEBYRANK", self._servers, 0, -2 * MAX_SERVERS)
            pipeline.execute_command("SET", self._server + group.id, encode_people(people), "PX", lifetime)
            if version != self._told or is_last:
                length = ("MAXLEN", "~", PRESENCE_LENGTH)
                pipeline.execute_command("XADD", self._presence, *length, "*", "s", group.id)
            pipeline.execute()
        self._told = version
        if now >= self._next_beat:
            self._next_beat = now + self._timing.heartbeat
            self._look_for_lost(now)

    def _look_for_lost(self, now: float) -> None:
        """What was written and never came back is written again."""
        oldest = next((each.rank for each in self._group.ledger.pending(0, 1)), 0)
        if oldest != self._oldest:
            self._oldest, self._oldest_since = oldest, now
        elif oldest and now - self._oldest_since > self._timing.lifetime:
            self._oldest_since = now
            self._again.set()

    def _drain(self) -> None:
        """Write what waits, in its order."""
        ledger = self._group.ledger
        if self._again.is_set():
            self._again.clear()
            self._sent = 0
        while pending := ledger.pending(self._sent, WRITE_COUNT):
            self._tell()  # first, so that whoever has come is known before what they have said
            cursor = ledger.cursor
            known = "" if cursor == BEGINNING else _id(cursor)
            payloads = [each.payload for each in pending]
            written = self._writer.execute_command("EVAL", _ADD, 1, self._messages, known, STREAM_LENGTH, *payloads)
            if written:
                self._sent = pending[-1].rank
            else:
                self._start_over(cursor)
                self._sent = 0


# Adds to a stream if it still has what the writer has read last. Otherwise the bus has lost something, and what was
# there before has to be written again first, for the sake of the order.
_ADD = """
if ARGV[1] ~= '' and #redis.call('XRANGE', KEYS[1], ARGV[1], ARGV[1]) == 0 then
    return 0
end
for index = 3, #ARGV do
    redis.call('XADD', KEYS[1], 'MAXLEN', '~', ARGV[2], '*', 'm', ARGV[index])
end
return 1
"""


def _client(address: BusAddress) -> Any:  # the library gives its `execute_command` no types
    try:
        client: Any = Redis.from_url(
            address.url,
            socket_timeout=BLOCK_TIME + REPLY_TIMEOUT,
            socket_connect_timeout=REPLY_TIMEOUT,
            retry=Retry(NoBackoff(), 0),
            protocol=2,
        )
    except ValueError as error:
        raise BusError(f"cannot use the bus {address.name}: {error}") from error
    client.response_callbacks.clear()  # replies as they are on the wire, whatever this version would make of them
    return client


def _id(position: str) -> str:
    """The id in a stream of what has a position."""
    milliseconds, number = position.split("-")
    return f"{int(milliseconds)}-{int(number)}"
