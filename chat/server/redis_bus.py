"""A bus on one Redis or Valkey server, for any number of chat servers.

Below the prefix there is `messages`, a stream of what was said: every server reads all of it, from where it last was;
and what `redis_presence` has there.

One thread reads and one writes, each over a connection of its own. While the bus cannot be reached both try again, with
ever longer pauses; what is said meanwhile waits in the outbox (see `ledger`).
"""

from __future__ import annotations

import logging
import random
import sqlite3
import threading
import time
from collections.abc import Callable
from typing import Any

from redis import Redis, RedisError
from redis.backoff import NoBackoff
from redis.retry import Retry

from chat.server.bus import BusAddress, BusError
from chat.server.bus_format import BEGINNING, Relayed, decode_entry, position_of
from chat.server.group import Group
from chat.server.redis_presence import BusTiming, Presence
from chat.text import printable

__all__ = ["STREAM_LENGTH", "RedisBus"]

logger = logging.getLogger("chat")

STREAM_LENGTH = 20_000  # messages that the bus holds, about: a server that was away for more of them has a gap
READ_COUNT = 64  # messages, or hints, that are read at once
WRITE_COUNT = 64  # messages that are written at once
BLOCK_TIME = 2.0  # seconds that a read waits for something to come
REPLY_TIMEOUT = 5.0  # seconds, beyond that, for an answer
CLOSE_TIMEOUT = 3.0  # seconds for the last words

TIMING = BusTiming()


class RedisBus:
    """The bus at an address. Raises BusError if it cannot be used. `chat.server.bus.Bus` says what the methods do."""

    def __init__(self, address: BusAddress, timing: BusTiming = TIMING) -> None:
        self._name = address.name
        self._timing = timing
        self._reader, self._writer = _client(address), _client(address)
        self._prefix = address.prefix
        self._messages = f"{address.prefix}:messages"
        self._closed = threading.Event()
        self._wake = threading.Event()
        self._again = threading.Event()  # what is pending is to be written again
        self._threads: list[threading.Thread] = []
        self._failing: set[Callable[[], None]] = set()
        self._lock = threading.Lock()  # for _failing
        self._garbage = 0
        self._sent = 0  # the rank of what was written last
        self._oldest = 0  # the rank of what was the first to be read back at the last heartbeat
        self._oldest_since = 0.0
        try:
            self._do("XLEN", self._messages)
        except (RedisError, OSError) as error:
            why = _words(error)
            raise BusError(f"cannot use the bus {self._name}: {why}; is a Redis or Valkey server there?") from error

    def start(self, group: Group) -> None:
        self._group = group
        self._presence = Presence(self._prefix, self._timing, group, self._ignore)
        try:
            self._resume()
            self._presence.look(self._reader)
            while self._read_messages(0):
                pass
        except (RedisError, OSError, sqlite3.Error) as error:
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
            logger.warning("the bus %s fails: %s; %s", self._name, _words(error), advice)

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
        self._presence.look(self._reader)
        until = time.monotonic() + self._timing.heartbeat
        while not self._closed.is_set() and (left := until - time.monotonic()) > 0:
            self._read_messages(max(0.001, min(left, BLOCK_TIME)))

    def _resume(self) -> bool:
        """Make sure that the bus still knows the place up to which it was read; otherwise it has lost something, or
        dropped it because this server was away for so long: then all it has is read again, and ids tell what is new.
        Returns whether it knows."""
        cursor = self._group.ledger.cursor
        if cursor == BEGINNING or self._do("XRANGE", self._messages, _id(cursor), _id(cursor)):
            return True
        self._start_over(cursor)
        return False

    def _start_over(self, cursor: str) -> None:
        if self._group.ledger.start_over(cursor):
            logger.warning("the bus %s has not kept everything: it is read from its beginning", self._name)
            self._again.set()
            self._wake.set()

    def _read_messages(self, seconds: float) -> bool:
        """Read what comes next, and wait so long for it (0: not at all); False if nothing has come."""
        cursor = self._group.ledger.cursor
        block = ("BLOCK", max(1, int(seconds * 1000))) if seconds else ()
        presence = self._presence
        streams = (self._messages, presence.stream, _id(cursor), presence.hint)
        reply = self._do("XREAD", "COUNT", READ_COUNT, *block, "STREAMS", *streams)
        entries = {name.decode(): entries for name, entries in reply or ()}
        if hints := entries.get(presence.stream):
            presence.hint = hints[-1][0].decode()
            presence.look(self._reader)  # first, so that who is new is known when something of theirs follows
        messages = entries.get(self._messages)
        if messages and self._resume():  # afterwards: else what has come would hide that what was there is gone
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
        if self._presence.tell(self._writer, is_last):
            self._look_for_lost(time.monotonic())

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


def _words(error: Exception) -> str:
    """What the library says, as a part of a sentence."""
    return printable(str(error)).removesuffix(".")


def _id(position: str) -> str:
    """The id in a stream of what has a position."""
    milliseconds, number = position.split("-")
    return f"{int(milliseconds)}-{int(number)}"
