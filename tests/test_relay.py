"""The relay itself: what it loses is drawn from the seed, and nothing is left behind."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator

import pytest

from tests.relay import Relay


@pytest.fixture
def echo() -> Iterator[tuple[str, int]]:
    """A UDP server that sends everything back."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind(("127.0.0.1", 0))

        def run() -> None:
            while True:
                datagram, client = server.recvfrom(2048)
                if datagram == b"stop":
                    return
                server.sendto(datagram, client)

        thread = threading.Thread(target=run)
        thread.start()
        yield server.getsockname()
        server.sendto(b"stop", server.getsockname())
        thread.join()


def round_trips(relay: Relay, count: int) -> list[int]:
    """Send numbered datagrams; return the numbers that came back. What is sent last, until it is answered, ends it."""
    end = b"end"
    came: list[bytes] = []
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.settimeout(0.05)
        for number in range(count):
            client.sendto(bytes([number]), relay.address)
        while end not in came:
            client.sendto(end, relay.address)
            try:
                came.append(client.recv(2048))
                while came[-1] != end:
                    came.append(client.recv(2048))
            except TimeoutError:
                pass
    return [each[0] for each in came if each != end]


def test_forwards_everything_when_told_to_lose_nothing(echo: tuple[str, int]) -> None:
    with Relay(echo) as relay:
        assert round_trips(relay, 50) == list(range(50))
    assert set(relay.counts) == {"forwarded"}


def test_the_seed_decides_what_is_lost(echo: tuple[str, int]) -> None:
    survivors = []
    for seed in (1, 1, 2):
        with Relay(echo, loss=0.3, seed=seed) as relay:
            survivors.append(round_trips(relay, 40))
        assert relay.counts["lost"] >= 40 - len(survivors[-1]) > 0
        assert f"seed={seed}" in repr(relay)
    assert survivors[0] == survivors[1] != survivors[2]


def test_each_client_gets_its_own_answers(echo: tuple[str, int]) -> None:
    with (
        Relay(echo) as relay,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as two,
    ):
        for client, text in ((one, b"one"), (two, b"two")):
            client.settimeout(5)
            client.sendto(text, relay.address)
        assert (one.recv(100), two.recv(100)) == (b"one", b"two")


def test_duplicates_and_reorders(echo: tuple[str, int]) -> None:
    with Relay(echo, duplicate=0.5, reorder=0.3, seed=3) as relay, socket.socket(type=socket.SOCK_DGRAM) as client:
        client.settimeout(1)
        for number in range(100):
            client.sendto(bytes([number]), relay.address)
        came: list[int] = []
        while set(came) != set(range(100)):
            came.append(client.recv(100)[0])
    assert len(came) > 100
    assert came != sorted(came)


def test_leaves_no_thread_and_no_socket(echo: tuple[str, int]) -> None:
    before = threading.active_count()
    with Relay(echo) as relay:
        round_trips(relay, 1)
        port = relay.address[1]
    assert threading.active_count() == before
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as again:
        again.bind(("127.0.0.1", port))
