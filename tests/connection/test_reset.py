"""Stateless reset (RFC 9000 §10.3): tokens, sizes, and an end to every exchange of resets."""

from __future__ import annotations

import pytest

from quicmini.config import Config
from quicmini.connection.endpoint import Endpoint, ServerSettings
from quicmini.connection.reset import MAX_RESETS, MIN_RESET_SIZE, RESET_SIZE, StatelessResets
from quicmini.connection.state import Address, ConnectionState
from quicmini.errors import StatelessResetError
from quicmini.wire.frames import Ping
from tests.certificates import CertificateFiles
from tests.connection.attacker import core_of, forge
from tests.connection.pair import CLIENT, SERVER, Pair, counting_random, split

KEY = b"a key that is kept for the next process"
STRANGER: Address = ("198.51.100.7", 4242)


def resets(key: bytes = KEY) -> StatelessResets:
    return StatelessResets(key, counting_random("reset"))


def test_a_token_depends_on_key_and_id_alone() -> None:
    token = resets().token(b"12345678")
    assert len(token) == 16
    assert resets().token(b"12345678") == token
    assert resets().token(b"12345679") != token
    assert resets(b"another key of the same process").token(b"12345678") != token


def test_a_reset_looks_like_a_short_packet_and_ends_in_the_token() -> None:
    answer = resets().answer(bytes(1200), b"12345678", 0.0)
    assert answer is not None
    assert len(answer) == RESET_SIZE
    assert answer[0] & 0xC0 == 0x40
    assert answer.endswith(resets().token(b"12345678"))


@pytest.mark.parametrize("size", range(MIN_RESET_SIZE + 1, RESET_SIZE + 2))
def test_a_reset_is_shorter_than_what_it_answers(size: int) -> None:
    answer = resets().answer(bytes(size), b"12345678", 0.0)
    assert answer is not None
    assert len(answer) == size - 1


@pytest.mark.parametrize("size", [1, 20, MIN_RESET_SIZE])
def test_what_is_too_small_gets_no_answer(size: int) -> None:
    assert resets().answer(bytes(size), b"12345678", 0.0) is None


def test_two_that_answer_each_other_come_to_an_end() -> None:
    """RFC 9000 §10.3.3."""
    one, other = resets(), resets(b"the key of the other side")
    datagram: bytes | None = bytes(1200)
    for _ in range(RESET_SIZE):
        if datagram is None:
            break
        datagram = one.answer(datagram, b"12345678", 0.0)
        one, other = other, one
    assert datagram is None


def test_a_flood_gets_few_resets() -> None:
    maker = resets()

    def flood(now: float) -> int:
        return sum(maker.answer(bytes(100), b"12345678", now) is not None for _ in range(10 * MAX_RESETS))

    assert flood(10.0) == MAX_RESETS
    assert flood(10.0) == 0
    assert flood(10.5) == MAX_RESETS // 2
    assert flood(1000.0) == MAX_RESETS


# Between endpoints


def connected(server_files: CertificateFiles, key: bytes | None = KEY) -> Pair:
    pair = Pair(server_files, server_config=Config(stateless_reset_key=key))
    pair.handshake()
    return pair


def restart(pair: Pair, key: bytes | None = KEY) -> Endpoint:
    """A server that remembers nothing but, perhaps, its key."""
    settings = pair.server_endpoint._server
    assert isinstance(settings, ServerSettings)
    return Endpoint(Config(stateless_reset_key=key), random=counting_random("restarted"), server=settings)


def test_a_restarted_server_tells_its_clients(server_files: CertificateFiles) -> None:
    pair = connected(server_files)
    stream_id = pair.client.open_stream(False)
    assert stream_id is not None
    pair.client.write_stream(stream_id, b"are you still there?")
    server = restart(pair)
    assert server.receive(pair.from_client(), CLIENT, pair.now) == []
    (reset,) = split(server.transmits)
    pair.to_client([reset])
    assert pair.client.state is ConnectionState.DRAINING
    assert isinstance(pair.client.error, StatelessResetError)
    assert pair.from_client() == []


def test_every_id_of_the_connection_has_its_token(server_files: CertificateFiles) -> None:
    pair = connected(server_files)
    cids = core_of(pair.client).remote_cids
    number = cids.take()
    assert number is not None
    cids.use(number)
    server = restart(pair)
    server.receive([forge(pair.client, Ping().encode() * 20)], CLIENT, pair.now)
    pair.to_client(split(server.transmits))
    assert isinstance(pair.client.error, StatelessResetError)


def test_a_server_with_another_key_is_not_believed(server_files: CertificateFiles) -> None:
    pair = connected(server_files)
    server = restart(pair, None)
    server.receive([forge(pair.client, Ping().encode() * 20)], CLIENT, pair.now)
    pair.to_client(split(server.transmits))
    assert pair.client.error is None


def test_a_reset_in_the_form_of_a_long_header_counts_too(server_files: CertificateFiles) -> None:
    """RFC 9000 §10.3: other versions might send it so."""
    pair = connected(server_files)
    cid = core_of(pair.client).remote_cids.current
    datagram = b"\xc0\x00\x00\x00\x01\x08" + bytes(60) + resets().token(cid)
    pair.to_client([datagram], STRANGER)
    assert pair.client.error is None
    pair.to_client([datagram], SERVER)
    assert isinstance(pair.client.error, StatelessResetError)


def test_the_server_does_not_reset_long_headers(server_files: CertificateFiles) -> None:
    server = restart(connected(server_files))
    server.receive([b"\xe0\x00\x00\x00\x01\x0812345678" + bytes(1200)], STRANGER, 0.0)
    assert server.transmits == []
