"""`demo`: a server and two clients, three processes, hold a conversation over a path that loses some of their packets;
then what QUIC did for it."""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import IO, Any, NamedTuple

from chat.address import format_address, parse_address
from chat.lossy_path import LossyPath
from chat.message import DEFAULT_PORT, Message
from chat.problems import Problem, writing
from chat.text import SERVER_NAME

__all__ = ["demo"]

PATIENCE = 12.0  # seconds for the whole conversation; then whatever still runs is ended
READING_TIME = 0.6  # seconds after each message, on a terminal

ALICE, BOB = "Alice", "Bob"


class Line(NamedTuple):
    """A message."""

    speaker: str
    text: str


class Turn(NamedTuple):
    """What is said before everybody looks; the speaker's path throws away the first line if `loses` says so."""

    lines: tuple[Line, ...]
    loses: bool = False


SCRIPT = (
    Turn((Line(ALICE, "Hi Bob! Is this TCP?"),)),
    Turn((Line(BOB, "No: UDP, and QUIC packets that a few thousand lines of Python have sealed."),)),
    Turn((Line(ALICE, "And if one of your packets gets lost, as this one does?"),), loses=True),
    Turn(
        (
            Line(BOB, "Then it is sent again. This one gets lost, too."),
            Line(ALICE, "And this one, on a stream of its own, does not wait for it."),
        ),
        loses=True,
    ),
    Turn((Line(BOB, "Neat. 再见 👋"),)),
)

Stats = dict[str, Any]


def demo(options: argparse.Namespace) -> int:
    """Show the conversation and the summary on stdout; blocks for a few seconds. Raises Problem if it gets stuck."""
    with tempfile.TemporaryDirectory(prefix="quicmini-demo-") as name, ExitStack() as stack, _Cast() as cast:
        directory = Path(name)
        recording = ("--pcapng", options.pcapng) if options.pcapng else ()
        server = cast.start("serve", "--port", "0", "--state-dir", name, *recording)
        fingerprint = server.log("[INFO] certificate ").rpartition(" ")[2]
        address = server.log("[INFO] listening on UDP ").rpartition(" ")[2]
        _show("A chat over QUIC: a server and two clients, three processes, UDP on this machine.\n")
        _show(f"  server   process {server.pid}, UDP {address}")
        _show(f"           certificate {fingerprint[:23]}…, made a moment ago; the clients trust no other")
        people, paths = {}, {}
        for person in (ALICE, BOB):
            path = paths[person] = stack.enter_context(LossyPath(parse_address(address, DEFAULT_PORT), person))
            entrance = format_address(path.address)
            trust, stats = ("--ca", str(directory / "cert.pem")), ("--stats", str(directory / person))
            people[person] = cast.start("join", entrance, "-n", person, *trust, *stats)
            exit_ = server.log("[INFO] added client ").split(" ")[3]
            _show(f"  {person:7}  process {people[person].pid}, through a bad path: UDP {entrance} → {exit_} → server")
        _show("\nThe two paths throw away about one datagram in six, on purpose: those of more than 100 bytes hold a")
        _show("message, the others acknowledge. The conversation:\n")
        seen = _talk(people, paths)
        for process in (*people.values(), server):
            process.leave()
        for person, lines in seen.items():
            _show(f"\nWhat {person} saw:\n")
            _show("\n".join(f"  {line}" for line in lines))
        _summarize({person: json.loads((directory / person).read_text()) for person in people}, paths)
        if options.pcapng:
            _show(f"What went in and out at the server, decrypted: wireshark {options.pcapng}")
    return 0


def _talk(people: dict[str, _Process], paths: dict[str, LossyPath]) -> dict[str, list[str]]:
    """Everyone takes their turns, each when the one before has reached everyone; returns what each saw."""
    seen: dict[str, list[str]] = {person: [] for person in people}
    shown = dict.fromkeys(people, 0)
    for turn in SCRIPT:
        start = time.monotonic()
        losing = paths[turn.lines[0].speaker] if turn.loses else None
        if losing is not None:
            losing.lose_next_message()
        for speaker, text in turn.lines:
            _show(f"  {speaker + ':':6} {text}")
            people[speaker].say(text)
            if losing is not None:
                losing.wait_message_lost(PATIENCE)
        expected = sorted(Message(*line).line() for line in turn.lines)
        for person, process in people.items():
            lines = [process.output() for _ in expected]
            if sorted(lines) != expected:
                raise Problem(f"the demo failed: {person} should have seen {expected}, and saw {lines}")
            seen[person] += lines
        took = time.monotonic() - start
        _show_thrown(paths, shown)
        _show(f"         ✓ both have {'it' if len(expected) == 1 else 'them'} after {_milliseconds(took)}")
        time.sleep(READING_TIME if sys.stdout.isatty() else 0)
    for path in paths.values():
        path.mend()  # so that both sides see the other leave, and nobody waits for a sign of life
    _show_thrown(paths, shown)
    return seen


def _show_thrown(paths: dict[str, LossyPath], shown: dict[str, int]) -> None:
    """Tell what the paths have thrown away since the last time, a line for each way."""
    for person, path in paths.items():
        news = path.thrown[shown[person] :]
        shown[person] += len(news)
        for to_server, way in ((True, f"{person} → server"), (False, f"server → {person}")):
            if sizes := [str(datagram.size) for datagram in news if datagram.to_server == to_server]:
                _show(f"         ✗ thrown away, {way}: {' + '.join(sizes)} bytes")


def _show(text: str) -> None:
    """Print it now: the conversation is there to be watched."""
    with writing():
        print(text, flush=True)


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
        """The next line of stdout that a person has said: not who has joined."""
        while (line := self._next(self._popen.stdout)).startswith(f"[{SERVER_NAME}]: "):
            pass
        return line

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


def _summarize(stats: dict[str, Stats], paths: dict[str, LossyPath]) -> None:
    for person, path in paths.items():
        to_server = sum(datagram.to_server for datagram in path.thrown)
        stats[person]["thrown_away"] = f"{to_server}, {len(path.thrown) - to_server}"
    _show("\nWhat QUIC did for it, as the clients counted:\n")
    _show("  " + " " * 30 + "".join(f"{person:>25}" for person in stats))
    for label, show in ROWS:
        _show(f"  {label:30}" + "".join(f"{show(each):>25}" for each in stats.values()))
    thrown, carried = (
        sum(counts) for counts in zip(*((len(p.thrown), p.carried) for p in paths.values()), strict=True)
    )
    messages = sum(len(turn.lines) for turn in SCRIPT)
    loss = f"The paths threw away {thrown} of {thrown + carried} datagrams"
    _show(f"\n{loss}; all {messages} messages reached both people all the same.")
    _show("Each had a stream of its own, opened, filled and ended by one packet; nobody waited for another.")
    _show("Now you: python -m chat serve, and in another terminal: python -m chat join localhost -n YOU")


def _milliseconds(seconds: float) -> str:
    return f"{seconds * 1000:.1f} ms"


ROWS: tuple[tuple[str, Callable[[Stats], str]], ...] = (
    ("handshake", lambda stats: _milliseconds(stats["handshake_time"])),
    ("cipher", lambda stats: stats["cipher"]),
    ("packets sent, received", lambda stats: f"{stats['packets_sent']:,}, {stats['packets_received']:,}"),
    ("bytes sent, received", lambda stats: f"{stats['bytes_sent']:,}, {stats['bytes_received']:,}"),
    ("datagrams thrown away: out, in", lambda stats: stats["thrown_away"]),
    ("packets lost", lambda stats: f"{stats['packets_lost']:,}"),
    ("bytes retransmitted", lambda stats: f"{stats['retransmitted_bytes']:,}"),
    ("round trip, smoothed", lambda stats: _milliseconds(stats["smoothed_rtt"])),
    ("round trip, least", lambda stats: _milliseconds(stats["min_rtt"])),
)
