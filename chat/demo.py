"""`demo`: a server and two clients, three processes, hold a conversation; then what QUIC did for it."""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any

from chat.problems import Problem

__all__ = ["demo"]

PATIENCE = 12.0  # seconds for the whole conversation; then whatever still runs is ended

ALICE, BOB = "Alice", "Bob"
SCRIPT = (
    (ALICE, "Hi Bob! Is this TCP?"),
    (BOB, "No: UDP, and QUIC packets that a few thousand lines of Python have sealed."),
    (ALICE, "And if one of your packets gets lost?"),
    (BOB, "Then it is sent again. My next message does not wait for it:"),
    (BOB, "each one has a stream of its own."),
    (ALICE, "Neat. 再见 👋"),
)

Stats = dict[str, Any]


def demo(_options: argparse.Namespace) -> int:
    """Show the conversation and the summary on stdout; blocks for a few seconds. Raises Problem if it gets stuck."""
    with tempfile.TemporaryDirectory(prefix="quicmini-demo-") as name, _Cast() as cast:
        directory = Path(name)
        server = cast.start("serve", "--port", "0", "--state-dir", name)
        fingerprint = server.log("[INFO] certificate ").rpartition(" ")[2]
        address = server.log("[INFO] listening on UDP ").rpartition(" ")[2]
        print("A chat over QUIC: a server and two clients, three processes, UDP on this machine.\n")
        print(f"  server   process {server.pid}, UDP {address}")
        print(f"           certificate {fingerprint[:23]}…, made a moment ago; the clients trust no other")
        people = {}
        for person in (ALICE, BOB):
            trust, stats = ("--ca", str(directory / "cert.pem")), ("--stats", str(directory / person))
            people[person] = cast.start("join", address, "-n", person, *trust, *stats)
            client = server.log("[INFO] added client ").rpartition(" ")[2]
            print(f"  {person:7}  process {people[person].pid}, UDP {client}")
        seen = _talk(people)
        for process in (*people.values(), server):
            process.leave()
        for person, lines in seen.items():
            print(f"\nWhat {person} saw:\n")
            print("\n".join(f"  {line}" for line in lines))
        _summarize({person: json.loads((directory / person).read_text()) for person in people})
    return 0


def _talk(people: dict[str, _Process]) -> dict[str, list[str]]:
    """Everyone says their lines in turn, when the line before has reached everyone; returns what each saw."""
    seen: dict[str, list[str]] = {person: [] for person in people}
    for speaker, text in SCRIPT:
        people[speaker].say(text)
        for person, process in people.items():
            seen[person].append(process.output())
    return seen


class _Cast:
    """The processes of the demo: none outlives it, whatever happens."""

    def __init__(self) -> None:
        self._processes: list[_Process] = []
        self._watchdog = threading.Timer(PATIENCE, self._end)

    def __enter__(self) -> _Cast:
        self._watchdog.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._watchdog.cancel()
        self._end()

    def start(self, *arguments: str) -> _Process:
        process = _Process(arguments)
        self._processes.append(process)
        return process

    def _end(self) -> None:
        for process in self._processes:
            process.kill()


class _Process:
    """A chat command in a process of its own, whose lines are read one at a time."""

    def __init__(self, arguments: tuple[str, ...]) -> None:
        self._name = arguments[0]
        self._popen = subprocess.Popen(
            [sys.executable, "-m", "chat", *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            encoding="utf-8",
            env={**os.environ, "PYTHONUTF8": "1"},
            start_new_session=True,  # Ctrl-C is for the demo, which ends it
        )
        self.pid = self._popen.pid

    def say(self, line: str) -> None:
        assert self._popen.stdin
        self._popen.stdin.write(f"{line}\n")
        self._popen.stdin.flush()

    def output(self) -> str:
        """The next line of stdout."""
        return self._next(self._popen.stdout)

    def log(self, start: str) -> str:
        """The next line of stderr that starts like this."""
        while not (line := self._next(self._popen.stderr)).startswith(start):
            pass
        return line

    def _next(self, pipe: IO[str] | None) -> str:
        assert pipe
        line = pipe.readline()
        if not line:
            raise Problem(f"the demo got stuck: 'chat {self._name}' ended early; {self._last_words()}")
        return line.removesuffix("\n")

    def leave(self) -> None:
        """End it properly: a client with its stdin, a server with SIGTERM."""
        if self._name == "serve":
            self._popen.send_signal(signal.SIGTERM)
        _, log = self._popen.communicate()
        if self._popen.returncode != 0:
            raise Problem(f"the demo failed: 'chat {self._name}' ended with status {self._popen.returncode}: {log}")

    def kill(self) -> None:
        self._popen.kill()

    def _last_words(self) -> str:
        self._popen.kill()
        _, log = self._popen.communicate()
        return f"its log ends with: {log.strip().splitlines()[-1]}" if log.strip() else "its log has no more to say"


def _summarize(stats: dict[str, Stats]) -> None:
    print("\nWhat QUIC did for it, as the clients counted:\n")
    print("  " + " " * 26 + "".join(f"{person:>26}" for person in stats))
    for label, show in ROWS:
        print(f"  {label:26}" + "".join(f"{show(each):>26}" for each in stats.values()))
    print("\nEvery message had a stream of its own, opened, filled and ended by one packet.")
    print("Now you: 'python -m chat serve' says how to join.")


def _milliseconds(seconds: float) -> str:
    return f"{seconds * 1000:.1f} ms"


ROWS: tuple[tuple[str, Callable[[Stats], str]], ...] = (
    ("handshake", lambda stats: _milliseconds(stats["handshake_time"])),
    ("cipher", lambda stats: stats["cipher"]),
    ("packets sent, received", lambda stats: f"{stats['packets_sent']:,}, {stats['packets_received']:,}"),
    ("bytes sent, received", lambda stats: f"{stats['bytes_sent']:,}, {stats['bytes_received']:,}"),
    ("packets lost", lambda stats: f"{stats['packets_lost']:,}"),
    ("bytes retransmitted", lambda stats: f"{stats['retransmitted_bytes']:,}"),
    ("round trip, smoothed", lambda stats: _milliseconds(stats["smoothed_rtt"])),
    ("round trip, least", lambda stats: _milliseconds(stats["min_rtt"])),
)
