"""A hostile client: a server of its own process withstands it, and the others hear each other all the same."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from chat.exchange import MAX_REFUSED
from chat.message import Message
from quicmini import connect
from tests.chat.processes import Client, Server
from tests.soak.attacks import ATTACKS, ESCAPES, attack
from tests.soak.hostile import MEMORY_LIMIT, Notice, endure, report

SECONDS = 1.0  # of each attack


@pytest.fixture(scope="module")
def notices(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Notice]:
    """A conversation without an attack, and during each."""
    return {notice.attack: notice for notice in endure(tmp_path_factory.mktemp("hostile"), SECONDS)}


@pytest.mark.parametrize("name", ["idle", *ATTACKS])
def test_the_others_hear_each_other(notices: dict[str, Notice], name: str) -> None:
    notice = notices[name]
    assert notice.heard == notice.said > 0
    assert notice.memory < MEMORY_LIMIT


@pytest.mark.parametrize("name", ATTACKS)
def test_each_attack_does_what_it_is_for(notices: dict[str, Notice], name: str) -> None:
    assert " visits; " in notices[name].deeds
    assert not notices[name].deeds.startswith("0 ")


@pytest.mark.parametrize("name", ["100-MB-message", "100,000-streams", "garbage"])
def test_who_sends_no_messages_is_sent_away(notices: dict[str, Notice], name: str) -> None:
    assert f"{MAX_REFUSED} streams carried no message" in notices[name].deeds


class TestScreens:
    @pytest.fixture
    def server(self, tmp_path: Path) -> Iterator[Server]:
        with Server(tmp_path / "state") as server:
            yield server

    def test_no_escape_sequence_reaches_a_screen_or_a_log(self, server: Server) -> None:
        with Client(server, "ann", "--plain") as ann:
            ann.joined()
            attack("escapes", server.port, server.cafile, 0.5)
            with connect(
                server.address, alpn_protocols=["simpleproto"], cafile=server.cafile, server_hostname="localhost"
            ) as seed:
                stream = seed.open_stream()
                stream.sendall(Message("seed", ESCAPES).encode(), end_stream=True)
                ann.output.wait(lambda lines: any("[seed]" in line for line in lines), "what the seed's client says")
            ann.output.wait(lambda lines: any(line.startswith("[esc") for line in lines), "the attacker's words")
            assert ann.leave() == 0
        screen = "\n".join([*ann.output.lines, *ann.log.lines, *server.log.lines])
        assert any("you have won" in line for line in ann.output.lines)
        assert not {character for character in screen if not (character.isprintable() or character == "\n")}
        assert not any(line.startswith("[server]") for line in ann.output.lines)

    def test_the_server_logs_no_traceback(self, server: Server) -> None:
        for name in ATTACKS:
            attack(name, server.port, server.cafile, 0.2)
        with Client(server, "ann") as ann:
            ann.say("still there")
            ann.sees("[ann]: still there")
            assert ann.leave() == 0
        server.signal(signal.SIGTERM)
        assert server.wait() == 0
        assert not [line for line in server.log.lines if "Traceback" in line or "[ERROR]" in line]


def test_the_report_finds_what_is_noticed() -> None:
    idle = Notice("idle", 10, 10, 0.001, 0.01, 40.0, "")
    text, findings = report([idle, idle._replace(attack="flood", p99=0.015)])
    assert "flood" in text
    assert findings == []
    _, findings = report([idle, Notice("flood", 10, 9, 0.001, 0.03, 999.0, "")])
    assert findings == [
        "flood: 10 messages were said, 9 heard",
        "flood: p99 is 3.0 times the idle one",
        "flood: the server takes 999 MB",
    ]
