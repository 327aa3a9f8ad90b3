"""`join` on a terminal: a process on a pty whose screen is read.

with Server(tmp_path) as server, TerminalClient(server, "Ada") as ada:
    ada.sees("connected to")
    ada.press("hello\r")
    ada.sees("Ada: hello")
    ada.press("\x1b")
    assert ada.wait() == 0
"""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Callable, Mapping, Sequence
from types import TracebackType
from typing import Self

import pyte

from tests.chat.processes import Server

__all__ = ["TerminalClient", "TerminalProcess"]

PATIENCE = 60.0  # seconds: a limit against hangs
AS_COMMAND = ("-m", "chat")


class TerminalProcess:
    """A command on a terminal of its own."""

    def __init__(
        self,
        command: Sequence[str],
        *,
        columns: int = 100,
        rows: int = 30,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self.received = b""
        self.screen = pyte.Screen(columns, rows)
        self._stream = pyte.ByteStream(self.screen)
        self._terminal, its_end = pty.openpty()
        self._set_size(columns, rows)
        self.settings = termios.tcgetattr(its_end)
        self._process = subprocess.Popen(
            command,
            stdin=its_end,
            stdout=its_end,
            stderr=its_end,
            env={**os.environ, "TERM": "xterm-256color", "NO_COLOR": "", **(environment or {})},
        )
        self._its_end = its_end

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._process.kill()
        self._process.wait()
        os.close(self._terminal)
        os.close(self._its_end)

    def press(self, keys: str) -> None:
        """As the terminal sends them."""
        os.write(self._terminal, keys.encode())

    def resize(self, columns: int, rows: int) -> None:
        """The person pulls at the window's corner."""
        self.screen.resize(rows, columns)
        self._set_size(columns, rows)
        self._process.send_signal(signal.SIGWINCH)  # from the system itself to who has it as controlling terminal

    def signal(self, number: signal.Signals) -> None:
        self._process.send_signal(number)

    def sees(self, *texts: str) -> None:
        """Wait until all of these are on the screen."""
        self.waits(lambda: all(any(text in row for row in self.rows) for text in texts), f"{texts}")

    def waits(self, condition: Callable[[], bool], what: str) -> None:
        """Wait until it holds."""
        deadline = time.monotonic() + PATIENCE
        while not condition():
            assert self._read(max(0.0, deadline - time.monotonic())), f"{what} not on the screen: {self.rows}"

    def wait(self) -> int:
        """The exit status, when everything that was written is on the screen."""
        status = self._process.wait(PATIENCE)
        while self._read(0.0):
            pass
        return status

    @property
    def rows(self) -> list[str]:
        """The screen, without the spaces at the ends of its rows."""
        return [row.rstrip() for row in self.screen.display]

    @property
    def is_restored(self) -> bool:
        """Whether the terminal works as it did before the client."""
        return termios.tcgetattr(self._its_end) == self.settings

    @property
    def after(self) -> str:
        """What was written after the interface had ended."""
        return re.sub("\x1b\\[[?0-9;]*[a-z]", "", self.received.rpartition(b"\x1b[?1049l")[2].decode())

    def _set_size(self, columns: int, rows: int) -> None:
        fcntl.ioctl(self._terminal, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def _read(self, timeout: float) -> bool:
        if not select.select([self._terminal], [], [], timeout)[0]:
            return False
        data = os.read(self._terminal, 1 << 16)
        self.received += data
        self._stream.feed(data)
        return bool(data)


class TerminalClient(TerminalProcess):
    """A client at `server`. python: how the interpreter is told to run the chat's command line."""

    def __init__(
        self,
        server: Server,
        nickname: str,
        *arguments: str,
        columns: int = 100,
        rows: int = 30,
        python: tuple[str, ...] = AS_COMMAND,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        trust = () if "--insecure" in arguments else ("--ca", server.cafile)
        super().__init__(
            [sys.executable, *python, "join", f"127.0.0.1:{server.port}", "-n", nickname, *trust, *arguments],
            columns=columns,
            rows=rows,
            environment=environment,
        )
