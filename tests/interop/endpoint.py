"""quicmini as an endpoint of the public interop runner: `python -m tests.interop.endpoint`.

`tests.interop.convention` describes the environment that it reads; what is to be recorded, the library itself finds
there. `--pcapng FILE` has it write a capture that Wireshark opens decrypted.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from argparse import ArgumentParser
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import replace

from quicmini import Config, Connection, Stream, connect, listen
from quicmini.config import Capture
from quicmini.errors import QuicError
from quicmini.observe.pcapng import PcapNg
from quicmini.tls.session import Session
from quicmini.wire.packet import VERSION_1, VERSION_2
from tests.interop.convention import ALPN, UNSUPPORTED, Environment, Request, file_asked_for, request_line

__all__ = ["main"]

# Seconds for a handshake: with a third of all packets lost it may take many attempts.
_OPEN_TIMEOUT = 60

# Files that are fetched at the same time.
_PARALLEL = 64

_PIECE = 64 * 1024  # bytes read at once
_REQUEST_SIZE = 4096  # bytes of the longest request

# Seconds of silence after which a client says something: a NAT that has forgotten a client that only listens would
# never let the server know (RFC 9000 §10.1.2).
_KEEP_ALIVE = 1

_CHACHA20 = 0x1303

_INTERRUPTED = 128 + signal.SIGINT  # exit status


class Client:
    """Fetches the files, in the way that the test case wants."""

    def __init__(self, environment: Environment, capture: Capture | None) -> None:
        self._environment = environment
        self._config = replace(_config(environment, capture), keep_alive_interval=_KEEP_ALIVE)

    def transfer(self) -> None:
        """All files over one connection, at the same time."""
        with self._connect() as connection:
            self._fetch_all(connection, self._environment.requests)

    def chacha20(self) -> None:
        """The same, with one cipher suite only."""
        self._config = replace(self._config, cipher_suites=(_CHACHA20,))
        self.transfer()

    def keyupdate(self) -> None:
        """All files, with the keys of the next phase."""
        with self._connect() as connection:
            connection.update_keys()
            self._fetch_all(connection, self._environment.requests)

    def connectionmigration(self) -> None:
        """All files; while they come, the client moves to another port."""
        with self._connect() as connection, ThreadPoolExecutor(1) as pool:
            fetching = pool.submit(self._fetch_all, connection, self._environment.requests)
            connection.migrate()
            fetching.result()

    def multiconnect(self) -> None:
        """Each file over a connection of its own, one after another."""
        for request in self._environment.requests:
            with self._connect() as connection:
                self._fetch(connection, request)

    def resumption(self) -> None:
        """The first file over one connection, the others over another that continues its session."""
        first, *others = self._environment.requests
        with self._connect(self._session(first)) as connection:
            self._fetch_all(connection, others)

    def zerortt(self) -> None:
        """The same, and the requests of the second connection go with its first flight."""
        first, *others = self._environment.requests
        with self._connect(self._session(first), early_data=True) as connection:
            streams = [connection.open_stream() for _ in others]
            for stream, request in zip(streams, others, strict=True):
                stream.sendall(request_line(request), end_stream=True)
            for stream, request in zip(streams, others, strict=True):
                self._save(stream, request)

    def _session(self, request: Request) -> Session | None:
        """Fetch a file over a connection of its own; what it leaves."""
        with self._connect() as connection:
            self._fetch(connection, request)
            return connection.session

    def _connect(self, session: Session | None = None, *, early_data: bool = False) -> Connection:
        environment = self._environment
        first = environment.requests[0]
        return connect(
            (first.host, first.port),
            alpn_protocols=[ALPN],
            cafile=environment.authority_file,
            verify=environment.authority_file is not None,
            session=session,
            early_data=early_data,
            open_timeout=_OPEN_TIMEOUT,
            config=self._config,
        )

    def _fetch_all(self, connection: Connection, requests: Sequence[Request]) -> None:
        with ThreadPoolExecutor(_PARALLEL) as pool:
            for done in [pool.submit(self._fetch, connection, request) for request in requests]:
                done.result()

    def _fetch(self, connection: Connection, request: Request) -> None:
        with connection.open_stream() as stream:
            stream.sendall(request_line(request), end_stream=True)
            self._save(stream, request)

    def _save(self, stream: Stream, request: Request) -> None:
        with open(self._environment.downloads / request.file_name, "wb") as file:
            while piece := stream.recv(_PIECE):
                file.write(piece)


CLIENT_CASES: dict[str, Callable[[Client], None]] = {
    "handshake": Client.transfer,
    "transfer": Client.transfer,
    "chacha20": Client.chacha20,
    "multiconnect": Client.multiconnect,
    "ecn": Client.transfer,
    "retry": Client.transfer,
    "resumption": Client.resumption,
    "zerortt": Client.zerortt,
    "v2": Client.transfer,
    "keyupdate": Client.keyupdate,
    "connectionmigration": Client.connectionmigration,
}


class Server:
    """Hands out the files of a folder until the process is ended."""

    def __init__(self, environment: Environment, capture: Capture | None) -> None:
        self._environment = environment
        self._config = _config(environment, capture)

    def run(self) -> None:
        environment = self._environment
        with listen(
            environment.listen,
            alpn_protocols=[ALPN],
            certfile=environment.certificate_file,
            keyfile=environment.key_file,
            config=self._config,
            bind_preferred_address=False,
        ) as listener:
            print(f"listening on {listener.address[1]}", flush=True)
            for connection in listener:
                threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: Connection) -> None:
        try:
            for stream in connection:
                threading.Thread(target=self._answer, args=(stream,), daemon=True).start()
        except QuicError as error:
            print(f"{connection}: {error}", file=sys.stderr)

    def _answer(self, stream: Stream) -> None:
        try:
            with stream:
                path = file_asked_for(_read_request(stream), self._environment.www)
                if path is None:
                    stream.reset()
                else:
                    with open(path, "rb") as file:
                        while piece := file.read(_PIECE):
                            stream.sendall(piece)
        except QuicError as error:
            print(f"{stream}: {error}", file=sys.stderr)


SERVER_CASES = frozenset(
    {
        "handshake",
        "transfer",
        "chacha20",
        "multiconnect",
        "ecn",
        "retry",
        "resumption",
        "v2",
        "zerortt",
        "connectionmigration",
    }
)


def _read_request(stream: Stream) -> bytes:
    """All that the client says on the stream."""
    request = b""
    while len(request) < _REQUEST_SIZE and (piece := stream.recv(_REQUEST_SIZE)):
        request += piece
    return request


def _config(environment: Environment, capture: Capture | None) -> Config:
    config = Config(
        capture=capture,
        retry=environment.test_case == "retry",
        early_data=environment.test_case == "zerortt",
        preferred_address=environment.preferred_address,
    )
    if environment.test_case == "v2":  # both sides prefer version 2; the client begins with 1 (RFC 9369 §4)
        config = replace(config, versions=(VERSION_2, VERSION_1), initial_version=VERSION_1)
    return config


def main(arguments: Sequence[str] = ()) -> int:
    """Do what the environment says; the exit status. What cannot be done is told in one sentence."""
    parser = ArgumentParser("tests.interop.endpoint", description="An endpoint of the public interop runner.")
    parser.add_argument("--pcapng", metavar="FILE", help="write a capture, with the keys to decrypt it")
    path = parser.parse_args(arguments).pcapng
    try:
        with ExitStack() as stack:
            capture = stack.enter_context(PcapNg(path)) if path else None
            return _run(Environment.parse(os.environ), capture)
    except KeyboardInterrupt:
        return _INTERRUPTED
    except (OSError, ValueError, QuicError) as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr)
        return 1


def _run(environment: Environment, capture: Capture | None) -> int:
    if environment.test_case not in (CLIENT_CASES if environment.is_client else SERVER_CASES):
        return UNSUPPORTED
    if environment.is_client and not environment.requests:
        raise ValueError("REQUESTS must name a file to fetch")
    if environment.is_client:
        CLIENT_CASES[environment.test_case](Client(environment, capture))
    else:
        Server(environment, capture).run()
    return 0


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # so that what is recorded is complete
    sys.exit(main(sys.argv[1:]))
