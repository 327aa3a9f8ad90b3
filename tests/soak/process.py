"""A process with some of the clients, from outside: `tests.soak.crowd` is what happens in it."""

from __future__ import annotations

import signal
import subprocess
import sys

from tests.soak.settings import Life

__all__ = ["CrowdProcess"]


class CrowdProcess:
    """Begins at once."""

    def __init__(self, life: Life) -> None:
        self.life = life
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.soak.crowd", life.to_json()],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def hear(self) -> str:
        """Its next word; empty when it has ended."""
        assert self._process.stdout
        return self._process.stdout.readline().strip()

    def tell(self) -> None:
        """It may go on."""
        assert self._process.stdin
        self._process.stdin.write("\n")
        self._process.stdin.flush()

    def kill(self) -> None:
        """SIGKILL, in the middle of whatever it does."""
        self._process.send_signal(signal.SIGKILL)
        self.end()

    def end(self) -> None:
        """It is over. May be repeated."""
        self._process.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe:
                pipe.close()
