"""The line mode on a terminal: a pseudo-terminal with the command on its other side."""

from __future__ import annotations

import os
import pty
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.chat.processes import Client, Server

PATIENCE = 60.0  # seconds that it may run


class Terminal:
    """`join` on a terminal of its own; stdin, stdout and stderr are that."""

    def __init__(self, server: Server, nickname: str, **environment: str) -> None:
        ours, theirs = pty.openpty()
        self._descriptor = ours
        self.screen = ""
        command = [sys.executable, "-m", "chat", "join", f"127.0.0.1:{server.port}", "-n", nickname]
        self._process = subprocess.Popen(
            [*command, "--plain", "--ca", server.cafile],
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            env={**os.environ, "TERM": "xterm-256color", "PYTHONUTF8": "1", **environment},
            start_new_session=True,
        )
        os.close(theirs)
        self._watchdog = threading.Timer(PATIENCE, self._process.kill)
        self._watchdog.start()

    def type(self, text: str) -> None:
        os.write(self._descriptor, text.encode())

    def shows(self, text: str) -> None:
        """Wait until it stands on the screen."""
        while text not in self.screen:
            self.screen += os.read(self._descriptor, 4096).decode("utf-8", "replace")

    def signal(self, number: signal.Signals) -> None:
        self._process.send_signal(number)

    def status(self) -> int:
        status = self._process.wait(PATIENCE)
        self.close()
        return status

    def close(self) -> None:
        self._watchdog.cancel()
        self._process.kill()
        self._process.wait()
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    with Server(tmp_path) as server:
        yield server


@pytest.fixture
def zoe(server: Server) -> Iterator[Terminal]:
    terminal = Terminal(server, "zoe", NO_COLOR="1")
    terminal.shows("/help lists commands")
    yield terminal
    terminal.close()


def test_a_conversation(server: Server, zoe: Terminal) -> None:
    zoe.type("hello\n")
    zoe.shows("[zoe]: hello\r\n")
    with Client(server, "bob") as bob:
        bob.say("zoe: how are you? \x1b[2J")
        zoe.shows("[bob]: zoe: how are you? ␛[2J\r\n")
        assert "\a" in zoe.screen
        assert "\x1b" not in zoe.screen
        assert bob.leave() == 0
    zoe.type("/help\n")
    zoe.shows("* /quit ")
    zoe.type("/nothing\n")
    zoe.shows("there is no /nothing; /help lists what there is")
    zoe.type("/quit\n")
    assert zoe.status() == 0


def test_ctrl_d_leaves(zoe: Terminal) -> None:
    zoe.type("bye\n\x04")
    zoe.shows("[zoe]: bye\r\n")
    assert zoe.status() == 0


def test_ctrl_c_leaves(zoe: Terminal) -> None:
    zoe.signal(signal.SIGINT)
    assert zoe.status() == 130
    assert "Traceback" not in zoe.screen


def test_colours(server: Server) -> None:
    zoe = Terminal(server, "zoe", NO_COLOR="")
    zoe.shows("/help lists commands")
    zoe.type("hello\n")
    zoe.shows("mzoe\x1b[39m]: hello")
    zoe.close()
