"""A conversation worth recording: over a link that loses, with a key update and a move; and a look at its record."""

from __future__ import annotations

from dataclasses import replace

import quicmini
from quicmini.config import Config
from quicmini.observe.keylog import parse_key_log
from quicmini.study.captures import Capture
from quicmini.study.link.link import Captured, Link
from quicmini.study.link.scenario import Direction, Scenario
from quicmini.wire.frames import Ack, HandshakeDone, PathChallenge, Stream
from tests.certificates import Authority, CertificateFiles
from tests.interop.dissect import Packet, dissect
from tests.sync.helpers import PATIENCE

__all__ = ["Talk", "packets_of"]

ALPN = "test"
SIZE = 100_000  # bytes that the server sends
LINK = Scenario(delay=0.002, bandwidth=100e6, queue=1000)
LOSSY = LINK.symmetric(Direction(drops=frozenset({7, 12, 15, 30})))
# The ServerHello is sent again after a probe timeout; what comes after it in the server's first flight is there before.
LOSSY_HANDSHAKE = replace(LINK, to_client=Direction(drops=frozenset({1})))


class Talk:
    """Runs over real sockets on 127.0.0.1."""

    def __init__(self, authority: Authority, files: CertificateFiles) -> None:
        self._authority = authority
        self._files = files

    def run(self, client_config: Config, server_config: Config, scenario: Scenario = LOSSY) -> None:
        """A few streams, a key update, a move, more streams, the end. Blocks until the client has closed."""
        files = self._files
        with (
            quicmini.listen(
                ("127.0.0.1", 0),
                alpn_protocols=[ALPN],
                certfile=files.certfile,
                keyfile=files.keyfile,
                config=server_config,
            ) as listener,
            Link(listener.address, scenario) as link,
            quicmini.connect(
                link.address, alpn_protocols=[ALPN], cafile=self._authority.cafile, config=client_config
            ) as client,
        ):
            server = listener.accept(PATIENCE)
            self._exchange(client, server)
            client.update_keys()
            self._exchange(client, server)
            client.migrate(timeout=PATIENCE)
            self._exchange(client, server)

    def _exchange(self, client: quicmini.Connection, server: quicmini.Connection) -> None:
        with client.open_stream() as mine:
            mine.sendall(b"more", end_stream=True)
            with server.accept_stream(PATIENCE) as theirs:
                assert theirs.makefile("rb").read() == b"more"
                theirs.sendall(bytes(SIZE), end_stream=True)
            assert len(mine.makefile("rb").read()) == SIZE

    def check_opened(self, capture: Capture) -> None:
        """Everything that `run` did is there, and nothing is sealed."""
        packets = packets_of(capture)
        assert len(packets) >= len(capture.datagrams) > 3 * SIZE / 1500
        assert [str(packet) for packet in packets if packet.frames is None] == []
        assert {packet.connection for packet in packets} == {0}
        kinds = {type(frame) for packet in packets for frame in packet.frames or ()}
        assert kinds > {Ack, HandshakeDone, PathChallenge, Stream}
        assert {packet.key_phase for packet in packets} >= {0, 1}
        server = capture.datagrams[0].destination
        assert len({each.source for each in capture.datagrams} - {server}) == 2  # before the move and after it


def packets_of(capture: Capture) -> list[Packet]:
    """The packets of a capture whose first datagram goes to the server."""
    assert capture.remarks == []
    server = capture.datagrams[0].destination
    datagrams = [
        Captured(
            time=each.time,
            to_server=each.destination == server,
            source=each.source,
            destination=each.destination,
            path=each.source if each.destination == server else each.destination,
            datagram=each.payload,
            ecn=each.ecn,
            arrival=each.time,
            corrupted=False,
        )
        for each in capture.datagrams
    ]
    return dissect(datagrams, parse_key_log(capture.secrets))
