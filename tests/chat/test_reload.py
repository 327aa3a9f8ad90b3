"""SIGHUP: other files while the server runs, and nobody notices."""

from __future__ import annotations

import os
import pty
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from chat.certificates import fingerprint
from chat.message import ALPN_PROTOCOL
from quicmini import connect
from tests.certificates import Authority, CertificateFiles
from tests.chat.processes import Client, Server


def put(files_from: str, files_to: Path) -> None:
    """A file in place of another, as whoever renews certificates does it."""
    shutil.copy(files_from, files_to.with_suffix(".new"))
    files_to.with_suffix(".new").rename(files_to)


def test_a_renewed_certificate(tmp_path: Path, authority: Authority) -> None:
    cert, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    old, new = authority.issue(), authority.issue(kind="rsa")
    put(old.certfile, cert)
    put(old.keyfile, key)
    with (
        Server(tmp_path, "--cert", str(cert), "--key", str(key)) as server,
        Client(server, "zoe", "--ca", old.cafile) as zoe,
    ):
        zoe.joined()
        put(new.certfile, cert)
        server.signal(signal.SIGHUP)
        server.logs("[WARNING] certificate as before: ")
        assert "the private key is not the one of the certificate" in server.log.lines[-1]
        cert.unlink()
        server.signal(signal.SIGHUP)
        server.logs(f"[WARNING] certificate as before: cannot use '{cert}': No such file or directory")
        put(new.certfile, cert)
        put(new.keyfile, key)
        server.signal(signal.SIGHUP)
        server.logs("[INFO] certificate read again")
        server.logs("[INFO] its key, as clients", times=2)
        assert any(fingerprint(Path(new.certfile)) in line for line in server.log.lines)
        with connect(server.address, alpn_protocols=[ALPN_PROTOCOL], cafile=new.cafile) as late:
            shown = late.getpeercert()
            zoe.say("still here")
            zoe.sees("[zoe]: still here")
        assert shown is not None
        assert shown in _der(new.certfile)
        assert zoe.leave() == 0
        assert not any("Traceback" in line for line in server.log.lines)


def _der(certfile: str) -> bytes:
    command = ["openssl", "x509", "-in", certfile, "-outform", "DER"]
    return subprocess.run(command, capture_output=True, check=True).stdout


def test_another_password_and_another_client_ca(tmp_path: Path) -> None:
    """All of it or nothing; who is there stays there."""
    old, new = (Authority.create(tmp_path / name, name) for name in ("old", "new"))
    ada, eve = (old.issue(name, client=True) for name in ("ada", "eve"))
    bob = new.issue("bob", client=True)
    secret, ca = tmp_path / "password", tmp_path / "clients.pem"
    secret.write_text("old sesame\n")
    put(old.cafile, ca)
    mine, yours = tmp_path / "mine", tmp_path / "yours"
    mine.write_text("old sesame\n")
    yours.write_text("new sesame\n")

    def join(server: Server, who: CertificateFiles, password: Path) -> Client:
        return Client(server, "x", "--cert", who.certfile, "--key", who.keyfile, "--password-file", str(password))

    with (
        Server(tmp_path / "state", "--client-ca", str(ca), "--password-file", str(secret)) as server,
        join(server, ada, mine) as client,
    ):
        client.joined()
        secret.write_text("new sesame\n")
        ca.write_text("nothing\n")
        server.signal(signal.SIGHUP)
        server.logs("[WARNING] certificate, password, client CA as before: ")
        assert "clients.pem" in server.log.lines[-1]
        with join(server, eve, mine) as another:
            another.joined()
            assert another.leave() == 0
        secret.write_text("\n")
        put(new.cafile, ca)
        server.signal(signal.SIGHUP)
        server.logs("[WARNING] certificate, password, client CA as before: the first line of ")
        with join(server, bob, mine) as another:
            assert another.wait() == 1
            assert "does not accept the certificate" in another.log.lines[-1]
        secret.write_text("new sesame\n")
        server.signal(signal.SIGHUP)
        server.logs("[INFO] certificate, password, client CA read again")
        for who, password, why in ((bob, mine, "password is wrong"), (eve, yours, "not accept the certificate")):
            with join(server, who, password) as another:
                assert another.wait() == 1
                assert why in another.log.lines[-1]
        with join(server, bob, yours) as another:
            another.joined()
            another.say("the new one")
            client.sees("[bob]: the new one")
            assert another.leave() == 0
        client.say("still here")
        client.sees("[ada]: still here")
        assert client.leave() == 0
        assert not any("Traceback" in line for line in server.log.lines)


def test_the_kept_certificate_is_made_again_with_its_key(tmp_path: Path) -> None:
    with Server(tmp_path) as server:
        keys = [line.rpartition(" ")[2] for line in server.log.lines if "its key, as clients" in line]
        (tmp_path / "cert.pem").unlink()
        server.signal(signal.SIGHUP)
        server.logs("[INFO] its key, as clients", times=2)
        assert server.log.lines[-1].endswith(keys[0])
        server.signal(signal.SIGTERM)
        assert server.wait() == 0


@pytest.mark.parametrize("closed", [False, True])
def test_a_terminal_that_is_closed_ends_the_server(tmp_path: Path, closed: bool) -> None:
    """The same signal, but for another reason."""
    reader, terminal = pty.openpty()
    command = [sys.executable, "-m", "chat", "serve", "--port", "0", "--state-dir", str(tmp_path)]
    with subprocess.Popen(command, stderr=terminal) as process:
        os.close(terminal)
        printed = b""
        while b"listening" not in printed:
            printed += os.read(reader, 1000)
        if closed:
            os.close(reader)
            process.send_signal(signal.SIGHUP)
        else:
            process.send_signal(signal.SIGHUP)
            while b"read again" not in printed:
                printed += os.read(reader, 1000)
            process.send_signal(signal.SIGTERM)
        try:
            assert process.wait(30) == 0
        finally:
            process.kill()
