"""Messages over a connection: each as soon as it is complete, each stream's credit given back."""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Iterable, Iterator
from typing import cast

import pytest

from chat.exchange import (
    DIRECT_SIZE,
    MAX_DATA,
    MAX_HALF_OPEN,
    MAX_LOOKS,
    MAX_REFUSED,
    MAX_STREAM_DATA,
    ErrorCode,
    Inbox,
    Outbox,
    chat_config,
)
from chat.message import MAX_MESSAGE_SIZE, MAX_SIZES, Message
from quicmini import (
    ApplicationError,
    Config,
    Connection,
    ConnectionClosedOK,
    Listener,
    Stream,
    StreamReset,
    StreamStopped,
)
from quicmini.streams.limits import MAX_OWN_STREAMS
from tests.chat.conftest import Connector
from tests.chat.test_gob import slice_definition
from tests.sync.helpers import PATIENCE, in_thread, until

MIB = 1024 * 1024

Pair = tuple[Connection, Connection]


def raw(text: str) -> bytes:
    return Message("zoe", text).encode()


def write_until_stopped(stream: Stream) -> None:
    with pytest.raises(StreamStopped):
        stream.sendall(bytes(4 * MIB))  # more than the peer lets anyone send unread


def texts(connection: Connection) -> Iterator[str]:
    return (message.text for message in Inbox(connection))


def test_each_message_is_received_as_soon_as_it_is_complete(pair: Pair) -> None:
    """Of three streams the first has only half its message, the second its message without the end."""
    client, server = pair
    first, second, third = (client.open_stream() for _ in range(3))
    first.sendall(raw("first")[:-5])
    second.sendall(raw("second"))
    third.sendall(raw("third"), end_stream=True)
    received = texts(server)
    assert {next(received), next(received)} == {"second", "third"}
    first.sendall(raw("first")[-5:])
    assert next(received) == "first"


def test_a_message_in_many_pieces(pair: Pair) -> None:
    client, server = pair
    stream = client.open_stream()
    for byte in raw("piece by piece"):
        stream.sendall(bytes([byte]))
    assert next(texts(server)) == "piece by piece"


def test_the_longest_message(pair: Pair) -> None:
    client, server = pair
    Outbox(client).send(raw("x" * (MAX_MESSAGE_SIZE - 100)))
    assert next(texts(server)) == "x" * (MAX_MESSAGE_SIZE - 100)


def test_messages_go_both_ways_at_once(pair: Pair) -> None:
    client, server = pair
    Outbox(client).send(raw("to the server"))
    Outbox(server).send(raw("to the client"))
    assert next(texts(client)) == "to the client"
    assert next(texts(server)) == "to the server"


def test_both_directions_of_a_stream_are_ended(pair: Pair) -> None:
    """So the peer's credit comes back: whoever sent the message hears the end of the other direction."""
    client, server = pair
    ended, endless = client.open_stream(), client.open_stream()
    ended.sendall(raw("a"), end_stream=True)
    received = texts(server)
    assert next(received) == "a"
    endless.sendall(raw("b"))
    assert next(received) == "b"
    assert ended.recv(1) == b""
    assert endless.recv(1) == b""
    write_until_stopped(endless)  # nobody reads what may come after the message


def test_stream_credit_is_waited_for(listener: Listener, connector: Connector) -> None:
    """A client that allows one stream at a time: the next message waits until the one before has been received."""
    client = connector(Config(max_streams_bidi=1))
    server = listener.accept()
    outbox = Outbox(server)
    received = texts(client)
    for number in range(MAX_HALF_OPEN + 2):
        outbox.send(raw(str(number)))
        assert next(received) == str(number)


def test_a_peer_that_never_ends_its_direction_is_asked_to(listener: Listener, connector: Connector) -> None:
    """Go's seed of this chat may read a message and forget the stream, which its stack ends when it is asked to."""
    client = connector(Config(max_streams_bidi=2))
    outbox = Outbox(listener.accept())
    streams = []
    for text in ("0", "1"):
        outbox.send(raw(text))
        streams.append(client.accept_stream())
        assert streams[-1].recv(MAX_MESSAGE_SIZE) == raw(text)
        assert streams[-1].recv(1) == b""
    sending = threading.Thread(target=outbox.send, args=(raw("2"),))
    sending.start()
    for stream in streams:
        write_until_stopped(stream)
    assert client.accept_stream().recv(MAX_MESSAGE_SIZE) == raw("2")
    sending.join()


def test_a_peer_that_stops_reading_a_message_gets_the_next(pair: Pair) -> None:
    client, server = pair
    outbox = Outbox(client)
    outbox.send(raw("unwanted"))
    server.accept_stream().stop_sending(7)
    outbox.send(raw("wanted"))
    stream = server.accept_stream()
    assert stream.recv(MAX_MESSAGE_SIZE) == raw("wanted")


def test_streams_that_are_left_open(pair: Pair) -> None:
    """What a client may leave unfinished has a limit: as many messages as it may have streams. One that is completed,
    or given up, makes room for another."""
    client, server = pair
    limit = chat_config().max_streams_bidi
    inbox = Inbox(server)
    received = iter(inbox)
    streams = [client.open_stream(timeout=0) for _ in range(limit)]
    for number, stream in enumerate(streams):
        stream.sendall(raw(f"message {number}")[:-1])
    with pytest.raises(TimeoutError):
        client.open_stream(timeout=0)
    first = in_thread(next, received)
    until(lambda: len(inbox._incomplete) == limit)
    streams[7].sendall(raw("message 7")[-1:], end_stream=True)
    assert first.result(PATIENCE).text == "message 7"
    second = in_thread(next, received)
    streams[8].reset(5)
    for _ in range(2):
        client.open_stream(timeout=PATIENCE).sendall(raw("another")[:-1])
    until(lambda: len(inbox._incomplete) == limit)
    with pytest.raises(TimeoutError):
        client.open_stream(timeout=0)
    streams[9].sendall(raw("message 9")[-1:], end_stream=True)
    assert second.result(PATIENCE).text == "message 9"
    assert len(inbox._incomplete) == limit - 1


class TestRefusal:
    @pytest.mark.parametrize(
        ("data", "reason"),
        [
            (b"", "ended after 0 bytes, inside a message"),
            (raw("x")[:-1], "inside a message"),
            (raw("x") + b"more", "4 bytes behind the message"),
            (b"GET / HTTP/1.1\r\n\r\n", ""),
            (b"\xfd\x02\x00\x00" + bytes(MAX_MESSAGE_SIZE), "more than 65536 bytes"),
        ],
    )
    def test_what_is_no_message_is_refused(
        self, pair: Pair, caplog: pytest.LogCaptureFixture, data: bytes, reason: str
    ) -> None:
        client, server = pair
        receiving = threading.Thread(target=lambda: next(texts(server)))
        receiving.start()
        stream = client.open_stream()
        stream.sendall(data, end_stream=True)
        with pytest.raises(StreamReset) as refusal:
            stream.recv(1)
        assert refusal.value.error_code == ErrorCode.NO_MESSAGE
        assert caplog.messages[0].startswith(f"no message from 127.0.0.1:{client.local_address[1]}: ")
        assert reason in caplog.messages[0]
        Outbox(client).send(raw("next"))
        receiving.join()

    def test_a_stream_that_is_reset_is_none(self, pair: Pair, caplog: pytest.LogCaptureFixture) -> None:
        client, server = pair
        stream = client.open_stream()
        stream.sendall(raw("x")[:-1])
        stream.reset(5)
        Outbox(client).send(raw("next"))
        assert next(texts(server)) == "next"
        assert stream.recv(1) == b""
        assert caplog.messages == []

    def test_a_peer_that_resets_all_its_streams_is_told_to_go(self, pair: Pair) -> None:
        """There is no end to how many streams a client can open that way, and each costs the server's time."""
        client, server = pair
        for _ in range(MAX_REFUSED):
            stream = client.open_stream()
            stream.sendall(b"?")
            stream.reset(5)
        with pytest.raises(ApplicationError, match=f"{MAX_REFUSED} streams carried no message"):
            next(texts(server))

    def test_a_stream_counts_once(self, pair: Pair, caplog: pytest.LogCaptureFixture) -> None:
        """One that is refused, and whose sender resets it in answer to that."""
        caplog.set_level(logging.CRITICAL)
        client, server = pair
        received = texts(server)
        receiving = threading.Thread(target=lambda: next(received))
        receiving.start()
        for _ in range(MAX_REFUSED - 1):
            write_until_stopped(client.open_stream())
        Outbox(client).send(raw("next"))
        receiving.join()

    def test_a_peer_that_sends_no_messages_is_told_to_go(self, pair: Pair, caplog: pytest.LogCaptureFixture) -> None:
        caplog.set_level(logging.CRITICAL)
        client, server = pair
        for _ in range(MAX_REFUSED):
            client.open_stream().sendall(b"?", end_stream=True)
        with pytest.raises(ApplicationError) as end:
            next(texts(server))
        assert end.value.error_code == ErrorCode.NO_MESSAGE
        with pytest.raises(ApplicationError, match=f"{MAX_REFUSED} streams carried no message") as end:
            client.accept_stream()
        assert end.value.remote


def test_whoever_looks_at_the_streams_can_slow_the_peer_down(pair: Pair) -> None:
    client, server = pair
    looks: list[int] = []
    outbox = Outbox(client)
    outbox.send(raw("a"))
    outbox.send(raw("b"))
    received = iter(Inbox(server, lambda: looks.append(len(looks))))
    assert {next(received).text, next(received).text} == {"a", "b"}
    assert len(looks) >= 2


def test_what_may_come_ahead_is_enough_for_any_message_and_not_for_much_more(pair: Pair) -> None:
    """What a peer sends before it can be told to stop is decrypted and thrown away while the others wait."""
    client, server = pair
    assert max(MAX_SIZES.values()) < MAX_STREAM_DATA
    before = server.stats().bytes_received
    for _ in range(2 * MAX_DATA // MAX_STREAM_DATA):
        stream = client.open_stream()
        stream.settimeout(0)
        with pytest.raises(TimeoutError):
            stream.sendall(bytes(4 * MIB))
    until(lambda: server.stats().bytes_received > before + MAX_DATA)
    client.send_datagram(b"no flow control holds this back")
    server.recv_datagram(PATIENCE)
    assert server.stats().bytes_received < before + 1.2 * MAX_DATA


def test_signs_of_life_come_twice_in_an_idle_timeout() -> None:
    config = chat_config(30.0)
    assert config.idle_timeout == 30.0
    assert config.keep_alive_interval == 15.0


def test_a_peer_that_acknowledges_nothing_of_any_number_of_streams(listener: Listener, connector: Connector) -> None:
    """It allows streams, and no data on them."""
    client = connector(Config(max_data=1, max_stream_data=1, max_streams_bidi=10 * MAX_OWN_STREAMS))
    server = listener.accept()
    outbox = Outbox(server)
    taken = sum(outbox.try_send(bytes(DIRECT_SIZE)) for _ in range(2 * MAX_OWN_STREAMS))
    assert taken == MAX_OWN_STREAMS
    client.close(timeout=0)


class Dribble:
    """Stands for a connection with one stream, on which piece after piece comes."""

    stream_id = 0
    remote_address = ("127.0.0.1", 1)
    original_connection_id = b""

    def __init__(self, pieces: Iterable[bytes]) -> None:
        self._pieces = deque(pieces)
        self._arrived = False

    def selected_alpn_protocol(self) -> str:
        return "simpleproto"

    def next_readable(self) -> Dribble:
        if not self._pieces:
            raise ConnectionClosedOK(0, "", remote=True)
        self._arrived = True
        return self

    def recv(self, size: int) -> bytes:
        if not self._arrived:
            raise TimeoutError
        self._arrived = False
        return self._pieces.popleft()

    def settimeout(self, timeout: float) -> None: ...

    def reset(self, error_code: int) -> None:
        self._pieces.clear()

    def stop_sending(self, error_code: int) -> None: ...

    def close(self) -> None: ...


class TestPieces:
    """Each look at an incomplete message begins anew: were there one for each piece, a few bytes would cost much."""

    def test_a_look_needs_something_new(self, monkeypatch: pytest.MonkeyPatch) -> None:
        looks: list[int] = []

        def counted(data: bytes, dialect: str) -> Message | None:
            looks.append(len(data))
            return decode(data, dialect)

        decode = Message.decode
        monkeypatch.setattr(Message, "decode", counted)
        whole = raw("piece by piece")
        connection = cast(Connection, Dribble(bytes([byte]) for byte in whole))
        assert next(iter(Inbox(connection))).text == "piece by piece"
        assert looks == [1 + whole[0] if whole[0] < 0x80 else 2 + whole[1], len(whole)]

    def test_looks_have_a_limit(self, caplog: pytest.LogCaptureFixture) -> None:
        types = [slice_definition(number, 2) for number in range(33, 33 + MAX_LOOKS + 1)]
        for pieces in (types[:-1], types):
            assert caplog.messages == []
            with pytest.raises(ConnectionClosedOK):
                next(iter(Inbox(cast(Connection, Dribble(pieces)))))
        (refusal,) = caplog.messages
        assert refusal.endswith(f"a message that comes in more than {MAX_LOOKS} pieces with something whole in each")
