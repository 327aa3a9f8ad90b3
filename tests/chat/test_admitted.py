"""Who is let in, as processes: a password, a certificate, not too many, and not too much."""

from __future__ import annotations

import os
import pty
import select
import subprocess
import sys
from pathlib import Path

import pytest

from chat.message import ALPN_PROTOCOL
from chat.passwords import VARIABLE
from quicmini import ApplicationError, connect
from tests.certificates import Authority
from tests.chat.processes import Client, Server, run


@pytest.fixture
def password(tmp_path: Path) -> tuple[str, str]:
    """The option that names a file with the password."""
    (tmp_path / "password").write_text("open sesame ✓\n")
    return "--password-file", str(tmp_path / "password")


def refused(server: Server, *arguments: str) -> str:
    """The one sentence of a client that is not let in."""
    result = run("join", f"127.0.0.1:{server.port}", "-n", "zoe", "--ca", server.cafile, *arguments, stdin="hello\n")
    assert (result.returncode, result.stdout) == (1, "")
    (line,) = (line for line in result.stderr.splitlines() if not line.startswith("["))
    return line.partition(f"127.0.0.1:{server.port} ")[2] or line


def test_a_password(tmp_path: Path, password: tuple[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "wrong").write_text("open barley\n")
    with Server(tmp_path, *password) as server:
        advice = "give it with --password-file FILE, or as CHAT_PASSWORD in the environment"
        assert refused(server) == f"does not let you in: this server asks for a password; {advice}"
        assert refused(server, "--password-file", str(tmp_path / "wrong")) == (
            f"does not let you in: the password is wrong; {advice}"
        )
        assert refused(server, "--password-file", "/no/such/file").startswith(
            "chat join: cannot read '/no/such/file': No such file"
        )
        with Client(server, "zoe", *password) as zoe:
            zoe.say("hello")
            zoe.sees("[zoe]: hello")
            assert zoe.leave() == 0
        monkeypatch.setitem(os.environ, VARIABLE, "open sesame ✓")
        with Client(server, "bob") as bob:
            bob.joined()
            assert bob.leave() == 0
        server.logs("[WARNING] refused client 127.0.0.1", times=2)
        assert not any("sesame" in line or "barley" in line for line in server.log.lines)


def test_the_seeds_clients_know_no_password(tmp_path: Path, password: tuple[str, str]) -> None:
    with (
        Server(tmp_path, *password) as server,
        connect(server.address, alpn_protocols=[ALPN_PROTOCOL], cafile=server.cafile) as client,
        pytest.raises(ApplicationError, match="this server asks for a password"),
    ):
        client.next_readable(20)


def test_a_person_is_asked(tmp_path: Path, password: tuple[str, str]) -> None:
    """On a terminal; wrong once, right then; the password is not shown."""
    with Server(tmp_path, *password) as server:
        outside, terminal = pty.openpty()
        command = ["join", f"127.0.0.1:{server.port}", "-n", "zoe", "--ca", server.cafile, "--plain"]
        with subprocess.Popen(
            [sys.executable, "-m", "chat", *command],
            stdin=terminal,
            stdout=terminal,
            stderr=terminal,
            start_new_session=True,
        ) as process:
            os.close(terminal)
            try:
                shown = _until(outside, b"Password for 127.0.0.1")
                os.write(outside, b"barley\n")
                shown += _until(outside, b"[ERROR] the password is wrong\r\nPassword for 127.0.0.1")
                os.write(outside, "open sesame ✓\n".encode())
                shown += _until(outside, b"connected to 127.0.0.1")
                os.write(outside, b"hello\n")
                shown += _until(outside, b"zoe")
                os.write(outside, b"\x04")
                assert process.wait(30) == 0
            finally:
                process.kill()
        os.close(outside)
        assert b"sesame" not in shown
        assert b"barley" not in shown


def _until(descriptor: int, words: bytes) -> bytes:
    """What a terminal shows, up to these words."""
    shown = b""
    while words not in shown:
        ready, _, _ = select.select([descriptor], [], [], 30)
        assert ready, shown
        shown += os.read(descriptor, 4096)
    return shown


@pytest.fixture
def people(tmp_path: Path) -> Authority:
    return Authority.create(tmp_path, "The people's authority")


def test_certificates_name_people(tmp_path: Path, people: Authority) -> None:
    ada, server_name = people.issue("ada", client=True), people.issue("server", client=True)
    with Server(tmp_path / "server", "--client-ca", people.cafile) as server:
        assert refused(server) == (
            "admits only those who have a certificate: name yours with --cert FILE and --key FILE"
        )
        stranger = Authority.create(tmp_path / "server", "Somebody else").issue("eve", client=True)
        assert refused(server, "--cert", stranger.certfile, "--key", stranger.keyfile).startswith(
            "does not accept the certificate of --cert: "
        )
        assert refused(server, "--cert", server_name.certfile, "--key", server_name.keyfile).startswith(
            "does not let you in: your certificate has no name that can be a nickname"
        )
        with Client(server, "zoe", "--cert", ada.certfile, "--key", ada.keyfile) as client:
            client.joined()
            client.say("who am I?")
            client.sees("[ada]: who am I?")
            assert client.leave() == 0
        with connect(
            server.address,
            alpn_protocols=[ALPN_PROTOCOL],
            cafile=server.cafile,
            certfile=ada.certfile,
            keyfile=ada.keyfile,
        ):
            server.logs("[INFO] added client", times=2)


def test_not_too_many(tmp_path: Path) -> None:
    with Server(tmp_path, "--max-clients", "2", "--max-per-address", "1") as server, Client(server, "zoe") as zoe:
        zoe.joined()
        assert refused(server) == "does not let you in: the server is full for your address (1 clients)"
        assert zoe.leave() == 0


def test_not_too_much(tmp_path: Path) -> None:
    """The first ones are said, the others dropped, and their sender learns of each; somebody else notices nothing."""
    with Server(tmp_path, "--burst", "5", "--rate", "1") as server, Client(server, "bob") as bob:
        bob.joined()
        with Client(server, "zoe") as zoe:
            zoe.say(*(f"line {number}" for number in range(40)))
            zoe.leave()
        bob.say("still here")
        bob.sees("[bob]: still here", *(f"[zoe]: line {number}" for number in range(5)))
        assert bob.leave() == 0
        assert len(bob.output.lines) < 40
        assert any("this server takes 5 messages at once, and then 1 a second" in line for line in zoe.log.lines)
