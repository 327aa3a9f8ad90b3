"""Real sockets, real threads: transfers both ways while strangers throw datagrams at the server."""

from __future__ import annotations

import random
import socket
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from quicmini import Listener, connect
from tests.blocking_transfer import request, serving
from tests.certificates import Authority
from tests.sync.helpers import ALPN
from tests.transfer import Requester

MB = 1_000_000


def forge(choose: random.Random) -> bytes:
    """Random bytes, as they are or behind the first bytes of a long header."""
    head = choose.choice(
        (b"", b"\xc3\x00\x00\x00\x01\x08", b"\xe0\x00\x00\x00\x01\x14", b"\xc0\x0a\x0a\x0a\x0a\x00", b"\x40")
    )
    return head + choose.randbytes(choose.choice((0, 1, 20, 100, 1200, 1400)))


def throw(address: tuple[str, int], stop: threading.Event, thrown: list[int]) -> None:
    """Throw until told to stop, in small bursts."""
    choose = random.Random(1)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger:
        while not stop.wait(0.001):
            for _ in range(20):
                stranger.sendto(forge(choose), address)
            thrown.append(20)


def test_transfers_under_a_rain_of_garbage(make_listener: Callable[..., Listener], authority: Authority) -> None:
    listener, stop, thrown = make_listener(), threading.Event(), list[int]()
    with serving(listener) as ends, ThreadPoolExecutor(4) as threads:
        stranger = threading.Thread(target=throw, args=(listener.address, stop, thrown))
        stranger.start()
        try:
            with connect(listener.address, alpn_protocols=[ALPN], cafile=authority.cafile) as connection:
                for each in [threads.submit(request, connection, Requester(MB, MB)) for _ in range(4)]:
                    each.result()
        finally:
            stop.set()
            stranger.join()
        dropped = dict(listener._endpoint.dropped)
    assert [end.error_code for end in ends] == [0]
    assert sum(dropped.values()) > 0, (dropped, sum(thrown))
