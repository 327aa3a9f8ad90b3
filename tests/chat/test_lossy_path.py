"""The demo's bad path: what it throws away, and that the rest gets through."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from itertools import pairwise

import pytest

from chat.lossy_path import LOSS, LossyPath

SHORT, LONG = b"\x40", b"\xc0"  # how packets after the handshake and packets of it begin
COUNT = 300


class Ends:
    """A client and a server with a path between them."""

    def __init__(self, stack: ExitStack, seed: str = "any") -> None:
        self.server, self.client = (
            stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) for _ in range(2)
        )
        self.server.bind(("127.0.0.1", 0))
        self.path = stack.enter_context(LossyPath(self.server.getsockname(), seed))
        self.client.connect(self.path.address)
        for each in (self.client, self.server):
            each.settimeout(10)

    def received(self, *datagrams: bytes) -> list[bytes]:
        """What arrives at the server of these datagrams: each is followed by one that always arrives."""
        arrived = []
        for datagram in datagrams:
            self.client.send(datagram)
            self.client.send(LONG)
            while (received := self.server.recv(2000)) != LONG:
                arrived.append(received)
        return arrived


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


def numbered(count: int) -> list[bytes]:
    return [SHORT + number.to_bytes(2) for number in range(count)]


def test_the_handshake_gets_through(stack: ExitStack) -> None:
    ends = Ends(stack)
    datagrams = [LONG + number.to_bytes(2) for number in range(COUNT)]
    assert ends.received(*datagrams) == datagrams
    assert ends.path.thrown == []


def test_some_are_thrown_away_but_never_two_in_a_row(stack: ExitStack) -> None:
    ends = Ends(stack)
    datagrams = numbered(COUNT)
    arrived = ends.received(*datagrams)
    assert len(arrived) + len(ends.path.thrown) == COUNT
    assert ends.path.carried == len(arrived) + COUNT
    assert COUNT * LOSS / 2 < len(ends.path.thrown) < COUNT * LOSS * 2
    lost = [datagram not in arrived for datagram in datagrams]
    assert (True, True) not in pairwise(lost)


def test_the_seed_decides(stack: ExitStack) -> None:
    first, second, other = (Ends(stack, seed).received(*numbered(COUNT)) for seed in ("a", "a", "b"))
    assert first == second != other


def test_the_next_message_is_lost(stack: ExitStack) -> None:
    ends = Ends(stack)
    small, message = SHORT * 50, SHORT * 150
    for _ in range(5):
        ends.path.lose_next_message()
        assert message not in ends.received(small, message)
        ends.path.wait_message_lost(10)
        assert ends.path.thrown[-1] == (True, 150)
        assert ends.received(message) == [message]


def test_a_mended_path_throws_nothing_away(stack: ExitStack) -> None:
    ends = Ends(stack)
    ends.path.mend()
    assert ends.received(*numbered(COUNT)) == numbered(COUNT)


def test_answers_come_back(stack: ExitStack) -> None:
    ends = Ends(stack)
    ends.path.mend()
    ends.client.send(SHORT)
    _, path = ends.server.recvfrom(2000)
    ends.server.sendto(SHORT + b"answer", path)
    assert ends.client.recv(2000) == SHORT + b"answer"


def test_it_survives_a_server_that_is_not_there(stack: ExitStack) -> None:
    ends = Ends(stack)
    address = ends.server.getsockname()
    ends.server.close()
    ends.client.send(LONG)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind(address)
        server.settimeout(0.1)
        for _ in range(100):  # the first may meet the error that the one before has left
            ends.client.send(LONG)
            with suppress(TimeoutError):
                assert server.recv(2000) == LONG
                return
    pytest.fail("nothing arrives any more")


def test_it_does_not_wait_for_an_error_that_was_told_elsewhere(stack: ExitStack) -> None:
    """That nobody is there makes the socket readable; who sends first has the error, and nothing is left to read."""
    ends = Ends(stack)
    ends.server.close()
    for _ in range(1000):
        ends.client.send(LONG)
    stack.close()  # would wait for ever


def test_nothing_of_it_is_left() -> None:
    with ExitStack() as stack:
        ends = Ends(stack)
        ends.received(SHORT)
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("lossy path")]
