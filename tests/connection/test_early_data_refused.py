"""0-RTT that comes to nothing: refused, replayed, or beyond its limits (RFC 9001 §4.6.2, RFC 9000 §7.4.1)."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from quicmini.config import Config
from quicmini.errors import TransportErrorCode
from quicmini.recovery.sent import PacketNumberSpace
from quicmini.wire.frames import Ack, Crypto, HandshakeDone, NewToken, PathResponse, RetireConnectionId, Stream
from quicmini.wire.packet import VERSION_2
from tests.certificates import CertificateFiles
from tests.connection.attacker import core_of, forge
from tests.connection.early import HELLO, HIGHER, LOW, Early, forge_early, write

APPLICATION = PacketNumberSpace.APPLICATION
Code = TransportErrorCode


# Refused (RFC 9001 §4.6.2)


def test_refused_data_goes_again(early: Early) -> None:
    pair = early.pair(refused=True)
    stream_id = write(pair, bytes(range(256)) * 20)
    pair.handshake()
    assert pair.client.early_data_accepted is False
    assert not pair.client.sends_early_data
    pair.run(seconds=1.0)
    assert pair.server.read_stream(stream_id, 10_000) == bytes(range(256)) * 20
    assert not pair.server.came_early(stream_id)
    assert pair.client.all_acknowledged
    assert pair.server.stats().packets_dropped.keys() == {"0-RTT"}


def test_refused_data_goes_under_the_new_limits(early: Early) -> None:
    """RFC 9000 §7.4.1: they may be lower than those that were remembered."""
    low = Config(max_data=3000, max_stream_data=1500, max_streams_bidi=2)
    pair = early.pair(refused=True, server_config=low)
    streams = [write(pair, bytes([number]) * 2000) for number in range(4)]
    pair.handshake()
    assert pair.server.error is None
    assert pair.client.early_data_accepted is False
    for number, stream_id in enumerate(streams):
        data = b""
        while len(data) < 2000:
            pair.run(seconds=1.0)
            piece = pair.server.read_stream(stream_id, 2000)
            assert piece, f"nothing more comes on stream {stream_id} after {len(data)} bytes"
            data += piece
        assert data == bytes([number]) * 2000
        assert pair.server.read_stream(stream_id, 1) == b""
        pair.server.write_stream(stream_id, b"", True)
    pair.run(seconds=1.0)
    assert pair.client.all_acknowledged
    assert pair.client.error is pair.server.error is None


def test_a_stream_that_was_reset_early_is_reset_again(early: Early) -> None:
    pair = early.pair(refused=True, server_config=Config(max_data=100, max_stream_data=100))
    stream_id = write(pair, bytes(5000), fin=False)
    pair.from_client()
    pair.client.reset_stream(stream_id, 7)
    pair.from_client()
    pair.now += 1.0
    pair.client.handle_timeout(pair.now)
    pair.run(seconds=5.0)
    assert pair.server.error is pair.client.error is None
    assert pair.client.early_data_accepted is False


def test_e75_an_ack_of_refused_data(early: Early) -> None:
    pair = early.pair(refused=True)
    write(pair)
    pair.handshake()
    assert core_of(pair.client).early is not None
    pair.to_client([forge(pair.server, Ack(((0, 0),), 0).encode())])
    error = pair.client.error
    assert error is not None
    assert (error.error_code, error.frame_type) == (Code.PROTOCOL_VIOLATION, 0x02)


def test_a_hello_retry_request_refuses_early_data(server_files: CertificateFiles) -> None:
    """RFC 9846 §4.3.10."""
    client = Config(groups=(0x001D, 0x0017))
    early = Early(server_files, client_config=client)
    context = replace(early.first.server_context, groups=(0x0017,))
    pair = early.pair(server_context=context)
    stream_id = write(pair)
    pair.run(seconds=1.0)
    assert pair.client.early_data_accepted is False
    assert pair.server.read_stream(stream_id, 100) == HELLO
    assert not pair.server.came_early(stream_id)


def test_early_data_after_a_version_negotiation_packet(server_files: CertificateFiles) -> None:
    """The session is of no use in the other version, and nobody has kept the data."""
    early = Early(server_files)
    pair = early.pair(server_config=Config(versions=(VERSION_2,), early_data=True))
    stream_id = write(pair)
    pair.run(seconds=1.0)
    assert core_of(pair.server).version == VERSION_2
    assert pair.client.early_data_accepted is False
    assert pair.server.read_stream(stream_id, 100) == HELLO


def test_a_replay_is_refused(early: Early, server_files: CertificateFiles) -> None:
    """RFC 9846 §8: the same flight a second time, at the same server."""
    pair = early.pair()
    write(pair)
    flight = pair.from_client()
    pair.to_server(flight)
    again = early.pair()
    again.to_server(flight)
    assert again.server.early_data_accepted is False
    assert again.server.next_event() is None


# The limits (RFC 9000 §7.4.1)


@pytest.mark.parametrize(
    "change",
    [{"max_data": 1 << 20}, {"max_stream_data": 1 << 20}, {"max_streams_bidi": 100}, {"max_streams_uni": 100}],
)
def test_a_server_with_lower_limits_refuses(early: Early, change: dict[str, Any]) -> None:
    pair = early.pair(server_config=Config(early_data=True, **change))
    stream_id = write(pair)
    pair.run(seconds=1.0)
    assert pair.client.early_data_accepted is False
    assert pair.server.read_stream(stream_id, 100) == HELLO


def test_a_server_with_higher_limits_accepts(early: Early) -> None:
    higher = Config(early_data=True, max_data=1 << 23, max_stream_data=1 << 22, max_streams_bidi=500)
    pair = early.pair(server_config=higher)
    write(pair)
    pair.handshake()
    assert pair.client.early_data_accepted is True
    assert core_of(pair.client).streams._context.credit.limit >= 1 << 23


def test_a_server_that_accepts_and_reduces_is_wrong(early: Early, monkeypatch: pytest.MonkeyPatch) -> None:
    pair = early.pair(server_config=Config(early_data=True, max_data=1000))
    monkeypatch.setattr("quicmini.connection.early_data._are_reduced", lambda today, then: False)
    write(pair)
    pair.to_server(pair.from_client())
    monkeypatch.undo()
    pair.to_client(pair.from_server())
    error = pair.client.error
    assert error is not None
    assert (error.error_code, error.remote) == (Code.PROTOCOL_VIOLATION, False)


@pytest.mark.parametrize(
    ("frames", "code"),
    [
        ([Stream(8, 0, b"x", False)], Code.STREAM_LIMIT_ERROR),
        ([Stream(6, 0, b"x", False)], Code.STREAM_LIMIT_ERROR),
        ([Stream(0, 1999, b"xx", False)], Code.FLOW_CONTROL_ERROR),
        ([Stream(0, 1999, b"x", False), Stream(4, 1000, b"x", False)], Code.FLOW_CONTROL_ERROR),
        ([Stream(0, 1999, b"x", False), Stream(4, 999, b"x", False)], None),
    ],
)
@pytest.mark.parametrize("today", [LOW, HIGHER])
def test_e32_e17_early_data_beyond_the_remembered_limits(
    server_files: CertificateFiles, frames: list[Stream], code: Code | None, today: Config
) -> None:
    """RFC 9000 §17.2.3, even where today's limits are higher (§7.4.1)."""
    early = Early(server_files, server_config=LOW)
    pair = early.pair(server_config=today)
    payload = b"".join(frame.encode() for frame in frames)
    pair.to_server([*pair.from_client(), forge_early(pair, payload)])
    error = pair.server.error
    assert (error.error_code if error else None) == code


@pytest.mark.parametrize(
    "frame",
    [
        Ack(((0, 0),), 0),
        Crypto(0, b"x"),
        HandshakeDone(),
        NewToken(b"token"),
        PathResponse(bytes(8)),
        RetireConnectionId(0),
    ],
)
def test_e26_e86_frames_that_do_not_belong_there(early: Early, frame: Any) -> None:
    pair = early.pair()
    pair.to_server([*pair.from_client(), forge_early(pair, frame.encode())])
    assert pair.server.error is not None
    assert pair.server.error.error_code == Code.PROTOCOL_VIOLATION
