"""What the others notice of a hostile client: the latency of an ordinary conversation, without it and under attack."""

from __future__ import annotations

import subprocess
import sys
import threading
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from time import monotonic
from typing import NamedTuple

from chat.client.events import Ended, Event, Said, State
from chat.client.session import Session
from chat.client.wire import QuicDial
from chat.exchange import chat_config
from chat.message import ALPN_PROTOCOLS
from quicmini import connect
from tests.soak.attacks import ATTACKS, READY
from tests.soak.server import ServerProcess
from tests.soak.summary import percentile

__all__ = ["Conversation", "Notice", "endure", "report"]

INTERVAL = 0.05  # seconds between two messages
SHARE = 2.0  # times the idle p99 that the others may notice
MEMORY_LIMIT = 250.0  # MB that the server may take, whatever is done to it
PATIENCE = 60.0  # seconds for something to be heard
AFTERWARDS = 1.0  # seconds that an attacker goes on for when the conversation is over


class Notice(NamedTuple):
    """What was noticed during one attack. said, heard: messages of the conversation; p50, p99: their latency, in
    seconds; memory: the server's at its end, in MB; deeds: what the attacker says that it did."""

    attack: str
    said: int
    heard: int
    p50: float
    p99: float
    memory: float
    deeds: str


class Conversation:
    """Two people who talk, one after the other, over one server."""

    def __init__(self, server: ServerProcess) -> None:
        self.latencies: list[float] = []
        self.texts: list[str] = []
        self.said = 0
        self.ended: list[Exception | None] = []
        self._changed = threading.Condition()
        dial = QuicDial(
            partial(
                connect,
                ("127.0.0.1", server.port),
                alpn_protocols=ALPN_PROTOCOLS,
                cafile=server.cafile,
                server_hostname="localhost",
                config=chat_config(),
            )
        )
        self._people = [Session(dial, name, partial(self._note, name)) for name in ("ann", "bob")]
        for person in self._people:
            person.start()

    def wait_for_all(self) -> bool:
        """Until all has been heard; False if that takes too long."""
        with self._changed:
            return self._changed.wait_for(lambda: len(self.latencies) == self.said, PATIENCE)

    def wait_connected(self) -> bool:
        """Until both are there; False if that takes too long."""
        with self._changed:
            return self._changed.wait_for(
                lambda: all(person.state is State.CONNECTED for person in self._people), PATIENCE
            )

    def talk(self, seconds: float) -> None:
        """Talk for so long."""
        pause = threading.Event()
        next_time = monotonic()
        deadline = next_time + seconds
        while next_time < deadline:
            pause.wait(max(0.0, next_time - monotonic()))
            next_time += INTERVAL
            self.said += 1
            self._people[self.said % 2].say(f"talk {monotonic():.6f}")

    def leave(self) -> None:
        for person in self._people:
            person.leave()

    def _note(self, name: str, event: Event) -> None:
        with self._changed:
            match event:
                case Said(nickname=nickname, text=text) if nickname != name:
                    if nickname in ("ann", "bob"):
                        self.latencies.append(monotonic() - float(text.split()[1]))
                    else:
                        self.texts.append(text)
                case Ended(error):
                    self.ended.append(error)
            self._changed.notify_all()


def endure(directory: Path, seconds: float, attacks: tuple[str, ...] = tuple(ATTACKS)) -> list[Notice]:
    """The conversation without any attack, and then during each. Blocks."""
    notices = []
    with ExitStack() as stack:
        server = stack.enter_context(ServerProcess(directory / "server"))
        conversation = Conversation(server)
        stack.callback(conversation.leave)
        conversation.wait_connected()
        conversation.talk(1.0)
        for attack in ("", *attacks):
            conversation.wait_for_all()
            conversation.latencies.clear()
            conversation.said = 0
            process = _attacker(attack, server, seconds + AFTERWARDS) if attack else None
            conversation.talk(seconds)
            conversation.wait_for_all()
            deeds = process.communicate()[0].strip() if process else ""
            latencies = sorted(conversation.latencies)
            p50, p99 = percentile(latencies, 0.5), percentile(latencies, 0.99)
            memory = server.measure().memory
            notices.append(Notice(attack or "idle", conversation.said, len(latencies), p50, p99, memory, deeds))
    return notices


def _attacker(name: str, server: ServerProcess, seconds: float) -> subprocess.Popen[str]:
    """An attacker that has loaded its modules: half a second of one of this machine's processors is no attack."""
    command = [sys.executable, "-m", "tests.soak.attacks", name, str(server.port), server.cafile, str(seconds)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout
    if process.stdout.readline().strip() != READY:
        raise RuntimeError(f"the attacker {name} ended before it began: exit {process.wait()}")
    return process


def report(notices: list[Notice]) -> tuple[str, list[str]]:
    """The figures, a line each, and what is not as it should be."""
    idle = notices[0]
    lines = [f"{'':16}{'said':>6}{'heard':>7}{'p50 ms':>9}{'p99 ms':>9}{'MB':>6}  attacker"]
    findings = []
    for notice in notices:
        name, said, heard, p50, p99, memory, deeds = notice
        lines.append(f"{name:16}{said:6}{heard:7}{p50 * 1e3:9.1f}{p99 * 1e3:9.1f}{memory:6.0f}  {deeds}")
        if heard != said:
            findings.append(f"{name}: {said} messages were said, {heard} heard")
        if p99 > SHARE * idle.p99:
            findings.append(f"{name}: p99 is {p99 / idle.p99:.1f} times the idle one")
        if memory > MEMORY_LIMIT:
            findings.append(f"{name}: the server takes {memory:.0f} MB")
    return "\n".join(lines), findings
