"""What is measured, and what both implementations agree on."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict, dataclass
from typing import Any

from chat.message import Message

__all__ = [
    "ALPN",
    "CASES",
    "IMPLEMENTATIONS",
    "MESSAGE_SIZE",
    "MIB",
    "NICKNAME",
    "WINDOW",
    "Case",
    "Options",
    "decoded",
    "message",
    "report",
]

IMPLEMENTATIONS = ("quicmini", "aioquic")

MIB = 1024 * 1024
WINDOW = 16 * MIB  # bytes: flow control of the connection and of each stream, on both sides
ALPN = "bench"
NICKNAME = "bench"  # of the client that sends the chat\'s messages
MESSAGE_SIZE = 100  # bytes of one echo message


@dataclass(frozen=True)
class Case:
    """A kind of work. count: how much of it a round does; units: what that comes to, in `unit`; clients: how many
    take part."""

    name: str
    title: str
    count: int
    unit: str
    units: float
    clients: int = 1

    def rate(self, seconds: float) -> float:
        """What was achieved, in `unit`, which is always so-and-so much a second."""
        return self.units / seconds


BULK = 32 * MIB
CHATTERS = 100

CASES = (
    Case("download", "bulk, one stream, server to client", BULK, "Mbit/s", BULK * 8 / 1e6),
    Case("upload", "bulk, one stream, client to server", BULK, "Mbit/s", BULK * 8 / 1e6),
    Case("echo", "echo, a stream for each message, one after the other", 2000, "messages/s", 2000),
    Case("echo-100", "echo, a stream for each message, 100 at once", 5000, "messages/s", 5000),
    Case("handshake", "handshakes, one after the other", 200, "handshakes/s", 200),
    Case("chat", f"chat, each message to {CHATTERS} clients", 20, "deliveries/s", 20 * CHATTERS, CHATTERS),
)


@dataclass(frozen=True)
class Options:
    """What a process is told on its command line, as JSON."""

    case: str
    count: int
    certfile: str
    keyfile: str
    cafile: str
    clients: int
    port: int = 0

    @classmethod
    def from_command_line(cls) -> tuple[str, Options]:
        """(role, options) of this process: `python -m tests.bench.…_side ROLE JSON`."""
        return sys.argv[1], cls(**json.loads(sys.argv[2]))

    def to_json(self) -> str:
        return json.dumps(asdict(self))


def message(number: int) -> bytes:
    """An echo message; no two of a round are alike."""
    return number.to_bytes(4, "big") * (MESSAGE_SIZE // 4)


def decoded(data: bytes) -> Message:
    """A chat message that is all there. Raises ValueError if it is not."""
    known = Message.decode(data)
    if known is None:
        raise ValueError("half a message")
    return known


def report(**values: Any) -> None:
    """A line of JSON for the runner."""
    print(json.dumps(values), flush=True)
