"""Starts aioquic as a process, and reads what it reports."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from tests.certificates import CertificateFiles

__all__ = ["AioquicServer", "aioquic_client", "aioquic_server"]

TIMEOUT = 60  # seconds: a limit against hangs
PEER = [sys.executable, "-m", "tests.interop.aioquic_peer"]

Report = dict[str, Any]


class AioquicServer:
    """A server process that is listening."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        self.address = ("127.0.0.1", int(self.report()["port"]))

    def report(self) -> Report:
        """The next thing that it says; blocks."""
        assert self._process.stdout is not None
        line: Report = json.loads(self._process.stdout.readline())
        return line


@contextmanager
def aioquic_server(files: CertificateFiles, *options: str) -> Iterator[AioquicServer]:
    """A server until the end of the block."""
    command = [*PEER, "serve", "--cert", files.certfile, "--key", files.keyfile, *options]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield AioquicServer(process)
        finally:
            assert process.stdin is not None
            process.stdin.close()
            try:
                process.wait(TIMEOUT)
            except subprocess.TimeoutExpired:
                process.kill()
                raise


def aioquic_client(command: str, address: tuple[str, int], cafile: str, *options: str) -> list[Report]:
    """Run a client to its end; what it reported. Raises CalledProcessError and TimeoutExpired."""
    words = [*PEER, command, address[0], str(address[1]), "--ca", cafile, *options]
    ran = subprocess.run(words, stdout=subprocess.PIPE, text=True, check=True, timeout=TIMEOUT)
    return [json.loads(line) for line in ran.stdout.splitlines()]
