"""The benchmark's work done with quicmini, as its users do it: blocking calls, a thread for each connection.

`python -m tests.bench.quicmini_side ROLE OPTIONS`: started by the runner.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from functools import partial
from time import perf_counter

from chat.message import Message
from chat.server import Server
from chat.server.pace import Pace
from quicmini import Config, Connection, Listener, connect, listen
from tests.bench.work import ALPN, MESSAGE_SIZE, NICKNAME, WINDOW, Options, decoded, message, report
from tests.transfer import Requester, Responder

CONFIG = Config(
    max_data=WINDOW,
    max_stream_data=WINDOW,
    max_datagram_size=1200,
    path_mtu_discovery=False,
    cipher_suites=(0x1301,),
    groups=(0x001D,),
    session_tickets=0,
)
UNHURRIED = 1e9  # messages a second that the chat's server may take of one client
ROLL_CALL = "is everybody here?"
ROLL_CALL_INTERVAL = 0.5  # seconds in which nobody more has heard it, until it is said again
PIECE = 256 * 1024  # bytes asked for at once


# Servers: what is done with one connection


def serve_bulk(connection: Connection) -> None:
    """Run `tests.transfer` on each stream."""
    for stream in connection:
        with stream:
            responder = Responder()
            while data := stream.recv(PIECE):
                for piece in responder.feed(data):
                    stream.sendall(piece)
            stream.sendall(responder.finish(), end_stream=True)


def serve_echo(connection: Connection) -> None:
    """Send each message back on its stream."""
    for stream in connection:
        parts = []
        while data := stream.recv(PIECE):
            parts.append(data)
        stream.sendall(b"".join(parts), end_stream=True)


CONNECTION_HANDLERS: dict[str, Callable[[Connection], None]] = {
    "download": serve_bulk,
    "upload": serve_bulk,
    "echo": serve_echo,
    "echo-100": serve_echo,
}


def serve(listener: Listener, handle: Callable[[Connection], None]) -> None:
    """A thread for each connection, until the listener is closed."""
    for connection in listener:
        threading.Thread(target=handle, args=(connection,), daemon=True).start()


def accept(listener: Listener) -> None:
    """Take connections in, and leave them alone."""
    for _ in listener:
        pass


# Clients


def connecting(options: Options) -> Connection:
    return connect(
        ("127.0.0.1", options.port),
        alpn_protocols=[ALPN],
        server_hostname="localhost",
        cafile=options.cafile,
        config=CONFIG,
    )


def bulk(options: Options) -> float:
    """One stream, one direction."""
    download = options.case == "download"
    with connecting(options) as connection:
        _transfer(connection, Requester(1, 1))
        start = perf_counter()
        _transfer(connection, Requester(0, options.count) if download else Requester(options.count, 0))
        return perf_counter() - start


def _transfer(connection: Connection, requester: Requester) -> None:
    with connection.open_stream() as stream:
        for piece in requester.request():
            stream.sendall(piece)
        stream.sendall(b"", end_stream=True)
        while data := stream.recv(PIECE):
            requester.feed(data)
    requester.finish()


def echo(options: Options) -> float:
    """A stream for each message."""
    at_once = 100 if options.case == "echo-100" else 1
    with connecting(options) as connection:
        _echo(connection, range(1))
        start = perf_counter()
        for first in range(0, options.count, at_once):
            _echo(connection, range(first, first + at_once))
        return perf_counter() - start


def _echo(connection: Connection, numbers: range) -> None:
    waiting = []
    for number in numbers:
        stream = connection.open_stream()
        stream.sendall(message(number), end_stream=True)
        waiting.append((number, stream))
    for number, stream in waiting:
        answer = stream.recv(MESSAGE_SIZE + 1)
        while data := stream.recv(MESSAGE_SIZE + 1):
            answer += data
        if answer != message(number):
            raise ValueError(f"message {number}: the echo is wrong")


def handshakes(options: Options) -> float:
    """From the call to the connection, one after the other; closing is not counted."""
    seconds = 0.0
    for _ in range(options.count):
        start = perf_counter()
        connection = connecting(options)
        seconds += perf_counter() - start
        connection.close()
    return seconds


def chat(options: Options) -> float:
    """One client sends; all of them wait until they have everything."""
    texts = [f"message {number}" for number in range(options.count)]
    with ExitStack() as to_close, ThreadPoolExecutor(options.clients) as threads:
        clients = [to_close.enter_context(connecting(options)) for _ in range(options.clients)]
        present = threading.Semaphore(0)
        receiving = [threads.submit(_receive, client, set(texts), present.release) for client in clients]
        _call_roll(clients[0], present, options.clients)
        start = perf_counter()
        for text in texts:
            stream = clients[0].open_stream()
            stream.sendall(Message(NICKNAME, text).encode(), end_stream=True)
        for each in receiving:
            each.result()
        return perf_counter() - start


def _call_roll(client: Connection, present: threading.Semaphore, count: int) -> None:
    """Say something until everybody has heard it: the server takes a client in a moment after its handshake."""
    while count:
        client.open_stream().sendall(Message(NICKNAME, ROLL_CALL).encode(), end_stream=True)
        while count and present.acquire(timeout=ROLL_CALL_INTERVAL):
            count -= 1


def _receive(connection: Connection, waiting: set[str], is_present: Callable[[], None]) -> None:
    called = False
    while waiting:
        with connection.accept_stream() as stream:
            parts = []
            while data := stream.recv(PIECE):
                parts.append(data)
            known = decoded(b"".join(parts))
            if known.nickname != NICKNAME:  # the server's own words
                continue
            if known.text != ROLL_CALL:
                waiting.remove(known.text)
            elif not called:
                called = True
                is_present()


CLIENTS: dict[str, Callable[[Options], float]] = {
    "download": bulk,
    "upload": bulk,
    "echo": echo,
    "echo-100": echo,
    "handshake": handshakes,
    "chat": chat,
}


def run_server(options: Options) -> None:
    """Serve until standard input ends."""
    listener = listen(
        ("127.0.0.1", 0), alpn_protocols=[ALPN], certfile=options.certfile, keyfile=options.keyfile, config=CONFIG
    )
    if options.case == "chat":
        server = Server(listener, make_pace=partial(Pace, rate=UNHURRIED))
        threading.Thread(target=server.serve, daemon=True).start()
    elif options.case == "handshake":
        threading.Thread(target=accept, args=(listener,), daemon=True).start()
    else:
        threading.Thread(target=serve, args=(listener, CONNECTION_HANDLERS[options.case]), daemon=True).start()
    report(port=listener.address[1])
    sys.stdin.read()
    listener.close()


def main() -> None:
    """The command line."""
    role, options = Options.from_command_line()
    if role == "server":
        run_server(options)
    else:
        report(seconds=CLIENTS[options.case](options))


if __name__ == "__main__":
    main()
