"""What the applications do: open streams of both types from both sides, send, read, abandon, and check every byte."""

from __future__ import annotations

import functools
import random
from dataclasses import dataclass

from quicmini.connection.connection import Connection
from quicmini.connection.events import (
    ConnectionTerminated,
    Event,
    HandshakeCompleted,
    NewTokenReceived,
    StreamFinished,
    StreamOpened,
    StreamReadable,
)
from quicmini.errors import StreamReset, StreamStopped
from tests.simulator.checks import Violation

__all__ = ["Application", "Plan"]


@dataclass(frozen=True)
class Plan:
    """Which streams there are, and what flows on them: both sides know it, so both can check.

    streams: how many of each type each side opens. size: the most bytes on a stream in one direction; about one in
    eight carries none. aborts: how likely the sender resets a direction, and how likely the receiver stops it, midway.
    messages: DATAGRAM frames that each side sends.
    """

    seed: int
    streams: int
    size: int
    aborts: float = 0.0
    messages: int = 0

    def opened_by(self, *, is_client: bool, unidirectional: bool) -> list[int]:
        """The stream IDs that one side opens, in order (RFC 9000 §2.1)."""
        kind = (0 if is_client else 1) | (2 if unidirectional else 0)
        return [4 * number + kind for number in range(self.streams)]

    def incoming(self, *, is_client: bool) -> set[int]:
        """The streams on which one side receives."""
        own = self.opened_by(is_client=is_client, unidirectional=False)
        theirs = [self.opened_by(is_client=not is_client, unidirectional=each) for each in (False, True)]
        return {*own, *theirs[0], *theirs[1]}

    @functools.cached_property
    def _contents(self) -> dict[tuple[int, bool], bytes]:
        return {}

    @functools.cached_property
    def _aborts(self) -> dict[tuple[str, int, bool], int | None]:
        return {}

    def content(self, stream_id: int, *, from_client: bool) -> bytes:
        """What one side sends on a stream."""
        known = self._contents.get((stream_id, from_client))
        if known is None:
            choose = random.Random(f"{self.seed} {stream_id} {from_client}")
            size = 0 if choose.random() < 0.125 else choose.randint(1, self.size)
            known = self._contents[stream_id, from_client] = choose.randbytes(size)
        return known

    def message(self, number: int, *, from_client: bool) -> bytes:
        """A DATAGRAM frame's content (RFC 9221): its number, and a few bytes more."""
        choose = random.Random(f"{self.seed} message {number} {from_client}")
        return number.to_bytes(4, "big") + choose.randbytes(choose.randrange(MAX_MESSAGE))

    def aborted_at(self, who: str, stream_id: int, *, from_client: bool) -> int | None:
        """After how many bytes the "sender" or the "receiver" gives a direction up; None: it does not."""
        if not self.aborts:
            return None
        key = who, stream_id, from_client
        if key not in self._aborts:
            choose = random.Random(f"{self.seed} {stream_id} {from_client} {who}")
            self._aborts[key] = choose.randint(0, self.size) if choose.random() < self.aborts else None
        return self._aborts[key]


MAX_MESSAGE = 1000  # bytes
MESSAGES_AT_ONCE = 10
RESET, STOP = 1000, 2000  # application error codes: plus the stream's ID


class _Outgoing:
    """One direction of a stream: what is left to write."""

    def __init__(self, plan: Plan, stream_id: int, *, from_client: bool) -> None:
        self.content = plan.content(stream_id, from_client=from_client)
        self.offset = 0
        self.finished = False
        self._stream_id = stream_id
        self._reset_at = plan.aborted_at("sender", stream_id, from_client=from_client)
        self._may_be_stopped = plan.aborted_at("receiver", stream_id, from_client=from_client) is not None

    def write(self, connection: Connection, at_most: int) -> None:
        while not self.finished:
            if self._reset_at is not None and self.offset >= self._reset_at:
                connection.reset_stream(self._stream_id, RESET + self._stream_id)
                self.finished = True
                return
            data = self.content[self.offset : self.offset + at_most]
            last = self.offset + len(data) == len(self.content)
            try:
                taken = connection.write_stream(self._stream_id, data, last)
            except StreamStopped as stopped:
                if not self._may_be_stopped or stopped.error_code != STOP + self._stream_id:
                    raise Violation(f"stream {self._stream_id} was stopped by nobody: {stopped}") from stopped
                self.finished = True
                return
            self.offset += taken
            if taken < len(data):
                return
            self.finished = last


class Application:
    """One side's application over one connection.

    choose: where sizes of reads and writes are drawn from. lazy: read only part of what there is each time, so that
    flow control has something to do. messages: the numbers of those that came. token: for a later connection to
    the same server.
    """

    def __init__(
        self, plan: Plan, connection: Connection, choose: random.Random, *, is_client: bool, lazy: bool
    ) -> None:
        self._plan = plan
        self._connection = connection
        self._choose = choose
        self._is_client = is_client
        self._lazy = lazy
        self._to_open = {each: plan.opened_by(is_client=is_client, unidirectional=each) for each in (False, True)}
        self._outgoing: dict[int, _Outgoing] = {}
        self._offsets: dict[int, int] = {}
        self._readable: dict[int, None] = {}
        self._to_read = plan.incoming(is_client=is_client)
        self._stopped: set[int] = set()
        self._messages_sent = 0
        self.messages: set[int] = set()
        self.connected = False
        self.token = b""
        self.terminations = 0
        self.finished_streams: set[int] = set()

    @property
    def done(self) -> bool:
        """Everything was opened, written (with FIN) and read to the end."""
        return self.connected and not (any(self._to_open.values()) or self._outgoing or self._to_read)

    @property
    def _early(self) -> bool:
        """Whether data may be sent before the handshake is complete: 0-RTT data, and a server's answers to it."""
        connection = self._connection
        return connection.sends_early_data if self._is_client else connection.early_data_accepted is True

    @property
    def was_spoken_to(self) -> bool:
        """Whether a stream was opened by the peer."""
        return any(stream_id % 2 == self._is_client for stream_id in self._offsets)

    @property
    def progress(self) -> str:
        """For a failure's message: what is missing."""
        return (
            f"connected={self.connected}, to open={ {k: len(v) for k, v in self._to_open.items()} }, "
            f"to write={ {k: len(v.content) - v.offset for k, v in self._outgoing.items()} }, "
            f"to read={sorted(self._to_read)}, read so far={self._offsets}"
        )

    def handle(self, event: Event) -> None:
        """Take what the connection tells."""
        if isinstance(event, HandshakeCompleted):
            self.connected = True
        elif isinstance(event, NewTokenReceived):
            self.token = event.token
        elif isinstance(event, ConnectionTerminated):
            self.terminations += 1
        elif isinstance(event, StreamOpened):
            self._on_opened(event.stream_id)
        elif isinstance(event, StreamReadable):
            if event.stream_id not in self._stopped:
                self._readable[event.stream_id] = None
        elif isinstance(event, StreamFinished):
            if event.stream_id in self.finished_streams:
                raise Violation(f"stream {event.stream_id} finished twice")
            self.finished_streams.add(event.stream_id)

    def _on_opened(self, stream_id: int) -> None:
        if stream_id not in self._to_read or stream_id in self._offsets:
            raise Violation(f"stream {stream_id} was opened by nobody, or twice")
        self._readable[stream_id] = None
        self._offsets[stream_id] = 0
        if not stream_id & 2:
            self._send_on(stream_id)

    def _send_on(self, stream_id: int) -> None:
        self._outgoing[stream_id] = _Outgoing(self._plan, stream_id, from_client=self._is_client)

    def run(self) -> bool:
        """Do what can be done now. True: there is more to read, later."""
        if self.connected or self._early:
            self._open()
            for stream_id, outgoing in list(self._outgoing.items()):
                outgoing.write(self._connection, self._choose.randint(1, 20_000))
                if outgoing.finished:
                    del self._outgoing[stream_id]
            self._send_messages()
        for stream_id in list(self._readable):
            self._read(stream_id)
        self._read_messages()
        return bool(self._readable)

    def _open(self) -> None:
        for unidirectional, waiting in self._to_open.items():
            while waiting:
                stream_id = self._connection.open_stream(unidirectional)
                if stream_id is None:
                    break
                if stream_id != waiting.pop(0):
                    raise Violation(f"stream {stream_id} opened out of turn")
                self._send_on(stream_id)
                if not unidirectional:
                    self._offsets[stream_id] = 0

    def _read(self, stream_id: int) -> None:
        stop_at = self._plan.aborted_at("receiver", stream_id, from_client=not self._is_client)
        while True:
            if stop_at is not None and self._offsets[stream_id] >= stop_at and stream_id in self._to_read:
                self._connection.stop_sending(stream_id, STOP + stream_id)
                self._stopped.add(stream_id)
                self._leave(stream_id)
                return
            try:
                data = self._connection.read_stream(stream_id, self._choose.randint(1, 10_000))
            except StreamReset as reset:
                self._check_reset(stream_id, reset)
                self._leave(stream_id)
                return
            if data is None:
                del self._readable[stream_id]
                return
            self._check(stream_id, data)
            if not data:
                self._leave(stream_id)
                return
            if self._lazy:
                return

    def _send_messages(self) -> None:
        for _ in range(min(MESSAGES_AT_ONCE, self._plan.messages - self._messages_sent)):
            self._connection.send_datagram(self._plan.message(self._messages_sent, from_client=self._is_client))
            self._messages_sent += 1

    def _read_messages(self) -> None:
        """Some may be missing, none may come twice, and each is as it was (RFC 9221 §5)."""
        while (data := self._connection.receive_datagram()) is not None:
            number = int.from_bytes(data[:4], "big")
            if number in self.messages or number >= self._plan.messages:
                raise Violation(f"message {number} came twice, or was never sent")
            if data != self._plan.message(number, from_client=not self._is_client):
                raise Violation(f"message {number} is not what was sent")
            self.messages.add(number)

    def _leave(self, stream_id: int) -> None:
        """Nothing more will be read here."""
        del self._readable[stream_id]
        self._to_read.remove(stream_id)

    def _check_reset(self, stream_id: int, reset: StreamReset) -> None:
        reset_at = self._plan.aborted_at("sender", stream_id, from_client=not self._is_client)
        if reset_at is None or self._offsets[stream_id] > reset_at or reset.error_code != RESET + stream_id:
            raise Violation(f"stream {stream_id} was reset by nobody: {reset}")

    def _check(self, stream_id: int, data: bytes) -> None:
        content = self._plan.content(stream_id, from_client=not self._is_client)
        if stream_id not in self._to_read:
            raise Violation(f"stream {stream_id} was read after its end, or twice: {data[:20]!r}")
        start = self._offsets[stream_id]
        if data != content[start : start + len(data)]:
            raise Violation(f"stream {stream_id}: wrong bytes at offset {start}")
        self._offsets[stream_id] = start + len(data)
        if not data and start != len(content):
            raise Violation(f"stream {stream_id} ended after {start} bytes of {len(content)}")
