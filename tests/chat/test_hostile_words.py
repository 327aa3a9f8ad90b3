"""Whatever a peer says, as the reason for leaving, too, does nothing to a screen or a log."""

from __future__ import annotations

import json
import threading
from pathlib import Path

from chat.exchange import Inbox, Outbox
from chat.message import ALPN_PROTOCOL, Message
from quicmini import connect, listen
from tests.certificates import CertificateFiles
from tests.chat.processes import Server, run

NASTY = "\x1b[2J\x07\n[INFO] forged \x9b31m \u202eabc"
HARMLESS = "␛[2J␇␊[INFO] forged \ufffd31m \ufffdabc"


def test_in_the_servers_log(tmp_path: Path) -> None:
    with Server(tmp_path) as server:
        with connect(server.address, alpn_protocols=[ALPN_PROTOCOL], cafile=server.cafile) as client:
            server.logs("[INFO] added client")
            client.close(42, NASTY)
        server.logs("[WARNING] client 127.0.0.1")
        (line,) = (line for line in server.log.lines if "[WARNING]" in line)
        assert f"the peer closed the connection: application error 0x2a ({HARMLESS})" in line
        assert all(line.isprintable() for line in server.log.lines)


def test_in_the_servers_log_as_json(tmp_path: Path) -> None:
    with Server(tmp_path, "--log-format", "json") as server:
        with connect(server.address, alpn_protocols=[ALPN_PROTOCOL], cafile=server.cafile) as client:
            client.close(42, NASTY)
        server.log.wait(lambda lines: "0x2a" in lines[-1] if lines else False, "the end of the connection")
        records = [json.loads(line) for line in server.log.lines]
        assert HARMLESS in records[-1]["message"]
        assert records[-1]["level"] == "WARNING"
        assert records[-1]["connection"] == client.original_connection_id.hex()
        assert all(line.isprintable() for line in server.log.lines)


def test_on_the_clients_screen(server_files: CertificateFiles) -> None:
    """Nickname, text, and why the server closes."""
    with listen(
        ("127.0.0.1", 0), alpn_protocols=[ALPN_PROTOCOL], certfile=server_files.certfile, keyfile=server_files.keyfile
    ) as listener:

        def serve() -> None:
            connection = listener.accept()
            said = next(iter(Inbox(connection)))
            Outbox(connection).send(Message(NASTY, NASTY).encode())
            Outbox(connection).send(said.encode().replace(b"#", b"\xff"))
            connection.close(42, NASTY)

        threading.Thread(target=serve, daemon=True).start()
        address = f"127.0.0.1:{listener.address[1]}"
        joined = run("join", address, "-n", "zoe", "--ca", server_files.cafile, stdin="###\n")
    shown = set(joined.stdout.removesuffix("\n").split("\n"))
    assert shown == {f"[{HARMLESS}]: {HARMLESS}", "[zoe]: \ufffd\ufffd\ufffd"}
    assert joined.returncode == 1
    assert HARMLESS in joined.stderr
    assert all(line.isprintable() for line in joined.stderr.removesuffix("\n").split("\n"))
