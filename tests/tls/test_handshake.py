"""Client and server with each other: every suite, group and kind of certificate, pieces of any size, levels."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quicmini.crypto.keys import CIPHER_SUITES, EncryptionLevel
from quicmini.errors import TransportErrorCode
from quicmini.tls.client import TlsClient
from quicmini.tls.codes import Alert, NamedGroup
from quicmini.tls.events import HandshakeComplete, PeerTransportParameters
from quicmini.tls.groups import GROUPS, OPTIONAL_GROUPS
from quicmini.tls.handshake import MAX_MESSAGE_SIZE
from quicmini.tls.server import TlsServer
from tests.tls.peers import (
    CLIENT_PARAMETERS,
    HANDSHAKE,
    INITIAL,
    KINDS,
    ONE_RTT,
    SERVER_PARAMETERS,
    alert_of,
    assert_agreed,
    client_context,
    completion,
    counting_random,
    credential,
    crypto_data,
    error_of,
    make_client,
    make_server,
    outcome,
    server_context,
    shake_hands,
    split_messages,
    started,
)

CURVES = tuple(group for group in GROUPS if group not in OPTIONAL_GROUPS)


@pytest.mark.parametrize("suite", CIPHER_SUITES)
@pytest.mark.parametrize("group", GROUPS)
@pytest.mark.parametrize("kind", KINDS)
def test_every_combination(suite: int, group: int, kind: str) -> None:
    client = make_client(client_context(cipher_suites=(suite,), groups=(group,)))
    server = make_server(server_context(kind, groups=tuple(GROUPS)))
    client_events, server_events = shake_hands(client, server)
    assert client.complete
    assert server.complete
    assert_agreed(client_events, server_events)
    assert completion(client_events) == HandshakeComplete(
        "h3", CIPHER_SUITES[suite], group, credential(kind).chain[0], "localhost"
    )
    assert completion(server_events) == HandshakeComplete("h3", CIPHER_SUITES[suite], group, None, "localhost")
    assert PeerTransportParameters(SERVER_PARAMETERS) in client_events
    assert PeerTransportParameters(CLIENT_PARAMETERS) in server_events
    assert client.client_random == server.client_random


@pytest.mark.parametrize("suite", CIPHER_SUITES)
@pytest.mark.parametrize("first", GROUPS)
@pytest.mark.parametrize("second", GROUPS)
def test_hello_retry_request(suite: int, first: int, second: int) -> None:
    context = client_context(cipher_suites=(suite,), groups=(first, second))
    if second in context.groups_with_shares:
        return
    client = make_client(context)
    server = make_server(server_context(groups=(second,)))
    client_events, server_events = shake_hands(client, server)
    assert_agreed(client_events, server_events)
    assert completion(client_events).group == completion(server_events).group == second
    hellos = split_messages(crypto_data(client_events, INITIAL))
    answers = split_messages(crypto_data(server_events, INITIAL))
    assert [message[0] for message in hellos + answers] == [1, 1, 2, 2]


@pytest.mark.parametrize("groups", [(29, 23), (23, 24)], ids=["share accepted", "retry"])
@pytest.mark.parametrize("piece", [1, 2, 3, 7, 100])
def test_delivery_in_small_pieces(groups: tuple[int, ...], piece: int) -> None:
    client, server = make_client(), make_server(server_context(groups=groups))
    assert_agreed(*shake_hands(client, server, piece))


@settings(deadline=None, max_examples=30)
@given(st.lists(st.integers(1, 400), min_size=1))
def test_delivery_in_any_pieces(sizes: list[int]) -> None:
    client, server = make_client(), make_server()
    hello = started(client)
    for size in sizes:
        server.receive(INITIAL, hello[:size])
        hello = hello[size:]
        assert server.unconsumed(INITIAL) == bool(hello)
        if not hello:
            break
    server.receive(INITIAL, hello)
    assert not server.unconsumed(INITIAL)
    assert crypto_data(server.events(), HANDSHAKE)


def test_the_order_of_events() -> None:
    """Keys come before what needs them, and a server's 1-RTT keys not before the client's Finished."""
    client_events, server_events = shake_hands(make_client(), make_server())
    assert [type(event).__name__ for event in client_events] == [
        "CryptoData",
        "KeysReady",
        "PeerTransportParameters",
        "CryptoData",
        "KeysReady",
        "HandshakeComplete",
    ]
    assert [type(event).__name__ for event in server_events] == [
        "PeerTransportParameters",
        "CryptoData",
        "KeysReady",
        "CryptoData",
        "KeysReady",
        "HandshakeComplete",
    ]


@pytest.mark.parametrize("kind", ["ecdsa", "ecdsa-p384", "ed25519"])  # the salt of RSA-PSS is OpenSSL's own
def test_the_same_randomness_makes_the_same_handshake(kind: str) -> None:
    context = server_context(kind, groups=CURVES)  # ML-KEM has randomness of its own
    assert shake_hands(make_client(), make_server(context)) == shake_hands(make_client(), make_server(context))


def test_the_server_prefers_its_own_order() -> None:
    server = make_server(server_context(cipher_suites=(0x1303, 0x1301), alpn_protocols=("chat",)))
    events, _ = shake_hands(make_client(), server)
    assert (completion(events).cipher_suite.code, completion(events).alpn_protocol) == (0x1303, "chat")


def test_a_share_that_came_is_preferred_to_a_round_trip() -> None:
    server = make_server(server_context(groups=(NamedGroup.SECP384R1, NamedGroup.X25519)))
    events, _ = shake_hands(make_client(), server)
    assert completion(events).group == NamedGroup.X25519


@pytest.mark.parametrize(
    ("name", "sni"),
    [("EXAMPLE.com.", "example.com"), ("bücher.de", "xn--bcher-kva.de"), ("127.0.0.1", None), ("::1", None)],
)
def test_the_server_name(name: str, sni: str | None) -> None:
    """Literal addresses are not sent (RFC 6066 §3)."""
    _, events = shake_hands(make_client(server_name=name), make_server())
    assert completion(events).server_name == sni


def test_no_server_name_at_all() -> None:
    _, events = shake_hands(make_client(server_name=None), make_server())
    assert completion(events).server_name is None


def test_the_servers_parameters_may_depend_on_the_clients() -> None:
    server = TlsServer(server_context(), lambda theirs: b"answer to " + theirs, counting_random("server"))
    events, _ = shake_hands(make_client(), server)
    assert PeerTransportParameters(b"answer to " + CLIENT_PARAMETERS) in events


def test_a_large_hello() -> None:
    """Long transport parameters, as a stand-in for everything that makes a ClientHello long."""
    client = TlsClient(client_context(), "localhost", bytes(40_000), counting_random("client"))
    events, server_events = shake_hands(client, make_server(), piece=1000)
    assert_agreed(events, server_events)
    assert PeerTransportParameters(bytes(40_000)) in server_events


def test_a_message_has_a_limit() -> None:
    """RFC 9000 §7.5: the length alone decides, before anything is stored."""
    limit = MAX_MESSAGE_SIZE - 4
    assert outcome(make_server().receive, INITIAL, b"\1" + limit.to_bytes(3)) is None
    error = error_of(make_server().receive, INITIAL, b"\1" + (limit + 1).to_bytes(3))
    assert error.error_code == TransportErrorCode.CRYPTO_BUFFER_EXCEEDED


@pytest.mark.parametrize("level", [EncryptionLevel.ZERO_RTT, HANDSHAKE, ONE_RTT])
def test_data_at_a_level_that_is_not_read_yet(level: EncryptionLevel) -> None:
    assert outcome(make_server().receive, level, b"\1") == TransportErrorCode.PROTOCOL_VIOLATION


def test_data_at_a_level_that_is_over() -> None:
    """RFC 9001 §4.1.3. An empty piece is no data."""
    client, server = make_client(), make_server()
    shake_hands(client, server)
    for peer in (client, server):
        for level in (INITIAL, HANDSHAKE):
            peer.receive(level, b"")
            assert outcome(peer.receive, level, b"\x14") == TransportErrorCode.PROTOCOL_VIOLATION


def test_data_left_over_after_a_key_change() -> None:
    """RFC 9001 §4.1.3, at each of the four key changes."""
    client, server = make_client(), make_server()
    hello = started(client)
    assert outcome(make_server().receive, INITIAL, hello + b"\1") == TransportErrorCode.PROTOCOL_VIOLATION
    server.receive(INITIAL, hello)
    events = server.events()
    answer, flight = crypto_data(events, INITIAL), crypto_data(events, HANDSHAKE)

    other = make_client()
    started(other)
    assert outcome(other.receive, INITIAL, answer + b"\2") == TransportErrorCode.PROTOCOL_VIOLATION
    other = make_client()
    started(other)
    other.receive(INITIAL, answer)
    assert outcome(other.receive, HANDSHAKE, flight + b"\4") == TransportErrorCode.PROTOCOL_VIOLATION

    client.receive(INITIAL, answer)
    client.receive(HANDSHAKE, flight)
    finished = crypto_data(client.events(), HANDSHAKE)
    assert outcome(server.receive, HANDSHAKE, finished + b"\x18") == TransportErrorCode.PROTOCOL_VIOLATION


MESSAGE_TYPES = (0, 1, 2, 3, 4, 5, 8, 11, 13, 15, 20, 24, 254, 255)


def test_the_client_takes_each_message_in_its_state_only() -> None:
    """The table of RFC 9846 §A.1: at every step, every other type is unexpected_message, header or not."""
    server = make_server()
    server.receive(INITIAL, started(make_client()))
    events = server.events()
    steps = [(INITIAL, crypto_data(events, INITIAL))]
    steps += [(HANDSHAKE, message) for message in split_messages(crypto_data(events, HANDSHAKE))]
    expected = [{2}, {8}, {11, 13}, {15}, {20}]
    for step, accepted in enumerate(expected):
        for message_type in MESSAGE_TYPES:
            client = make_client()
            client.start()
            for level, message in steps[:step]:
                client.receive(level, message)
            result = outcome(client.receive, steps[step][0], bytes((message_type,)) + b"\0\0\1")
            assert result == (None if message_type in accepted else 0x100 + Alert.UNEXPECTED_MESSAGE)


def test_the_server_takes_each_message_in_its_state_only() -> None:
    hello = started(make_client())
    for message_type in MESSAGE_TYPES:
        header = bytes((message_type,)) + b"\0\0\1"
        assert (outcome(make_server().receive, INITIAL, header) is None) == (message_type == 1)
        server = make_server()
        server.receive(INITIAL, hello)
        assert (outcome(server.receive, HANDSHAKE, header) is None) == (message_type == 20)
        server = make_server()
        shake_hands(make_client(), server)
        assert alert_of(server.receive, ONE_RTT, header) == Alert.UNEXPECTED_MESSAGE


@settings(deadline=None, max_examples=150)
@given(st.booleans(), st.integers(0, 2**16), st.integers(1, 255))
def test_a_changed_byte_in_the_servers_flight_never_goes_unnoticed(early: bool, place: int, change: int) -> None:
    client, server = make_client(), make_server()
    server.receive(INITIAL, started(client))
    events = server.events()
    answer, flight = bytearray(crypto_data(events, INITIAL)), bytearray(crypto_data(events, HANDSHAKE))
    changed = answer if early else flight
    changed[place % len(changed)] ^= change

    def deliver() -> None:
        client.receive(INITIAL, bytes(answer))
        client.receive(HANDSHAKE, bytes(flight))

    result = outcome(deliver)
    # A length that grew may leave the client waiting for the rest; what it must never do is to be content.
    assert not client.complete
    assert result is not None or client.unconsumed(HANDSHAKE) or client.unconsumed(INITIAL)


@settings(deadline=None, max_examples=150)
@given(st.integers(0, 2**16), st.integers(1, 255))
def test_a_changed_byte_in_the_clients_hello_never_goes_unnoticed(place: int, change: int) -> None:
    client, server = make_client(), make_server()
    hello = bytearray(started(client))
    hello[place % len(hello)] ^= change

    def deliver() -> None:
        server.receive(INITIAL, bytes(hello))
        events = server.events()
        client.receive(INITIAL, crypto_data(events, INITIAL))
        client.receive(HANDSHAKE, crypto_data(events, HANDSHAKE))

    outcome(deliver)
    assert not client.complete


@settings(deadline=None, max_examples=100)
@given(st.binary(max_size=300), st.sampled_from([INITIAL, HANDSHAKE, ONE_RTT]))
def test_noise_gives_transport_errors_only(noise: bytes, level: EncryptionLevel) -> None:
    client, server = make_client(), make_server()
    started(client)
    for peer in (client, server):
        outcome(peer.receive, level, noise)
    shake_hands(client := make_client(), server := make_server())
    for peer in (client, server):
        outcome(peer.receive, level, noise)
