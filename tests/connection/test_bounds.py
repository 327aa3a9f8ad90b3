"""Whatever a peer can fill has a cap: which constant it is, and the test that pushes past it; and the sum of all."""

from __future__ import annotations

import ast
import tracemalloc
from importlib import import_module
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from quicmini.config import Config
from quicmini.connection.bounds import bytes_for_each_connection, held
from quicmini.connection.receive import MAX_UNDECRYPTABLE
from quicmini.connection.state import ConnectionState
from quicmini.connection.timers import HANDSHAKE_TIMEOUT
from quicmini.errors import IdleTimeoutError, TransportErrorCode
from quicmini.recovery.sent import PacketNumberSpace
from quicmini.streams.reassembly import MAX_FRAGMENTS, MAX_FRAGMENTS_TOGETHER
from quicmini.wire.frames import Crypto, Datagram, Ping, Stream
from tests.certificates import CertificateFiles
from tests.connection.attacker import core_of
from tests.connection.duel import Duel
from tests.connection.pair import Pair

ROOT = Path(__file__).parents[2]
INITIAL, HANDSHAKE, APPLICATION = PacketNumberSpace


class Bound(NamedTuple):
    """What a peer can fill, the module and the name of its cap, and the module and the name of the test."""

    resource: str
    constant: str
    test: str


BOUNDS = [
    Bound(
        "answers to PATH_CHALLENGE that wait",
        "quicmini.connection.paths.MAX_QUEUED_PATH_RESPONSES",
        "tests.connection.test_paths.test_a_flood_of_challenges_keeps_the_newest_only",
    ),
    Bound(
        "paths",
        "quicmini.connection.migration.MAX_PATHS",
        "tests.connection.test_rebinding.test_addresses_without_end_make_few_paths",
    ),
    Bound(
        "challenges whose answers are known",
        "quicmini.connection.migration.MAX_REMEMBERED_CHALLENGES",
        "tests.connection.test_rebinding.test_challenges_are_forgotten_in_the_end",
    ),
    Bound(
        "RETIRE_CONNECTION_ID frames that wait",
        "quicmini.connection.cids.MAX_PENDING_RETIREMENTS",
        "tests.connection.receiver_checks.paths.test_e10_too_many_connection_ids_to_retire",
    ),
    Bound(
        "connection IDs of the peer",
        "quicmini.connection.cids.ACTIVE_CONNECTION_ID_LIMIT",
        "tests.connection.receiver_checks.paths.test_e09_more_connection_ids_than_allowed",
    ),
    Bound(
        "connection IDs for the peer",
        "quicmini.connection.cids.MAX_ISSUED_CIDS",
        "tests.connection.test_cids.test_the_peer_gets_as_many_ids_as_it_may_have",
    ),
    Bound(
        "CRYPTO data ahead of what TLS has read",
        "quicmini.connection.crypto_stream.CRYPTO_BUFFER_SIZE",
        "tests.connection.receiver_checks.frames.test_e18_more_crypto_data_than_can_wait",
    ),
    Bound(
        "a TLS message",
        "quicmini.tls.handshake.MAX_MESSAGE_SIZE",
        "tests.tls.test_handshake.test_a_message_has_a_limit",
    ),
    Bound(
        "certificates in a chain",
        "quicmini.tls.messages.MAX_CERTIFICATES",
        "tests.tls.test_messages.test_a_chain_has_a_limit",
    ),
    Bound(
        "a ticket that a client keeps",
        "quicmini.tls.session.MAX_TICKET_SIZE",
        "tests.tls.test_client.test_a_ticket_too_large_for_a_client_hello_is_not_kept",
    ),
    Bound(
        "a cookie of a HelloRetryRequest",
        "quicmini.tls.extensions.MAX_COOKIE_SIZE",
        "tests.tls.test_client.test_hello_retry_request",
    ),
    Bound(
        "a client's server_name, and so its ticket",
        "quicmini.tls.extensions.MAX_SERVER_NAME",
        "tests.tls.test_extensions.test_a_server_name_has_a_limit",
    ),
    Bound(
        "tickets that are tried",
        "quicmini.tls.tickets.MAX_TICKETS_TRIED",
        "tests.tls.test_resumption.test_the_first_good_ticket_of_the_first_few",
    ),
    Bound(
        "certificates of a client in its ticket",
        "quicmini.tls.tickets.MAX_CHAIN_SIZE",
        "tests.tls.test_tickets.test_certificates_that_would_make_every_hello_too_long",
    ),
    Bound(
        "tickets that must not bring early data again",
        "quicmini.tls.replay.MAX_RECORDED_TICKETS",
        "tests.tls.test_replay.test_memory_is_bounded",
    ),
    Bound(
        "pieces of a stream behind gaps",
        "quicmini.streams.reassembly.MAX_FRAGMENTS",
        "tests.connection.test_bounds.test_pieces_of_a_stream",
    ),
    Bound(
        "pieces of all streams behind gaps",
        "quicmini.streams.reassembly.MAX_FRAGMENTS_TOGETHER",
        "tests.connection.test_bounds.test_pieces_of_all_streams",
    ),
    Bound(
        "streams at once",
        "quicmini.config.MAX_CONCURRENT_STREAMS",
        "tests.connection.receiver_checks.frames.test_e08_a_stream_beyond_the_limit",
    ),
    Bound(
        "what a stream holds for a peer that acknowledges nothing, whatever the others hold",
        "quicmini.streams.context.MIN_STREAM_BUFFER",
        "tests.streams.test_send_limits.test_all_streams_share_a_buffer",
    ),
    Bound(
        "ranges of packet numbers",
        "quicmini.recovery.acks.MAX_ACK_RANGES",
        "tests.recovery.test_acks.test_a_peer_that_leaves_gaps_fills_no_memory",
    ),
    Bound(
        "packets that came before their keys",
        "quicmini.connection.receive.MAX_UNDECRYPTABLE",
        "tests.connection.test_silent_drops.test_d16_1_rtt_before_the_handshake_is_complete",
    ),
    Bound(
        "sent packets that need not be acknowledged",
        "quicmini.recovery.sent.MAX_ACK_ONLY",
        "tests.recovery.test_sent.test_packets_that_nobody_need_acknowledge_are_forgotten_in_time",
    ),
    Bound(
        "packets between two numbers that are left out, at first",
        "quicmini.connection.skipping.FIRST_INTERVAL",
        "tests.connection.test_skipping.test_the_gaps_are_random_and_grow_up_to_a_limit",
    ),
    Bound(
        "stateless resets in a second",
        "quicmini.connection.reset.MAX_RESETS",
        "tests.connection.test_reset.test_a_flood_gets_few_resets",
    ),
    Bound(
        "stateless answers that wait to be sent",
        "quicmini.connection.endpoint.MAX_STATELESS_ANSWERS",
        "tests.connection.test_endpoint.test_a_flood_of_unknown_versions_gets_few_answers",
    ),
    Bound(
        "seconds of a handshake",
        "quicmini.connection.timers.HANDSHAKE_TIMEOUT",
        "tests.connection.test_bounds.test_half_open_connections_end",
    ),
    Bound(
        "packets under one key, as a part of what the key may protect",
        "quicmini.connection.key_update.RENEWAL",
        "tests.connection.test_key_update.test_keys_are_renewed_long_before_their_limit",
    ),
    Bound(
        "datagrams that were not read",
        "quicmini.connection.datagrams.MAX_RECEIVED_DATAGRAMS",
        "tests.connection.test_datagrams.test_a_flood_of_received_messages_drops_the_oldest",
    ),
    Bound(
        "bytes of them",
        "quicmini.connection.datagrams.MAX_RECEIVED_BYTES",
        "tests.connection.test_datagrams.test_large_messages_are_bounded_by_their_bytes",
    ),
    Bound(
        "tokens for later connections",
        "quicmini.connection.frame_handlers.MAX_TOKENS",
        "tests.connection.test_first_flight.test_a_flood_of_tokens_is_not_kept",
    ),
    Bound(
        "a token",
        "quicmini.connection.first_flight.MAX_TOKEN_LENGTH",
        "tests.connection.test_first_flight.test_a_token_that_would_fill_the_initials_is_not_kept",
    ),
    Bound(
        "tokens that were used up",
        "quicmini.connection.address_tokens.MAX_REMEMBERED_TOKENS",
        "tests.connection.test_address_tokens.test_the_memory_for_used_tokens_is_bounded",
    ),
    Bound(
        "0-RTT datagrams before their Initial",
        "quicmini.connection.overtaken.MAX_WAITING_DATAGRAMS",
        "tests.connection.test_overtaken.test_the_oldest_gives_way",
    ),
    Bound(
        "bytes of them",
        "quicmini.connection.overtaken.MAX_WAITING_BYTES",
        "tests.connection.test_overtaken.test_their_bytes_are_bounded_too",
    ),
]
BY_RESOURCE = pytest.mark.parametrize("bound", BOUNDS, ids=lambda bound: bound.resource)

ACCEPT_QUEUE = "tests.sync.test_client.test_no_more_connections_than_may_be_pending"  # a setting: Config.max_pending


@BY_RESOURCE
def test_each_cap_has_a_name_and_a_line_of_an_rfc(bound: Bound) -> None:
    module, _, name = bound.constant.rpartition(".")
    assert getattr(import_module(module), name) > 0
    source = (ROOT / module.replace(".", "/")).with_suffix(".py").read_text()
    (paragraph,) = [text for text in source.split("\n\n") if f"\n{name} = " in f"\n{text}"]
    assert "§" in paragraph


@pytest.mark.parametrize("test", [*(bound.test for bound in BOUNDS), ACCEPT_QUEUE])
def test_each_cap_has_a_test(test: str) -> None:
    module, _, name = test.rpartition(".")
    tree = ast.parse((ROOT / module.replace(".", "/")).with_suffix(".py").read_text())
    assert name in {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}


def scattered(stream_id: int, count: int) -> bytes:
    """STREAM frames of one byte each, with a gap before each."""
    return b"".join(Stream(stream_id, 2 * number + 1, b"x").encode() for number in range(count))


def test_pieces_of_a_stream(server_files: CertificateFiles) -> None:
    """RFC 9000 §21.7."""
    duel = Duel(server_files, victim_is_server=True)
    assert duel.hit(scattered(0, MAX_FRAGMENTS)) is None
    assert duel.hit(Stream(0, 2 * MAX_FRAGMENTS + 1, b"x")) == TransportErrorCode.INTERNAL_ERROR


def test_pieces_of_all_streams(server_files: CertificateFiles) -> None:
    """RFC 9000 §21.7; a reset gives its stream's pieces back."""
    duel = Duel(server_files, victim_is_server=True)
    count = MAX_FRAGMENTS_TOGETHER // MAX_FRAGMENTS
    for number in range(count):
        assert duel.hit(scattered(4 * number, MAX_FRAGMENTS)) is None
    assert duel.hit(b"\x04\x00\x00" + b"\x60\x00") is None  # RESET_STREAM, final size 0x2000
    assert duel.hit(scattered(4 * count, MAX_FRAGMENTS)) is None
    assert duel.hit(scattered(4 * count + 4, 1)) == TransportErrorCode.INTERNAL_ERROR


@pytest.mark.parametrize("idle_timeout", [0.0, 5.0, HANDSHAKE_TIMEOUT])
def test_half_open_connections_end(server_files: CertificateFiles, idle_timeout: float) -> None:
    """RFC 9000 §21.6: neither silence nor a trickle of packets keeps one for ever."""
    pair = Pair(server_files, server_config=Config(idle_timeout=idle_timeout))
    duel = Duel(server_files, victim_is_server=True, space=HANDSHAKE, server_config=Config(idle_timeout=idle_timeout))
    pair.to_server(pair.from_client())
    ended = []
    for seconds in range(1, int(HANDSHAKE_TIMEOUT) + 1):
        duel.pair.now = now = float(seconds)
        duel.deliver([duel.forge(Ping(), bytes(10), space=HANDSHAKE)])
        for connection in (pair.server, duel.victim):
            connection.handle_timeout(now)
            connection.datagrams_to_send(now)
            if connection not in ended and connection.state is ConnectionState.TERMINATED:
                ended.append(connection)
                assert isinstance(connection.error, IdleTimeoutError)
        assert (duel.victim in ended) == (seconds == HANDSHAKE_TIMEOUT)
    assert pair.server in ended


def test_the_sum_counts_every_cap() -> None:
    """What grows with a setting does so in the sum; the default is the number that is documented."""
    assert bytes_for_each_connection(Config()) == sum(held(Config()).values())
    assert round(bytes_for_each_connection(Config()) / 2**20) == 71
    small = Config(max_data=1000, max_stream_data=1000, max_streams_bidi=0, max_streams_uni=0, send_buffer_total=1)
    assert bytes_for_each_connection(small) < 50 * 2**20


@pytest.mark.parametrize(
    ("setting", "cost"),
    [
        ("max_data", 1.25),
        ("send_buffer_total", 1),
        ("max_streams_uni", 2560),
        ("max_streams_bidi", 2560 + 16 * 1024),
    ],
)
def test_settings_and_what_they_cost(setting: str, cost: float) -> None:
    changes: list[dict[str, Any]] = [{setting: value} for value in (100, 1100, 2100)]
    sums = [bytes_for_each_connection(Config(**change)) for change in changes]
    assert [later - sooner for sooner, later in pairwise(sums)] == [1000 * cost] * 2


def test_a_peer_that_fills_everything_stays_below_the_sum(server_files: CertificateFiles) -> None:
    """Unread data behind gaps in every stream, unread datagrams, packets before their keys, handshake data."""
    config = Config(max_streams_bidi=64, max_streams_uni=64, send_buffer_total=64 * 1024)
    duel = Duel(server_files, victim_is_server=True, space=HANDSHAKE, server_config=config)
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        cid = core_of(duel.attacker).remote_cids.current
        duel.deliver([b"\x40" + cid + bytes([number]) * 60_000 for number in range(2 * MAX_UNDECRYPTABLE)])
        assert duel.hit(Crypto(duel.crypto_offset(HANDSHAKE) + 60_000, b"x"), bytes(10), space=HANDSHAKE) is None
        _check(before, config)
        duel = Duel(server_files, victim_is_server=True, server_config=config)
        before, _ = tracemalloc.get_traced_memory()
        for number in range(64):
            stream_id = 4 * number
            share = config.max_data // 128
            for kind in (0, 2):
                assert duel.hit(Stream(stream_id + kind, share - 1000, bytes(1000))) is None
            assert duel.hit(scattered(stream_id, 100)) is None
            duel.victim.write_stream(stream_id, bytes(20_000))
        for _ in range(500):
            assert duel.hit(Datagram(bytes(1000))) is None
        _check(before, config)
    finally:
        tracemalloc.stop()


def _check(before: int, config: Config) -> None:
    now, _ = tracemalloc.get_traced_memory()
    assert 1_000_000 < now - before < bytes_for_each_connection(config)
