from __future__ import annotations

import gc
import subprocess
import sys
import textwrap
import weakref
from collections.abc import Callable

import pytest

from quicmini import ApplicationError, Config, ConnectionClosedOK, IdleTimeoutError
from quicmini.connection.ecn import EcnState
from quicmini.connection.mtu import LARGEST_SIZE
from tests.sync.helpers import PATIENCE, Pair, drain, in_thread, until, waiting_threads


def test_opening_waits_for_the_peers_permission(make_pair: Callable[..., Pair]) -> None:
    pair = make_pair(max_streams_bidi=1)
    first = pair.client.open_stream()
    for timeout in (0, 0.01):
        with pytest.raises(TimeoutError, match="another stream"):
            pair.client.open_stream(timeout=timeout)
    pair.client.open_stream(unidirectional=True, timeout=0)  # they are counted apart
    opening = in_thread(pair.client.open_stream)
    until(lambda: waiting_threads(pair.client._driver, pair.client._driver.changed))
    first.close()
    pair.server.accept_stream(PATIENCE).close()
    assert opening.result(PATIENCE).stream_id == 4


def test_streams_are_accepted_in_order(pair: Pair) -> None:
    for timeout in (0, 0.01):
        with pytest.raises(TimeoutError, match="a stream"):
            pair.server.accept_stream(timeout)
    for number in range(3):
        pair.client.open_stream().sendall(b"%d" % number, end_stream=True)
    assert [drain(pair.server.accept_stream(PATIENCE)) for _ in range(3)] == [b"0", b"1", b"2"]


def test_the_server_opens_streams_too(pair: Pair) -> None:
    pair.server.open_stream(unidirectional=True).sendall(b"news", end_stream=True)
    assert drain(pair.client.accept_stream(PATIENCE)) == b"news"


def test_new_keys_on_demand(pair: Pair) -> None:
    mine, theirs = pair.streams()
    pair.client.update_keys()
    mine.sendall(b"under new keys", end_stream=True)
    assert drain(theirs) == b"under new keys"
    assert pair.server.stats().key_updates == 1
    pair.client.close()
    with pytest.raises(ConnectionClosedOK):
        pair.client.update_keys()


def test_iteration_ends_when_all_is_well(pair: Pair) -> None:
    iterating = in_thread(lambda: [drain(stream) for stream in pair.server])
    for number in range(3):
        pair.client.open_stream().sendall(b"%d" % number, end_stream=True)
    pair.client.close()
    assert iterating.result(PATIENCE) == [b"0", b"1", b"2"]


def test_iteration_raises_when_it_is_not(pair: Pair) -> None:
    iterating = in_thread(list, pair.server)
    pair.client.close(42, "a reason")
    error = iterating.exception(PATIENCE)
    assert isinstance(error, ApplicationError)
    assert (error.error_code, error.reason, error.remote) == (42, "a reason", True)


def test_close_delivers_what_was_written(pair: Pair) -> None:
    stream = pair.client.open_stream()
    stream.sendall(b"x" * 900_000, end_stream=True)
    pair.client.close()
    assert drain(pair.server.accept_stream(PATIENCE)) == b"x" * 900_000
    with pytest.raises(ConnectionClosedOK):
        pair.server.accept_stream(PATIENCE)


def test_close_gives_up_after_its_timeout(make_pair: Callable[..., Pair]) -> None:
    pair = make_pair(max_stream_data=1000)
    pair.client._close_timeout = 0.02
    pair.client.open_stream().sendall(b"x" * 900_000, end_stream=True)
    pair.client.close(5, "not waiting any longer")
    stream = pair.server.accept_stream(PATIENCE)
    stream.settimeout(PATIENCE)
    with pytest.raises(ApplicationError, match="not waiting any longer"):
        drain(stream)


def test_close_wakes_every_waiter(make_pair: Callable[..., Pair]) -> None:
    pair = make_pair(max_streams_bidi=1, send_buffer_size=1000)
    pair.client.open_stream()
    driver = pair.client._driver
    waiting = [in_thread(pair.client.open_stream), in_thread(pair.client.accept_stream), in_thread(list, pair.client)]
    until(lambda: waiting_threads(driver, driver.changed, driver.arrived) == 3)
    pair.client.close()
    assert isinstance(waiting[0].exception(PATIENCE), ConnectionClosedOK)
    assert isinstance(waiting[1].exception(PATIENCE), ConnectionClosedOK)
    assert waiting[2].result(PATIENCE) == []


def test_after_the_end_every_call_raises_an_exception_of_its_own(pair: Pair) -> None:
    stream = pair.client.open_stream()
    pair.client.close(7, "over")
    pair.client.close()
    stream.close()
    stream.reset(1)
    stream.stop_sending(1)
    errors = []
    for call in (
        pair.client.open_stream,
        pair.client.accept_stream,
        pair.client.next_readable,
        lambda: stream.send(b"x"),
        lambda: stream.sendall(b"x"),
        lambda: stream.sendall(b"x" * 1_000_000),
    ):
        with pytest.raises(ApplicationError) as caught:
            call()
        errors.append(caught.value)
    assert len({id(error) for error in errors}) == len(errors)
    assert {(error.error_code, error.reason, error.remote) for error in errors} == {(7, "over", False)}
    assert "over" in repr(pair.client)


def test_the_block_of_a_with_statement(make_pair: Callable[..., Pair]) -> None:
    pair = make_pair()
    with pair.client as client:
        client.open_stream().sendall(b"fine", end_stream=True)
    assert [drain(stream) for stream in pair.server] == [b"fine"]
    pair = make_pair()
    with pytest.raises(KeyError), pair.client:
        raise KeyError
    with pytest.raises(ApplicationError, match="KeyError"):
        pair.server.accept_stream(PATIENCE)


def test_a_peer_that_is_gone(make_pair: Callable[..., Pair]) -> None:
    """The idle timeout is no TimeoutError: the connection is over, not the call."""
    pair = make_pair(Config(idle_timeout=0.2, initial_rtt=0.01))
    waiting = in_thread(pair.client.accept_stream)
    pair.listener._loop.stop()
    error = waiting.exception(PATIENCE)
    assert isinstance(error, IdleTimeoutError)
    assert not isinstance(error, TimeoutError)
    until(lambda: not pair.client._driver.loop.thread.is_alive())


def test_keep_alive_outlives_the_idle_timeout(make_pair: Callable[..., Pair]) -> None:
    pair = make_pair(Config(idle_timeout=0.3, keep_alive_interval=0.05))
    waiting = in_thread(pair.client.accept_stream)
    with pytest.raises(TimeoutError):
        waiting.result(0.7)
    pair.server.open_stream().sendall(b"x")
    waiting.result(PATIENCE)


def test_no_thread_and_no_memory_is_left(pair: Pair) -> None:
    thread = pair.client._driver.loop.thread
    left_behind = weakref.ref(pair.server._driver.changed)
    pair.client.close()
    thread.join(PATIENCE)
    assert not thread.is_alive()
    until(lambda: not pair.listener._loop.drivers())
    del pair.server
    gc.collect()
    assert left_behind() is None


@pytest.mark.parametrize("ending", ["pass", "raise SystemExit(0)"])
def test_the_interpreter_ends_with_connections_open(pair: Pair, authority: object, ending: str) -> None:
    program = f"""
        import quicmini, threading
        connection = quicmini.connect({pair.listener.address!r}, alpn_protocols=["test"], verify=False)
        listener_thread = threading.Thread(target=connection.accept_stream, daemon=True)
        listener_thread.start()
        stream = connection.open_stream()
        stream.sendall(b"x" * 100000)
        {ending}
    """
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(program)], timeout=PATIENCE, capture_output=True)
    assert (done.returncode, done.stderr) == (0, b"")


def test_close_with_a_timeout_of_its_own(make_pair: Callable[..., Pair]) -> None:
    """Nothing is read, so that nothing more can be delivered: 0 does not wait at all."""
    pair = make_pair(max_stream_data=1000)
    pair.client.open_stream().sendall(b"x" * 900_000, end_stream=True)
    pair.client.close(5, "at once", timeout=0)
    with pytest.raises(ApplicationError, match="at once"):
        pair.client.open_stream()


def test_the_cipher_has_its_registered_name(pair: Pair) -> None:
    assert pair.client.cipher() == pair.server.cipher() == "TLS_AES_128_GCM_SHA256"


def test_datagrams_are_marked_for_congestion_control(pair: Pair) -> None:
    """RFC 9000 §13.4: both sides see that the marks get through."""
    mine, theirs = pair.streams()
    theirs.sendall(b"seen", end_stream=True)
    assert drain(mine) == b"seen"
    for connection in (pair.client, pair.server):
        assert connection._driver.core._core.ecn.state is EcnState.CAPABLE


def test_datagrams_grow_on_a_path_that_carries_more(pair: Pair) -> None:
    """RFC 9000 §14.3: loopback carries more than anything else."""
    mine, theirs = pair.streams()
    sending = in_thread(mine.sendall, bytes(4 << 20), end_stream=True)
    assert len(drain(theirs)) == 4 << 20
    sending.result(PATIENCE)
    assert pair.client._driver.core._core.mtu.size == LARGEST_SIZE
    assert pair.client.max_datagram_payload > 16_000
    pair.client.send_datagram(bytes(16_000))
    assert pair.server.recv_datagram(PATIENCE) == bytes(16_000)


@pytest.mark.parametrize("retry", [False, True])
def test_both_sides_know_it_by_one_name(make_pair: Callable[..., Pair], retry: bool) -> None:
    pair = make_pair(retry=retry)
    assert pair.client.original_connection_id == pair.server.original_connection_id
    assert len(pair.client.original_connection_id) >= 8
