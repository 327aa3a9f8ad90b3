"""The chat as people run it: a server and clients that are processes of their own, over real sockets."""

from __future__ import annotations

import os
import signal
from collections import Counter
from contextlib import ExitStack
from pathlib import Path

import pytest

from chat.client.plain import MAX_QUOTED
from tests.certificates import Authority
from tests.chat.processes import Client, Server, run
from tests.relay import Relay


def test_a_conversation(tmp_path: Path) -> None:
    with Server(tmp_path) as server, Client(server, "zoe") as zoe, Client(server, "bob") as bob:
        server.logs("[INFO] added client 127.0.0.1:", times=2)
        zoe.say("smørrebrød → 蛋糕", "")
        bob.say("\x1b[31mred")
        for client in (zoe, bob):
            client.sees("[zoe]: smørrebrød → 蛋糕", "[zoe]: ", "[bob]: ␛[31mred")
        assert zoe.leave() == 0
        server.logs("[INFO] removed client 127.0.0.1:")
        bob.say("alone")
        bob.sees("[bob]: alone")
        assert bob.leave() == 0
        server.logs("[INFO] removed client 127.0.0.1:", times=2)
        assert zoe.output.lines.count("[bob]: alone") == 0
        assert len(bob.output.lines) == 4
        assert {line.split(" ")[0] for line in (zoe.log.lines + bob.log.lines + server.log.lines)} == {"[INFO]"}


@pytest.mark.parametrize("loss", [0.0, 0.05])
def test_every_client_sees_every_message_once(tmp_path: Path, loss: float) -> None:
    """20 clients, 1,000 messages at once from 5 of them."""
    count, senders, each = 20, 5, 200
    with ExitStack() as stack:
        server = stack.enter_context(Server(tmp_path))
        relay = stack.enter_context(Relay(server.address, loss=loss, seed=20))
        address = relay.address if loss else server.address
        clients = [stack.enter_context(Client(server, f"n{i}", address=address)) for i in range(count)]
        server.logs("[INFO] added client", times=count)
        for client in clients[:senders]:
            client.say(*(f"message {number} of {client.nickname}" for number in range(each)))
        for client in clients:
            client.sees_count(senders * each)
        for client in clients:
            client.end()
        assert [client.wait() for client in clients] == [0] * count, repr(relay)
        expected = Counter(f"[n{i}]: message {number} of n{i}" for i in range(senders) for number in range(each))
        for client in clients:
            assert Counter(client.output.lines) == expected, repr(relay)
        assert bool(relay.counts.get("lost")) == bool(loss)


def test_a_filter_leaves_after_its_last_line_was_acknowledged(tmp_path: Path) -> None:
    """All lines and the end of stdin come at once, through a network that loses a fifth of them."""
    lines = [f"line {number}" for number in range(300)]
    with (
        Server(tmp_path) as server,
        Relay(server.address, loss=0.2, seed=3) as relay,
        Client(server, "bob") as bob,
        Client(server, "zoe", address=relay.address) as zoe,
    ):
        server.logs("[INFO] added client", times=2)
        zoe.say(*lines)
        assert zoe.leave() == 0, zoe.log.lines
        bob.sees_count(300)
        assert sorted(bob.output.lines) == sorted(f"[zoe]: {line}" for line in lines)


def test_long_messages(tmp_path: Path) -> None:
    """The longest line arrives; one that is too long is not sent, and the exit status says so."""
    longest = "x" * (64 * 1024 - 100)
    with Server(tmp_path) as server, Client(server, "zoe") as zoe:
        zoe.say(longest, "y" * 1_000_000, "z")
        zoe.sees(f"[zoe]: {longest}", "[zoe]: z")
        assert zoe.leave() == 1
        assert len(zoe.output.lines) == 2
        assert [line for line in zoe.log.lines if not line.startswith("[INFO]")] == [
            f"[ERROR] not sent: a message of more than 65536 bytes ({'y' * MAX_QUOTED}…)"
        ]


def test_a_client_that_is_killed_is_noticed(tmp_path: Path) -> None:
    with (
        Server(tmp_path, "--idle-timeout", "1.5") as server,
        Client(server, "zoe") as zoe,
        Client(server, "bob") as bob,
    ):
        server.logs("[INFO] added client", times=2)
        zoe.signal(signal.SIGKILL)
        assert zoe.wait() == -signal.SIGKILL
        server.logs("[INFO] removed client 127.0.0.1:")
        assert any("nothing was heard of the peer" in line for line in server.log.lines)
        bob.say("still here")
        bob.sees("[bob]: still here")
        assert bob.leave() == 0


def test_silence_is_no_death(tmp_path: Path) -> None:
    """While three clients after another are killed and noticed, each an idle timeout later, one says nothing."""
    with Server(tmp_path, "--idle-timeout", "1") as server, Client(server, "quiet") as quiet:
        quiet.joined()
        for times in range(1, 4):
            with Client(server, "victim") as victim:
                victim.joined()
                victim.signal(signal.SIGKILL)
                server.logs("[INFO] removed client", times=times)
        quiet.say("still here")
        quiet.sees("[quiet]: still here")
        assert quiet.leave() == 0


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_server_closes_every_connection(tmp_path: Path, number: signal.Signals) -> None:
    """What clients do about it that do not hope for its return."""
    with (
        Server(tmp_path) as server,
        Client(server, "zoe", "--patience", "0") as zoe,
        Client(server, "bob", "--patience", "0") as bob,
    ):
        server.logs("[INFO] added client", times=2)
        server.signal(number)
        assert server.wait() == 0
        for client in (zoe, bob):
            assert client.wait() == 1
            host, port = server.address
            assert client.log.lines[-1] == f"chat join: {host}:{port} closed the chat: the server is shutting down"
        assert sum(line.startswith("[INFO] removed client") for line in server.log.lines) == 2
        assert not any("Traceback" in line for line in server.log.lines)


def test_the_server_is_killed(tmp_path: Path) -> None:
    """A client whose server has died says so: at once, as the system refuses its datagrams, or after the timeout."""
    with Server(tmp_path, "--idle-timeout", "1.5") as server, Client(server, "zoe") as zoe:
        zoe.joined()
        server.signal(signal.SIGKILL)
        assert zoe.wait() == 1
        assert zoe.log.lines[-1].startswith(f"chat join: 127.0.0.1:{server.port} is gone: ")


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 130)])
def test_a_client_is_interrupted(tmp_path: Path, number: signal.Signals, status: int) -> None:
    with Server(tmp_path) as server, Client(server, "zoe") as zoe:
        zoe.joined()
        zoe.say("bye")
        zoe.sees("[zoe]: bye")
        zoe.signal(number)
        assert zoe.wait() == status
        server.logs("[INFO] removed client")
        assert len(zoe.log.lines) == 1
        assert not any("[WARNING]" in line for line in server.log.lines)


def test_the_reader_of_the_output_goes(tmp_path: Path) -> None:
    reader, writer = os.pipe()
    with Server(tmp_path) as server, Client(server, "zoe", stdout=writer) as zoe:
        os.close(writer)
        os.close(reader)
        zoe.joined()
        zoe.say("into the void")
        assert zoe.wait() == 141
        assert len(zoe.log.lines) == 1


def test_the_certificate_is_kept(tmp_path: Path) -> None:
    fingerprints = []
    for _ in range(2):
        with Server(tmp_path) as server, Client(server, "zoe") as zoe:
            assert zoe.leave() == 0
            fingerprints.append(server.log.lines[0])
            server.signal(signal.SIGTERM)
            assert server.wait() == 0
    assert "SHA-256 fingerprint" in fingerprints[0]
    assert fingerprints[0] == fingerprints[1]


@pytest.mark.parametrize("bind", ["127.0.0.1", "0.0.0.0", "::"])
def test_joining_as_the_server_says(tmp_path: Path, bind: str) -> None:
    with Server(tmp_path, "--bind", bind) as server:
        (advice,) = (line for line in server.log.lines if "join with: python -m chat" in line)
        arguments = advice.partition("chat ")[2].replace("NICK", "zoe").split()
        assert "--ca" not in arguments  # it comes to know the server, as with SSH
        joined = run(*arguments, "--state-dir", str(tmp_path / "hers"), stdin="hello\n")
        assert joined.stdout == "[zoe]: hello\n"
        assert " is new: its key SHA256:" in joined.stderr


def test_both_sides_log_the_same_connection(tmp_path: Path) -> None:
    """By its ID, under which it is found in a capture, too."""
    with Server(tmp_path) as server, Client(server, "zoe") as zoe:
        zoe.joined()
        server.logs("[INFO] added client ")
        server.signal(signal.SIGTERM)
        zoe.logs("[WARNING] connection lost: ")
        ours, *_, lost = (line.partition("(connection ")[2] for line in zoe.log.lines)
        theirs = [line.partition("(connection ")[2] for line in server.log.lines if "added client" in line]
        assert [ours] == [lost] == theirs
        assert len(ours) > 16


def test_ipv6(tmp_path: Path) -> None:
    with Server(tmp_path, "--bind", "::1") as server, Client(server, "zoe", address=("[::1]", server.port)) as zoe:
        zoe.say("hello")
        zoe.sees("[zoe]: hello")
        assert zoe.leave() == 0
        server.logs("[INFO] added client [::1]:")


def test_a_certificate_of_an_authority(tmp_path: Path, authority: Authority) -> None:
    files = authority.issue("localhost", "127.0.0.1", kind="ed25519")
    own = ("--cert", files.certfile, "--key", files.keyfile)
    with Server(tmp_path, *own) as server, Client(server, "zoe", "--ca", files.cafile) as zoe:
        zoe.say("hello")
        zoe.sees("[zoe]: hello")
        assert zoe.leave() == 0
    assert list(tmp_path.glob("*.pem")) == []
