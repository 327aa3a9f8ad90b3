from __future__ import annotations

import io
import socket
import sys
from collections.abc import Callable, Iterator
from functools import partial

import pytest

from quicmini import Config, ConnectionClosedOK, Stream, StreamReset, StreamStopped
from quicmini.sync.driver import Driver
from tests.sync.helpers import PATIENCE, Pair, drain, in_thread, until, waiting_threads


@pytest.fixture
def frequent_switches() -> Iterator[None]:
    """Threads change places after every few instructions."""
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(interval)


def echo(stream: Stream) -> None:
    while data := stream.recv(5000):
        stream.sendall(data)
    stream.close()


def wait_for_reader(stream: Stream) -> None:
    until(lambda: waiting_threads(stream._driver, stream._driver._readers.get(stream.stream_id)))


def wait_for_writer(stream: Stream) -> None:
    until(lambda: waiting_threads(stream._driver, stream._driver._writers.get(stream.stream_id)))


# What arrives


def test_bytes_come_as_they_were_sent(pair: Pair) -> None:
    mine, theirs = pair.streams()
    mine.sendall(b"")
    mine.sendall(b"one ")
    mine.sendall(bytearray(b"two "))
    mine.sendall(memoryview(b"three"), end_stream=True)
    assert drain(theirs) == b"one two three"
    assert theirs.recv(1) == b""
    theirs.sendall(b"answer")
    theirs.shutdown(socket.SHUT_WR)
    assert drain(mine) == b"answer"
    assert mine.recv(1) == b""


def test_what_was_sent_may_be_changed_afterwards(pair: Pair) -> None:
    mine, theirs = pair.streams()
    data = bytearray(b"x" * 700_000)
    sending = in_thread(drain, theirs)
    mine.sendall(data)
    data[:] = b"y" * len(data)
    small = bytearray(b"x")
    mine.sendall(small, end_stream=True)
    small[:] = b"y"
    assert sending.result(PATIENCE) == b"x" * 700_001


def test_a_stream_of_nothing_but_its_end(pair: Pair) -> None:
    with pair.client.open_stream(unidirectional=True) as stream:
        stream.sendall(b"", end_stream=True)
    assert pair.server.accept_stream(PATIENCE).recv(10) == b""


def test_recv_takes_what_there_is_up_to_its_size(pair: Pair) -> None:
    mine, theirs = pair.streams()
    mine.sendall(b"123456")
    assert theirs.recv(0) == b""
    assert theirs.recv(4) == b"1234"
    assert theirs.recv(400) == b"56"
    with pytest.raises(ValueError, match="negative"):
        theirs.recv(-1)


def test_recv_into(pair: Pair) -> None:
    mine, theirs = pair.streams()
    mine.sendall(b"123456", end_stream=True)
    buffer = bytearray(10)
    assert theirs.recv_into(buffer, 2) == 2
    assert theirs.recv_into(memoryview(buffer)[2:]) == 4
    assert theirs.recv_into(buffer) == 0
    assert buffer == b"123456\0\0\0\0"


def test_large_items_are_counted_in_bytes(pair: Pair) -> None:
    mine, theirs = pair.streams()
    wide = memoryview(bytes(range(16))).cast("I")
    mine.sendall(wide)
    assert mine.send(wide) == 16
    mine.close()
    assert drain(theirs) == bytes(range(16)) * 2


def test_a_megabyte_is_echoed_by_several_threads_at_once(pair: Pair, frequent_switches: None) -> None:
    pairs = [pair.streams() for _ in range(4)]
    data = [bytes([number]) * 250_000 + b"end" for number in range(4)]
    echoing = [in_thread(echo, theirs) for _, theirs in pairs]
    sending = [in_thread(mine.sendall, data[i], end_stream=True) for i, (mine, _) in enumerate(pairs)]
    receiving = [in_thread(drain, mine) for mine, _ in pairs]
    for future in (*echoing, *sending):
        future.result(PATIENCE)
    assert [future.result(PATIENCE) for future in receiving] == data


def test_both_sides_send_first(make_pair: Callable[..., Pair]) -> None:
    """Each side sends a multiple of all windows and buffers before it reads: nothing may wait for the other."""
    config = Config(send_buffer_size=16_384, max_stream_data=65_536, max_data=65_536)
    pair = make_pair(config, send_buffer_size=16_384, max_stream_data=65_536, max_data=65_536)
    mine, theirs = pair.streams()
    data = b"0123456789abcdef" * 40_000
    sending = [in_thread(stream.sendall, data, end_stream=True) for stream in (mine, theirs)]
    receiving = [in_thread(drain, stream) for stream in (mine, theirs)]
    assert [future.result(PATIENCE) for future in receiving] == [data, data]
    for future in sending:
        future.result(PATIENCE)


def test_without_segmentation(make_pair: Callable[..., Pair], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("quicmini.sync.udp._supports_gso", lambda sock: False)
    monkeypatch.setattr("quicmini.sync.udp.UDP_GRO", 9999)
    pair = make_pair()
    assert not pair.client._driver.loop.udp.gso
    assert not pair.client._driver.loop.udp.gro
    mine, theirs = pair.streams()
    data = b"x" * 500_000
    sending = in_thread(mine.sendall, data, end_stream=True)
    assert drain(theirs) == data
    sending.result(PATIENCE)


# Blocking


def test_a_reader_that_does_not_read_blocks_the_writer(make_pair: Callable[..., Pair]) -> None:
    pair = make_pair(Config(send_buffer_size=10_000), max_stream_data=20_000)
    mine, theirs = pair.streams()
    data = b"x" * 100_000
    sending = in_thread(mine.sendall, data, end_stream=True)
    wait_for_writer(mine)
    assert not sending.done()
    assert drain(theirs) == data
    sending.result(PATIENCE)


def test_send_takes_what_there_is_room_for(make_pair: Callable[..., Pair]) -> None:
    pair = make_pair(Config(send_buffer_size=10_000), max_stream_data=20_000)
    mine, _ = pair.streams()
    sent = 1
    while sent < 29_000:
        taken = mine.send(b"x" * 7_000)
        assert 0 < taken <= 7_000
        sent += taken
    # 20,000 bytes lie in the peer's window, 10,000 in the send buffer.
    mine.settimeout(0.01)
    with pytest.raises(TimeoutError, match="room to send"):
        while_full(mine)
    assert mine.send(b"") == 0


def while_full(stream: Stream) -> None:
    for _ in range(3):
        stream.send(b"x" * 7_000)


@pytest.mark.parametrize("timeout", [0, 0.01])
def test_every_call_times_out(make_pair: Callable[..., Pair], timeout: float) -> None:
    pair = make_pair(Config(send_buffer_size=1_000), max_stream_data=2_000)
    mine, theirs = pair.streams()
    assert mine.gettimeout() == PATIENCE
    mine.settimeout(timeout)
    assert mine.gettimeout() == timeout
    with pytest.raises(TimeoutError, match="data"):
        mine.recv(1)
    with pytest.raises(TimeoutError, match="data"):
        mine.recv_into(bytearray(1))
    with pytest.raises(TimeoutError, match="room to send"):
        mine.sendall(b"x" * 10_000)
    theirs.sendall(b"late")
    mine.settimeout(None)
    assert mine.recv(10) == b"late"
    with pytest.raises(ValueError, match="0 or more"):
        mine.settimeout(-1)


def test_close_of_the_connection_wakes_reader_and_writer(make_pair: Callable[..., Pair]) -> None:
    pair = make_pair(Config(send_buffer_size=1_000), max_stream_data=2_000)
    mine, _ = pair.streams()
    mine.settimeout(None)
    reading = [in_thread(mine.recv, 1) for _ in range(2)]
    writing = in_thread(mine.sendall, b"x" * 10_000)
    wait_for_reader(mine)
    wait_for_writer(mine)
    pair.client._driver.close(0, "")
    errors = [future.exception(PATIENCE) for future in (*reading, writing)]
    assert all(isinstance(error, ConnectionClosedOK) for error in errors)
    # Each thread has an exception, and so a traceback, of its own.
    assert len({id(error) for error in errors}) == 3


# Ends of a stream


def test_reset_reaches_the_reader(pair: Pair) -> None:
    mine, theirs = pair.streams()
    reading = in_thread(theirs.recv, 1)
    wait_for_reader(theirs)
    mine.reset(77)
    error = reading.exception(PATIENCE)
    assert isinstance(error, StreamReset)
    assert error.error_code == 77
    for _ in range(2):
        with pytest.raises(StreamReset):
            theirs.recv(1)
    with pytest.raises(BrokenPipeError):
        mine.send(b"x")
    # The other direction lives.
    theirs.sendall(b"still here")
    assert mine.recv(100) == b"still here"


def test_stop_sending_reaches_the_writer(make_pair: Callable[..., Pair]) -> None:
    pair = make_pair(Config(send_buffer_size=1_000), max_stream_data=2_000)
    mine, theirs = pair.streams()
    writing = in_thread(mine.sendall, b"x" * 10_000)
    wait_for_writer(mine)
    theirs.stop_sending(78)
    error = writing.exception(PATIENCE)
    assert isinstance(error, StreamStopped)
    assert error.error_code == 78
    for _ in range(2):
        with pytest.raises(StreamStopped):
            mine.sendall(b"x")
    mine.close()
    assert theirs.recv(1) == b""


def test_stop_sending_ends_a_waiting_read(pair: Pair) -> None:
    mine, _ = pair.streams()
    reading = in_thread(mine.recv, 1)
    wait_for_reader(mine)
    mine.shutdown(socket.SHUT_RD)
    assert reading.result(PATIENCE) == b""


@pytest.mark.parametrize("end", ["reset", "close"])
def test_ending_the_stream_ends_a_waiting_write(make_pair: Callable[..., Pair], end: str) -> None:
    pair = make_pair(Config(send_buffer_size=1_000), max_stream_data=2_000)
    mine, _ = pair.streams()
    writing = in_thread(mine.sendall, b"x" * 10_000)
    wait_for_writer(mine)
    getattr(mine, end)()
    assert isinstance(writing.exception(PATIENCE), BrokenPipeError)


def test_shutdown_of_both_directions(pair: Pair) -> None:
    mine, theirs = pair.streams()
    mine.shutdown(socket.SHUT_RDWR)
    assert theirs.recv(1) == b""
    with pytest.raises(BrokenPipeError):
        mine.sendall(b"x")
    with pytest.raises(StreamStopped):
        theirs.sendall(b"x" * 10_000_000)
    with pytest.raises(ValueError, match="SHUT_RD"):
        mine.shutdown(17)


def test_close_ends_both_directions_once(pair: Pair) -> None:
    mine, theirs = pair.streams()
    mine.sendall(b"last words")
    for _ in range(2):
        mine.close()
    assert drain(theirs) == b"last words"
    assert mine.recv(1) == b""
    theirs.close()
    until(lambda: not mine._driver._readers)
    mine.close()
    mine.reset(1)
    mine.stop_sending(1)


def test_the_block_of_a_with_statement(pair: Pair) -> None:
    with pair.client.open_stream() as stream:
        stream.sendall(b"fine")
    assert drain(pair.server.accept_stream(PATIENCE)) == b"fine"
    stream = pair.client.open_stream()
    stream.sendall(b"half of")
    with pytest.raises(KeyError), stream:
        raise KeyError
    with pytest.raises(StreamReset):
        drain(pair.server.accept_stream(PATIENCE))


def test_unidirectional_streams_have_one_direction(pair: Pair) -> None:
    mine = pair.client.open_stream(unidirectional=True)
    mine.sendall(b"x")
    theirs = pair.server.accept_stream(PATIENCE)
    assert theirs.recv(1) == b"x"
    for call in (
        lambda: mine.recv(1),
        lambda: mine.stop_sending(0),
        lambda: theirs.send(b"x"),
        lambda: theirs.sendall(b"x"),
        lambda: theirs.reset(0),
    ):
        with pytest.raises(io.UnsupportedOperation):
            call()
    theirs.close()
    mine.close()


def test_error_codes_are_checked(pair: Pair) -> None:
    mine, _ = pair.streams()
    for code in (-1, 2**62):
        with pytest.raises(ValueError, match="error code"):
            mine.reset(code)
        with pytest.raises(ValueError, match="error code"):
            mine.stop_sending(code)


def test_nothing_is_left_of_many_finished_streams(pair: Pair) -> None:
    for number in range(1000):
        with pair.client.open_stream() as stream:
            stream.sendall(b"%d" % number, end_stream=True)
            with pair.server.accept_stream(PATIENCE) as theirs:
                assert drain(theirs) == b"%d" % number
                theirs.sendall(b"ok", end_stream=True)
            assert drain(stream) == b"ok"
    for driver in (pair.client._driver, pair.server._driver):
        until(partial(is_clean, driver))


def is_clean(driver: Driver) -> bool:
    return not (driver._readers or driver._writers or driver.incoming)


def test_its_text_names_it(pair: Pair) -> None:
    mine, _ = pair.streams()
    assert repr(mine) == f"<Stream 0 of the connection with {pair.listener.address}>"
