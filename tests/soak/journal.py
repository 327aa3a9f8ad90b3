"""What happened to the clients of one process, written down as it happens: a SIGKILL takes nothing of it away.

One line for each: a letter, who it happened to, and what belongs to it.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

__all__ = ["CURTAIN", "Journal", "Record", "Shown", "read", "text_of", "words_of"]

CURTAIN = "curtain"  # what is said when all else is


class Shown(NamedTuple):
    """A message that came on somebody's screen. seq: which one of its sender's, from 1. kind: old, missed, late (a dark
    network was in the way), live. latency: seconds since it was said."""

    sender: str
    seq: int
    number: int
    kind: str
    latency: float


@dataclass
class Record:
    """What is known of one person.

    said: how many messages were taken in. confirmed: up to which the server has them. refused: which it would not take.
    connected: how often. servers: where it was welcomed, each time. shown_first: how much was shown until it was
    welcomed for the second time.
    """

    name: str
    room: str = ""
    shown: list[Shown] = field(default_factory=list)
    said: int = 0
    confirmed: int = 0
    refused: set[int] = field(default_factory=set)
    events: Counter[str] = field(default_factory=Counter)
    ended: str | None = None
    servers: list[int] = field(default_factory=list)
    shown_first: int | None = None

    @property
    def connected(self) -> int:
        return len(self.servers)

    @property
    def home(self) -> int:
        """The server where it was first."""
        return self.servers[0] if self.servers else 0

    @property
    def beginning(self) -> list[Shown]:
        """What was shown on its first connection."""
        return self.shown[: self.shown_first]

    def welcomed(self, server: int) -> None:
        """It has a connection, to the server of that number."""
        self.servers.append(server)
        if len(self.servers) == 2:
            self.shown_first = len(self.shown)

    @property
    def kept(self) -> int:
        """The last message that must not be lost, whatever happens; 0: there is none."""
        return max(set(range(1, self.confirmed + 1)) - self.refused, default=0)


class Journal:
    """Writes; any thread may."""

    def __init__(self, path: str) -> None:
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)

    def add(self, letter: str, name: str, *words: object) -> None:
        """Write one line. E: ended, because of; J: is in a room; T, C, R: said, confirmed, refused, with the count;
        W: welcomed, by which server; X: with 0-RTT; N: under another name; A: sent something again; M: moved;
        L: lost the connection."""
        os.write(self._file, "\t".join((letter, name, *map(str, words), "\n")).encode())

    def close(self) -> None:
        """Write no more."""
        os.close(self._file)

    def shown(self, name: str, shown: Shown) -> None:
        """Write that a message was shown."""
        sender, seq, number, kind, latency = shown
        os.write(self._file, f"S\t{name}\t{sender}\t{seq}\t{number}\t{kind}\t{latency:.4f}\t\n".encode())


def read(paths: Iterable[Path]) -> dict[str, Record]:
    """The records of everybody in some journals."""
    records: dict[str, Record] = {}
    for path in paths:
        with path.open(encoding="utf-8") as lines:
            for line in lines:
                letter, name, *words = line.split("\t")[:-1]
                _add(records.setdefault(name, Record(name)), letter, words)
    return records


def _add(record: Record, letter: str, words: list[str]) -> None:
    match letter, words:
        case "S", [sender, count, number, kind, latency]:
            record.shown.append(Shown(sender, int(count), int(number), kind, float(latency)))
        case "T", [count]:
            record.said = int(count)
        case "C", [count]:
            record.confirmed = max(record.confirmed, int(count))
        case "R", [count]:
            record.refused.add(int(count))
        case "E", [error]:
            record.ended = error
        case "J", [room]:
            record.room = room
        case "W" | "X", [server]:
            record.events[letter] += 1
            record.welcomed(int(server))
        case _:
            record.events[letter] += 1


def text_of(name: str, count: int, time: float, padding: int) -> str:
    """What somebody says: it tells who, the how manieth it is, and when."""
    return f"{name} {count} {time:.4f} {'.' * padding}"


def words_of(text: str) -> tuple[str, int, float]:
    """The name, the count and the time in such a text. Raises ValueError if it is another."""
    name, count, time, _ = text.split(" ")
    return name, int(count), float(time)
