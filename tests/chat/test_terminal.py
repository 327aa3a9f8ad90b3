"""The terminal interface as people use it: processes on terminals, a server that is a process of its own."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from tests.chat.processes import Server
from tests.chat.terminals import TerminalClient

WITHOUT_THE_EXTRA = """
import sys
sys.modules["prompt_toolkit"] = None  # as if it were not installed
from chat.__main__ import main
sys.exit(main(sys.argv[1:]))
"""
INTERFACE = b"\x1b[?1049h"  # another screen, which terminals leave again as it was


def test_two_people_talk(tmp_path: Path) -> None:
    with (
        Server(tmp_path) as server,
        TerminalClient(server, "Ada", columns=100, rows=30) as ada,
        TerminalClient(server, "Bob", columns=40, rows=12) as bob,
    ):
        for person in (ada, bob):
            person.sees("connected to 127.0.0.1", "· connected · 2 here", " ms")
        ada.sees("RTT", "0 packets lost")
        server.logs("[INFO] added client", times=2)
        ada.press("smørrebrød → 蛋糕 👍🏽\r")
        for person in (ada, bob):
            person.sees("Ada: smørrebrød → 蛋糕 👍")
        bob.press("ad\t" + "are you there, and do you read all of this?\r")
        ada.sees("Bob: Ada: are you there, and do you read all of this?")
        bob.sees("Bob: Ada: are you there, and do", "      you read all of this?")
        assert b"\a" in ada.received
        assert b"\a" not in bob.received

        bob.resize(60, 20)
        bob.sees("Bob: Ada: are you there, and do you read all of this?")
        assert bob.rows[19] == "Bob>"

        bob.press("\x1b[200~one\ntwo\nthree\x1b[201~")
        bob.sees("3 lines")
        bob.press("\r")
        ada.sees("Bob: one", "Bob: two", "Bob: three")

        ada.press("\x1b")
        bob.press("/quit\r")
        for person in (ada, bob):
            assert person.wait() == 0
            assert person.after == ""
            assert person.is_restored


@pytest.mark.parametrize("key", ["\x1b", "\x03", "\x04"])
def test_what_was_said_last_is_delivered(tmp_path: Path, key: str) -> None:
    with Server(tmp_path) as server, TerminalClient(server, "Ada") as ada, TerminalClient(server, "Bob") as bob:
        for person in (ada, bob):
            person.sees("connected to 127.0.0.1")
        ada.press("\x1b[200~" + "\n".join(f"line {number}" for number in range(20)) + "\x1b[201~")
        ada.sees("20 lines")
        ada.press("\r" + key)
        assert ada.wait() == 0
        bob.sees(*(f"Ada: line {number}" for number in range(20)))


def test_a_server_that_ends_is_told_on_the_normal_screen(tmp_path: Path) -> None:
    with Server(tmp_path) as server, TerminalClient(server, "Ada", "--patience", "0") as ada:
        ada.sees("connected to 127.0.0.1")
        server.signal(signal.SIGTERM)
        assert ada.wait() == 1
        assert INTERFACE in ada.received
        assert ada.after.startswith(f"chat join: 127.0.0.1:{server.port} closed the chat")
        assert ada.is_restored


def test_a_server_that_cannot_be_reached_is_told_without_an_interface(tmp_path: Path) -> None:
    with Server(tmp_path) as server:
        server.signal(signal.SIGTERM)
        server.wait()
        with TerminalClient(server, "Ada") as ada:
            assert ada.wait() == 1
            assert INTERFACE not in ada.received
            assert "nobody listens on UDP 127.0.0.1" in ada.received.decode()


def test_a_signal_ends_it(tmp_path: Path) -> None:
    with Server(tmp_path) as server, TerminalClient(server, "Ada") as ada:
        ada.sees("connected to 127.0.0.1")
        ada.signal(signal.SIGTERM)
        assert ada.wait() == 130
        assert ada.after == ""
        assert ada.is_restored


def test_warnings_are_shown_in_the_interface(tmp_path: Path) -> None:
    with Server(tmp_path) as server, TerminalClient(server, "Ada", "--insecure") as ada:
        ada.sees("· --insecure: whoever answers is trusted", "connected to 127.0.0.1")


def test_no_colours_for_those_who_want_none(tmp_path: Path) -> None:
    with Server(tmp_path) as server, TerminalClient(server, "Ada", environment={"NO_COLOR": "1"}) as ada:
        ada.sees("connected to 127.0.0.1")
        ada.press("hello\r")
        ada.sees("Ada: hello")
        assert b";5;" not in ada.received
        assert b"\x1b[0;90m" not in ada.received


@pytest.mark.parametrize(
    ("arguments", "python", "environment", "hint"),
    [
        ((), ("-c", WITHOUT_THE_EXTRA), {}, True),
        (("--plain",), ("-c", WITHOUT_THE_EXTRA), {}, False),
        (("--plain",), ("-m", "chat"), {}, False),
        ((), ("-m", "chat"), {"TERM": "dumb"}, False),
    ],
)
def test_lines_for_those_without_an_interface(
    tmp_path: Path, arguments: tuple[str, ...], python: tuple[str, ...], environment: dict[str, str], hint: bool
) -> None:
    with (
        Server(tmp_path) as server,
        TerminalClient(server, "Ada", *arguments, python=python, environment=environment) as ada,
    ):
        ada.sees("[INFO] connected to 127.0.0.1")
        ada.press("hello\r")
        ada.sees("[Ada]: hello")
        ada.press("\x04")
        assert ada.wait() == 0
        assert ada.received.count(b"pip install prompt_toolkit") == hint
        assert INTERFACE not in ada.received
