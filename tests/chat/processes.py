"""The chat's commands as processes of their own, with what they print.

with Server(tmp_path) as server, Client(server, "zoe") as zoe:
    zoe.say("hello")
    zoe.sees("[zoe]: hello")
    assert zoe.leave() == 0
"""

from __future__ import annotations

import io
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import IO, Self

__all__ = ["Client", "Process", "Server", "run"]

PATIENCE = 120.0  # seconds that a process may run: a test that passes never takes so long


def run(*arguments: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
    """Run a chat command to its end."""
    command = [sys.executable, "-m", "chat", *arguments]
    return subprocess.run(command, input=stdin, capture_output=True, text=True, timeout=PATIENCE, check=False)


class _Lines:
    """The lines of a pipe, read when they are waited for: no thread, so that a relay in this process is not slowed."""

    def __init__(self, pipe: IO[str]) -> None:
        self.lines: list[str] = []
        self._pipe = pipe

    def wait(self, enough: Callable[[list[str]], bool], what: str) -> None:
        while not enough(self.lines):
            line = self._pipe.readline()
            assert line, f"{what} was awaited; there were {len(self.lines)} lines, the last: {self.lines[-5:]}"
            self.lines.append(line.removesuffix("\n"))

    def wait_for_end(self) -> None:
        self.lines.extend(line.removesuffix("\n") for line in self._pipe)


def _said(lines: list[str]) -> list[str]:
    return [line for line in lines if not line.startswith("[server]: ")]


class Process:
    """A running chat command. A context manager: it is killed at the end, or when nobody should be so patient."""

    def __init__(self, *arguments: str, stdout: int = subprocess.PIPE) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "chat", *arguments],
            stdin=subprocess.PIPE,
            stdout=stdout,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert self._process.stderr
        self.output = _Lines(self._process.stdout or io.StringIO())
        self.log = _Lines(self._process.stderr)
        self._watchdog = threading.Timer(PATIENCE, self._process.kill)
        self._watchdog.daemon = True
        self._watchdog.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._watchdog.cancel()
        self._process.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout, self._process.stderr):
            if pipe:
                pipe.close()

    def signal(self, number: signal.Signals) -> None:
        self._process.send_signal(number)

    def wait(self) -> int:
        """The exit status, when everything that was printed has been read."""
        self.output.wait_for_end()
        self.log.wait_for_end()
        return self._process.wait()

    def logs(self, line: str, times: int = 1) -> None:
        """Wait for a line on stderr that begins like this."""
        self.log.wait(lambda lines: sum(each.startswith(line) for each in lines) >= times, repr(line))


class Server(Process):
    """`serve` on a port that the system chooses; by default with its own certificate, in `state_dir`."""

    def __init__(self, state_dir: Path, *arguments: str) -> None:
        super().__init__("serve", "--port", "0", "--state-dir", str(state_dir), *arguments)
        self.cafile = str(state_dir / "cert.pem")
        self.log.wait(lambda lines: any("listening on UDP " in line for line in lines), "the address")
        self.port = int(re.findall(r"listening on UDP \S*:(\d+)", self.log.lines[-1])[0])

    @property
    def address(self) -> tuple[str, int]:
        return "127.0.0.1", self.port


class Client(Process):
    """`join`, as a filter, at `server` or at another address that leads to it."""

    def __init__(
        self,
        server: Server,
        nickname: str,
        *arguments: str,
        address: tuple[str, int] | None = None,
        stdout: int = subprocess.PIPE,
    ) -> None:
        host, port = address or server.address
        trust = () if {"--ca", "--insecure"} & set(arguments) else ("--ca", server.cafile)
        super().__init__("join", f"{host}:{port}", "-n", nickname, *trust, *arguments, stdout=stdout)
        self.nickname = nickname

    def joined(self) -> None:
        """Wait until it is connected."""
        self.logs("[INFO] connected to ")

    def say(self, *lines: str) -> None:
        assert self._process.stdin
        self._process.stdin.writelines(f"{line}\n" for line in lines)
        self._process.stdin.flush()

    def sees(self, *lines: str) -> None:
        """Wait for lines on stdout, in any order."""
        self.output.wait(lambda seen: set(lines) <= set(seen), f"each of {lines}")

    @property
    def heard(self) -> list[str]:
        """What people have said: the lines on stdout without the server's own."""
        return _said(self.output.lines)

    def sees_count(self, count: int) -> None:
        """Wait for so many lines of what people have said."""
        self.output.wait(lambda seen: len(_said(seen)) >= count, f"{count} lines")

    def end(self) -> None:
        """End its stdin."""
        assert self._process.stdin
        self._process.stdin.close()

    def leave(self) -> int:
        """End its stdin; returns its exit status."""
        self.end()
        return self.wait()
