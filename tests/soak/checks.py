"""Whether everybody saw everything once: the journals of the clients against the histories of the servers.

What one server promises, and what several on a bus promise together as soon as all of them and the bus are back:

- every message that was confirmed, by whichever server, is in the history of each server, once, and each sender's are
  in their order there;
- no screen shows a message twice, and each shows a sender's messages in their order, whichever servers it came from;
- whoever stays to the end has on the screen all that the server where it was first has kept from the first message on
  that was shown there, and had all confirmed that it said.

Messages of different senders may be in a different order in each history and on each screen. Who comes to another
server may be sent more from before it came than the first server has sent.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Sequence

from chat.server.arriving import RECENT
from tests.soak.journal import Record, Shown
from tests.soak.server import History, Row

__all__ = ["findings"]

Key = tuple[str, int]  # who said it, and the how manieth of theirs it is
Listeners = dict[str, list[Row]]  # what each person may read, in a history's order


def findings(
    records: dict[str, Record], histories: Sequence[History], died: Collection[str], curtains: int = 0
) -> list[str]:
    """A sentence for everything that is not as it should be. died: who was killed and never came back, or left before
    the end. curtains: how many messages of a room's history are in no journal."""
    problems: list[str] = []
    heard: list[Listeners] = []
    for history in histories:
        problems += _of_history(history)
        problems += _of_kept(history, records)
        heard.append(_by_listener(history.rows, records))
    for name, record in records.items():
        if name not in died:
            problems += _of_sender(record)
        problems += _of_screen(record, heard[record.home][name], name in died, curtains)
    return problems


def _of_history(history: History) -> list[str]:
    problems = []
    last: defaultdict[str, int] = defaultdict(int)
    for row in history.rows:
        if row.seq <= last[row.sender]:
            problems.append(f"{history.name} has {row.sender}'s message {row.seq} after {last[row.sender]}")
        last[row.sender] = row.seq
    return problems


def _of_kept(history: History, records: dict[str, Record]) -> list[str]:
    """Nothing is lost that was confirmed."""
    kept: defaultdict[str, set[int]] = defaultdict(set)
    for row in history.rows:
        kept[row.sender].add(row.seq)
    problems = []
    for name, record in records.items():
        if lost := set(range(1, record.confirmed + 1)) - kept[name] - record.refused:
            problems.append(
                f"{history.name} has lost {len(lost)} confirmed messages of {name}, the first is {min(lost)}"
            )
    return problems


def _of_sender(record: Record) -> list[str]:
    """All was confirmed that was said by somebody who stayed to the end, under the name that it chose."""
    name = record.name
    problems = []
    if renamed := record.events["N"]:
        problems.append(f"{name} was welcomed under another name, {renamed} times")
    if record.ended and record.connected:
        problems.append(f"{name}: its session ended: {record.ended}")
    elif missing := set(range(record.confirmed + 1, record.said + 1)) - record.refused:
        problems.append(f"{name}: {len(missing)} messages were never confirmed, the first is {min(missing)}")
    return problems


def _by_listener(rows: Iterable[Row], records: dict[str, Record]) -> Listeners:
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


def _of_screen(record: Record, rows: list[Row], died: bool, curtains: int) -> list[str]:
    name = record.name
    places = {(row.sender, row.seq): place for place, row in enumerate(rows)}
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
    first = min((places[shown.sender, shown.seq] for shown in record.beginning), default=len(rows))
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
    fresh = [places[shown.sender, shown.seq] for shown in record.beginning if shown.kind != "old"]
    before = min(fresh) - first if fresh else 0
    if fresh and before < min(RECENT - curtains, min(fresh)):
        return [f"{record.name} saw only {before} of the messages from before it came"]
    return []


def _before_the_last(record: Record, missing: list[Row]) -> list[Row]:
    """Those of the missing that came before another one of the same sender that was shown."""
    last: dict[str, Shown] = {shown.sender: shown for shown in record.shown}
    return [row for row in missing if row.sender in last and row.seq < last[row.sender].seq]
