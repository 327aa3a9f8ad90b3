"""A server, clients, and the link between them, in one process: connections to be looked at.

with Stage(Scenario(delay=0.02)) as stage:
    client = stage.connect()
    server = stage.accept()
stage.recorder.records
"""

from __future__ import annotations

import tempfile
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Self

from quicmini.config import Config
from quicmini.connection.occurrences import Ended, Phase, PhaseChanged
from quicmini.study.link.certificate import write_certificate
from quicmini.study.link.link import Link
from quicmini.study.link.recorder import Record, Recorder
from quicmini.study.link.scenario import Scenario
from quicmini.sync.client import connect
from quicmini.sync.connection import Connection
from quicmini.sync.listener import Listener, listen
from quicmini.sync.stream import Stream
from quicmini.tls.codes import NamedGroup
from quicmini.tls.session import Session

__all__ = ["PATIENCE", "Stage", "answer_next", "exchange", "read_all"]

# Seconds after which something that should have happened long ago is given up.
PATIENCE = 10.0

_ALPN = "study"
_HOST = "127.0.0.1"


class Stage:
    """Both sides, with their records. A context manager: in the end nothing of it is left but the records.

    Path MTU discovery is off: its probes are larger than other packets, and have nothing to do with what is played.
    Keys are exchanged with X25519 alone, so that a ClientHello fits into one packet.
    """

    link: Link
    listener: Listener

    def __init__(self, scenario: Scenario, server: Config | None = None) -> None:
        self.recorder = Recorder()
        self._scenario = scenario
        self._server_config = self._observed(server or Config())
        self._open = ExitStack()
        self._certfile = ""

    def _observed(self, config: Config) -> Config:
        return replace(config, observer=self.recorder, path_mtu_discovery=False, groups=(NamedGroup.X25519,))

    def __enter__(self) -> Self:
        with ExitStack() as opened:
            directory = Path(opened.enter_context(tempfile.TemporaryDirectory(prefix="quicmini-study-")))
            self._certfile, keyfile = write_certificate(directory)
            self.listener = opened.enter_context(
                listen(
                    (_HOST, 0),
                    alpn_protocols=[_ALPN],
                    certfile=self._certfile,
                    keyfile=keyfile,
                    config=self._server_config,
                )
            )
            self.link = opened.enter_context(Link(self.listener.address, self._scenario))
            self._open = opened.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._open.close()

    def connect(
        self, config: Config | None = None, session: Session | None = None, *, early_data: bool = False
    ) -> Connection:
        """A client's connection; its handshake is complete, unless it may send early data."""
        return connect(
            self.link.address,
            alpn_protocols=[_ALPN],
            cafile=self._certfile,
            session=session,
            early_data=early_data,
            open_timeout=PATIENCE,
            close_timeout=PATIENCE,
            config=self._observed(config or Config()),
        )

    def accept(self) -> Connection:
        """The server's side of the connection that came next."""
        return self.listener.accept(PATIENCE)

    def confirmed(self) -> None:
        """Wait until both sides of the newest connection know that the handshake is complete (RFC 9001 §4.1.2)."""
        self.recorder.wait(lambda: all(_has_confirmed(self._newest(side)) for side in (True, False)), PATIENCE)

    def close(self, client: Connection) -> None:
        """The client closes; wait until the server has heard of it."""
        client.close()
        self.recorder.wait(lambda: (newest := self._newest(False)) and newest.of(Ended), PATIENCE)

    def _newest(self, is_client: bool) -> Record | None:
        return next((each for each in reversed(self.recorder.records) if each.is_client == is_client), None)


def _has_confirmed(record: Record | None) -> bool:
    return record is not None and any(each.new is Phase.CONFIRMED for each in record.of(PhaseChanged))


def exchange(client: Connection, server: Connection, data: bytes, answer: bytes) -> None:
    """A stream of the client's with data, and with the server's answer."""
    asking = client.open_stream(timeout=PATIENCE)
    asking.settimeout(PATIENCE)
    asking.sendall(data, end_stream=True)
    answer_next(server, answer)
    read_all(asking)


def answer_next(server: Connection, answer: bytes) -> None:
    """Read the client's next stream to its end, and answer."""
    answering = server.accept_stream(PATIENCE)
    read_all(answering)
    answering.sendall(answer, end_stream=True)


def read_all(stream: Stream) -> bytes:
    """What comes, up to the end of the stream."""
    stream.settimeout(PATIENCE)
    with stream.makefile("rb") as file:
        return bytes(file.read())
