"""What the README shows, works as it is shown."""

from __future__ import annotations

import io
import queue
import re
import shlex
import socket
import subprocess
import sys
import threading
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

import pytest

import quicmini
from tests.chat.terminals import TerminalProcess

README = (Path(__file__).parent.parent / "README.md").read_text()


def test_it_opens_with_three_commands() -> None:
    commands = re.findall(r"^    (\S.*)$", README, re.MULTILINE)
    assert commands[0].endswith("-m chat demo")
    assert commands[1].endswith("-m chat join -n Ada; kill $!)")
    assert commands[2].endswith("-m pytest")


def test_the_terminal_client_and_its_server(tmp_path: Path) -> None:
    """The second command as it is, but for what is installed, and for the port."""
    command = re.findall(r"^    (\S.*)$", README, re.MULTILINE)[1].partition(" && ")[2]
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = command.replace("chat serve", f"chat serve --port {port}").replace("join", f"join localhost:{port}")
    command = command.replace(".venv/bin/python", shlex.quote(sys.executable)).replace("serve.log", "$HOME/serve.log")
    directories = {"HOME": str(tmp_path), "XDG_STATE_HOME": str(tmp_path)}
    with TerminalProcess(["sh", "-c", command], environment=directories) as terminal:
        terminal.sees("connected to localhost", "Ada>")
        terminal.press("hello\r")
        terminal.sees("Ada: hello")
        terminal.press("\x1b")
        assert terminal.wait() == 0
        assert terminal.is_restored
    assert "listening on UDP" in (tmp_path / "serve.log").read_text()


def test_the_client_and_the_server_talk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both programs as they are, but for the port, which the system chooses; with the README's certificate."""
    client, server = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    (openssl,) = re.findall(r"^    (openssl .*)$", README, re.MULTILINE)
    monkeypatch.chdir(tmp_path)
    subprocess.run(shlex.split(openssl), check=True, capture_output=True, timeout=30)

    listeners: queue.Queue[quicmini.Listener] = queue.Queue()
    listen = quicmini.listen

    def listen_anywhere(address: tuple[str, int], **options: Any) -> quicmini.Listener:
        listener = listen((address[0], 0), **options)
        listeners.put(listener)
        return listener

    monkeypatch.setattr(quicmini, "listen", listen_anywhere)
    thread = threading.Thread(target=exec, args=(server, {}))
    thread.start()
    listener = listeners.get(timeout=10)
    try:
        output = io.StringIO()
        with redirect_stdout(output):
            exec(client.replace("4433", str(listener.address[1])), {})
        assert output.getvalue() == "b'hello'\n"
    finally:
        listener.close()
        thread.join(10)
    assert not thread.is_alive()
