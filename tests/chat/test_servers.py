"""Servers that share a bus, as processes: what is said on one is heard on all, once and in its sender's order, whatever
becomes of the bus or of a server meanwhile."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.certificates import CertificateFiles
from tests.chat.processes import Client, Server, run
from tests.chat.redis_server import RedisServer


@pytest.fixture
def redis(tmp_path: Path) -> Iterator[RedisServer]:
    with RedisServer(tmp_path) as redis:
        yield redis


def lines(nickname: str, *numbers: int) -> list[str]:
    return [f"[{nickname}]: {number}" for number in numbers]


def of(nickname: str, client: Client) -> list[str]:
    """What somebody has said, as a client has seen it."""
    return [line for line in client.heard if line.startswith(f"[{nickname}]: ")]


def say(client: Client, *numbers: int) -> None:
    """Say numbers, and wait until the server has confirmed them: until then it sends them to nobody."""
    client.say(*map(str, numbers))
    client.sees(*lines(client.nickname, *numbers))


def test_two_servers_are_one_chat(tmp_path: Path, redis: RedisServer) -> None:
    with (
        Server(tmp_path / "one", "--bus", redis.url) as one,
        Server(tmp_path / "two", "--bus", redis.url) as two,
        Client(one, "ada", "--plain") as ada,
    ):
        ada.joined()
        with Client(two, "bob", "--plain") as bob:
            bob.joined()
            ada.sees("* bob joined")
            ada.say("hello", "/msg Bob a secret", "/who", "/rooms")
            ada.sees("[ada]: hello", "[ada → bob]: a secret", "* in lobby: ada, bob", "* rooms: lobby (2)")
            bob.sees("[ada]: hello", "[ada → bob]: a secret")
            bob.say("/me waves", "/msg ada another")
            ada.sees("* bob waves", "[bob → ada]: another")
            bob.say("/nick Ben")
            ada.sees("* bob is now called Ben")
            bob.say("/join Garden")
            ada.sees("* Ben went to garden")
            bob.say("/rooms")
            bob.sees("* rooms: garden (1), lobby (1)")
            with Client(one, "BEN") as usurper:
                usurper.logs("chat join: ")
                assert usurper.wait() == 1
            assert "somebody is called Ben already" in usurper.log.lines[-1]
            bob.say("/quit")
            assert bob.wait() == 0
            ada.say("/join garden")
        ada.say("/who")
        ada.sees("* in garden: ada")


@pytest.mark.parametrize("empty", [False, True], ids=["with its data", "with nothing"])
def test_the_bus_dies_and_comes_back(tmp_path: Path, redis: RedisServer, empty: bool) -> None:
    with (
        Server(tmp_path / "one", "--bus", redis.url) as one,
        Server(tmp_path / "two", "--bus", redis.url) as two,
        Client(one, "ada") as ada,
        Client(two, "bob") as bob,
    ):
        ada.joined()
        bob.joined()
        say(ada, *range(10))
        say(bob, *range(10))
        redis.kill()
        for number in range(10, 20):
            say(ada, number)
            say(bob, number)
        for server in (one, two):
            server.logs(f"[WARNING] the bus redis://127.0.0.1:{redis.port}/0 fails: ")
        redis.start(empty)
        say(ada, *range(20, 30))
        say(bob, *range(20, 30))
        for client in (ada, bob):
            client.sees_count(60)
            assert of("ada", client) == lines("ada", *range(30))
            assert of("bob", client) == lines("bob", *range(30))
        for server in (one, two):
            server.logs(f"[INFO] the bus redis://127.0.0.1:{redis.port}/0 works again")
            assert sum(" fails: " in line for line in server.log.lines) == 1
        assert ada.leave() == bob.leave() == 0
        assert len(ada.heard) == len(bob.heard) == 60


def test_a_server_is_killed_before_the_bus_has_what_it_has_confirmed(tmp_path: Path, redis: RedisServer) -> None:
    with Server(tmp_path / "two", "--bus", redis.url) as two, Client(two, "bob") as bob:
        bob.joined()
        with Server(tmp_path / "one", "--bus", redis.url) as one, Client(one, "ada") as ada:
            ada.joined()
            say(ada, 0, 1)
            redis.kill()
            say(ada, 2, 3)
            one.signal(signal.SIGKILL)
            one.wait()
            say(bob, 0, 1)
            redis.start()
            with Server(tmp_path / "one", "--bus", redis.url, "--port", str(one.port)):
                say(ada, 4)
                say(bob, 2)
                for client in (ada, bob):
                    client.sees_count(8)
                    assert of("ada", client) == lines("ada", *range(5))
                    assert of("bob", client) == lines("bob", *range(3))
                assert ada.leave() == 0
        assert bob.leave() == 0
        assert len(ada.heard) == len(bob.heard) == 8


def test_a_client_comes_back_to_another_server(
    tmp_path: Path, redis: RedisServer, server_files: CertificateFiles
) -> None:
    """More than a newcomer is sent is said while it is away; both servers have a certificate that it trusts."""
    certificate = ("--cert", server_files.certfile, "--key", server_files.keyfile, "--idle-timeout", "3")
    with Server(tmp_path / "two", "--bus", redis.url) as two, Client(two, "bob") as bob:
        bob.joined()
        one = Server(tmp_path / "one", "--bus", redis.url, *certificate)
        with one, Client(one, "ada", "--ca", server_files.cafile) as ada:
            ada.joined()
            say(bob, *range(100))
            say(ada, *range(5))
            ada.sees_count(105)
            bob.sees_count(105)  # else the server that is killed, and does not return, might be all that had them
            one.signal(signal.SIGKILL)
            one.wait()
            say(bob, *range(100, 200))
            ada.say("5", "6")
            with Server(tmp_path / "three", "--bus", redis.url, *certificate, "--port", str(one.port)):
                ada.sees(*lines("ada", 5, 6))
                say(ada, 7)
                say(bob, 200)
                for client in (ada, bob):
                    client.sees_count(209)
                    assert of("ada", client) == lines("ada", *range(8))
                    assert of("bob", client) == lines("bob", *range(201))
                assert ada.leave() == 0
        assert bob.leave() == 0
        assert len(ada.heard) == len(bob.heard) == 209


def test_a_bus_that_cannot_be_used_is_said_so(tmp_path: Path) -> None:
    redis = RedisServer(tmp_path)
    done = run("serve", "--port", "0", "--state-dir", str(tmp_path), "--bus", redis.url)
    assert done.returncode == 1
    assert done.stderr.startswith(f"chat serve: cannot use the bus {redis.url}: ")
    assert done.stderr.endswith("Connection refused; is a Redis or Valkey server there?\n")
    assert len(done.stderr.splitlines()) == 1
    done = run("serve", "--bus", "localhost:6379")
    assert done.returncode == 2
    assert "'localhost:6379' is no bus: it is written redis://HOST[:PORT]" in done.stderr
