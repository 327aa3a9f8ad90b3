"""What a run is: how many people, for how long, and what befalls them."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass
from typing import Self

__all__ = ["Life", "Settings"]


@dataclass(frozen=True, kw_only=True)
class Settings:
    """One run. Rates are events a second of all clients together, times are seconds.

    rate: messages. loss: of datagrams in each direction, 0 to 1. servers: how many; several share a bus. kill_server:
    how often one of them is killed. restart_redis: how often their bus is. moves, blackouts: how often somebody's
    address changes, or nothing of theirs arrives for a while. deaths: how often a process with some clients is killed.
    mortals: the share of clients that live in such processes.
    """

    clients: int = 200
    rate: float = 50.0
    seconds: float = 120.0
    loss: float = 0.02
    servers: int = 1
    kill_server: int = 0
    restart_redis: int = 0
    rooms: int = 8
    seed: int = 1
    moves: float = 1.0
    blackouts: float = 1.0
    deaths: float = 0.1
    mortals: float = 0.1
    crowd: int = 40
    idle_timeout: float = 20.0


@dataclass(frozen=True, kw_only=True)
class Life:
    """What a process with some of the clients is told: its part of the whole.

    name: the beginning of their names. ports: where the servers are. heralds: whether somebody of these has to tell the
    others that all is said.
    """

    name: str
    seed: str
    ports: tuple[int, ...]
    cafile: str
    journal: str
    clients: int
    rooms: int
    rate: float
    moves: float
    blackouts: float
    loss: float
    idle_timeout: float
    heralds: bool

    def to_json(self) -> str:
        return json.dumps(dataclasses.asdict(self))

    @classmethod
    def from_json(cls, text: str) -> Self:
        return cls(**json.loads(text))
