"""A process with some of the clients: `python -m tests.soak.crowd LIFE`, a `Life` as JSON.

It says on stdout where it is, a word a line, and goes on when it is told on stdin:
`there` when everybody has come, and they talk; -> stop; `settled` when the server has all that they said; -> leave;
`done` when everyone has seen everything, and has left.
"""

from __future__ import annotations

import contextlib
import random
import sys
import threading
from collections.abc import Callable
from functools import partial
from itertools import count
from time import monotonic

from chat.client.join import KEEP_ALIVE
from chat.exchange import chat_config
from chat.message import ALPN_PROTOCOLS
from quicmini import connect
from tests.soak import path
from tests.soak.journal import Journal
from tests.soak.person import Person, Route
from tests.soak.settings import Life

__all__ = ["Crowd", "main"]

ARRIVALS = 5.0  # a second
PATIENCE = 120.0  # seconds in which all has to be settled, or seen
POLL = 0.1  # seconds between two looks whether it is
DIRECT = 0.03  # the share of messages that are for one person alone


class Crowd:
    """The clients of this process, and the hand of fate."""

    def __init__(self, life: Life) -> None:
        self.people: list[Person] = []
        self._life = life
        self._chance = random.Random(life.seed)
        self._journal = Journal(life.journal)
        self._names = count(1)
        self._connect = partial(
            connect,
            alpn_protocols=ALPN_PROTOCOLS,
            cafile=life.cafile,
            server_hostname="localhost",
            config=chat_config(life.idle_timeout, keep_alive_interval=min(KEEP_ALIVE, life.idle_timeout / 2)),
        )

    def gather(self, stop: threading.Event) -> None:
        """Have everybody come, one after another; who cannot connect at all tries again, as somebody else."""
        for _ in range(self._life.clients):
            self._add()
            stop.wait(1 / ARRIVALS)
        while not stop.is_set() and not all(person.connected for person in self.people):
            self.replace()
            stop.wait(POLL)

    def replace(self) -> None:
        """Somebody else for whoever could not connect."""
        for person in [person for person in self.people if person.over]:
            self.people.remove(person)
            self._add()

    def live(self, stop: threading.Event) -> None:
        """Talk, move and vanish at random until it is to stop."""
        life, chance = self._life, self._chance
        fates = {self._say: life.rate, self._move: life.moves, self._vanish: life.blackouts}
        total = sum(fates.values())
        next_time = monotonic()
        while total:
            next_time += chance.expovariate(total)
            if stop.wait(max(0.0, next_time - monotonic())):
                return
            (act,) = chance.choices(list(fates), list(fates.values()))
            act(chance.choice(self.people))

    def settle(self) -> bool:
        """Wait until the server has everything; False if it does not come to that."""
        for person in self.people:
            person.settle()
        return self._wait_for(lambda person: person.settled, self.replace)

    def see_all(self) -> bool:
        """Wait until everyone has seen everything: all that was said before something that is said now."""
        if self._life.heralds:
            heralds = {person.room: person for person in self.people}
            for herald in heralds.values():
                herald.drop_curtain()
        return self._wait_for(lambda person: 0 < person.curtain <= person.seen)

    def leave(self) -> None:
        """Everybody goes."""
        threads = [threading.Thread(target=person.leave, daemon=True) for person in self.people]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    def _wait_for(self, enough: Callable[[Person], bool], meanwhile: Callable[[], None] | None = None) -> bool:
        deadline = monotonic() + PATIENCE
        pause = threading.Event()
        while not all(enough(person) for person in self.people):
            if monotonic() > deadline:
                return False
            if meanwhile:
                meanwhile()
            pause.wait(POLL)
        return True

    def _add(self) -> None:
        index = next(self._names)
        name = f"{self._life.name}.{index}"
        room = f"room{index % self._life.rooms}"
        way = path.Path(self._life.loss, f"{self._life.seed} {name}")
        ports = self._life.ports
        home = index // self._life.rooms % len(ports)
        route = Route(ports, home, random.Random(f"{self._life.seed} {name} route").random)
        self.people.append(Person(name, room, way, route, self._connect, self._journal))

    def _say(self, person: Person) -> None:
        direct = self._chance.random() < DIRECT
        person.say(self._chance, self._chance.choice(self.people).name if direct else "")

    def _move(self, person: Person) -> None:
        person.path.host = f"127.{self._chance.randrange(1, 250)}.{self._chance.randrange(250)}.1"

    def _vanish(self, person: Person) -> None:
        person.path.go_dark(self._chance.uniform(0.1, 1.5) * self._life.idle_timeout)


def main() -> int:
    """Live a life."""
    path.install()
    crowd = Crowd(Life.from_json(sys.argv[1]))
    stop = threading.Event()
    told = threading.Thread(target=_wait_for_word, args=(stop,), daemon=True)
    told.start()
    crowd.gather(stop)
    print("there", flush=True)
    crowd.live(stop)
    told.join()
    if not crowd.settle():
        print("not settled", flush=True)
        return 1
    print("settled", flush=True)
    sys.stdin.readline()
    seen = crowd.see_all()
    crowd.leave()
    print("done" if seen else "not seen", flush=True)
    return 0 if seen else 1


def _wait_for_word(stop: threading.Event) -> None:
    with contextlib.suppress(ValueError):
        sys.stdin.readline()
    stop.set()


if __name__ == "__main__":
    sys.exit(main())
