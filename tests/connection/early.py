"""Second connections with early data, to the server that the first one was with, or to one that has changed."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from quicmini.config import Config
from quicmini.recovery.sent import PacketNumberSpace
from quicmini.tls.session import Session
from quicmini.wire.packet import LongHeader, PacketType, RetryPacket, parse_long_header
from tests.certificates import CertificateFiles
from tests.connection.attacker import core_of, forge
from tests.connection.pair import Pair

APPLICATION = PacketNumberSpace.APPLICATION
EARLY = Config(early_data=True)
HELLO = b"hello, early"
# A server's limits.
HIGHER = Config(early_data=True, max_data=1 << 23, max_stream_data=1 << 22, max_streams_bidi=500)
LOW = Config(early_data=True, max_data=3000, max_stream_data=2000, max_streams_bidi=2, max_streams_uni=1)


def session_of(pair: Pair) -> Session:
    """What the client can resume with."""
    pair.run(seconds=0.1)
    session = pair.client.session
    assert session is not None
    return session


class Early:
    """Makes second connections, to the server that the first one was with, or to one that has changed."""

    def __init__(self, files: CertificateFiles, **options: Any) -> None:
        self.files = files
        self.options = {"server_config": EARLY, **options}
        self.first = Pair(files, **self.options)
        self.session = session_of(self.first)

    def pair(self, *, refused: bool = False, **options: Any) -> Pair:
        """A client with early data, which has said nothing yet."""
        context = self.first.server_context
        return Pair(
            self.files,
            session=self.session,
            early_data=True,
            **{
                "server_context": replace(context, early_data=False) if refused else context,
                **self.options,
                **options,
            },
        )


def write(pair: Pair, data: bytes = HELLO, *, fin: bool = True, unidirectional: bool = False) -> int:
    stream_id = pair.client.open_stream(unidirectional)
    assert stream_id is not None
    assert pair.client.write_stream(stream_id, data, fin) == len(data)
    return stream_id


def types(datagrams: list[bytes]) -> list[PacketType]:
    """The types of the packets, coalesced or not."""
    found = []
    for datagram in datagrams:
        pos = 0
        while pos < len(datagram):
            if datagram[pos] < 0x80:
                found.append(PacketType.ONE_RTT)
                break
            header = parse_long_header(datagram, pos)
            if isinstance(header, RetryPacket):
                found.append(PacketType.RETRY)
                break
            assert isinstance(header, LongHeader)
            found.append(header.packet_type)
            pos = header.end
    return found


def forge_early(pair: Pair, payload: bytes) -> bytes:
    """A 0-RTT packet of the client with this payload."""
    space = core_of(pair.client).spaces[APPLICATION]
    assert space.packet_type is PacketType.ZERO_RTT
    return forge(pair.client, payload, APPLICATION)
