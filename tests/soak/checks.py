"""Whether everybody saw everything once: the journals of the clients against the history of the server."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable

from chat.server.hub import RECENT
from tests.soak.journal import Record, Shown
from tests.soak.server import Row

__all__ = ["findings"]

Key = tuple[str, int]  # who said it, and the how manieth of theirs it is


def findings(records: dict[str, Record], rows: Iterable[Row], died: Collection[str], curtains: int = 0) -> list[str]:
    """A sentence for everything that is not as it should be. died: who was killed and never came back, or left before
    the end. curtains: how many messages of a room's history are in no journal."""
    kept = list(rows)
    problems = _of_history(kept)
    numbers: dict[str, list[int]] = {}
    places: dict[str, dict[Key, int]] = {}
    heard = _by_listener(kept, records)
    for name, record in records.items():
        problems += _of_sender(record, kept_of(kept, name, numbers), died)
        places[name] = {(row.sender, row.seq): place for place, row in enumerate(heard[name])}
        problems += _of_screen(record, heard[name], places[name], name in died, curtains)
    return problems


def kept_of(rows: list[Row], name: str, known: dict[str, list[int]]) -> set[int]:
    """Which messages of a sender are in the history. known: is filled once, for all of them."""
    if not known:
        for row in rows:
            known.setdefault(row.sender, []).append(row.seq)
    return set(known.get(name, ()))


def _of_history(rows: list[Row]) -> list[str]:
    problems = []
    last: defaultdict[str, int] = defaultdict(int)
    for row in rows:
        if row.seq <= last[row.sender]:
            problems.append(f"the history has {row.sender}'s message {row.seq} after {last[row.sender]}")
        last[row.sender] = row.seq
    return problems


def _of_sender(record: Record, kept: set[int], died: Collection[str]) -> list[str]:
    """Nothing is lost that was confirmed, or that was said by somebody who stayed to the end."""
    name = record.name
    problems = []
    lost = set(range(1, record.confirmed + 1)) - kept - record.refused
    if lost:
        problems.append(f"{name}: {len(lost)} confirmed messages are lost, the first is {min(lost)}")
    if name in died:
        return problems
    if record.ended and record.connected + record.events["X"]:
        problems.append(f"{name}: its session ended: {record.ended}")
    elif missing := set(range(record.confirmed + 1, record.said + 1)) - record.refused:
        problems.append(f"{name}: {len(missing)} messages were never confirmed, the first is {min(missing)}")
    return problems


def _by_listener(rows: list[Row], records: dict[str, Record]) -> dict[str, list[Row]]:
    """What each person may read, in the history's order."""
    rooms: defaultdict[str, list[Row]] = defaultdict(list)
    direct: defaultdict[str, list[Row]] = defaultdict(list)
    for row in rows:
        if row.room:
            rooms[row.room].append(row)
        else:
            for name in {row.sender, row.recipient}:
                direct[name].append(row)
    return {name: sorted([*rooms[record.room], *direct[name]]) for name, record in records.items()}


def _of_screen(record: Record, rows: list[Row], places: dict[Key, int], died: bool, curtains: int) -> list[str]:
    name = record.name
    keys = [(shown.sender, shown.seq) for shown in record.shown]
    problems = [
        f"{name} saw {sender}'s message {count} {times} times"
        for (sender, count), times in Counter(keys).items()
        if times > 1
    ]
    problems += [f"{name} saw what was not for it: {key}" for key in keys if key not in places]
    if problems or not keys:
        return problems
    problems += _of_order(record)
    first = min(places[key] for key in keys)
    problems += _of_beginning(record, places, first, curtains)
    shown = set(keys)
    missing = [row for row in rows[first:] if (row.sender, row.seq) not in shown]
    if died:
        missing = _before_the_last(record, missing)
    if missing:
        row = missing[0]
        problems.append(f"{name} missed {len(missing)} messages, the first is {row.sender}'s {row.seq}")
    return problems


def _of_order(record: Record) -> list[str]:
    last: defaultdict[str, int] = defaultdict(int)
    for sender, count, *_ in record.shown:
        if count < last[sender]:
            return [f"{record.name} saw {sender}'s message {count} after {last[sender]}"]
        last[sender] = count
    return []


def _of_beginning(record: Record, places: dict[Key, int], first: int, curtains: int) -> list[str]:
    """A newcomer sees what was said last before it came; then nothing is missing between that and the rest."""
    fresh = [places[shown.sender, shown.seq] for shown in record.shown if shown.kind != "old"]
    before = min(fresh) - first if fresh else 0
    if fresh and before < min(RECENT - curtains, min(fresh)):
        return [f"{record.name} saw only {before} of the messages from before it came"]
    return []


def _before_the_last(record: Record, missing: list[Row]) -> list[Row]:
    """Those of the missing that came before another one of the same sender that was shown."""
    last: dict[str, Shown] = {shown.sender: shown for shown in record.shown}
    return [row for row in missing if row.sender in last and row.seq < last[row.sender].seq]
