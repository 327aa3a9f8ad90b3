"""Real processes: the server dies and comes back, the network changes, and the conversation goes on."""

from __future__ import annotations

import signal
from contextlib import ExitStack
from pathlib import Path

from quicmini.study.link.link import Link
from quicmini.study.link.scenario import Scenario
from tests.chat.processes import Client, Server


def restarted(server: Server, state_dir: Path) -> Server:
    """Another process at the same address, with what the last one kept."""
    return Server(state_dir, "--port", str(server.port))


def test_the_server_is_killed_and_comes_back(tmp_path: Path) -> None:
    """Three times, in the middle of what two clients say: everyone sees each message once, in each sender's order.

    The third client says nothing, and has nothing but its keep-alive to notice it by.
    """
    rounds, each = 3, 40
    with ExitStack() as stack:
        server = stack.enter_context(Server(tmp_path))
        zoe, bob, ann = (stack.enter_context(Client(server, name)) for name in ("zoe", "bob", "ann"))
        for client in (zoe, bob, ann):
            client.joined()
        for number in range(rounds):
            for client in (zoe, bob):
                client.say(*(f"{number}-{count}" for count in range(each)))
            zoe.sees(f"[zoe]: {number}-0")
            server.signal(signal.SIGKILL)
            server.wait()
            for client in (zoe, bob):
                client.say(*(f"{number}-{count}" for count in range(each, 2 * each)))
            server = stack.enter_context(restarted(server, tmp_path))
            for client in (zoe, bob, ann):
                client.sees_count(2 * (number + 1) * 2 * each)
        expected = [f"{number}-{count}" for number in range(rounds) for count in range(2 * each)]
        for client in (zoe, bob, ann):
            assert client.leave() == 0
            for name in ("zoe", "bob"):
                prefix = f"[{name}]: "
                seen = [line.removeprefix(prefix) for line in client.output.lines if line.startswith(prefix)]
                assert seen == expected
            assert len(client.output.lines) == 2 * len(expected)
            lost = [line for line in client.log.lines if "connection lost" in line]
            sentence = "[WARNING] connection lost: the server was restarted; coming back"
            assert [line.partition(" (connection ")[0] for line in lost] == [sentence] * rounds
            assert sum("back again" in line for line in client.log.lines) == rounds


def test_the_server_is_restarted_properly(tmp_path: Path) -> None:
    """Its goodbye is enough: nobody waits for a timeout."""
    with ExitStack() as stack:
        server = stack.enter_context(Server(tmp_path))
        zoe = stack.enter_context(Client(server, "zoe"))
        zoe.joined()
        server.signal(signal.SIGTERM)
        server.wait()
        zoe.logs("[WARNING] connection lost: the server is shutting down; coming back")
        zoe.say("while you were away")
        server = stack.enter_context(restarted(server, tmp_path))
        zoe.sees("[zoe]: while you were away")
        zoe.logs("[INFO] back again, nothing was missed")
        assert zoe.leave() == 0
        assert zoe.output.lines == ["[zoe]: while you were away"]
        assert sum("connection lost" in line for line in zoe.log.lines) == 1


def test_a_server_that_does_not_come_back(tmp_path: Path) -> None:
    """A program gives up after a while."""
    with Server(tmp_path) as server, Client(server, "zoe", "--patience", "0.5") as zoe:
        zoe.joined()
        server.signal(signal.SIGTERM)
        server.wait()
        assert zoe.wait() == 1
        host, port = server.address
        assert zoe.log.lines[-1] == f"chat join: {host}:{port} closed the chat: the server is shutting down"


def test_the_network_changes_and_nobody_notices(tmp_path: Path) -> None:
    """A NAT gives the client another address every second: nothing is lost, nothing is said of it."""
    scenario = Scenario(delay=0.005, first_rebinding=0.5, rebinding_interval=1.0, rebind_address=True)
    with (
        Server(tmp_path, "--bind", "0.0.0.0") as server,
        Link(server.address, scenario) as link,
        Client(server, "zoe", address=link.address) as zoe,
        Client(server, "bob") as bob,
    ):
        zoe.joined()
        bob.joined()
        count = 0
        while len({each.path for each in link.captured if each.to_server}) < 4:
            bob.say(f"bob {count}")
            zoe.say(f"zoe {count}")
            for client in (zoe, bob):
                client.sees(f"[bob]: bob {count}", f"[zoe]: zoe {count}")
            count += 1
        assert zoe.leave() == 0
        assert bob.leave() == 0
        for client in (zoe, bob):
            assert sorted(client.output.lines) == sorted(
                f"[{name}]: {name} {number}" for name in ("bob", "zoe") for number in range(count)
            )
        assert not any("lost" in line for line in zoe.log.lines)
