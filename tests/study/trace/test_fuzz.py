"""Logs that make no sense: a diagram, or one sentence, and never anything else."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from random import Random
from typing import Any

import pytest

from quicmini.study.terminal import WIDTH, Ink
from quicmini.study.trace.command import show
from quicmini.study.trace.logs import LogError, read_logs
from quicmini.study.trace.pairing import pair

LOG = json.loads((Path(__file__).parent / "data" / "aioquic_client.qlog").read_text(encoding="utf-8"))
ROUNDS = 150

JUNK: list[Any] = [
    None,
    True,
    -1,
    0,
    2**63,
    1e308,
    -1e308,
    1.5,
    "",
    "x",
    "\x1b[2J",
    "9" * 19,
    [],
    [[]],
    [None],
    {},
    {"a": 1},
]
WORDS = ["1RTT", "initial", "retry", "ack", "stream", "crypto", "client", "server", "packet_lost", "packet_dropped"]


def places(value: Any) -> list[tuple[Any, Any]]:
    """All containers with a key of theirs."""
    found = []
    keys = list(value) if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ()
    for key in keys:
        found.append((value, key))
        found += places(value[key])
    return found


def drawn(text: str) -> list[str]:
    try:
        logs = read_logs(text)
    except LogError as error:
        return [str(error)]
    return [
        line
        for everything in (False, True)
        for conversation in pair(logs)
        for line in show(conversation, Ink(False), everything=everything)
    ]


@pytest.mark.parametrize("seed", range(4))
def test_changed_logs(seed: int) -> None:
    random = Random(seed)
    for _ in range(ROUNDS):
        log = copy.deepcopy(LOG)
        where = places(log)
        for _ in range(random.choice([1, 3, 10, 100])):
            container, key = random.choice(where)
            container[key] = copy.deepcopy(random.choice([*JUNK, *WORDS]))
        check(drawn(json.dumps(log)))


def test_logs_that_are_cut_off() -> None:
    random = Random(1)
    trace = LOG["traces"][0]
    records = [{"trace": trace | {"events": []}}, *trace["events"]]
    for separator in ("", "\x1e"):
        text = "".join(f"{separator}{json.dumps(record)}\n" for record in records)
        for _ in range(ROUNDS):
            check(drawn(text[: random.randrange(len(text))]))


def check(lines: list[str]) -> None:
    assert lines
    for line in lines:
        assert len(line) <= WIDTH
        assert line.isprintable()
