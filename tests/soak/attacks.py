"""What a hostile client does to a server: `python -m tests.soak.attacks NAME PORT CAFILE SECONDS`.

Prints READY when its modules are loaded, and begins. Each attack is a function that takes a connection and goes on
until that is closed, or the time is over. Whoever is shown the door comes back after a moment, for as long as it is
told to. At the end it prints how often it has come, and what it did.
"""

from __future__ import annotations

import os
import random
import secrets
import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from time import monotonic

from chat.exchange import Outbox
from chat.gob_writing import encode_struct
from chat.message import ALPN_PROTOCOLS, Dialect, Kind, Message
from quicmini import Connection, ConnectionClosed, StreamReset, StreamStopped, connect

__all__ = ["ATTACKS", "ESCAPES", "READY", "attack"]

READY = "ready"

REST = 1.0  # seconds before it comes back
PATIENCE = 0.5  # seconds to wait for whatever the server withholds
HUGE = 100 * 1024 * 1024  # bytes
STREAMS = 100_000
ESCAPES = "\x1b]0;owned\x07\x1b[2J\x1b[31m\x9b1;1H\x08\x08\r\n[server]: you have won\u202e"

Clock = Iterator[int]  # counts, for as long as there is time


def _escapes(connection: Connection, clock: Clock) -> str:
    """Names and words that a terminal would obey."""
    session = secrets.token_hex(8)
    outbox = _greeted(connection, f"esc{session[:4]}", session)
    for seq in clock:
        message = Message(ESCAPES, f"{ESCAPES} {seq}", room=ESCAPES, seq=seq, session=session)
        for kind in (Kind.SAY if seq % 2 else Kind.ME, Kind.NICK, Kind.JOIN, ESCAPES):
            outbox.send(message._replace(kind=kind).encode(Dialect.CHAT))
        threading.Event().wait(0.01)
    return "messages"


def _huge_message(connection: Connection, clock: Clock) -> str:
    """A message of 100 MB, and another one, and another one."""
    beginning = b"\xfc" + HUGE.to_bytes(4, "big")
    for _ in clock:
        stream = connection.open_stream(timeout=PATIENCE)
        try:
            stream.sendall(beginning)
            for _ in range(HUGE // 65536):
                stream.sendall(bytes(65536))
        except StreamStopped:
            stream.close()
    return "messages of 100 MB"


def _many_streams(connection: Connection, clock: Clock) -> str:
    """100,000 streams, each with a byte and an abrupt end."""
    for number in clock:
        try:
            stream = connection.open_stream(timeout=PATIENCE)
            stream.sendall(b"\x10")
            stream.reset(7)
            stream.close()
        except (StreamStopped, TimeoutError):
            pass
        if number == STREAMS:
            break
    return "streams"


def _left_streams(connection: Connection, clock: Clock) -> str:
    """As many streams as can be open, each with half a message, and then nothing more."""
    half = Message("ann", "x" * 50_000).encode()[:-10]
    pause = threading.Event()
    left = []
    for _ in clock:
        try:
            stream = connection.open_stream(timeout=0)
            stream.settimeout(PATIENCE)
            stream.sendall(half)
            left.append(stream)
        except (StreamStopped, TimeoutError):
            pause.wait(PATIENCE)
    return "looks for another stream"


def _garbage(connection: Connection, clock: Clock) -> str:
    """Bytes that are no message, or a message of other types."""
    chance = random.Random(os.getpid())
    good = Message("ann", "hello").encode()
    for number in clock:
        junk = bytearray(good)
        junk[chance.randrange(len(junk))] ^= 1 << chance.randrange(8)
        wrong = encode_struct("Message", {"Nickname": "x", "Seq": 2**62})
        data = (chance.randbytes(chance.randrange(1, 2000)), bytes(junk), wrong, b"")[number % 4]
        stream = connection.open_stream(timeout=PATIENCE)
        try:
            stream.sendall(data, end_stream=True)
        except (StreamStopped, StreamReset):
            pass
        stream.close()
    return "streams of garbage"


def _flood(connection: Connection, clock: Clock) -> str:
    """Messages as fast as they can be made."""
    session = secrets.token_hex(8)
    outbox = _greeted(connection, f"flood{session[:4]}", session)
    for seq in clock:
        message = Message("", "buy! " * 20, session=session, seq=seq)
        outbox.send(message.encode(Dialect.CHAT))
    return "messages"


def _greeted(connection: Connection, name: str, session: str) -> Outbox:
    outbox = Outbox(connection)
    outbox.send(Message(name, "", kind=Kind.HELLO, session=session).encode(Dialect.CHAT))
    return outbox


ATTACKS: dict[str, Callable[[Connection, Clock], str]] = {
    "escapes": _escapes,
    "100-MB-message": _huge_message,
    "100,000-streams": _many_streams,
    "left-streams": _left_streams,
    "garbage": _garbage,
    "flood": _flood,
}


def attack(name: str, port: int, cafile: str, seconds: float) -> str:
    """Attack for so long; returns what it did. Blocks."""
    deadline = monotonic() + seconds
    done: Counter[str] = Counter()
    visits = 0
    pause = threading.Event()
    while monotonic() < deadline:
        clock = _Clock(deadline)
        what = "things"
        try:
            with connect(
                ("127.0.0.1", port),
                alpn_protocols=ALPN_PROTOCOLS,
                cafile=cafile,
                server_hostname="localhost",
                close_timeout=0.1,
            ) as connection:
                visits += 1
                what = ATTACKS[name](connection, clock)
        except (ConnectionClosed, OSError) as error:
            done[f"sent away: {error}"] += 1
        done[what] += clock.count
        pause.wait(max(0.0, min(REST, deadline - monotonic())))
    return f"{visits} visits; " + "; ".join(f"{count} × {what}" for what, count in done.items())


class _Clock:
    """1, 2, 3 … until the deadline."""

    def __init__(self, deadline: float) -> None:
        self.count = 0
        self._deadline = deadline

    def __iter__(self) -> _Clock:
        return self

    def __next__(self) -> int:
        if monotonic() > self._deadline:
            raise StopIteration
        self.count += 1
        return self.count


if __name__ == "__main__":
    print(READY, flush=True)
    print(attack(sys.argv[1], int(sys.argv[2]), sys.argv[3], float(sys.argv[4])))
