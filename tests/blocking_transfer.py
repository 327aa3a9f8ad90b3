"""`tests.transfer` over quicmini's blocking streams."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

from quicmini import Connection, ConnectionClosed, Listener, Stream
from tests.transfer import Requester, Responder

__all__ = ["Ends", "request", "serving"]

PIECE = 256 * 1024  # bytes asked for at once
TIMEOUT = 60.0  # seconds without any progress: a limit against hangs

Ends = list[ConnectionClosed]


def request(connection: Connection, requester: Requester) -> None:
    """Do one transfer on a stream of its own; both directions flow at once. Raises ValueError if a byte is wrong."""
    with connection.open_stream(timeout=TIMEOUT) as stream, ThreadPoolExecutor(1) as sender:
        stream.settimeout(TIMEOUT)
        sending = sender.submit(_send, stream, requester)
        while data := stream.recv(PIECE):
            requester.feed(data)
        sending.result()
    requester.finish()


def _send(stream: Stream, requester: Requester) -> None:
    for piece in requester.request():
        stream.sendall(piece)
    stream.sendall(b"", end_stream=True)


def respond(stream: Stream) -> None:
    """Answer one transfer. The client reads while it sends, so that a thread is enough here."""
    stream.settimeout(TIMEOUT)
    with stream:
        responder = Responder()
        while data := stream.recv(PIECE):
            for piece in responder.feed(data):
                stream.sendall(piece)
        stream.sendall(responder.finish(), end_stream=True)


@contextmanager
def serving(listener: Listener) -> Iterator[Ends]:
    """Answer every transfer of every connection, in threads; gives the list of how the connections ended."""
    ends: Ends = []
    threads = [threading.Thread(target=_accept, args=(listener, ends))]
    threads[0].start()
    try:
        yield ends
    finally:
        listener.close()
        threads[0].join()


def _accept(listener: Listener, ends: Ends) -> None:
    handlers = []
    for connection in listener:
        handlers.append(threading.Thread(target=_handle, args=(connection, ends)))
        handlers[-1].start()
    for handler in handlers:
        handler.join()


def _handle(connection: Connection, ends: Ends) -> None:
    with ThreadPoolExecutor() as streams:
        try:
            while True:
                streams.submit(respond, connection.accept_stream())
        except ConnectionClosed as error:
            ends.append(error)
