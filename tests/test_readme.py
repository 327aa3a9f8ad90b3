"""What the README shows, works as it is shown."""

from __future__ import annotations

import io
import queue
import re
import shlex
import subprocess
import threading
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

import pytest

import quicmini

README = (Path(__file__).parent.parent / "README.md").read_text()


def test_it_opens_with_two_commands() -> None:
    commands = re.findall(r"^    (\S.*)$", README, re.MULTILINE)
    assert commands[0].endswith("-m chat demo")
    assert commands[1].endswith("-m pytest")


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
