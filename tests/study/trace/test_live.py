"""Programs at work, and what is shown of them."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from quicmini.__main__ import main
from quicmini.study.terminal import WIDTH, Ink
from quicmini.study.trace.live import Screen
from quicmini.study.trace.logs import Event
from quicmini.study.trace.tail import Told
from tests.certificates import CertificateFiles
from tests.study.trace.written import received, sent, stream

ROOT = Path(__file__).parents[3]

PROGRAM = """
import sys
import quicmini

certfile, keyfile, cafile = sys.argv[1:4]
with quicmini.listen(("127.0.0.1", 0), alpn_protocols=["x"], certfile=certfile, keyfile=keyfile) as listener:
    with quicmini.connect(listener.address, alpn_protocols=["x"], cafile=cafile) as client:
        with client.open_stream() as stream:
            stream.sendall(b"hello", end_stream=True)
            answering = listener.accept(10).accept_stream(10)
            print("the server reads", answering.recv(10))
            answering.sendall(b"bye", end_stream=True)
            print("the client reads", stream.recv(10))
sys.exit(3)
"""


@pytest.fixture(autouse=True)
def found_from_anywhere(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.delenv("QLOGDIR", raising=False)


def run(files: CertificateFiles, *options: str) -> int:
    program = [sys.executable, "-c", PROGRAM, files.certfile, files.keyfile, files.cafile]
    return main(["trace", *options, "--", *program])


def test_a_program_is_drawn_and_its_status_passed_on(
    server_files: CertificateFiles, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(server_files) == 3
    output = capsys.readouterr()
    assert output.err == ""
    for sign in (
        "Connection ",
        "─ Initial 0 CRYPTO[0:",
        "◀─",
        "STREAM 0[0:5] FIN",
        "STREAM 0[0:3] FIN",
        "from the server",
    ):
        assert sign in output.out
    assert "» the server reads b'hello'\n» the client reads b'bye'\n" in output.out
    assert max(map(len, output.out.splitlines())) <= WIDTH


def test_everything_of_it(server_files: CertificateFiles, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(server_files, "--all") == 3
    assert "has keys: client_handshake" in capsys.readouterr().out


def test_logs_are_kept_where_the_environment_wants_them(
    server_files: CertificateFiles, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("QLOGDIR", str(tmp_path))
    for _ in range(2):
        assert run(server_files) == 3
        assert capsys.readouterr().out.count("Connection ") == 1
    assert len(list(tmp_path.glob("*.sqlog"))) == 4


@pytest.mark.parametrize(("status", "expected"), [(0, 1), (5, 5)])
def test_a_program_without_connections(status: int, expected: int, capsys: pytest.CaptureFixture[str]) -> None:
    program = [sys.executable, "-c", f"import sys; print('hi'); print('ho', file=sys.stderr); sys.exit({status})"]
    assert main(["trace", "--", *program]) == expected
    output = capsys.readouterr()
    assert sorted(output.out.split("\n")) == ["", "» hi", "» ho"]
    assert "no connection to draw" in output.err


def test_a_program_that_a_signal_ends(capsys: pytest.CaptureFixture[str]) -> None:
    program = [sys.executable, "-c", "import os, signal; os.kill(os.getpid(), signal.SIGTERM)"]
    assert main(["trace", "--", *program]) == 128 + 15
    assert capsys.readouterr().out == ""


def test_a_program_that_is_not_there(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["trace", "--", "no-such-program"]) == 1
    assert capsys.readouterr().err == "no-such-program cannot be run: No such file or directory.\n"


def test_files_and_a_program_do_not_go_together(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["trace", "file", "--", "true"]) == 2
    assert "choose one of them" in capsys.readouterr().err


class Shown:
    """A screen, and what is new on it."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.screen = Screen(Ink(False), self.lines.append)

    def hear(self, now: float, *told: tuple[str, str, Event], output: tuple[str, ...] = ()) -> str:
        self.lines.clear()
        self.screen.hear([Told(*each) for each in told], list(output), now)
        self.screen.show(now)
        return "\n".join(self.lines)


def test_what_becomes_of_a_packet_is_waited_for() -> None:
    shown = Shown()
    assert shown.hear(1000, ("aa", "client", sent(1000, 0, stream(0, 5)))) == ""
    assert shown.hear(1500, ("aa", "server", received(1020, 0, stream(0, 5)))) == ""
    text = shown.hear(2000)
    assert "1RTT 0 STREAM 0[0:5]" in text
    assert "+20.0 ─▶" in text
    assert shown.hear(3000) == ""


def test_events_of_two_logs_that_come_in_disorder_are_put_in_order() -> None:
    shown = Shown()
    shown.hear(1100, ("aa", "client", sent(1000, 0)), ("aa", "client", received(1080, 0)))
    shown.hear(1300, ("aa", "server", received(1040, 0)), ("aa", "server", sent(1041, 0)))
    there, back = shown.hear(2500).splitlines()[-2:]
    assert "1RTT 0" in there
    assert "▶│" in there
    assert "│◀─ +39.0" in back


def test_it_is_said_which_connection_it_is_where_there_are_several() -> None:
    shown = Shown()
    shown.hear(1000, ("aa", "client", sent(1000, 0)), ("bb", "client", sent(1001, 0)))
    assert [line for line in shown.hear(2000).splitlines() if "Connection" in line] == [
        "Connection aa",
        "Connection bb",
    ]
    shown.hear(2100, ("bb", "client", sent(2100, 1)))
    assert "Connection" not in shown.hear(3100)
    shown.hear(3200, ("aa", "client", sent(3200, 1)))
    assert "Connection aa" in shown.hear(4200)


def test_long_runs_are_told_of_when_they_pause() -> None:
    shown = Shown()
    shown.hear(1000, *(("aa", "client", sent(1000 + number, number, stream(0, 0))) for number in range(100)))
    assert "more packets" not in shown.hear(2000)
    assert "92 more packets ─▶ 1RTT 6–97" in shown.hear(2100)


def test_nothing_that_a_program_says_moves_the_cursor() -> None:
    shown = Shown()
    text = shown.hear(1000, output=("\x1b[2Jboo\ta\n", "word " * 50 + "\n")) + shown.hear(3000)
    assert all(line.isprintable() and len(line) <= WIDTH for line in text.splitlines())
    assert "boo" in text


def test_an_interruption_is_quiet(
    server_files: CertificateFiles, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Ctrl-C reaches the program as well: it ends, and what is known by then is drawn."""

    def interrupted(screen: Screen, now: float) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Screen, "show", interrupted)
    assert run(server_files) == 130
    output = capsys.readouterr()
    assert output.err == ""
    assert "STREAM 0[0:3] FIN" in output.out
    assert os.environ.get("QLOGDIR") is None
