"""A connection's own capture: whole, in order, its secrets in time; and what happens where it cannot be written."""

from __future__ import annotations

import logging
import os
import signal
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from quicmini.config import Config
from quicmini.observe import pcapng
from quicmini.observe.keylog import parse_key_log
from quicmini.observe.pcapng import PcapNg
from quicmini.study.captures import CapturedDatagram, read_capture
from quicmini.study.captures.capture import Remarks
from quicmini.study.captures.pcapng import PcapngFile
from quicmini.sync.clock import stamp
from quicmini.wire.packet import PacketType
from tests.interop.dissect import Packet
from tests.observe.recorded import LOSSY_HANDSHAKE, Talk, packets_of
from tests.sync.helpers import PATIENCE, in_thread, until

CLIENT, SERVER = ("192.0.2.1", 1000), ("192.0.2.2", 443)
LINE = f"LABEL {b'random'.hex()} {b'secret'.hex()}\n"


def add(capture: PcapNg, *datagrams: bytes, time: int | None = None, ecn: int = 0, is_sent: bool = True) -> None:
    capture.add(stamp() if time is None else time, datagrams, CLIENT, SERVER, ecn, is_sent=is_sent)


def tell(capture: PcapNg, *, is_client: bool = False) -> None:
    capture.keylog(is_client=is_client)("LABEL", b"random", b"secret")


def written(path: Path) -> list[bytes]:
    """The datagrams that are in the file by now."""
    content = path.read_bytes()
    return [each.payload for each in read_capture(content).datagrams] if content else []


def block_types(path: Path) -> list[int]:
    return [kind for kind, _ in PcapngFile(path.read_bytes(), Remarks())._blocks()]


def test_datagrams_and_secrets_can_be_read_again(tmp_path: Path) -> None:
    path = tmp_path / "talk.pcapng"
    with PcapNg(path) as capture:
        add(capture, b"one", b"two", time=1_500_000_000, ecn=2)
        capture.add(1_750_000_000, [b"three"], ("2001:db8::1", 443), ("2001:db8::2", 9), 1, is_sent=False)
        tell(capture)
    read = read_capture(path.read_bytes())
    assert read.datagrams == [
        CapturedDatagram(1, 1.5, CLIENT, SERVER, b"one", ecn=2),
        CapturedDatagram(2, 1.5, CLIENT, SERVER, b"two", ecn=2),
        CapturedDatagram(3, 1.75, ("2001:db8::1", 443), ("2001:db8::2", 9), b"three", ecn=1),
    ]
    assert (read.secrets, read.remarks) == (LINE, [])
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_an_empty_one_is_a_capture_too(tmp_path: Path) -> None:
    PcapNg(tmp_path / "file").close()
    assert read_capture((tmp_path / "file").read_bytes()).remarks == []


def test_an_old_file_is_replaced_and_closed_to_others(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"?" * 10_000)
    path.chmod(0o644)
    PcapNg(path).close()
    assert read_capture(path.read_bytes()).datagrams == []
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_secret_that_comes_later_stands_before_the_datagrams_that_waited(tmp_path: Path) -> None:
    path = tmp_path / "file"
    with PcapNg(path) as capture:
        add(capture, b"sealed")
        tell(capture)
    assert block_types(path) == [1, 10, 6]


def test_datagrams_are_in_the_order_of_their_times(tmp_path: Path) -> None:
    with PcapNg(tmp_path / "file") as capture:
        now = stamp()
        for time in 3, 1, 2:
            add(capture, b"%d" % time, time=now + time)
    assert [each.payload for each in read_capture((tmp_path / "file").read_bytes()).datagrams] == [b"1", b"2", b"3"]


def test_what_has_waited_is_written_without_being_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pcapng, "_HOLD", 1)
    monkeypatch.setattr(pcapng, "_PAUSE", 0.001)
    path = tmp_path / "file"
    with PcapNg(path) as capture:
        add(capture, b"hello")
        until(lambda: written(path) == [b"hello"])


def test_while_a_client_has_not_all_secrets_its_datagrams_wait(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pcapng, "_HOLD", 1)
    monkeypatch.setattr(pcapng, "_PAUSE", 0.001)
    path = tmp_path / "file"
    with PcapNg(path) as capture:
        add(capture, b"before", time=stamp() - 1000)
        log = capture.keylog(is_client=True)
        add(capture, b"sealed")
        until(lambda: written(path))
        log("CLIENT_HANDSHAKE_TRAFFIC_SECRET", b"random", b"secret")
        until(lambda: 10 in block_types(path))
        assert written(path) == [b"before"]
        log("CLIENT_TRAFFIC_SECRET_0", b"random", b"secret")
        until(lambda: written(path) == [b"before", b"sealed"])
    assert block_types(path) == [1, 6, 10, 10, 6]


def test_a_handshake_that_does_not_end_is_not_waited_for_for_ever(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pcapng, "_HOLD", 1)
    monkeypatch.setattr(pcapng, "_LONGEST_HOLD", 1000)
    monkeypatch.setattr(pcapng, "_PAUSE", 0.001)
    path = tmp_path / "file"
    with PcapNg(path) as capture:
        capture.keylog(is_client=True)
        add(capture, b"sealed")
        until(lambda: written(path) == [b"sealed"])


def test_a_flood_is_not_held(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """While a handshake is under way, too: what waits has a bound."""
    monkeypatch.setattr(pcapng, "_MAX_HELD", 1000)
    monkeypatch.setattr(pcapng, "_PAUSE", 0.001)
    path = tmp_path / "file"
    with PcapNg(path) as capture:
        capture.keylog(is_client=True)
        add(capture, bytes(500), bytes(500))
        until(lambda: written(path) == [bytes(500), bytes(500)])


def test_a_capture_of_both_sides_opens_to_the_last_packet(talk: Talk, tmp_path: Path) -> None:
    """Losses, a key update and a move included: see `Talk`."""
    paths = {"client": tmp_path / "client", "server": tmp_path / "server"}
    with PcapNg(paths["client"]) as at_client, PcapNg(paths["server"]) as at_server:
        talk.run(Config(capture=at_client), Config(capture=at_server))
    for path in paths.values():
        talk.check_opened(read_capture(path.read_bytes()))


def test_each_secret_comes_before_what_it_opens(talk: Talk, tmp_path: Path) -> None:
    """Also where the handshake has to wait for what was lost: a reader that goes through the file once opens it all."""
    paths = tmp_path / "client", tmp_path / "server"
    with PcapNg(paths[0]) as at_client, PcapNg(paths[1]) as at_server:
        talk.run(Config(capture=at_client), Config(capture=at_server), LOSSY_HANDSHAKE)
    for path in paths:
        packets = packets_of(read_capture(path.read_bytes()))
        needed = {str(secret_label(packet)): packet.captured.time for packet in reversed(packets)}
        assert len(needed) == 5  # four, and none for Initial packets
        file = PcapngFile(path.read_bytes(), Remarks())
        times = {frame.time: "".join(file.secrets) for frame in file if frame is not None}
        for label, time in needed.items():
            assert label == "None" or label in times[time]


def secret_label(packet: Packet) -> str | None:
    """Of the secret that opens the packet."""
    side = "CLIENT" if packet.to_server else "SERVER"
    return {
        PacketType.HANDSHAKE: f"{side}_HANDSHAKE_TRAFFIC_SECRET",
        PacketType.ONE_RTT: f"{side}_TRAFFIC_SECRET_0",
    }.get(packet.packet_type)


# Where it cannot be written.


def full(path: Path) -> None:
    path.symlink_to("/dev/full")


@pytest.mark.parametrize(
    ("obstruct", "error"),
    [
        (Path.mkdir, IsADirectoryError),
        (os.mkfifo, OSError),
        (lambda path: path.parent.rmdir(), FileNotFoundError),
    ],
)
def test_a_file_that_cannot_be_opened_is_an_error_at_once(
    tmp_path: Path, obstruct: Callable[[Path], object], error: type[OSError]
) -> None:
    path = tmp_path / "place" / "file"
    path.parent.mkdir()
    obstruct(path)
    with pytest.raises(error):
        PcapNg(path)


def test_a_full_disk_is_told_once_and_hinders_nobody(
    talk: Talk, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "file"
    full(path)
    with caplog.at_level(logging.WARNING), PcapNg(path) as capture:
        talk.run(Config(capture=capture), Config(capture=capture))
    reason = "No space left on device"
    assert caplog.messages == [f"the capture {str(path)!r} cannot be written: {reason}; the connections go on"]


def test_a_disk_that_fills_up_leaves_a_file_that_can_be_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(pcapng, "_HOLD", 1)
    monkeypatch.setattr(pcapng, "_PAUSE", 0.001)
    path = tmp_path / "file"
    write = os.write

    def half(fd: int, data: bytes) -> int:
        if len(data) < 100:
            raise OSError(28, "No space left on device")
        return write(fd, data[:100])

    with caplog.at_level(logging.WARNING), PcapNg(path) as capture:
        add(capture, b"first")
        until(lambda: written(path))
        monkeypatch.setattr(os, "write", half)
        add(capture, bytes(1000))
        until(lambda: caplog.messages)
        monkeypatch.undo()
        add(capture, b"too late")
    read = read_capture(path.read_bytes())
    assert [each.payload for each in read.datagrams] == [b"first"]
    assert read.remarks == []
    assert len(caplog.messages) == 1


def test_a_pipe_whose_reader_goes(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "pipe"
    os.mkfifo(path)
    reader = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    with caplog.at_level(logging.WARNING), PcapNg(path) as capture:
        os.close(reader)
        add(capture, b"hello")
    reason = "nobody reads the pipe any more"
    assert caplog.messages == [f"the capture {str(path)!r} cannot be written: {reason}; the connections go on"]


def test_a_pipe_that_is_read(tmp_path: Path) -> None:
    """As Wireshark reads one, while the connection goes on."""
    path = tmp_path / "pipe"
    os.mkfifo(path)
    content = in_thread(path.read_bytes)
    writer = os.open(path, os.O_WRONLY)  # waits for the reader
    with PcapNg(path) as capture:
        os.close(writer)
        for _ in range(100):
            add(capture, bytes(1200))
    assert len(read_capture(content.result(PATIENCE)).datagrams) == 100


def test_a_reader_that_sleeps_costs_datagrams_and_nobody_waits(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(pcapng, "_HOLD", 1)
    monkeypatch.setattr(pcapng, "_PAUSE", 0.001)
    monkeypatch.setattr(pcapng, "MAX_WAITING", 200_000)
    monkeypatch.setattr(pcapng, "EXIT_PATIENCE", 0.0)
    path = tmp_path / "pipe"
    os.mkfifo(path)
    reader = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    capture = PcapNg(path)
    with caplog.at_level(logging.WARNING):
        for _ in range(1000):
            add(capture, bytes(1200))
        why = "it cannot be written as fast as it grows"
        assert caplog.messages == [f"the capture {str(path)!r} has gaps: {why}; the connections go on"]
        capture.close()
        os.close(reader)
        assert capture._background.close(PATIENCE)
    assert len(caplog.messages) == 1


def test_a_child_process_leaves_the_file_to_its_parent(tmp_path: Path) -> None:
    path = tmp_path / "file"
    with PcapNg(path) as capture:
        add(capture, b"parent")
        child = os.fork()
        if child == 0:
            add(capture, b"child")
            capture.close()
            os._exit(0)
        assert os.waitpid(child, 0)[1] == 0
    read = read_capture(path.read_bytes())
    assert [each.payload for each in read.datagrams] == [b"parent"]
    assert read.remarks == []


PROGRAM = """
import signal
import sys
from quicmini.observe.pcapng import PcapNg

capture = PcapNg(sys.argv[1])
capture.add(1, [b"hello"], ("192.0.2.1", 1), ("192.0.2.2", 2), 0, is_sent=True)
capture.keylog(is_client=False)("LABEL", b"random", b"secret")
"""


@pytest.mark.parametrize("end", ["", "raise SystemExit(0)", "signal.raise_signal(signal.SIGINT)"])
def test_the_end_of_the_program_completes_the_file(tmp_path: Path, end: str) -> None:
    result = subprocess.run([sys.executable, "-c", PROGRAM + end, str(tmp_path / "file")], capture_output=True)
    assert result.returncode == (-signal.SIGINT if "SIGINT" in end else 0)
    read = read_capture((tmp_path / "file").read_bytes())
    assert [each.payload for each in read.datagrams] == [b"hello"]
    assert parse_key_log(read.secrets) == {b"random": {"LABEL": b"secret"}}
