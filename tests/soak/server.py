"""The server as a process: started, measured, killed, and started again where it was."""

from __future__ import annotations

import re
import signal
import sqlite3
import subprocess
import sys
import threading
from pathlib import Path
from time import monotonic
from types import TracebackType
from typing import NamedTuple, Self

from tests.soak.journal import words_of

__all__ = ["History", "Measure", "Row", "ServerProcess", "history"]

MEASURE_INTERVAL = 0.5  # seconds
START_TIMEOUT = 60.0  # seconds


class Measure(NamedTuple):
    """What the server's process takes: resident memory in MB, and threads."""

    memory: float
    threads: int


class Row(NamedTuple):
    """A message in the server's history."""

    number: int
    room: str
    sender: str
    recipient: str
    seq: int


class History(NamedTuple):
    """What a server has kept, in its order. name: what the server is called."""

    name: str
    rows: list[Row]


class ServerProcess:
    """`python -m chat serve` on one port and one state directory, through all of its lives. A context manager.

    peak: the most that any of these took. deaths: how often it was killed.
    """

    def __init__(self, directory: Path, *arguments: str) -> None:
        self.directory = directory
        self.port = 0
        self.peak = Measure(0.0, 0)
        self.deaths = 0
        self._arguments = arguments
        self._log = directory.with_suffix(".log")
        self._listening = threading.Event()  # it listens, or never will
        self._found = False
        self._ended = threading.Event()
        self._process = self._start()
        self._watcher = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> Self:
        self._watcher.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._ended.set()
        self._watcher.join()
        if self._process.poll() is None:
            self._process.kill()
        self._process.wait()

    @property
    def cafile(self) -> str:
        return str(self.directory / "cert.pem")

    @property
    def keyfile(self) -> str:
        return str(self.directory / "key.pem")

    @property
    def name(self) -> str:
        """What it is called in what is said of it."""
        return self.directory.name

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def alive(self) -> bool:
        """Whether it has not been killed, or is back."""
        return self._process.poll() is None

    def kill(self) -> None:
        """SIGKILL. Blocks until it has ended."""
        self._process.kill()
        self._process.wait()
        self._logging.join()  # what it still finds is not about the next process
        self.deaths += 1

    def start(self) -> None:
        """A new process in place of the one that was killed. Blocks until it listens; raises OSError if it does not."""
        self._process = self._start()

    def stop(self) -> int:
        """SIGTERM; returns the exit status."""
        self._process.send_signal(signal.SIGTERM)
        return self._process.wait()

    def measure(self) -> Measure:
        """What it takes now. Raises OSError if it is not there."""
        status = Path(f"/proc/{self._process.pid}/status").read_text(encoding="ascii", errors="replace")
        fields = dict(line.split(":", 1) for line in status.splitlines())
        return Measure(int(fields.get("VmRSS", "0 kB").split()[0]) / 1024, int(fields["Threads"]))

    def wait_until_quiet(self, threads: int, timeout: float) -> Measure:
        """Measure until there are no more than so many threads, or so many seconds have passed."""
        deadline = monotonic() + timeout
        pause = threading.Event()
        while (measure := self.measure()).threads > threads and monotonic() < deadline:
            pause.wait(MEASURE_INTERVAL)
        return measure

    def warnings(self) -> list[str]:
        """What it has logged as an error, or with a traceback."""
        lines = self._log.read_text(encoding="utf-8").splitlines()
        return [line for line in lines if "[ERROR]" in line or line.startswith(("Traceback", "Exception"))]

    def _start(self) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", "chat", "serve", "--port", str(self.port)]
        command += ["--state-dir", str(self.directory), *self._arguments]
        self._listening.clear()
        self._found = False
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        self._logging = threading.Thread(target=self._keep_log, args=(process,), daemon=True)
        self._logging.start()
        if not self._listening.wait(START_TIMEOUT) or not self._found:
            process.kill()
            raise OSError(f"the server does not start: {self._log.read_text(encoding='utf-8')[-500:]}")
        return process

    def _keep_log(self, process: subprocess.Popen[bytes]) -> None:
        assert process.stderr
        with self._log.open("ab", buffering=0) as log, process.stderr:
            for line in process.stderr:
                log.write(line)
                if match := re.search(rb"listening on UDP \S*:(\d+)", line):
                    self.port = int(match[1])
                    self._found = True
                    self._listening.set()
        self._listening.set()

    def _watch(self) -> None:
        while not self._ended.wait(MEASURE_INTERVAL):
            try:
                memory, threads = self.measure()
            except (OSError, KeyError):  # it is just being killed
                continue
            self.peak = Measure(max(self.peak.memory, memory), max(self.peak.threads, threads))


def history(directory: Path) -> list[Row]:
    """What a server that has ended has kept."""
    rows = []
    database = sqlite3.connect(directory / "history.sqlite3")
    try:
        query = "SELECT number, room, recipient, text FROM messages ORDER BY number"
        for number, room, recipient, text in database.execute(query):
            try:
                sender, seq, _ = words_of(text)
            except ValueError:
                continue  # the curtain, or another's words
            rows.append(Row(number, room, sender, recipient, seq))
    finally:
        database.close()
    return rows
