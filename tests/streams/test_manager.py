"""The manager as a connection uses it: two of them, and packets in between."""

from __future__ import annotations

import pytest

from quicmini.errors import StreamReset, StreamStopped, TransportError, TransportErrorCode
from quicmini.streams.events import StreamReadable, StreamsAvailable, StreamWritable
from quicmini.streams.manager import StreamManager
from quicmini.wire.frames import DataBlocked, MaxData, MaxStreamData, Stream
from quicmini.wire.transport_parameters import TransportParameters
from tests.streams.pair import acknowledge, deliver, events, exchange, frames, limits, lose, manager, packet, pair


def test_nothing_before_the_peers_limits_are_known() -> None:
    client = StreamManager(is_client=True, local=limits(), send_buffer_size=100)
    assert client.open(False) is None
    assert not client.has_frames
    client.set_remote(limits())
    assert events(client) == [StreamsAvailable(False)]
    assert client.open(False) == 0


@pytest.mark.parametrize("is_client", [False, True])
def test_initial_limits_of_each_kind_of_stream(is_client: bool) -> None:
    """RFC 9000 §18.2: "local" and "remote" are seen from the side that sent the parameter."""
    params = TransportParameters(
        initial_max_data=1000,
        initial_max_stream_data_bidi_local=10,
        initial_max_stream_data_bidi_remote=20,
        initial_max_stream_data_uni=30,
        initial_max_streams_bidi=1,
        initial_max_streams_uni=1,
    )
    one = manager(is_client=is_client, local=params, remote=params)
    other = manager(is_client=not is_client, local=params, remote=params)
    bidi, uni = one.open(False), one.open(True)
    assert bidi is not None
    assert uni is not None
    one.write(bidi, bytes(100))
    one.write(uni, bytes(100))
    sent = frames(one)
    sizes = {frame.stream_id: len(frame.data) for frame in sent if isinstance(frame, Stream)}
    assert sizes == {bidi: 20, uni: 30}
    deliver(other, sent)  # and the other side agrees
    other.write(bidi, bytes(100))
    (answer, *_) = frames(other)
    assert isinstance(answer, Stream)
    assert len(answer.data) == 10
    deliver(one, [answer])
    for receiver, stream_id, limit in ((other, bidi, 20), (other, uni, 30), (one, bidi, 10)):
        with pytest.raises(TransportError) as caught:
            deliver(receiver, [Stream(stream_id, limit, b"x")])
        assert caught.value.error_code == TransportErrorCode.FLOW_CONTROL_ERROR


def test_limits_that_grow_with_a_second_set() -> None:
    client = manager(remote=limits(data=5, stream=5, streams=1))
    client.open(False)
    client.write(0, bytes(20))
    assert len(frames(client)) == 2
    client.set_remote(limits(data=1, stream=1, streams=0))
    assert frames(client) == []
    client.set_remote(limits(data=10, stream=10, streams=2))
    assert frames(client)[0] == Stream(0, 5, bytes(5))
    assert client.open(False) == 4


def test_message_and_answer() -> None:
    client, server = pair()
    assert client.open(False) == 0
    assert client.write(0, b"ping", True) == 4
    assert client.has_frames
    exchange(client, server)
    assert server.readable(0)
    assert (server.read(0, 100), server.read(0, 100)) == (b"ping", b"")
    server.write(0, b"pong", True)
    exchange(client, server)
    assert (client.read(0, 100), client.read(0, 100)) == (b"pong", b"")
    assert client.all_acknowledged


def test_all_acknowledged() -> None:
    client, _ = pair()
    said = [client.all_acknowledged]
    client.open(True)
    client.write(2, b"x", True)
    said.append(client.all_acknowledged)
    _, records = packet(client)
    said.append(client.all_acknowledged)
    acknowledge(records)
    said.append(client.all_acknowledged)
    assert said == [True, False, False, True]


def test_more_than_the_windows() -> None:
    """10,000 bytes through windows of 1000 and 300, read 100 at a time; nobody is stuck, nothing overruns."""
    client, server = pair(data=1000, stream=300)
    client.open(True)
    data, sent, got = bytes(range(250)) * 40, 0, bytearray()
    while sent < len(data) or server.readable(2):
        if sent < len(data):
            sent += client.write(2, data[sent:], True)
        exchange(client, server)
        got += server.read(2, 100) or b""
    assert bytes(got) == data
    assert client.all_acknowledged


def test_unread_stream_does_not_stop_the_others() -> None:
    """A connection window of 100, of which 80 lie unread in one stream: another one moves 1000 bytes all the same."""
    client, server = pair(data=100, stream=80)
    client.open(True), client.open(True)
    client.write(2, bytes(80))
    exchange(client, server)
    client.write(6, bytes(1000), True)
    got = 0
    for _ in range(200):
        exchange(client, server)
        got += len(server.read(6, 1000) or b"")
        if got == 1000:
            break
    assert got == 1000


def test_connection_limit_over_all_streams() -> None:
    """RFC 9000 §4.1 (E02): the sum of the highest offsets."""
    server = manager(is_client=False, local=limits(data=100, stream=80))
    deliver(server, [Stream(0, 0, bytes(60)), Stream(4, 0, bytes(40)), Stream(0, 10, bytes(50))])
    with pytest.raises(TransportError) as caught:
        deliver(server, [Stream(8, 0, b"x")])
    assert caught.value.error_code == TransportErrorCode.FLOW_CONTROL_ERROR


def test_max_data_that_does_not_grow_is_ignored() -> None:
    client = manager(remote=limits(data=5))
    client.open(True)
    client.write(2, bytes(20))
    assert frames(client) == [Stream(2, 0, bytes(5)), DataBlocked(5)]
    deliver(client, [MaxData(5), MaxData(0), MaxStreamData(2, 7)])
    assert frames(client) == []
    deliver(client, [MaxData(6)])
    assert frames(client) == [Stream(2, 5, b"\0"), DataBlocked(6)]


def test_reset_reaches_the_reader() -> None:
    client, server = pair()
    client.open(True)
    client.write(2, b"half a mess")
    exchange(client, server)
    client.reset(2, 77)
    exchange(client, server)
    with pytest.raises(StreamReset) as caught:
        server.read(2, 100)
    assert caught.value.error_code == 77
    assert not client._table._sending
    assert not server._table._receiving


def test_stop_reaches_the_writer() -> None:
    client, server = pair()
    client.open(True)
    client.write(2, b"blah")
    exchange(client, server)
    events(client)
    server.stop_sending(2, 78)
    exchange(client, server)
    assert events(client) == [StreamWritable(2)]
    with pytest.raises(StreamStopped) as caught:
        client.write(2, b"blah")
    assert caught.value.error_code == 78
    assert not client._table._sending
    assert not server._table._receiving


def test_lost_packet_is_sent_again() -> None:
    client, server = pair()
    client.open(False)
    client.write(0, b"first ")
    _, records = packet(client)
    client.write(0, b"second", True)
    deliver(server, frames(client))
    assert events(server)[1:] == []
    lose(records)
    exchange(client, server)
    assert events(server) == [StreamReadable(0)]
    assert server.read(0, 100) == b"first second"
    assert client.retransmitted_bytes == 6


def test_close_sends_nothing_but_lets_read() -> None:
    client, server = pair()
    client.open(True)
    client.write(2, bytes(800), True)
    _, records = packet(client)
    deliver(server, [Stream(0, 0, b"")])
    client.close()
    lose(records)
    assert not client.has_frames
    deliver(client, [Stream(3, 0, bytes(900))])
    client.close()
    assert client.read(3, 1000) == bytes(900)
    assert not client.has_frames
    assert frames(client) == []
