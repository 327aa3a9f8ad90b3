"""0-RTT: accepted, refused, replayed, lost, overtaken, and beyond its limits (RFC 9001 §4.6, RFC 9000 §7.4.1)."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from quicmini.config import Config
from quicmini.connection.early_data import RETENTION
from quicmini.connection.state import ConnectionState
from quicmini.errors import TransportErrorCode
from quicmini.recovery.sent import PacketNumberSpace
from quicmini.tls.session import Session
from quicmini.wire.frames import Ack, Crypto, HandshakeDone, NewToken, PathResponse, Ping, RetireConnectionId, Stream
from quicmini.wire.packet import VERSION_1, VERSION_2, LongHeader, PacketType, RetryPacket, parse_long_header
from tests.certificates import CertificateFiles
from tests.connection.attacker import core_of, forge
from tests.connection.pair import SERVER, Pair

APPLICATION = PacketNumberSpace.APPLICATION
EARLY = Config(early_data=True)
HELLO = b"hello, early"

Code = TransportErrorCode


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


@pytest.fixture
def early(server_files: CertificateFiles) -> Early:
    return Early(server_files)


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


# Accepted


def test_data_goes_with_the_first_flight_and_is_read_at_once(early: Early) -> None:
    pair = early.pair()
    assert pair.client.sends_early_data
    stream_id = write(pair)
    flight = pair.from_client()
    assert types(flight) == [PacketType.INITIAL, PacketType.ZERO_RTT]
    assert [len(datagram) for datagram in flight] == [1200]
    pair.to_server(flight)
    assert pair.server.state is ConnectionState.HANDSHAKING
    assert pair.server.read_stream(stream_id, 100) == HELLO
    assert pair.server.came_early(stream_id)
    pair.handshake()
    assert pair.client.early_data_accepted is pair.server.early_data_accepted is True
    assert pair.client.all_acknowledged
    assert pair.client.stats().retransmitted_bytes == 0


def test_the_server_answers_before_the_handshake_is_complete(early: Early) -> None:
    """Half a round trip saved: its first flight has the ACK of the early data, and data of its own."""
    pair = early.pair()
    stream_id = write(pair)
    pair.to_server(pair.from_client())
    pair.server.write_stream(stream_id, b"answer", True)
    flight = pair.from_server()
    assert PacketType.ONE_RTT in types(flight)
    pair.to_client(flight)
    assert pair.client.read_stream(stream_id, 100) == b"answer"
    assert pair.client.all_acknowledged


def test_answers_to_early_data_keep_to_what_an_address_may_get(early: Early) -> None:
    """RFC 9000 §8.1: the first flight may be a replay, sent from an address that is not its sender's."""
    pair = early.pair()
    stream_id = write(pair)
    flight = pair.from_client()
    pair.to_server(flight)
    pair.server.write_stream(stream_id, bytes(100_000), True)
    answers = pair.from_server()
    for _ in range(10):  # nor when the server gets impatient
        pair.now += 1.0
        pair.server.handle_timeout(pair.now)
        answers += pair.from_server()
    assert PacketType.ONE_RTT in types(answers)
    assert sum(map(len, answers)) <= 3 * sum(map(len, flight))


def test_more_early_data_than_one_datagram_takes(early: Early) -> None:
    pair = early.pair()
    stream_id = write(pair, bytes(8000))
    flight = pair.from_client()
    assert types(flight)[1:] == [PacketType.ZERO_RTT] * len(flight)
    pair.to_server(flight)
    assert pair.server.read_stream(stream_id, 10000) == bytes(8000)


def test_early_data_keeps_to_the_congestion_window(early: Early) -> None:
    pair = early.pair()
    write(pair, bytes(100_000))
    sent = sum(map(len, pair.from_client()))
    assert sent <= core_of(pair.client).recovery.congestion.window
    pair.run(seconds=5.0)
    assert pair.client.all_acknowledged


def test_what_comes_with_the_handshake_done_is_no_early_data(early: Early) -> None:
    pair = early.pair()
    before = write(pair)
    pair.handshake()
    after = write(pair)
    pair.run()
    assert pair.server.came_early(before)
    assert not pair.server.came_early(after)
    assert core_of(pair.client).spaces[APPLICATION].packet_type is PacketType.ONE_RTT


def test_there_is_no_early_data_unless_it_is_asked_for(early: Early, server_files: CertificateFiles) -> None:
    resumed = Pair(server_files, session=early.session, server_context=early.first.server_context, server_config=EARLY)
    assert not resumed.client.sends_early_data
    assert resumed.client.open_stream(False) is None
    resumed.handshake()
    assert resumed.client.session_resumed
    assert resumed.client.early_data_accepted is None


def test_a_session_without_early_data_sends_none(server_files: CertificateFiles) -> None:
    pair = Early(server_files, server_config=Config()).pair()
    assert not pair.client.sends_early_data
    pair.handshake()
    assert pair.client.early_data_accepted is None


def test_a_session_with_damaged_parameters_sends_none(early: Early) -> None:
    early.session = replace(early.session, transport_parameters=b"\x04\x01\xff")
    pair = early.pair()
    assert not pair.client.sends_early_data
    pair.handshake()
    assert pair.client.state is ConnectionState.CONNECTED


@pytest.mark.parametrize("lost", range(8))
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"refused": True},
        {"server_config": Config(retry=True, early_data=True)},
        {"server_config": Config(versions=(VERSION_2, VERSION_1), early_data=True)},
        {"server_config": Config(versions=(VERSION_2,), early_data=True)},
    ],
    ids=["accepted", "refused", "Retry", "compatible version", "other version"],
)
def test_any_datagram_may_be_lost(early: Early, options: dict[str, Any], lost: int) -> None:
    pair = early.pair(**options)
    stream_id = write(pair, bytes(3000))
    pair.drop = lambda to_server, datagram: len(pair.sent) == lost + 1
    pair.run(seconds=10.0)
    assert pair.server.read_stream(stream_id, 5000) == bytes(3000)
    assert pair.client.all_acknowledged


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
    """RFC 9846 §4.2.10."""
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


def test_early_data_keeps_the_original_version(server_files: CertificateFiles) -> None:
    """RFC 9369 §4.1."""
    early = Early(server_files)
    pair = early.pair(server_config=Config(versions=(VERSION_2, VERSION_1), early_data=True))
    stream_id = write(pair)
    pair.handshake()
    assert core_of(pair.client).version == VERSION_2
    assert pair.client.early_data_accepted is True
    assert pair.server.read_stream(stream_id, 100) == HELLO


def test_a_session_decides_about_the_first_version(server_files: CertificateFiles) -> None:
    """RFC 9369 §5: a ticket of version 2 is of no use in version 1."""
    both = Config(versions=(VERSION_2, VERSION_1), initial_version=VERSION_1, early_data=True)
    early = Early(server_files, client_config=both, server_config=both)
    assert early.session.version == VERSION_2
    pair = early.pair()
    stream_id = write(pair)
    pair.to_server(pair.from_client())
    assert core_of(pair.server).versions.original == VERSION_2
    assert pair.server.read_stream(stream_id, 100) == HELLO


def test_early_data_goes_again_after_a_retry(early: Early) -> None:
    """RFC 9000 §17.2.5.3: in new packets, whose numbers go on."""
    pair = early.pair(server_config=Config(retry=True, early_data=True))
    stream_id = write(pair)
    first = pair.from_client()
    pair.to_server(first)
    pair.to_client(pair.from_server())
    second = pair.from_client()
    assert types(second) == types(first) == [PacketType.INITIAL, PacketType.ZERO_RTT]
    assert core_of(pair.client).spaces[APPLICATION].next_packet_number == 2
    pair.to_server(second)
    assert pair.server.read_stream(stream_id, 100) == HELLO
    pair.handshake()
    assert pair.client.early_data_accepted is True


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


HIGHER = Config(early_data=True, max_data=1 << 23, max_stream_data=1 << 22, max_streams_bidi=500)
LOW = Config(early_data=True, max_data=3000, max_stream_data=2000, max_streams_bidi=2, max_streams_uni=1)


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


def forge_early(pair: Pair, payload: bytes) -> bytes:
    """A 0-RTT packet of the client with this payload."""
    space = core_of(pair.client).spaces[APPLICATION]
    assert space.packet_type is PacketType.ZERO_RTT
    return forge(pair.client, payload, APPLICATION)


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


# Packets that come too early, too late, or to the wrong side


def test_early_data_that_overtakes_the_initial(early: Early) -> None:
    pair = early.pair()
    stream_id = write(pair, bytes(3000))
    first, *rest = pair.from_client()
    pair.to_server(rest)
    assert len(pair.server_endpoint._overtaken) == len(rest)
    pair.to_server([first])
    assert pair.server.read_stream(stream_id, 5000) == bytes(3000)
    assert len(pair.server_endpoint._overtaken) == 0


def test_a_server_without_early_data_keeps_nothing(early: Early) -> None:
    pair = early.pair(refused=True)
    write(pair, bytes(3000))
    first, *rest = pair.from_client()
    pair.to_server(rest)
    assert len(pair.server_endpoint._overtaken) == 0
    pair.to_server([first])
    pair.run(seconds=1.0)
    assert pair.client.all_acknowledged


def test_early_packets_are_read_for_a_while_after_the_handshake(early: Early) -> None:
    """RFC 9001 §4.9.3: they may have been overtaken."""
    pair = early.pair()
    write(pair)
    late = forge_early(pair, Stream(4, 0, b"late", True).encode())
    later = forge_early(pair, Stream(8, 0, b"later", True).encode())
    # Once the client has heard of the server's acknowledgments, what it sent before them counts as seen.
    pair.drop = lambda to_server, datagram: to_server and pair._server is not None and pair.server.handshake_confirmed
    pair.run(seconds=0.01)
    pair.to_server([late])
    assert pair.server.read_stream(4, 100) == b"late"
    assert not pair.server.came_early(4)  # the handshake has shown that it is no replay
    pair.now += RETENTION * core_of(pair.server).recovery.pto_base() + 1.0
    pair.to_server([later])
    assert pair.server.stats().packets_dropped == {"0-RTT": 1}


def test_an_early_packet_may_come_behind_more_data_than_was_allowed_early(server_files: CertificateFiles) -> None:
    """What came in 1-RTT packets meanwhile was sent under today's limits."""
    early = Early(server_files, server_config=LOW)
    pair = early.pair(server_config=HIGHER)
    late = forge_early(pair, Stream(4, 0, b"late", True).encode())
    pair.drop = lambda to_server, datagram: to_server and pair._server is not None and pair.server.handshake_confirmed
    pair.run(seconds=0.01)
    pair.to_server([forge(pair.client, Stream(0, 0, bytes(LOW.max_data + 1), True).encode())])
    pair.to_server([late])
    assert pair.server.error is None
    assert pair.server.read_stream(4, 100) == b"late"


def test_d15_a_client_reads_no_early_data(early: Early) -> None:
    pair = early.pair()
    write(pair)
    packet = forge_early(pair, Ping().encode())
    pair.client.receive_datagrams([packet], SERVER, pair.now)
    assert pair.client.stats().packets_dropped == {"0-RTT": 1}
    assert pair.client.error is None
