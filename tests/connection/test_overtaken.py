"""0-RTT datagrams that wait for the Initial of their connection (RFC 9000 §5.2.2)."""

from __future__ import annotations

from quicmini.connection.overtaken import MAX_WAITING_BYTES, MAX_WAITING_DATAGRAMS, Overtaken
from tests.connection.pair import CLIENT, SERVER


def test_who_comes_gets_what_is_his() -> None:
    overtaken = Overtaken()
    for cid, source, datagram in [
        (b"one", CLIENT, b"1"),
        (b"two", CLIENT, b"2"),
        (b"one", SERVER, b"3"),
        (b"one", CLIENT, b"4"),
    ]:
        overtaken.keep(cid, source, datagram)
    assert overtaken.take(b"one", CLIENT) == [b"1", b"4"]
    assert overtaken.take(b"one", CLIENT) == []
    assert overtaken.take(b"three", CLIENT) == []
    assert len(overtaken) == 2


def test_the_oldest_gives_way() -> None:
    overtaken = Overtaken()
    for number in range(3 * MAX_WAITING_DATAGRAMS):
        overtaken.keep(b"%d" % number, CLIENT, b"x")
    assert len(overtaken) == MAX_WAITING_DATAGRAMS
    assert overtaken.take(b"0", CLIENT) == []
    assert overtaken.take(b"%d" % (3 * MAX_WAITING_DATAGRAMS - 1), CLIENT) == [b"x"]


def test_their_bytes_are_bounded_too() -> None:
    overtaken = Overtaken()
    size = MAX_WAITING_BYTES // 4
    for number in range(9):
        overtaken.keep(b"%d" % number, CLIENT, bytes(size))
    assert len(overtaken) == 4
    assert overtaken.take(b"8", CLIENT) == [bytes(size)]
    overtaken.keep(b"9", CLIENT, bytes(size))
    assert len(overtaken) == 4
