"""The rules that are checked during each run can be broken: each check must be able to fail."""

from __future__ import annotations

import dataclasses
import random
from pathlib import Path

import pytest

from quicmini.config import Config
from quicmini.connection.connection import Connection
from quicmini.connection.endpoint import Endpoint
from quicmini.connection.events import StreamOpened
from quicmini.wire.packet import VERSION_1, PacketType, encode_long_header, encode_retry
from tests.simulator.checks import AmplificationWatch, FlightWatch, Violation
from tests.simulator.credentials import settings
from tests.simulator.network import Datagram
from tests.simulator.workload import Application, Plan

CLIENT, SERVER = ("client", 1), ("server", 2)
HANDSHAKE = encode_long_header(PacketType.HANDSHAKE, VERSION_1, bytes(8), bytes(8), b"", 0, 2, 40) + bytes(40)


def datagram(payload: bytes, *, to_server: bool) -> Datagram:
    ends = (CLIENT, SERVER) if to_server else (SERVER, CLIENT)
    return Datagram(payload, *ends, genuine=payload)


def test_more_than_three_times_what_came() -> None:
    watch = AmplificationWatch()
    watch.on_received(datagram(bytes(1200), to_server=True))
    watch.on_sent(datagram(bytes(3600), to_server=False))
    with pytest.raises(Violation, match="anti-amplification"):
        watch.on_sent(datagram(b"x", to_server=False))


def test_a_genuine_handshake_packet_lifts_the_limit_and_a_forged_one_does_not() -> None:
    for genuine, raises in ((HANDSHAKE, False), (b"", True)):
        watch = AmplificationWatch()
        watch.on_received(dataclasses.replace(datagram(HANDSHAKE, to_server=True), genuine=genuine))
        if raises:
            with pytest.raises(Violation):
                watch.on_sent(datagram(bytes(1200), to_server=False))
        else:
            watch.on_sent(datagram(bytes(1200), to_server=False))


def initial(token: bytes) -> bytes:
    return encode_long_header(PacketType.INITIAL, VERSION_1, bytes(8), bytes(8), token, 0, 2, 40) + bytes(40)


def over_the_limit(watch: AmplificationWatch) -> bool:
    """Whether the server may not send more than three times what came."""
    try:
        watch.on_sent(datagram(b"\x40" + bytes(10_000), to_server=False))
    except Violation:
        return True
    return False


@pytest.mark.parametrize(("token", "limited"), [(b"token", False), (b"other", True)])
def test_the_token_of_a_retry_packet_lifts_the_limit(token: bytes, limited: bool) -> None:
    watch = AmplificationWatch()
    watch.on_received(datagram(initial(b""), to_server=True))
    watch.on_sent(datagram(encode_retry(VERSION_1, bytes(8), bytes(8), b"token", 0) + bytes(16), to_server=False))
    watch.on_received(datagram(initial(token), to_server=True))
    assert over_the_limit(watch) is limited


@pytest.mark.parametrize("known", [True, False])
def test_a_later_token_lifts_the_limit_for_a_host_that_was_validated(known: bool) -> None:
    watch = AmplificationWatch()
    if known:
        watch.on_received(datagram(HANDSHAKE, to_server=True))
    watch.on_connection(b"token")
    watch.on_received(datagram(initial(b"token"), to_server=True))
    assert over_the_limit(watch) is not known


@pytest.mark.parametrize("reached", [True, False])
def test_who_moves_is_validated_by_a_round_trip(reached: bool) -> None:
    watch = AmplificationWatch()
    watch.on_received(datagram(HANDSHAKE, to_server=True))
    moved = dataclasses.replace(datagram(b"\x40 short", to_server=True), source=("elsewhere", 3))
    answer = dataclasses.replace(datagram(b"\x40" + bytes(1000), to_server=False), destination=("elsewhere", 3))
    watch.on_received(moved)
    if reached:
        watch.on_reached(("elsewhere", 3))
        watch.on_received(moved)
        watch.on_sent(answer)
    else:
        with pytest.raises(Violation):
            watch.on_sent(answer)


@pytest.fixture
def connection(tmp_path: Path) -> Connection:
    """A client that has not sent anything yet."""
    client, _ = settings(tmp_path)
    return Endpoint(Config(), random=random.Random(1).randbytes).connect(SERVER, client, 1000.0)


def test_flight_beyond_the_window(connection: Connection) -> None:
    watch = FlightWatch(connection)
    congestion = connection._core.recovery.congestion
    watch.before_sending()
    congestion.bytes_in_flight = congestion.window + 2401
    with pytest.raises(Violation, match="beyond the congestion window"):
        watch.after_sending()
    congestion.bytes_in_flight = -1
    with pytest.raises(Violation, match="bytes in flight: -1"):
        watch.after_sending()


@pytest.mark.parametrize(
    ("offset", "data", "complaint"),
    [
        (0, b"wrong", "wrong bytes"),
        (0, b"", "ended after 0 bytes"),
        (-1, b"?", "read after its end"),
    ],
)
def test_wrong_bytes_are_noticed(connection: Connection, offset: int, data: bytes, complaint: str) -> None:
    plan = Plan(seed=3, streams=1, size=1000)
    assert len(plan.content(0, from_client=True)) > 100
    application = Application(plan, connection, random.Random(1), is_client=False, lazy=False)
    application.handle(StreamOpened(0))
    if offset < 0:
        application._check(0, plan.content(0, from_client=True))
        application._leave(0)
    with pytest.raises(Violation, match=complaint):
        application._check(0, data)
