"""The chat with a foreign peer on the other side: aioquic relays or speaks streams whose bytes Go's gob has made."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

from chat.message import ALPN_PROTOCOL, Message
from chat.server import Server
from chat.text import SERVER_NAME
from quicmini import Stream, connect, listen
from tests.certificates import CertificateFiles
from tests.interop.processes import aioquic_client, aioquic_server

TIMEOUT = 30  # seconds: a limit against hangs

RECORDED = json.loads((Path(__file__).parents[1] / "chat" / "gob.json").read_text())
GO_BYTES = [entry["gob"] for entry in RECORDED]
GO_MESSAGES = sorted(Message(entry["nickname"], entry["text"]) for entry in RECORDED)


@contextmanager
def our_chat_server(files: CertificateFiles) -> Iterator[tuple[str, int]]:
    """`chat serve` in a thread; its address."""
    listener = listen(("127.0.0.1", 0), alpn_protocols=[ALPN_PROTOCOL], certfile=files.certfile, keyfile=files.keyfile)
    server = Server(listener)
    thread = threading.Thread(target=server.serve)
    thread.start()
    try:
        yield listener.address
    finally:
        server.close()
        thread.join()


def decoded(messages: list[bytes]) -> list[Message | None]:
    """What was said; None for what is no whole message."""
    return [Message.decode(data) for data in messages]


def test_foreign_client_and_ours_at_our_server(server_files: CertificateFiles) -> None:
    count = len(GO_BYTES)
    with (
        our_chat_server(server_files) as address,
        ThreadPoolExecutor(1) as threads,
        connect(
            address, alpn_protocols=[ALPN_PROTOCOL], server_hostname="localhost", cafile=server_files.cafile
        ) as ours,
    ):
        stream = ours.open_stream()
        stream.sendall(Message("ours", "first").encode(), end_stream=True)
        assert Message.decode(read_message(ours.accept_stream(TIMEOUT))) == Message("ours", "first")
        foreign = threads.submit(
            aioquic_client,
            "talk",
            address,
            server_files.cafile,
            *("--alpn", ALPN_PROTOCOL, "--expect", str(count), "--say", *GO_BYTES),
        )
        heard: list[Message] = []
        while len(heard) < count:
            message = Message.decode(read_message(ours.accept_stream(TIMEOUT)))
            if message is not None and message.nickname != SERVER_NAME:  # who comes, and who is called what
                heard.append(message)
        reports = foreign.result()  # while ours is there: the other one would be told that it left
    assert sorted(heard) == GO_MESSAGES
    echoed = decoded([bytes.fromhex(report["message"]) for report in reports if report["event"] == "heard"])
    assert sorted(filter(None, echoed)) == GO_MESSAGES
    assert reports[0]["alpn"] == ALPN_PROTOCOL
    assert reports[-1]["error_code"] == 0


def read_message(stream: Stream) -> bytes:
    """All of a stream; then this side's end, without which the peer could not forget the stream."""
    stream.settimeout(TIMEOUT)
    parts = []
    while data := stream.recv(4096):
        parts.append(data)
    stream.close()
    return b"".join(parts)


def test_our_client_at_a_foreign_server(server_files: CertificateFiles) -> None:
    """`chat join` as a real process: each line in comes back, and a Go client's messages are shown."""
    with aioquic_server(server_files, "--chat", "--alpn", ALPN_PROTOCOL) as server:
        command = [sys.executable, "-m", "chat", "join", f"localhost:{server.address[1]}", "-n", "Zoë"]
        with subprocess.Popen(
            [*command, "--ca", server_files.cafile], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        ) as ours:
            assert ours.stdin is not None
            assert ours.stdout is not None
            ours.stdin.write("hello\n")
            ours.stdin.flush()
            assert ours.stdout.readline() == "[Zoë]: hello\n"
            reports = aioquic_client(
                "talk",
                server.address,
                server_files.cafile,
                "--alpn",
                ALPN_PROTOCOL,
                "--expect",
                "1",
                "--say",
                GO_BYTES[0],
            )
            assert ours.stdout.readline() == "[Cave Johnson]: Hello\n"
            rest, _ = ours.communicate("goodbye\n", timeout=TIMEOUT)
        assert rest == "[Zoë]: goodbye\n"
        assert ours.returncode == 0
        ends = [server.report(), server.report()]
    assert [end["error_code"] for end in ends] == [0, 0]
    assert [report["message"] for report in reports if report["event"] == "heard"] == [GO_BYTES[0]]
