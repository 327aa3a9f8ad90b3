"""A server is known by its key, as processes: new, the same, another one; and what a person does then."""

from __future__ import annotations

import os
import re
import signal
from pathlib import Path

import pytest

from chat.certificates import public_key_fingerprint
from tests.certificates import Authority
from tests.chat.processes import Client, Server, run


def joined(server: Server, state_dir: Path, address: str = "127.0.0.1") -> tuple[int, str, list[str]]:
    """What `join` with nothing but a state directory shows: its status, the last line, the log."""
    arguments = ("join", f"{address}:{server.port}", "-n", "zoe", "--state-dir", str(state_dir))
    result = run(*arguments, stdin="hello\n")
    return result.returncode, "".join(result.stdout.splitlines()[-1:]), result.stderr.splitlines()


def test_new_the_same_and_another(tmp_path: Path, authority: Authority) -> None:
    theirs, mine = tmp_path / "server", tmp_path / "mine"
    with Server(theirs) as server:
        address, key = f"127.0.0.1:{server.port}", public_key_fingerprint(theirs / "cert.pem")
        status, said, log = joined(server, mine)
        assert (status, said) == (0, "[zoe]: hello")
        assert f"[INFO] {address} is new: its key {key} is kept in {mine}/known_hosts; " in log[0]
        status, said, log = joined(server, mine)
        assert (status, said) == (0, "[zoe]: hello")
        assert not any("key" in line for line in log)
        server.signal(signal.SIGTERM)
        assert server.wait() == 0
    assert (mine / "known_hosts").stat().st_mode & 0o777 == 0o600
    assert mine.stat().st_mode & 0o777 == 0o700

    other = authority.issue()
    port = ("--port", str(server.port), "--cert", other.certfile, "--key", other.keyfile)
    with Server(theirs, *port) as server:
        status, said, log = joined(server, mine)
        assert (status, said) == (1, "")
        new = public_key_fingerprint(Path(other.certfile))
        assert log == [
            f"chat join: {address} is not who it was: the server's key is {new}, and not {key}, as when you first met; "
            "somebody may be between you and the server. If you know that its key was changed, remove line 1 of "
            f"{mine}/known_hosts and join again"
        ]
        (mine / "known_hosts").write_text("")
        status, said, log = joined(server, mine)
        assert (status, said) == (0, "[zoe]: hello")
        assert f"its key {new} is kept" in log[0]


def test_a_renewed_certificate_is_no_other_server(tmp_path: Path) -> None:
    """Bound to another address, or with the old one gone: the key stays."""
    with Server(tmp_path / "server") as server:
        assert joined(server, tmp_path / "mine")[0] == 0
        server.signal(signal.SIGTERM)
        server.wait()
    (tmp_path / "server" / "cert.pem").unlink()
    with Server(tmp_path / "server", "--bind", "127.0.0.2", "--port", str(server.port)) as server:
        known = tmp_path / "mine" / "known_hosts"
        known.write_text(known.read_text().replace("127.0.0.1", "127.0.0.2"))
        status, said, log = joined(server, tmp_path / "mine", "127.0.0.2")
        assert (status, said) == (0, "[zoe]: hello")
        assert not any("key" in line for line in log)


def test_where_it_is_kept_by_default(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(os.environ, "XDG_STATE_HOME", str(tmp_path))
    with Server(tmp_path / "server") as server:
        run("join", f"127.0.0.1:{server.port}", "-n", "zoe")
        assert re.match(rf"127\.0\.0\.1:{server.port} SHA256:", (tmp_path / "quicmini-chat/known_hosts").read_text())


def test_neither_a_certificate_nor_a_key(tmp_path: Path) -> None:
    with Server(tmp_path / "server") as server:
        for trust in (("--insecure",), ("--ca", server.cafile)):
            with Client(server, "zoe", *trust, "--state-dir", str(tmp_path / "mine")) as zoe:
                zoe.joined()
                assert zoe.leave() == 0
        assert not (tmp_path / "mine").exists()
