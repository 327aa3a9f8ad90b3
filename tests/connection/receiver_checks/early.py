"""What a receiver must check: the rows about 0-RTT (RFC 9000 §7.4.1, §12.5, §17.2.3; RFC 9001 §4.6.2, §8.3)."""

from __future__ import annotations

import pytest

from quicmini.config import Config
from quicmini.connection.connection import Connection
from quicmini.errors import TransportErrorCode
from quicmini.wire.frames import Ack, Crypto, Frame, HandshakeDone, NewToken, PathResponse, RetireConnectionId, Stream
from tests.certificates import CertificateFiles
from tests.connection.attacker import forge
from tests.connection.early import Early, forge_early
from tests.connection.pair import Pair

Code = TransportErrorCode

# What the server granted with the session, and what it grants now.
REMEMBERED = Config(early_data=True, max_data=3000, max_stream_data=2000, max_streams_bidi=2, max_streams_uni=1)
UPDATED = Config(early_data=True, max_data=30_000, max_stream_data=20_000, max_streams_bidi=20, max_streams_uni=10)

BEYOND: list[tuple[tuple[Frame, ...], Code | None]] = [
    ((Stream(0, 1999, b"x"), Stream(4, 999, b"x")), None),
    ((Stream(0, 1999, b"x"), Stream(4, 1000, b"x")), Code.FLOW_CONTROL_ERROR),
    ((Stream(0, 2000, b"x"),), Code.FLOW_CONTROL_ERROR),
    ((Stream(8, 0, b"x"),), Code.STREAM_LIMIT_ERROR),
    ((Stream(6, 0, b"x"),), Code.STREAM_LIMIT_ERROR),
]


def hit(pair: Pair, *frames: Frame) -> int | None:
    """The client's first flight, and with it a 0-RTT packet of these frames: the code with which the server closes."""
    payload = b"".join(frame.encode() for frame in frames)
    pair.to_server([*pair.from_client(), forge_early(pair, payload)])
    return code_of(pair.server)


def code_of(victim: Connection) -> int | None:
    return None if victim.error is None else victim.error.error_code


@pytest.mark.parametrize(("frames", "code"), BEYOND)
def test_e17_early_data_under_updated_limits(
    server_files: CertificateFiles, frames: tuple[Frame, ...], code: Code | None
) -> None:
    """RFC 9000 §7.4.1: what the server grants today counts later. The code says which limit it was, as in E32."""
    pair = Early(server_files, server_config=REMEMBERED).pair(server_config=UPDATED)
    assert hit(pair, *frames) == code


@pytest.mark.parametrize(("frames", "code"), BEYOND)
def test_e32_early_data_beyond_the_remembered_limits(
    server_files: CertificateFiles, frames: tuple[Frame, ...], code: Code | None
) -> None:
    """RFC 9000 §17.2.3."""
    assert hit(Early(server_files, server_config=REMEMBERED).pair(), *frames) == code


@pytest.mark.parametrize(
    "frame",
    [Ack(((0, 0),), 0), HandshakeDone(), NewToken(b"token"), PathResponse(bytes(8)), RetireConnectionId(0)],
)
def test_e26_frames_that_cannot_be_early(server_files: CertificateFiles, frame: Frame) -> None:
    """RFC 9000 §12.5: they answer what a client cannot have got yet."""
    assert hit(Early(server_files).pair(), frame) == Code.PROTOCOL_VIOLATION


def test_e75_an_acknowledgment_of_rejected_early_data(server_files: CertificateFiles) -> None:
    """RFC 9001 §4.6.2."""
    pair = Early(server_files).pair(refused=True)
    stream_id = pair.client.open_stream(False)
    assert stream_id is not None
    pair.client.write_stream(stream_id, b"in vain", True)
    pair.handshake()
    assert pair.client.early_data_accepted is False
    pair.to_client([forge(pair.server, Ack(((0, 0),), 0).encode())])
    assert code_of(pair.client) == Code.PROTOCOL_VIOLATION


def test_e86_crypto_data_in_0_rtt(server_files: CertificateFiles) -> None:
    """RFC 9001 §8.3: there is no EndOfEarlyData to say there."""
    assert hit(Early(server_files).pair(), Crypto(0, b"\x05\x00\x00\x00")) == Code.PROTOCOL_VIOLATION
