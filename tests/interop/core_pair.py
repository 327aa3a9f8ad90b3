"""Our core and aioquic's in one process, virtual time, and hands on every datagram between them.

For what can only be seen, or brought about, inside a connection; `aioquic_peer` is the foreigner over real sockets.
"""

from __future__ import annotations

import ssl
from datetime import UTC, datetime

from aioquic.quic.configuration import QuicConfiguration
from aioquic.quic.connection import QuicConnection
from aioquic.quic.events import QuicEvent, StreamDataReceived

from quicmini.config import Config
from quicmini.connection.connection import Connection
from quicmini.connection.endpoint import ClientSettings, Endpoint, ServerSettings
from quicmini.tls.certificates import load_credential, load_trust_store
from quicmini.tls.context import ClientContext, ServerContext
from tests.certificates import CertificateFiles
from tests.connection.pair import CLIENT, SERVER, counting_random, split

__all__ = ["CorePair"]

LATENCY = 0.005  # seconds, one way: aioquic's recovery does not expect an answer in the same moment
PATIENCE = 60.0  # virtual seconds

_ALPN = "test"


class CorePair:
    """`role` is ours. `ours`: our connection (a server has one after the first datagram); `theirs`: aioquic's.

    theirs_sent: every datagram that aioquic has sent; ours_sent: every one of ours.
    """

    def __init__(
        self,
        role: str,
        files: CertificateFiles,
        *,
        config: Config | None = None,
        foreign: dict[str, object] | None = None,
    ) -> None:
        self.now = 0.0
        self.events: list[QuicEvent] = []
        self.ours_sent: list[bytes] = []
        self.theirs_sent: list[bytes] = []
        self._connection: Connection | None = None
        config = config or Config()
        settings = QuicConfiguration(is_client=role == "server", alpn_protocols=[_ALPN], server_name="localhost")
        for name, value in (foreign or {}).items():
            setattr(settings, name, value)
        if role == "client":
            settings.load_cert_chain(files.certfile, files.keyfile)
            self._own_address, self._address = CLIENT, SERVER
            self._endpoint = Endpoint(config, random=counting_random("ours"))
            context = ClientContext(
                alpn_protocols=(_ALPN,), trust_store=load_trust_store(files.cafile), clock=lambda: datetime.now(UTC)
            )
            self._connection = self._endpoint.connect(SERVER, ClientSettings(context, "localhost"), self.now)
            first = self._connection.datagrams_to_send(self.now)
            self.ours_sent += split(first)
            self.theirs = QuicConnection(
                configuration=settings, original_destination_connection_id=self.ours_sent[0][6:14]
            )
            for datagram in self.ours_sent:
                self.theirs.receive_datagram(datagram, CLIENT, self.now)
        else:
            settings.verify_mode = ssl.CERT_REQUIRED
            settings.load_verify_locations(files.cafile)
            self._own_address, self._address = SERVER, CLIENT
            server = ServerContext(alpn_protocols=(_ALPN,), credential=load_credential(files.certfile, files.keyfile))
            self._endpoint = Endpoint(config, random=counting_random("ours"), server=ServerSettings(server))
            self.theirs = QuicConnection(configuration=settings)
            self.theirs.connect(SERVER, self.now)

    @property
    def ours(self) -> Connection:
        assert self._connection is not None, "aioquic has not said anything yet"
        return self._connection

    def run(self, seconds: float) -> None:
        """Let so much time pass, with every datagram and every timer in it."""
        until = self.now + seconds
        while True:
            while self._exchange():
                self.now += LATENCY
            timers = [self.theirs.get_timer(), self._connection.next_timeout() if self._connection else None]
            due = min((timer for timer in timers if timer is not None), default=until)
            if due >= until:
                self.now = max(self.now, until)
                return
            self.now = max(self.now, due)
            if (timer := self.theirs.get_timer()) is not None and timer <= self.now:
                self.theirs.handle_timer(self.now)
            if self._connection is not None:
                self._connection.handle_timeout(self.now)

    def _exchange(self) -> bool:
        theirs = [data for data, _ in self.theirs.datagrams_to_send(self.now)]
        ours = split(self._connection.datagrams_to_send(self.now)) if self._connection else []
        for connection, datagrams in self._endpoint.receive(theirs, self._address, self.now):
            self._connection = connection
            connection.receive_datagrams(datagrams, self._address, self.now)
        for datagram in ours:
            self.theirs.receive_datagram(datagram, self._own_address, self.now)
        while (event := self.theirs.next_event()) is not None:
            self.events.append(event)
        self.ours_sent += ours
        self.theirs_sent += theirs
        return bool(ours or theirs)

    def handshake(self) -> None:
        """Run until both sides are connected, and have said all about it."""
        self.run(1.0)
        assert self.ours.error is None

    def transfer(self, size: int) -> None:
        """So many bytes each way, each on a new stream of its sender's; all must arrive."""
        data = bytes(range(251)) * (size // 251 + 1)
        mine = self.ours.open_stream(False)
        assert mine is not None
        foreign = self.theirs.get_next_available_stream_id()
        self.theirs.send_stream_data(foreign, data, end_stream=True)
        sent, received = 0, b""
        before = len(self.events)
        deadline = self.now + PATIENCE
        while sent < len(data) or len(received) < len(data) or self._arrived(mine, before) < len(data):
            assert self.now < deadline, "the transfer never ends"
            if sent < len(data):
                sent += self.ours.write_stream(mine, data[sent:], True)
            self.run(0.05)
            if len(received) < len(data):
                received += self.ours.read_stream(foreign, len(data)) or b""
        assert received == data

    def _arrived(self, stream_id: int, since: int) -> int:
        return sum(
            len(event.data)
            for event in self.events[since:]
            if isinstance(event, StreamDataReceived) and event.stream_id == stream_id
        )
