"""`--pcapng`: captures of the chat that open to the last packet, and what happens where they cannot be written."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from quicmini.study.captures import read_capture
from quicmini.wire.frames import Stream
from tests.chat.processes import Client, Server, run
from tests.interop.dissect import Packet
from tests.observe.recorded import packets_of
from tests.relay import Relay


def opened(path: Path) -> list[Packet]:
    """The packets of the file, none of them sealed."""
    packets = packets_of(read_capture(path.read_bytes()))
    assert [str(packet) for packet in packets if packet.frames is None] == []
    return packets


def says(packets: list[Packet], text: bytes) -> bool:
    return any(isinstance(frame, Stream) and text in frame.data for packet in packets for frame in packet.frames or ())


def test_both_sides_of_a_conversation_with_losses(tmp_path: Path) -> None:
    at_server, at_client = tmp_path / "server.pcapng", tmp_path / "client.pcapng"
    with Server(tmp_path, "--pcapng", str(at_server)) as server, Relay(server.address, loss=0.1, seed=3) as relay:
        with (
            Client(server, "zoe", "--pcapng", str(at_client), address=relay.address) as zoe,
            Client(server, "bob") as bob,
        ):
            server.logs("[INFO] added client", times=2)
            for number in range(50):
                zoe.say(f"message {number}")
                bob.sees(f"[zoe]: message {number}")
            assert zoe.leave() == 0
            assert bob.leave() == 0
        server.signal(signal.SIGTERM)
        assert server.wait() == 0
    packets = opened(at_server)
    assert {packet.connection for packet in packets} == {0, 1}
    assert says(packets, b"message 49")
    packets = opened(at_client)
    assert {packet.connection for packet in packets} == {0}
    assert says(packets, b"message 49")


def test_an_interrupted_client_completes_its_file(tmp_path: Path) -> None:
    path = tmp_path / "client.pcapng"
    with Server(tmp_path) as server, Client(server, "zoe", "--pcapng", str(path)) as zoe:
        zoe.say("hello")
        zoe.sees("[zoe]: hello")
        zoe.signal(signal.SIGINT)
        assert zoe.wait() == 130
    assert says(opened(path), b"hello")


def test_the_demonstration(tmp_path: Path) -> None:
    path = tmp_path / "demo.pcapng"
    result = run("demo", "--pcapng", str(path))
    assert (result.returncode, result.stderr) == (0, "")
    assert f"wireshark {path}" in result.stdout
    packets = opened(path)
    assert {packet.connection for packet in packets} == {0, 1}
    assert says(packets, "Neat. 再见 👋".encode())


def test_a_full_disk_is_told_once_and_the_chat_goes_on(tmp_path: Path) -> None:
    with Server(tmp_path, "--pcapng", "/dev/full") as server, Client(server, "zoe") as zoe:
        zoe.say("hello")
        zoe.sees("[zoe]: hello")
        assert zoe.leave() == 0
        server.signal(signal.SIGTERM)
        assert server.wait() == 0
        (warning,) = (line for line in server.log.lines if "[WARNING]" in line)
        reason = "No space left on device"
        assert warning == f"[WARNING] the capture '/dev/full' cannot be written: {reason}; the connections go on"


@pytest.mark.parametrize("command", [["serve", "--port", "0"], ["join", "-n", "zoe"]])
@pytest.mark.parametrize(
    ("name", "reason"),
    [(".", "it is a directory"), ("pipe", "it is a pipe that nobody reads"), ("no/file", "No such file or directory")],
)
def test_a_file_that_cannot_be_opened(tmp_path: Path, command: list[str], name: str, reason: str) -> None:
    os.mkfifo(tmp_path / "pipe")
    path = str(tmp_path / name)
    result = run(*command, "--pcapng", path)
    assert (result.returncode, result.stdout) == (1, "")
    assert result.stderr == f"chat {command[0]}: cannot write the capture {path!r}: {reason}\n"
